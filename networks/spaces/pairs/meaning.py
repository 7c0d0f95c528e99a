"""What a code of cells of pairs means: without what is not seen, and in one order."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Sequence

from blockqnn.networks.spaces.pairs.codes import Cell, Pair, cells_of
from blockqnn.networks.spaces.pairs.families import CONCAT, Family
from blockqnn.networks.spaces.pairs.picture import cells_graph


@dataclasses.dataclass(frozen=True)
class Cells:
    """What a code means: the cells without what is not seen, each node's halves in order.

    A node that neither goes out nor is read by one that counts dissolves, and later nodes move
    up. Its halves may be swapped where they are added, so the lower one is first.

    Attributes:
        family: name of the search space.
        cells: normal and reduction cell, or one.
    """

    family: str
    cells: tuple[Cell, ...]

    @property
    def space(self) -> str:
        """Name of the search space."""
        return self.family

    @property
    def density(self) -> float:
        """Edges over nodes of the graph of the normal cell and the reduction cell after it."""
        graph = cells_graph(self.cells).graph
        return len(graph.edges) / len(graph.nodes)

    @property
    def emptiness(self) -> str:
        """Empty: whatever a cell does, the maps that it reads are prepared by convolutions."""
        return ""

    @functools.cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that name the cells."""
        written = [
            [[*(f"{o.name}({s})" for s, o in pair.halves), pair.combination] for pair in cell.nodes]
            + [list(cell.outputs)]
            for cell in self.cells
        ]
        return hashlib.sha256(f"{self.family} {written}".encode()).hexdigest()[:16]


def meaning(family: Family, code: Sequence[Sequence[int]]) -> Cells:
    """What a code means."""
    return Cells(family.name, tuple(_seen(cell) for cell in cells_of(family, code)))


def kept_states(cell: Cell) -> list[int]:
    """The inputs, and those nodes of a cell that its output depends on."""
    wanted = set(cell.outputs)
    inputs, states = cell.inputs, cell.inputs + len(cell.nodes)
    for state in range(states - 1, inputs - 1, -1):
        if state in wanted:
            wanted.update(read for read, _ in cell.nodes[state - inputs].halves)
    return [s for s in range(states) if s < inputs or s in wanted]


def _seen(cell: Cell) -> Cell:
    kept = kept_states(cell)
    place = {old: new for new, old in enumerate(kept)}
    inputs = cell.inputs
    nodes = tuple(_in_order(cell.nodes[old - inputs], place) for old in kept[inputs:])
    outputs = tuple(place[state] for state in cell.outputs)
    return dataclasses.replace(cell, nodes=nodes, outputs=outputs)


def _in_order(pair: Pair, place: dict[int, int]) -> Pair:
    halves = [pair.halves[side] for side in sides_in_order(pair)]
    (first, on_first), (second, on_second) = halves
    return Pair(place[first], on_first, place[second], on_second, pair.combination)


def sides_in_order(pair: Pair) -> list[int]:
    """The halves of a node, 0 and 1, in the order of its meaning."""
    if pair.combination == CONCAT:
        return [0, 1]
    return sorted((0, 1), key=lambda side: (pair.halves[side][0], pair.halves[side][1].name))
