"""What families do differently around and within their cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from blockqnn.networks.operations.table import Operation, OperationEntry
from blockqnn.networks.spaces.pairs.families import Family, Outputs


@dataclasses.dataclass(frozen=True)
class Rules:
    """How cells are stacked.

    Attributes:
        stem_twice: the first cell gets the stem as both of its inputs; else as the newer one,
            and in the place of the older one the stem as it is, without preparation.
        prepares_older: the older input goes through a 1x1 convolution even where it has the
            right size and width.
        adapts_newer: the newer input goes through a 1x1 convolution of its own where it has not
            the right width, before the one that it always goes through.
        prepares_newer: the newer input goes through a 1x1 convolution in any case; else where it
            has not the right width.
        reduces_before: before a reduction cell the last output goes through two factorised
            reductions of its own, which the cell reads without strides, and the cell after it
            reads the newer of them; else the operations on the inputs of a reduction cell have
            stride 2.
        factorises: an identity with a stride is a factorised reduction; else a 1x1
            convolution with that stride.
        rectifies: there is a ReLU before the global pooling.
        classifier: the last operation.
        stem_cells: on ImageNet two reduction cells with a quarter and a half of the filters
            follow a convolution of `stem_filters`; else three convolutions stand there.
        stem_filters: channels of that convolution.
        skips_reduction: the older input of the cell after a reduction is the reduction's older
            input; else its newer one.
        squeezes: what goes out is brought to the filters of the cell by a 1x1 convolution, so
            that the width of a cell does not depend on how many states go out.
        auxiliary: which cell the auxiliary head reads, counted from the second reduction: -1 for
            the cell before it, 0 for it, 1 for the cell after it.
        auxiliary_stride: of the pooling that this head begins with, for small images and for
            large ones.
        auxiliary_norms: whether batch norm follows the head's second convolution, likewise.
        auxiliary_pooling: the second convolution has as many outputs as inputs, whose mean is
            taken; else there is one place at which its window fits.
        drops_reductions: whether drop-path may leave out an identity with a stride.
        narrows: whether full convolutions of more than one pixel work on a quarter of the
            filters (of 1x3 and 3x1, three eighths), between convolutions of 1x1.
        norms_pools: whether batch norm follows each pooling where batch norms of cells have no
            scale and shift, that is in a supernet.
    """

    stem_twice: bool = True
    prepares_older: bool = False
    adapts_newer: bool = False
    prepares_newer: bool = True
    reduces_before: bool = False
    factorises: bool = True
    rectifies: bool = True
    classifier: OperationEntry = Operation.LINEAR
    stem_cells: bool = False
    stem_filters: int = 0
    skips_reduction: bool = False
    squeezes: bool = False
    auxiliary: int = -1
    auxiliary_stride: tuple[int, int] = (3, 3)
    auxiliary_norms: tuple[bool, bool] = (True, True)
    auxiliary_pooling: bool = False
    drops_reductions: bool = False
    narrows: bool = False
    norms_pools: bool = False


_NASNET = Rules(stem_twice=False, factorises=False, stem_cells=True, stem_filters=32)
_ENAS = Rules(
    adapts_newer=True,
    classifier=Operation.PRODUCT,
    auxiliary=1,
    auxiliary_pooling=True,
)

RULES: Mapping[str, Rules] = MappingProxyType(
    {
        "nasnet": _NASNET,
        "nasnet_large": dataclasses.replace(_NASNET, stem_filters=96, skips_reduction=True),
        "amoeba": dataclasses.replace(_NASNET, narrows=True),
        # On ImageNet the published code leaves the head's last batch norm out, by accident, and
        # keeps it so.
        "darts": Rules(
            prepares_older=True,
            rectifies=False,
            auxiliary=0,
            auxiliary_stride=(3, 2),
            auxiliary_norms=(True, False),
            drops_reductions=True,
            norms_pools=True,
        ),
        "enas": _ENAS,
        "enas_search": dataclasses.replace(_ENAS, squeezes=True),
        "enas_search_in_code": dataclasses.replace(
            _ENAS, squeezes=True, adapts_newer=False, prepares_newer=False, reduces_before=True
        ),
    }
)
"""Name to rules. Those of NASNet are of the published networks' code, for small images and the
mobile network, and for the large one; those of AmoebaNet are NASNet's with narrow convolutions; a
search of ENAS may have cells as its final training builds them, or as the search of its code."""


def unshared(family: Family, rules: str) -> str:
    """Why cells of a family cannot share weights under some rules; empty where they can."""
    if RULES[rules].squeezes or family.outputs in (Outputs.ALL_NODES, Outputs.EACH_NODE):
        return ""
    squeezing = " or ".join(name for name, each in RULES.items() if each.squeezes)
    return (
        f"Cells of the space {family.name} differ in how many states go out, so the cells after "
        f"them share weights only under --cell_rules={squeezing}"
    )
