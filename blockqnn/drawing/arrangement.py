"""Where the nodes and edges of a drawing stand: layers from top to bottom.

The method is that of Sugiyama, Tagawa and Toda, "Methods for visual
understanding of hierarchical system structures", 1981, as igraph carries it
out: it orders the nodes of each row so that few edges cross, and gives an edge
that spans rows a place in each row that it passes. Here its even grid is
drawn together to what the nodes' sizes need.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import igraph

from blockqnn.drawing.palette import INPUT, OUTPUT
from networks.canonical import CanonicalBlock
from networks.codes import Code, LayerType
from networks.graph import BlockGraph, block_graph, widths
from networks.layout import Layout

Point = tuple[float, float]
"""x to the right and y downwards, in points."""

NODE_WIDTH = 76.0
NODE_HEIGHT = 25.0
CHARACTER_WIDTH = 6.6
"""More than the mean of a label's characters, in points."""
STEM = 13.0
"""How far an edge goes straight down before it bends; the width stands beside it."""
BEND = 25.0
"""Height of the space between rows in which edges bend."""
NODE_GAP = 18.0
EDGE_GAP = 13.0
MARGIN = 6.0
PORT_GAP = 11.0

_SHORT = {
    LayerType.CONVOLUTION: "conv",
    LayerType.MAX_POOLING: "max",
    LayerType.AVERAGE_POOLING: "avg",
}


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of a drawing.

    Attributes:
        index: 0 is the block's input, 1 to n its layers, n + 1 its output.
        kind: a key of `palette.COLOURS`.
        label: a short text, such as `conv 3x3`.
        x: of the centre, in points.
        y: of the centre, in points, downwards.
        width: in points.
        height: in points.
        mark: empty, or a key of `palette.MARKS`.
    """

    index: int
    kind: str
    label: str
    x: float
    y: float
    width: float
    height: float
    mark: str = ""


@dataclasses.dataclass(frozen=True)
class Edge:
    """An edge of a drawing.

    Attributes:
        source: index of a node.
        target: index of a node.
        points: from the lower border of the source to the upper one of the
            target; between two of them the line is straight if both have
            the same x, else it bends.
        channels: width of the tensor, or None where no layout was given.
        mark: empty, or a key of `palette.MARKS`.
    """

    source: int
    target: int
    points: tuple[Point, ...]
    channels: int | None = None
    mark: str = ""


@dataclasses.dataclass(frozen=True)
class Caption:
    """A line of text outside the nodes.

    Attributes:
        text: what it says.
        x: of its middle, in points.
        y: of its base line, in points.
    """

    text: str
    x: float
    y: float


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """A drawing before it is painted.

    Attributes:
        nodes: in order of index.
        edges: in no particular order.
        width: of all, in points.
        height: of all, in points.
        captions: texts outside the nodes.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float
    captions: tuple[Caption, ...] = ()


def arrange(code: Code | CanonicalBlock, layout: Layout | None = None) -> Arrangement:
    """Places a block's nodes and edges.

    Args:
        code: the block as written, or what it means.
        layout: of the child network, whose first stage gives the widths.

    Returns:
        The arrangement. No two nodes overlap, and edges go downwards without
        passing through nodes.
    """
    graph = block_graph(code)
    channels = None if layout is None else widths(graph, layout.filters[0])
    labels = _labels(graph, channels)
    half = [_width(label) / 2 for label in labels]
    ends = graph.edges
    rows = _rows(graph)
    places, bends = _sugiyama(ends, rows)
    stations: list[list[tuple[float, float]]] = [[] for _ in range(rows[-1] + 1)]
    for node, (x, row) in enumerate(zip(places, rows, strict=True)):
        stations[row].append((x, half[node] + NODE_GAP / 2))
    for (source, _), bend in zip(ends, bends, strict=True):
        for row, x in enumerate(bend, start=rows[source] + 1):
            stations[row].append((x, EDGE_GAP / 2))
    moved = _drawn_together(stations)
    across = [moved[x] for x in places]
    routes = [
        [across[source], *(moved[x] for x in bend), across[target]]
        for (source, target), bend in zip(ends, bends, strict=True)
    ]
    for route, port in zip(routes, _ports(ends, routes, across, half), strict=True):
        route[-1] = port
    pitch = NODE_HEIGHT + STEM + BEND
    middle = [MARGIN + NODE_HEIGHT / 2 + pitch * row for row in rows]
    nodes = tuple(
        Node(i, kind, labels[i], across[i], middle[i], 2 * half[i], NODE_HEIGHT)
        for i, kind in enumerate(_kinds(graph))
    )
    edges = tuple(
        Edge(
            source,
            target,
            _points(route, middle[source] + NODE_HEIGHT / 2),
            None if channels is None else channels[source],
        )
        for (source, target), route in zip(ends, routes, strict=True)
    )
    right = max(moved[x] + need for row in stations for x, need in row)
    return Arrangement(nodes, edges, right + MARGIN, middle[-1] + NODE_HEIGHT / 2 + MARGIN)


