"""Two blocks beside one another, with what only one of them has marked."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable

from blockqnn.drawing.arrangement import (
    MARGIN,
    Arrangement,
    Caption,
    Edge,
    Node,
    Point,
)
from blockqnn.drawing.palette import ADDED, MARKS, REMOVED
from blockqnn.networks.matching import Edges, Matching

SPACE = 40.0
"""Between the two, in points."""
CAPTION_HEIGHT = 22.0
_CAPTION_CHARACTER = 7.4
"""More than the mean width of a bold character, in points."""


def beside(
    first: Arrangement, second: Arrangement, matching: Matching, titles: tuple[str, str]
) -> Arrangement:
    """Puts two drawings side by side.

    Args:
        first: of one block.
        second: of another.
        matching: of the two blocks that were arranged, in this order.
        titles: of the blocks, to stand over them.

    Returns:
        One arrangement; the nodes of the second are numbered after those of
        the first, and what only one has is marked as removed or added.
    """
    one = marked(first, matching.only_first, matching.edges_only_first, REMOVED)
    other = marked(second, matching.only_second, matching.edges_only_second, ADDED)
    captions = [
        _caption(title, MARKS[mark].sign) for title, mark in zip(titles, MARKS, strict=True)
    ]
    wanted = [len(text) * _CAPTION_CHARACTER + 2 * MARGIN for text in captions]
    widths = [max(part.width, want) for part, want in zip((one, other), wanted, strict=True)]
    parts = [
        _moved(part, left + (width - part.width) / 2, CAPTION_HEIGHT, number)
        for part, left, width, number in zip(
            (one, other), (0.0, widths[0] + SPACE), widths, (0, len(one.nodes)), strict=True
        )
    ]
    return Arrangement(
        nodes=parts[0].nodes + parts[1].nodes,
        edges=parts[0].edges + parts[1].edges,
        width=sum(widths) + SPACE,
        height=max(one.height, other.height) + CAPTION_HEIGHT,
        captions=(
            Caption(captions[0], widths[0] / 2, CAPTION_HEIGHT - 6),
            Caption(captions[1], widths[0] + SPACE + widths[1] / 2, CAPTION_HEIGHT - 6),
        ),
    )


def marked(arrangement: Arrangement, nodes: Iterable[int], edges: Edges, mark: str) -> Arrangement:
    """Marks nodes and edges of a drawing.

    Args:
        arrangement: the drawing.
        nodes: the nodes to mark, by index.
        edges: the edges to mark, by source and target, with repetitions.
        mark: a key of `palette.MARKS`.

    Returns:
        The same drawing with marks.
    """
    wanted = set(nodes)
    left = Counter(edges)
    painted = []
    for edge in arrangement.edges:
        ends = edge.source, edge.target
        painted.append(dataclasses.replace(edge, mark=mark) if left[ends] else edge)
        left[ends] -= bool(left[ends])
    return dataclasses.replace(
        arrangement,
        nodes=tuple(
            dataclasses.replace(node, mark=mark) if node.index in wanted else node
            for node in arrangement.nodes
        ),
        edges=tuple(painted),
    )


def _moved(arrangement: Arrangement, right: float, down: float, number: int) -> Arrangement:
    """The same elsewhere, numbered from `number` on."""

    def point(at: Point) -> Point:
        return at[0] + right, at[1] + down

    def node(old: Node) -> Node:
        x, y = point((old.x, old.y))
        return dataclasses.replace(old, index=old.index + number, x=x, y=y)

    def edge(old: Edge) -> Edge:
        return dataclasses.replace(
            old,
            source=old.source + number,
            target=old.target + number,
            points=tuple(map(point, old.points)),
        )

    return dataclasses.replace(
        arrangement,
        nodes=tuple(map(node, arrangement.nodes)),
        edges=tuple(map(edge, arrangement.edges)),
    )


def _caption(title: str, sign: str, most: int = 40) -> str:
    short = title if len(title) <= most else f"...{title[3 - most :]}"
    return f"{short} ({sign})"
