"""Two designs compared: their layers side by side.

compared = compare(first_code, second_code)
for row in compared.rows:
    row.first, row.second, row.equal
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable

from blockqnn.networks.graph import Graph
from blockqnn.networks.matching import match
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import side_of


@dataclasses.dataclass(frozen=True)
class Row:
    """A layer of the first design beside the one of the second that stands in its place.

    Attributes:
        first: node of the first design's graph, or None where it has none in this place.
        second: node of the second design's graph, or None.
        equal: whether both compute the same of corresponding layers, and both
            or neither go into the output.
    """

    first: int | None
    second: int | None
    equal: bool


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two designs side by side.

    Attributes:
        first: graph of the first, as it was written.
        second: graph of the second.
        rows: in the first one's order, each design's layers exactly once; what the
            second alone has follows the layer that it follows there.
    """

    first: Graph
    second: Graph
    rows: list[Row]


def compare(first: Code, second: Code) -> Comparison:
    """Sets the layers of two designs side by side.

    Args:
        first: a code.
        second: another.

    Returns:
        The comparison.
    """
    one, other = side_of(first), side_of(second)
    matching = match(one, other)
    partner = dict(matching.same) | dict(matching.changed)
    kept = {node for node, _ in matching.same}
    leaves, other_leaves = set(one.graph.outputs), set(other.graph.outputs)
    rows: list[Row] = []
    for node, layer in enumerate(one.graph.layers, start=1):
        if node not in partner:
            rows.append(Row(node, None, equal=False))
            continue
        place = partner[node]
        reads = [partner.get(source) for source in layer.inputs]
        equal = (
            node in kept
            and _multiset(reads) == _multiset(other.graph.nodes[place].inputs)
            and (node in leaves) == (place in other_leaves)
        )
        rows.append(Row(node, place, equal))
    taken = set(partner.values())
    for node in range(1, other.graph.output):
        if node not in taken:
            rows.insert(_place(rows, node - 1), Row(None, node, equal=False))
    return Comparison(one.graph, other.graph, rows)


def _multiset(nodes: Iterable[int | None]) -> collections.Counter[int | None]:
    return collections.Counter(nodes)


def _place(rows: list[Row], node: int) -> int:
    """Where the row after the one with a node of the second design stands."""
    for place, row in enumerate(rows):
        if row.second is not None and row.second == node:
            return place + 1
    return 0
