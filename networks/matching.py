"""Which layers of two designs correspond: what they share, and what differs.

Numbers of layers say little, since a design can be written in many orders. Layers
are matched by what they compute and by where they stand: each pair gets a
likeness from what lies before and after, and partners are then exchanged for as
long as more edges agree. For equal designs the result is exact; the
largest agreement of two graphs is hard to find in general, and for others the
result is a good one.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from blockqnn.networks.graph import INPUT, OUTPUT, Graph

_ROUNDS = 6
"""How far likeness looks before and after a layer."""

Edges = tuple[tuple[int, int], ...]
"""Source and target of each edge, ascending and with repetitions."""


@dataclasses.dataclass(frozen=True)
class Matching:
    """What two designs share and what differs; each one's nodes have its own numbers.

    Attributes:
        same: pairs of nodes that correspond, ascending by the first one's;
            type and kernel are equal. The inputs and the outputs are among them.
        changed: pairs of layers that stand in each other's place but differ in
            kernel or in type.
        only_first: layers of the first block with no pair in `same`.
        only_second: layers of the second block with no pair in `same`.
        edges_only_first: edges of the first block that the second lacks, all
            pairs being taken for each other, those in `changed` too.
        edges_only_second: edges of the second block that the first lacks.
    """

    same: tuple[tuple[int, int], ...]
    changed: tuple[tuple[int, int], ...]
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]
    edges_only_first: Edges
    edges_only_second: Edges


@dataclasses.dataclass(frozen=True)
class Side:
    """One of two things that are compared.

    Attributes:
        graph: as it is to be shown, without operations on edges.
        meaning: the graph of the design that it means, likewise.
        places: for each layer of `meaning` its number in `graph`.
    """

    graph: Graph
    meaning: Graph
    places: Mapping[int, int]


def match(first: Side, second: Side) -> Matching:
    """Matches the layers of two codes or designs.

    Args:
        first: one of them.
        second: the other.

    Returns:
        The matching, in the numbers of the graphs that are shown. Layers that
        compute nothing are matched after those that do.
    """
    one, other = _Sides(first.graph), _Sides(second.graph)
    ends = {0: 0, one.output: other.output}
    together = ends | _corresponding(first.graph, second.graph)
    if not one.edges.total() == other.edges.total() == _agreeing(one, other, together):
        # They are not shown alike, so what they mean decides. Where that is one layer, several
        # may stand for it, and what reads each of them would be lost.
        meant = _corresponding(first.meaning, second.meaning)
        together = ends | {first.places[n]: second.places[p] for n, p in meant.items()}
        _extend(together, one, other)
    pairs = {n: p for n, p in together.items() if _worth(one, other, n, p) == 1}
    return Matching(
        same=tuple(sorted(pairs.items())),
        changed=tuple(sorted(together.items() - pairs.items())),
        only_first=tuple(sorted(set(range(one.output)) - set(pairs))),
        only_second=tuple(sorted(set(range(other.output)) - set(pairs.values()))),
        edges_only_first=_left_over(one, other, together),
        edges_only_second=_left_over(other, one, {p: n for n, p in together.items()}),
    )


def _corresponding(first: Graph, second: Graph) -> dict[int, int]:
    """Pairs of layers that agree in as many edges as can be found, and if they can in kind."""
    if first == second:
        return {node: node for node in range(1, len(first.layers) + 1)}
    one, other = _Sides(first), _Sides(second)
    best: dict[int, int] = {}
    best_value = -1.0
    for above, below in ((0.5, 0.5), (0.9, 0.1), (0.1, 0.9)):
        likeness = _likeness(one, other, above, below)
        pairs, (value, _) = _exchanged(one, other, _greedy(likeness), likeness)
        if value > best_value:
            best, best_value = pairs, value
    # Layers that share no edge have at most their name in common.
    while alone := [n for n, p in best.items() if n and not _agreeing_at(one, other, best, n, p)]:
        best = {node: partner for node, partner in best.items() if node not in alone}
    return {node: partner for node, partner in best.items() if 0 < node < one.output}


class _Sides:
    """A graph with what each node reads and what reads it."""

    def __init__(self, graph: Graph):
        self.output = graph.output
        self.inputs = [node.inputs for node in graph.nodes]
        self.readers: list[list[int]] = [[] for _ in self.inputs]
        for source, target in graph.ends:
            self.readers[source].append(target)
        self.labels = [(node.kind, node.window) for node in graph.nodes]
        self.edges = Counter(graph.ends)

    def edges_at(self, node: int) -> int:
        """How many edges end at a node."""
        return len(self.inputs[node]) + len(self.readers[node])


def _worth(one: _Sides, other: _Sides, node: int, partner: int) -> float:
    """What it is worth that two nodes are partners, in halves of an edge; 0 if they cannot be."""
    (kind, window), (other_kind, other_window) = one.labels[node], other.labels[partner]
    if kind == other_kind:
        return 1.0 if window == other_window else 0.5
    ends = {INPUT, OUTPUT}
    if ends & {kind, other_kind} or len(one.inputs[node]) != len(other.inputs[partner]):
        return 0.0
    return 0.25


Likeness = dict[tuple[int, int], float]


def _likeness(one: _Sides, other: _Sides, above: float, below: float) -> Likeness:
    """How alike two nodes and what surrounds them are, from 0 to 1, where they can be partners."""
    worths = {
        (node, partner): worth
        for node in range(one.output + 1)
        for partner in range(other.output + 1)
        if (worth := _worth(one, other, node, partner))
    }
    found = dict(worths)
    for _ in range(_ROUNDS):
        found = {
            (node, partner): worth
            * (
                0.2
                + 0.8 * above * _overlap(one.inputs[node], other.inputs[partner], found)
                + 0.8 * below * _overlap(one.readers[node], other.readers[partner], found)
            )
            for (node, partner), worth in worths.items()
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
) -> tuple[dict[int, int], tuple[float, float]]:
    """Exchanges partners for as long as that is worth more; returns the pairs and their worth."""

    def worth(candidate: dict[int, int]) -> tuple[float, float]:
        alike = sum(likeness[pair] for pair in candidate.items())
        named = sum(_worth(one, other, *pair) for pair in candidate.items())
        return 2 * _agreeing(one, other, candidate) + named, round(alike, 9)

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
                if before is not None and (owner, before) in likeness:
                    changed[owner] = before
            changed[node] = partner
            value = worth(changed)
            if value > best:
                pairs, best, improved = changed, value, True
    return pairs, best


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


def _extend(pairs: dict[int, int], one: _Sides, other: _Sides) -> None:
    """Adds pairs of nodes that have no partner yet, those that share most edges first."""
    while True:
        taken = set(pairs.values())
        candidates = [
            (shared, worth, -node, -partner)
            for node in range(1, one.output)
            if node not in pairs
            for partner in range(1, other.output)
            if partner not in taken
            and (worth := _worth(one, other, node, partner))
            and (shared := _agreeing_at(one, other, pairs, node, partner))
        ]
        if not candidates:
            return
        _, _, node, partner = max(candidates)
        pairs[-node] = -partner


def _left_over(one: _Sides, other: _Sides, pairs: dict[int, int]) -> Edges:
    """The edges of a graph that the other lacks."""
    left: list[tuple[int, int]] = []
    for (source, target), count in one.edges.items():
        partner = (pairs.get(source, -1), pairs.get(target, -1))
        left += [(source, target)] * (count - min(count, other.edges[partner]))
    return tuple(sorted(left))
