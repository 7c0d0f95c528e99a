"""Rows and columns of a drawing: where nodes stand and where long edges pass.

The method is that of Sugiyama, Tagawa and Toda, "Methods for visual
understanding of hierarchical system structures", 1981, as igraph carries it
out: it orders what stands in each row so that few edges cross, and gives an
edge that spans rows a place in each row that it passes. Its even grid is then
drawn together to what the nodes' sizes need.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import igraph

from blockqnn.networks.graph import Graph

NODE_GAP = 18.0
"""Between two nodes of a row, in points."""
EDGE_GAP = 13.0
"""Between two edges that pass a row, in points."""
NEARLY_STRAIGHT = 20.0
_APART = 2.0**-10
"""Of igraph's grid, whose unit is the least distance in a row; exact as a float."""

Station = tuple[float, float]
"""What stands or passes in a row: x, and half the room that it needs in points."""


@dataclasses.dataclass
class Placement:
    """Rows and columns.

    Attributes:
        rows: of each node, from 0.
        across: x of each node's middle.
        bends: for each edge x in each row that it passes.
    """

    rows: list[int]
    across: list[float]
    bends: list[list[float]]


def place(graph: Graph, half_widths: Sequence[float]) -> Placement:
    """Places the nodes of a block.

    Args:
        graph: the block.
        half_widths: half the width of each node, in points.

    Returns:
        The placement, x in points from the left end of what is furthest left.
    """
    edges = graph.ends
    rows = _rows(graph)
    placed = igraph.Graph(len(rows), edges, directed=True).layout_sugiyama(layers=rows)
    found = Placement(
        rows,
        [_on_grid(point[0]) for point in placed.coords],
        [[_on_grid(point[0]) for point in route] for route in placed.edge_routing],
    )
    _part(found, edges)
    moved = _drawn_together(_stations(found, edges, half_widths))
    found.across = [moved[x] for x in found.across]
    found.bends = [[moved[x] for x in bend] for bend in found.bends]
    _centre_ends(found, edges)
    stations = itertools.chain(*_stations(found, edges, half_widths))
    left = min(x - room for x, room in stations)
    found.across = [x - left for x in found.across]
    found.bends = [[x - left for x in bend] for bend in found.bends]
    return found


def _on_grid(x: float) -> float:
    """Without the last bits, so that what is meant to be equal is."""
    return round(x * 64) / 64


def _rows(graph: Graph) -> list[int]:
    """The row of each node: as high as it can be, or lower where that shortens edges."""
    rows = [0]
    for layer in graph.layers:
        rows.append(1 + max((rows[source] for source in layer.inputs), default=-1))
    # Cells may have nodes that nobody reads; the output stands below them too.
    rows.append(1 + max(rows))
    readers: list[list[int]] = [[] for _ in rows]
    for source, target in graph.ends:
        readers[source].append(target)
    for node in range(len(graph.layers), 0, -1):
        if len(set(readers[node])) > len(set(graph.layers[node - 1].inputs)):
            rows[node] = min(rows[reader] for reader in readers[node]) - 1
    return rows


def _part(placement: Placement, edges: Sequence[tuple[int, int]]) -> None:
    """Moves apart what igraph puts into one place of a row, as it rarely does."""
    taken = set()
    for node, row in enumerate(placement.rows):
        while (row, placement.across[node]) in taken:
            placement.across[node] += _APART
        taken.add((row, placement.across[node]))
    for (source, _), bend in zip(edges, placement.bends, strict=True):
        rows = range(placement.rows[source] + 1, placement.rows[source] + 1 + len(bend))
        # The whole edge moves, so that what is straight stays so.
        while not taken.isdisjoint(zip(rows, bend, strict=True)):
            bend[:] = [x + _APART for x in bend]
        taken.update(zip(rows, bend, strict=True))


def _stations(
    placement: Placement, edges: Sequence[tuple[int, int]], half_widths: Sequence[float]
) -> list[list[Station]]:
    """What stands and passes in each row."""
    stations: list[list[Station]] = [[] for _ in range(placement.rows[-1] + 1)]
    for x, row, half in zip(placement.across, placement.rows, half_widths, strict=True):
        stations[row].append((x, half + NODE_GAP / 2))
    for (source, _), bend in zip(edges, placement.bends, strict=True):
        for row, x in enumerate(bend, start=placement.rows[source] + 1):
            stations[row].append((x, EDGE_GAP / 2))
    return stations


def _drawn_together(stations: Sequence[Sequence[Station]]) -> dict[float, float]:
    """Maps each x of the grid to one in points, so that equal ones stay equal.

    What is straight on the grid so stays straight. Of the maps that leave room
    enough the result is the mean of the leftmost and the rightmost.
    """
    room = [
        (left, right, a + b)
        for row in stations
        for (left, a), (right, b) in itertools.pairwise(sorted(row))
    ]
    grid = sorted({x for row in stations for x, _ in row})
    leftmost = _least(grid, room)
    mirrored = _least([-x for x in reversed(grid)], [(-r, -l, need) for l, r, need in room])
    width = max(leftmost.values())
    return {x: (leftmost[x] + width - mirrored[-x]) / 2 for x in grid}


def _least(grid: Sequence[float], room: Sequence[tuple[float, float, float]]) -> dict[float, float]:
    """The smallest ascending places from 0 on that leave room between neighbours."""
    before: dict[float, list[tuple[float, float]]] = {}
    for left, right, need in room:
        before.setdefault(right, []).append((left, need))
    placed: dict[float, float] = {}
    last = 0.0
    for x in grid:
        last = max([last, *(placed[left] + need for left, need in before.get(x, ()))])
        placed[x] = last
    return placed


def _centre_ends(placement: Placement, edges: Sequence[tuple[int, int]]) -> None:
    """Moves what stands alone in the first and in the last rows to the middle of its edges.

    igraph prefers one of the edges to be straight, even if the others then all
    lie on one side.
    """
    rows, across = placement.rows, placement.across
    occupied = [0] * (rows[-1] + 1)
    for row in rows:
        occupied[row] += 1
    for (source, _), bend in zip(edges, placement.bends, strict=True):
        for row in range(rows[source] + 1, rows[source] + 1 + len(bend)):
            occupied[row] += 1
    alone = [count == 1 for count in occupied]
    if all(alone):
        return
    head, tail = alone.index(False), len(alone) - 1 - alone[::-1].index(False)
    below = [
        bend[0] if bend else across[target]
        for (source, target), bend in zip(edges, placement.bends, strict=True)
        if rows[source] == head - 1
    ]
    above = [
        bend[-1] if bend else across[source]
        for (source, target), bend in zip(edges, placement.bends, strict=True)
        if rows[target] == tail + 1
    ]
    for node, row in enumerate(rows):
        if row < head:
            across[node] = _middle(below)
        elif row > tail:
            across[node] = _middle(above)


def _middle(places: Sequence[float]) -> float:
    """The middle of some places, or the one that is nearest to it if that is near."""
    middle = (min(places) + max(places)) / 2
    nearest = min(places, key=lambda x: abs(x - middle))
    return nearest if abs(nearest - middle) < NEARLY_STRAIGHT else middle
