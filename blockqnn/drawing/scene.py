"""A drawing as paths and texts, which every format paints alike."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from blockqnn.drawing.arrangement import STEM, Arrangement, Edge, Node, Point
from blockqnn.drawing.labels import width_text
from blockqnn.drawing.palette import COLOURS, LINE, MARKS

Command = tuple[str, tuple[Point, ...]]
"""A letter of SVG's paths and its points: M and L have one, C has three, Z none."""

FONT_SIZE = 10.5
SMALL_FONT_SIZE = 8.5
ARROW = 5.0
_DASHES = (4.0, 2.5)
_ROUND = 0.5523
"""How far the control points of a quarter of a circle lie, in radii."""
_SLANT = 7.0


@dataclasses.dataclass(frozen=True)
class Path:
    """A line or an area.

    Attributes:
        commands: the way of the pen, in points.
        stroke: colour of the line, as #rrggbb; empty for none.
        fill: colour of the area, as #rrggbb; empty for none.
        line_width: in points.
        dashes: lengths of dash and gap in points; empty for a whole line.
    """

    commands: tuple[Command, ...]
    stroke: str = ""
    fill: str = ""
    line_width: float = 1.2
    dashes: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Text:
    """A line of text.

    Attributes:
        text: what it says.
        x: of its beginning or its middle, in points.
        y: of its base line, in points.
        size: of the font, in points.
        colour: as #rrggbb.
        centred: whether `x` is its middle.
        bold: whether it is.
    """

    text: str
    x: float
    y: float
    size: float
    colour: str
    centred: bool = True
    bold: bool = False


def scene(arrangement: Arrangement) -> Iterator[Path | Text]:
    """What is to be painted.

    Args:
        arrangement: of the drawing.

    Yields:
        Paths and texts, those behind before those in front.
    """
    for edge in sorted(arrangement.edges, key=lambda edge: edge.mark):
        yield from _edge(edge)
    labelled = set()
    for edge in arrangement.edges:
        if edge.channels is not None and edge.source not in labelled:
            labelled.add(edge.source)
            x, y = edge.points[0]
            yield Text(
                width_text(edge.channels), x + 4, y + STEM - 3, SMALL_FONT_SIZE, LINE, centred=False
            )
    for node in arrangement.nodes:
        yield from _node(node)
    for caption in arrangement.captions:
        yield Text(caption.text, caption.x, caption.y, FONT_SIZE, LINE, bold=True)


def _edge(edge: Edge) -> Iterator[Path]:
    mark = MARKS.get(edge.mark)
    colour = mark.colour if mark else LINE
    # The line ends inside its arrow's head, so that it does not blunt the tip.
    *points, (tip_x, tip_y) = edge.points
    commands: list[Command] = [("M", (points[0],))]
    for (x, y), (to_x, to_y) in itertools.pairwise([*points, (tip_x, tip_y - ARROW + 1)]):
        if x == to_x:
            commands.append(("L", ((to_x, to_y),)))
        else:
            half = (y + to_y) / 2
            commands.append(("C", ((x, half), (to_x, half), (to_x, to_y))))
    yield Path(
        tuple(commands),
        stroke=colour,
        line_width=2.2 if mark else 1.1,
        dashes=_DASHES if mark and mark.dashed else (),
    )
    half_width = 3.4 if mark else 2.6
    base = tip_y - ARROW - (1 if mark else 0)
    yield Path(
        _polygon([(tip_x, tip_y), (tip_x - half_width, base), (tip_x + half_width, base)]),
        fill=colour,
    )


def _node(node: Node) -> Iterator[Path | Text]:
    colour = COLOURS[node.kind]
    mark = MARKS.get(node.mark)
    stroke = mark.colour if mark else colour.border
    dashed = mark.dashed if mark else colour.dashed
    yield Path(
        outline(node, colour.outline),
        stroke=stroke,
        fill=colour.fill,
        line_width=2.6 if mark else 1.2,
        dashes=_DASHES if dashed else (),
    )
    if colour.outline == "bars":
        top, bottom = node.y - node.height / 2, node.y + node.height / 2
        for x in (node.x - node.width / 2 + 5, node.x + node.width / 2 - 5):
            yield Path((("M", ((x, top),)), ("L", ((x, bottom),))), stroke=colour.border)
    yield Text(node.label, node.x, node.y + 0.36 * FONT_SIZE, FONT_SIZE, colour.text)
    if mark:
        x, y = node.x - node.width / 2, node.y - node.height / 2
        yield Path(_ellipse(x, y, 6.5, 6.5), fill=mark.colour)
        yield Text(mark.sign, x, y + 3.8, FONT_SIZE, "#ffffff", bold=True)


def outline(node: Node, shape: str) -> tuple[Command, ...]:
    """The border of a node.

    Args:
        node: whose place and size are taken.
        shape: an `outline` of the palette.

    Returns:
        A closed path, which touches the middle of the node's upper and lower sides.
    """
    left, right = node.x - node.width / 2, node.x + node.width / 2
    top, bottom = node.y - node.height / 2, node.y + node.height / 2
    if shape == "ellipse":
        return _ellipse(node.x, node.y, node.width / 2, node.height / 2)
    if shape == "round":
        return _rounded(left, top, right, bottom, node.height / 2)
    if shape == "trapezium":
        return _polygon(
            [(left, top), (right, top), (right - _SLANT, bottom), (left + _SLANT, bottom)]
        )
    if shape == "hexagon":
        return _polygon(
            [
                (left, node.y),
                (left + _SLANT, top),
                (right - _SLANT, top),
                (right, node.y),
                (right - _SLANT, bottom),
                (left + _SLANT, bottom),
            ]
        )
    return _rounded(left, top, right, bottom, 2.0)


def _polygon(points: Sequence[Point]) -> tuple[Command, ...]:
    return (("M", (points[0],)), *(("L", (point,)) for point in points[1:]), ("Z", ()))


def _ellipse(x: float, y: float, a: float, b: float) -> tuple[Command, ...]:
    p, q = a * _ROUND, b * _ROUND
    return (
        ("M", ((x, y - b),)),
        ("C", ((x + p, y - b), (x + a, y - q), (x + a, y))),
        ("C", ((x + a, y + q), (x + p, y + b), (x, y + b))),
        ("C", ((x - p, y + b), (x - a, y + q), (x - a, y))),
        ("C", ((x - a, y - q), (x - p, y - b), (x, y - b))),
        ("Z", ()),
    )


def _rounded(
    left: float, top: float, right: float, bottom: float, radius: float
) -> tuple[Command, ...]:
    cut = radius * (1 - _ROUND)
    return (
        ("M", ((left + radius, top),)),
        ("L", ((right - radius, top),)),
        ("C", ((right - cut, top), (right, top + cut), (right, top + radius))),
        ("L", ((right, bottom - radius),)),
        ("C", ((right, bottom - cut), (right - cut, bottom), (right - radius, bottom))),
        ("L", ((left + radius, bottom),)),
        ("C", ((left + cut, bottom), (left, bottom - cut), (left, bottom - radius))),
        ("L", ((left, top + radius),)),
        ("C", ((left, top + cut), (left + cut, top), (left + radius, top))),
        ("Z", ()),
    )
