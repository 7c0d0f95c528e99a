"""Whole networks that papers and their code print.

NAS's network of 15 layers is that of figure 7 of the paper as it has to be read for its 4.2
million parameters; ENAS's one of 24 layers is that of its authors' script.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PUBLISHED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "nas": {
            "nas-v1": (
                "1 (3,3,36;0) 2 (3,3,48;1) 3 (3,3,36;1,2) 4 (5,5,36;1,2,3) 5 (3,7,48;3,4) "
                "6 (7,7,48;2,3,4,5) 7 (7,7,48;2,3,4,5,6) 8 (7,3,36;1,6,7) 9 (7,1,36;1,5,6,8) "
                "10 (7,7,36;1,3,4,5,6,7,8,9) 11 (5,7,36;1,2,5,6,7,8,9,10) "
                "12 (7,7,48;1,2,3,4,6,11) 13 (7,5,48;1,3,6,7,8,9,10,11,12) "
                "14 (7,5,48;3,7,12,13) 15 (7,5,48;2,7,11,12,13,14)"
            ),
        },
        "nas_strides": {},
        "enas_macro": {
            "enas-macro": (
                "0 3:0 0:10 2:001 2:0000 3:11010 2:000001 2:0110111 1:01110101 0:000000000 "
                "2:0000010000 0:10011000011 2:010000010110 1:0010001110101 0:11010100000100 "
                "2:001000000010101 2:0100010011110010 2:00001010100101001 3:011010000010101000 "
                "3:0110000000001100001 0:10010110001000001100 3:010110010110110100100 "
                "0:1010100000000101001000 0:11000111010001010011000"
            ),
        },
    }
)
"""Space to name to code as text."""
