"""Two blocks compared: their figures, and their layers side by side.

compared = compare(first_code, second_code)
for row in compared:
    row.first, row.second, row.equal
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable

from blockqnn.networks.spaces.nsc.codes import Code, LayerCode
from blockqnn.networks.spaces.nsc.matching import match


@dataclasses.dataclass(frozen=True)
class Row:
    """A layer of the first block beside the one of the second that stands in its place.

    Attributes:
        first: of the first block, or None where it has none in this place.
        second: of the second block, or None.
        equal: whether both compute the same of corresponding layers, and both
            or neither go into the output.
    """

    first: LayerCode | None
    second: LayerCode | None
    equal: bool


def compare(first: Code, second: Code) -> list[Row]:
    """Sets the layers of two blocks side by side.

    Args:
        first: a block.
        second: another.

    Returns:
        Rows in the first block's order, each block's layers exactly once; what
        the second alone has follows the layer that it follows there.
    """
    matching = match(first, second)
    partner = dict(matching.same) | dict(matching.changed)
    kept = {node for node, _ in matching.same}
    leaves, other_leaves = leaves_of(first), leaves_of(second)
    rows: list[Row] = []
    for layer in first[:-1]:
        if layer.index not in partner:
            rows.append(Row(layer, None, equal=False))
            continue
        other = second[partner[layer.index] - 1]
        reads = [partner.get(node) for node in layer.predecessors]
        equal = (
            layer.index in kept
            and _multiset(reads) == _multiset(other.predecessors)
            and (layer.index in leaves) == (other.index in other_leaves)
        )
        rows.append(Row(layer, other, equal))
    taken = set(partner.values())
    for layer in second[:-1]:
        if layer.index not in taken:
            rows.insert(_place(rows, layer.index - 1), Row(None, layer, equal=False))
    return rows


def leaves_of(code: Code) -> set[int]:
    """The layers that nobody reads, which are joined into the block's output."""
    used = {source for layer in code for source in layer.predecessors}
    return {layer.index for layer in code[:-1] if layer.index not in used}


def _multiset(nodes: Iterable[int | None]) -> collections.Counter[int | None]:
    return collections.Counter(nodes)


def _place(rows: list[Row], index: int) -> int:
    """Where the row after the one with layer `index` of the second block stands."""
    for place, row in enumerate(rows):
        if row.second is not None and row.second.index == index:
            return place + 1
    return 0