def _kinds(graph: BlockGraph) -> list[str]:
    layers = [LayerType(layer.type).name.lower() for layer in graph.layers]
    return [INPUT, *layers, OUTPUT]


def _labels(graph: BlockGraph, channels: Sequence[int] | None) -> list[str]:
    labels = [INPUT]
    for layer in graph.layers:
        kind = LayerType(layer.type)
        size = f" {layer.kernel}x{layer.kernel}" if layer.kernel else ""
        labels.append(_SHORT.get(kind, kind.name.lower()) + size)
    joined = "output: concat" if len(graph.outputs) > 1 else "output"
    return [*labels, joined if channels is None else f"{joined}, {width_text(channels[-1])}"]


def width_text(channels: int) -> str:
    """A width as it stands on an edge: exact while that is short."""
    return str(channels) if channels < 10**6 else f"{channels:.2g}"


def _width(label: str) -> float:
    return max(NODE_WIDTH, len(label) * CHARACTER_WIDTH + 16)


def _rows(graph: BlockGraph) -> list[int]:
    """The row of each node: as high as it can be, or lower where that shortens edges."""
    rows = [0]
    for layer in graph.layers:
        rows.append(1 + max(rows[source] for source in layer.inputs))
    rows.append(1 + max(rows[source] for source in graph.outputs))
    readers: list[list[int]] = [[] for _ in rows]
    for source, target in graph.edges:
        readers[source].append(target)
    for node in range(len(graph.layers), 0, -1):
        if len(set(readers[node])) > len(set(graph.layers[node - 1].inputs)):
            rows[node] = min(rows[reader] for reader in readers[node]) - 1
    return rows


def _sugiyama(
    ends: Sequence[tuple[int, int]], rows: Sequence[int]
) -> tuple[list[float], list[list[float]]]:
    """Places on an even grid: x of each node, and of each edge in the rows that it passes."""
    graph = igraph.Graph(len(rows), ends, directed=True)
    placed = graph.layout_sugiyama(layers=rows)
    places = [round(point[0], 3) for point in placed.coords]
    bends = [[round(point[0], 3) for point in route] for route in placed.edge_routing]
    return places, bends


def _drawn_together(
    stations: Sequence[Sequence[tuple[float, float]]],
) -> dict[float, float]:
    """Maps each x of the grid to one in points, so that equal ones stay equal.

    What is straight on the grid so stays straight. Of the maps that leave room
    enough the result is the mean of the leftmost and the rightmost.

    Args:
        stations: for each row, what stands there: x on the grid, and half the
            room that it needs in points.

    Returns:
        x on the grid to x in points.
    """
    room: list[tuple[float, float, float]] = []
    for row in stations:
        for (left, a), (right, b) in itertools.pairwise(sorted(row)):
            room.append((left, right, a + b))
    grid = sorted({x for row in stations for x, _ in row})
    leftmost = _least(grid, room)
    mirrored = _least([-x for x in reversed(grid)], [(-r, -l, need) for l, r, need in room])
    width = max(leftmost.values())
    middle = {x: (leftmost[x] + width - mirrored[-x]) / 2 for x in grid}
    edge = min(middle[x] - need for row in stations for x, need in row)
    return {x: place - edge + MARGIN for x, place in middle.items()}


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


def _ports(
    ends: Sequence[tuple[int, int]],
    routes: Sequence[Sequence[float]],
    across: Sequence[float],
    half: Sequence[float],
) -> list[float]:
    """Where each edge meets its target: side by side, in the order in which they come."""
    arriving: dict[int, list[int]] = {}
    for edge, (_, target) in enumerate(ends):
        arriving.setdefault(target, []).append(edge)
    ports = [0.0] * len(ends)
    for target, edges in arriving.items():
        edges.sort(key=lambda edge: routes[edge][-2])
        gap = min(PORT_GAP, (2 * half[target] - 30) / max(1, len(edges) - 1))
        slots = [across[target] + (i - (len(edges) - 1) / 2) * gap for i in range(len(edges))]
        # A little to one side, if an edge then comes straight down.
        shifts = [routes[edge][-2] - slot for edge, slot in zip(edges, slots, strict=True)]
        shift = min(shifts, key=abs)
        for edge, slot in zip(edges, slots, strict=True):
            ports[edge] = slot + shift if abs(shift) <= gap / 2 else slot
    return ports


def _points(route: Sequence[float], top: float) -> tuple[Point, ...]:
    """The points of an edge.

    Args:
        route: x in the source's row, in each row that the edge passes, and at the target.
        top: y of the source's lower border.

    Returns:
        Points from top to bottom; every bend lies between two rows.
    """
    points = [(route[0], top)]
    for before, here in itertools.pairwise(route):
        top += STEM
        if here != before:
            points += [(before, top), (here, top + BEND)]
        top += BEND + NODE_HEIGHT
    end = (route[-1], top - NODE_HEIGHT)
    return (*points, end) if points[-1] != end else tuple(points)
