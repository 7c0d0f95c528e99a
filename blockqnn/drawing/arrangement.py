"""Where the nodes and edges of a drawing stand: layers from top to bottom."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from blockqnn.drawing.labels import width_text
from blockqnn.drawing.sugiyama import NODE_GAP, place
from blockqnn.networks.graph import Graph, expanded

Point = tuple[float, float]
"""x to the right and y downwards, in points."""

NODE_WIDTH = 76.0
NODE_HEIGHT = 25.0
CHARACTER_WIDTH = 6.6
"""More than the mean of a label's characters, in points."""
STEM = 13.0
"""How far an edge goes straight down before it bends; the width stands beside it."""
BEND = 24.0
"""Least height of the space between rows in which edges bend."""
MOST_BEND = 42.0
MARGIN = 6.0
SIDE = MARGIN + NODE_GAP / 2
"""Empty space above and below, and at the sides."""
PORT_GAP = 11.0
LEAST_PORT_GAP = 8.0
"""Between edges that arrive at one node."""
PORT_INSET = 16.0
"""From a node's corner to the first edge that may arrive."""


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


def arrange(graph: Graph) -> Arrangement:
    """Places a design's nodes and edges.

    Args:
        graph: of a code or a design; where it has widths, they are shown.

    Returns:
        The arrangement. No two nodes overlap, and edges go downwards without
        passing through nodes. An operation on an edge has a node of its own.
    """
    graph = expanded(graph)
    channels = graph.widths
    texts = [node.label for node in graph.nodes]
    if channels is not None:
        texts[-1] += f", {width_text(channels[-1])}"
    half = [_width(text) / 2 for text in texts]
    half[-1] = max(half[-1], (len(graph.outputs) - 1) * LEAST_PORT_GAP / 2 + PORT_INSET)
    ends = graph.ends
    placed = place(graph, half)
    across = [MARGIN + x for x in placed.across]
    routes = [
        [across[source], *(MARGIN + x for x in bend), across[target]]
        for (source, target), bend in zip(ends, placed.bends, strict=True)
    ]
    for route, port in zip(routes, _ports(ends, routes, across, half), strict=True):
        route[-1] = port
    tops = _tops(routes, [placed.rows[source] for source, _ in ends], placed.rows[-1])
    nodes = tuple(
        Node(
            i, node.kind, texts[i], across[i], tops[row] + NODE_HEIGHT / 2, 2 * half[i], NODE_HEIGHT
        )
        for i, (node, row) in enumerate(zip(graph.nodes, placed.rows, strict=True))
    )
    edges = tuple(
        Edge(
            source,
            target,
            _points(route, tops[placed.rows[source] :]),
            None if channels is None else channels[source],
        )
        for (source, target), route in zip(ends, routes, strict=True)
    )
    right = max(
        max(node.x + node.width / 2 for node in nodes), max(x for route in routes for x in route)
    )
    return Arrangement(nodes, edges, right + SIDE, tops[-1] + NODE_HEIGHT + MARGIN)


def _width(label: str) -> float:
    return max(NODE_WIDTH, len(label) * CHARACTER_WIDTH + 16)


def _tops(
    routes: Sequence[Sequence[float]], first_rows: Sequence[int], last_row: int
) -> list[float]:
    """The upper border of each row: the further edges go sideways, the more space they get."""
    furthest = [0.0] * last_row
    for route, first in zip(routes, first_rows, strict=True):
        for row, (before, here) in enumerate(itertools.pairwise(route), start=first):
            furthest[row] = max(furthest[row], abs(here - before))
    tops = [MARGIN]
    for distance in furthest:
        bend = min(MOST_BEND, BEND + 0.06 * max(0.0, distance - NODE_WIDTH))
        tops.append(tops[-1] + NODE_HEIGHT + STEM + round(bend))
    return tops


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
        gap = min(PORT_GAP, 2 * (half[target] - PORT_INSET) / max(1, len(edges) - 1))
        slots = [across[target] + (i - (len(edges) - 1) / 2) * gap for i in range(len(edges))]
        # A little to one side, if an edge then comes straight down.
        shifts = [routes[edge][-2] - slot for edge, slot in zip(edges, slots, strict=True)]
        shift = min(shifts, key=abs)
        for edge, slot in zip(edges, slots, strict=True):
            ports[edge] = slot + shift if abs(shift) <= gap / 2 else slot
    return ports


def _points(route: Sequence[float], tops: Sequence[float]) -> tuple[Point, ...]:
    """The points of an edge.

    Args:
        route: x in the source's row, in each row that the edge passes, and at the target.
        tops: upper border of the source's row and of those below.

    Returns:
        Points from top to bottom; every bend lies between two rows.
    """
    points = [(route[0], tops[0] + NODE_HEIGHT)]
    for (before, here), top, below in zip(
        itertools.pairwise(route), tops[:-1], tops[1:], strict=False
    ):
        if here != before:
            points += [(before, top + NODE_HEIGHT + STEM), (here, below)]
    end = (route[-1], tops[len(route) - 1])
    return (*points, end) if points[-1] != end else tuple(points)
