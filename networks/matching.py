"""Which layers of two blocks correspond: what two blocks share, and what differs.

Numbers of layers say little, since a block can be written in many orders. Layers
are matched by what they compute and by where they stand: each pair of layers of
one type and kernel gets a likeness from what lies before and after them, and
pairs are then exchanged for as long as more edges agree. For equal canonical
forms the result is exact; finding the largest common part of two graphs is hard
in general, and for others the result is a good one.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence

from networks.canonical import CanonicalBlock, canonical_numbers, computes_nothing
from networks.codes import Code
from networks.graph import BlockGraph, block_graph

_ROUNDS = 6
"""How far likeness looks before and after a layer."""

Edges = tuple[tuple[int, int], ...]
"""Source and target of each edge, ascending and with repetitions."""


@dataclasses.dataclass(frozen=True)
class Matching:
    """What two blocks share and what differs; each block's nodes have its own numbers.

    Attributes:
        same: pairs of nodes that correspond, ascending by the first block's;
            type and kernel are equal. The inputs and the outputs are among them.
        changed: pairs of layers that stand in each other's place but differ in
            kernel or, where they read and write the same, in type.
        only_first: layers of the first block with no pair in `same`.
        only_second: layers of the second block with no pair in `same`.
        edges_only_first: edges of the first block that the second lacks.
        edges_only_second: edges of the second block that the first lacks.
    """

    same: tuple[tuple[int, int], ...]
    changed: tuple[tuple[int, int], ...]
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]
    edges_only_first: Edges
    edges_only_second: Edges


def match(first: CanonicalBlock | Code, second: CanonicalBlock | Code) -> Matching:
    """Matches the layers of two blocks.

    Args:
        first: a block, as written or in canonical form.
        second: another, in either form.

    Returns:
        The matching, in the numbers of the blocks as they were given. Layers
        that compute nothing are matched after those that do.
    """
    one, other = _Sides(block_graph(first)), _Sides(block_graph(second))
    meaning, places = _meaning(first)
    other_meaning, other_places = _meaning(second)
    pairs = {0: 0, one.output: other.output}
    for node, partner in _corresponding(meaning, other_meaning).items():
        pairs[places[node]] = other_places[partner]
    _extend(pairs, one, other, lambda node, partner: one.labels[node] == other.labels[partner])
    together = dict(pairs)
    _extend(together, one, other, lambda node, partner: _replaces(one, other, node, partner))
    return Matching(
        same=tuple(sorted(pairs.items())),
        changed=tuple(sorted(together.items() - pairs.items())),
        only_first=tuple(sorted(set(range(one.output)) - set(pairs))),
        only_second=tuple(sorted(set(range(other.output)) - set(pairs.values()))),
        edges_only_first=_left_over(one, other, together),
        edges_only_second=_left_over(other, one, {p: n for n, p in together.items()}),
    )


def _meaning(block: CanonicalBlock | Code) -> tuple[CanonicalBlock, dict[int, int]]:
    """The canonical form, and for each of its layers the number that it has in the block."""
    if isinstance(block, CanonicalBlock):
        return block, {node: node for node in range(1, len(block.layers) + 1)}
    canonical, nodes = canonical_numbers(block)
    written = {}
    for layer in block[:-1]:
        if not computes_nothing(layer):
            written[nodes[layer.index]] = layer.index
    return canonical, written


def _corresponding(first: CanonicalBlock, second: CanonicalBlock) -> dict[int, int]:
    """Pairs of layers of equal type and kernel that agree in as many edges as can be found."""
    if first == second:
        return {node: node for node in range(1, len(first.layers) + 1)}
    one, other = _Sides(block_graph(first)), _Sides(block_graph(second))
    best: dict[int, int] = {}
    best_count = -1
    for above, below in ((0.5, 0.5), (0.9, 0.1), (0.1, 0.9)):
        likeness = _likeness(one, other, above, below)
        pairs = _exchanged(one, other, _greedy(likeness), likeness)
        count = _agreeing(one, other, pairs)
        if count > best_count:
            best, best_count = pairs, count
    # Layers that share no edge have only their name in common.
    return {
        node: partner
        for node, partner in best.items()
        if 0 < node < one.output and _agreeing_at(one, other, best, node, partner)
    }


class _Sides:
    """A graph with what each node reads and what reads it."""

    def __init__(self, graph: BlockGraph):
        self.output = graph.output
        self.inputs: list[tuple[int, ...]] = [(), *(layer.inputs for layer in graph.layers)]
        self.inputs.append(graph.outputs)
        self.readers: list[list[int]] = [[] for _ in self.inputs]
        for source, target in graph.edges:
            self.readers[source].append(target)
        self.labels = [(0, 0), *((layer.type, layer.kernel) for layer in graph.layers), (0, 1)]
        self.edges = Counter(graph.edges)

    def edges_at(self, node: int) -> int:
        """How many edges end at a node."""
        return len(self.inputs[node]) + len(self.readers[node])


Likeness = dict[tuple[int, int], float]


def _likeness(one: _Sides, other: _Sides, above: float, below: float) -> Likeness:
    """How alike what surrounds two nodes of one label is, from 0 to 1."""
    found: Likeness = {
        (node, partner): 1.0
        for node, label in enumerate(one.labels)
        for partner, other_label in enumerate(other.labels)
        if label == other_label
    }
    for _ in range(_ROUNDS):
        found = {
            (node, partner): (
                0.2
                + 0.8 * above * _overlap(one.inputs[node], other.inputs[partner], found)
                + 0.8 * below * _overlap(one.readers[node], other.readers[partner], found)
            )
            for node, partner in found
        }
    return found


def _overlap(nodes: Sequence[int], others: Sequence[int], likeness: Likeness) -> float:
    """How alike two groups of nodes are, as a share of the larger."""
    if not nodes and not others:
        return 1.0
    ranked = sorted(
        (
            (likeness.get((a, b), 0.0), i, j)
            for i, a in enumerate(nodes)
            for j, b in enumerate(others)
        ),
        reverse=True,
    )
    total, taken, other_taken = 0.0, set(), set()
    for value, i, j in ranked:
        if i not in taken and j not in other_taken:
            taken.add(i)
            other_taken.add(j)
            total += value
    return total / max(len(nodes), len(others))


def _greedy(likeness: Likeness) -> dict[int, int]:
    """Pairs by falling likeness; the inputs and the outputs are always pairs."""
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for node, partner in sorted(likeness, key=lambda pair: (-likeness[pair], pair)):
        if node not in pairs and partner not in taken:
            pairs[node] = partner
            taken.add(partner)
    return pairs


def _exchanged(
    one: _Sides, other: _Sides, pairs: dict[int, int], likeness: Likeness
) -> dict[int, int]:
    """Exchanges partners for as long as more edges agree."""

    def worth(candidate: dict[int, int]) -> tuple[int, float]:
        alike = sum(likeness[pair] for pair in candidate.items())
        return _agreeing(one, other, candidate), round(alike, 9)

    moves = sorted(pair for pair in likeness if 0 < pair[0] < one.output)
    best = worth(pairs)
    improved = True
    while improved:
        improved = False
        for node, partner in moves:
            if pairs.get(node) == partner:
                continue
            changed = dict(pairs)
            owner = next((n for n, p in pairs.items() if p == partner), None)
            before = changed.pop(node, None)
            if owner is not None:
                del changed[owner]
                if before is not None:
                    changed[owner] = before
            changed[node] = partner
            value = worth(changed)
            if value > best:
                pairs, best, improved = changed, value, True
    return pairs


def _agreeing(one: _Sides, other: _Sides, pairs: dict[int, int]) -> int:
    """How many edges two graphs share when nodes are taken for their partners."""
    return sum(
        min(count, other.edges[pairs[source], pairs[target]])
        for (source, target), count in one.edges.items()
        if source in pairs and target in pairs
    )


def _agreeing_at(one: _Sides, other: _Sides, pairs: dict[int, int], node: int, partner: int) -> int:
    """How many of the edges at a node are also at its partner."""
    mapped = Counter((pairs.get(source, -1), partner) for source in one.inputs[node])
    mapped += Counter((partner, pairs.get(target, -1)) for target in one.readers[node])
    return sum(min(count, other.edges[edge]) for edge, count in mapped.items())


def _replaces(one: _Sides, other: _Sides, node: int, partner: int) -> bool:
    """Whether two layers may stand in each other's place: as many inputs."""
    return len(one.inputs[node]) == len(other.inputs[partner])


def _extend(
    pairs: dict[int, int], one: _Sides, other: _Sides, allowed: Callable[[int, int], bool]
) -> None:
    """Adds pairs of nodes that have none, those that share most edges first."""
    while True:
        taken = set(pairs.values())
        candidates = [
            (
                _agreeing_at(one, other, pairs, node, partner),
                one.labels[node][0] == other.labels[partner][0],
                -node,
                -partner,
            )
            for node in range(1, one.output)
            if node not in pairs
            for partner in range(1, other.output)
            if partner not in taken and allowed(node, partner)
        ]
        best = max(candidates, default=(0, False, 0, 0))
        if not best[0]:
            return
        pairs[-best[2]] = -best[3]


def _left_over(one: _Sides, other: _Sides, pairs: dict[int, int]) -> Edges:
    """The edges of a graph that the other lacks."""
    left: list[tuple[int, int]] = []
    for (source, target), count in one.edges.items():
        partner = (pairs.get(source, -1), pairs.get(target, -1))
        left += [(source, target)] * (count - min(count, other.edges[partner]))
    return tuple(sorted(left))
