"""What papers leave open, or papers and their code do differently, about whole networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from blockqnn.networks.operations.table import Operation, OperationEntry

ZEROS: Mapping[str, OperationEntry] = MappingProxyType(
    {"zeros_after": Operation.ZEROS_AFTER, "zeros_around": Operation.ZEROS_AROUND}
)
"""Where NAS's repair of inputs of unequal size puts its zeros: below and to the right, or on all
sides. The paper does not say."""


@dataclasses.dataclass(frozen=True)
class MacroRules:
    """How ENAS's layers are built.

    Attributes:
        concatenates: what a layer joins is concatenated, and a 1x1 convolution brings it back to
            C channels; else it is summed, and batch norm follows.
        separates: separable convolutions are; else they are convolutions of the same window.
        doubles: one number of filters doubles at each reduction; else it stays.
    """

    concatenates: bool = True
    separates: bool = True
    doubles: bool = True


AS_IN_CODE, SUM_SKIPS = "as_in_code", "sum_skips"

MACRO_RULES: Mapping[str, MacroRules] = MappingProxyType(
    {
        "concat_skips": MacroRules(),
        SUM_SKIPS: MacroRules(concatenates=False, doubles=False),
        AS_IN_CODE: MacroRules(separates=False),
    }
)
"""The text of the paper, which the authors' code follows when it trains a network to the end; what
that code does while it searches; and what it builds in truth at the end, where the operations
named separable are none."""
