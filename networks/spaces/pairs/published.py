"""Cells that papers and their code print.

The states that go out are those of the published networks, whose parameter counts are the
published ones; for NASNet-A the paper's own rule gives {2,3,4,5,6} and {4,5,6} instead, which
is `nasnet-a-paper`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_NASNET_A_NORMAL = (
    "2 sep5(1)+sep3(0) 3 sep5(0)+sep3(0) 4 avg3(1)+id(0) 5 avg3(0)+avg3(0) 6 sep3(1)+id(1)"
)
_NASNET_A_REDUCTION = (
    "2 sep5(1)+sep7(0) 3 max3(1)+sep7(0) 4 avg3(1)+sep5(0) 5 id(3)+avg3(2) 6 sep3(2)+max3(1)"
)

PUBLISHED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "nasnet": {
            "nasnet-a": (
                f"nasnet normal {_NASNET_A_NORMAL} out 0,2,3,4,5,6 "
                f"reduction {_NASNET_A_REDUCTION} out 3,4,5,6"
            ),
            "nasnet-a-paper": f"nasnet normal {_NASNET_A_NORMAL} reduction {_NASNET_A_REDUCTION}",
            "amoebanet-a": (
                "nasnet normal 2 avg3(1)+max3(1) 3 sep3(0)+id(0) 4 id(1)+avg3(0) "
                "5 sep3(1)+sep5(2) 6 avg3(5)+sep3(1) out 0,3,4,6 "
                "reduction 2 sep3(0)+avg3(1) 3 max3(1)+sep7(2) 4 max3(0)+max3(1) "
                "5 sep3(4)+c17(1) 6 avg3(0)+sep7(1) out 2,3,4,5,6"
            ),
        },
        "enas_micro": {
            "enas-micro": (
                "enas_micro normal (0,2,0,0)(0,4,0,1)(0,4,1,1)(1,0,0,1)(0,2,1,1) "
                "reduction (1,0,1,0)(0,3,0,2)(1,1,3,1)(1,0,0,4)(0,3,1,1)"
            ),
        },
        "pnas": {
            "pnasnet-5": (
                "pnas 2 sep5(0)+max3(0) 3 sep7(1)+max3(1) 4 sep5(1)+sep3(1) 5 sep3(4)+max3(1) "
                "6 sep3(0)+id(1) out 2,3,4,5,6"
            ),
        },
        "darts": {
            "darts-v1": (
                "darts normal 2 sep3(1)+sep3(0) 3 id(0)+sep3(1) 4 id(0)+sep3(1) 5 sep3(0)+id(2) "
                "reduction 2 max3(0)+max3(1) 3 id(2)+max3(0) 4 max3(0)+id(2) 5 id(2)+avg3(0)"
            ),
            "darts-v2": (
                "darts normal 2 sep3(0)+sep3(1) 3 sep3(0)+sep3(1) 4 sep3(1)+id(0) 5 id(0)+dil3(2) "
                "reduction 2 max3(0)+max3(1) 3 id(2)+max3(1) 4 max3(0)+id(2) 5 id(2)+max3(1)"
            ),
        },
    }
)
"""Space to name to code as text."""

EXAMPLES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "nasnet_b": {
            "example": (
                "nasnet_b normal 4 sep5(0)+sep3(1):layer 5 avg3(2)+id(3) 6 sep3(1)&max3(4) "
                "7 sep7(0)+id(2):instance reduction 4 max3(0)+sep5(1) 5 avg3(2)+sep3(3) "
                "6 id(4)+sep3(0):layer 7 id(5)&max3(1)"
            )
        },
        "nasnet_c": {
            "example": (
                "nasnet_c normal 2 sep5(0)+sep3(1):layer 3 avg3(0)+id(1) 4 sep3(1)&max3(2) "
                "5 sep7(0)+id(2):instance reduction 2 max3(0)+sep5(1) 3 avg3(2)+sep3(0) "
                "4 id(2)+sep3(0):layer 5 id(3)&max3(1)"
            )
        },
    }
)
"""Codes that show the form of those of a space whose published cells exist as drawings alone."""
