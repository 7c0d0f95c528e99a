"""What each kind of node looks like: its colour, and its outline for those who see no colour.

The colours of convolution, pooling, Add and Concat are those of Okabe and Ito,
"Color Universal Design", 2008, which stay apart in all common forms of colour
blindness. In grey some come close, so every kind has an outline of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from blockqnn.networks.graph import INPUT, OUTPUT


@dataclasses.dataclass(frozen=True)
class Colour:
    """How a kind of node is painted.

    Attributes:
        fill: of the inside, as #rrggbb.
        border: of the outline.
        text: of the label, legible on `fill`.
        outline: `rectangle`, `trapezium`, `hexagon`, `ellipse`, `bars` (a
            rectangle with a bar at either end) or `round`.
        dashed: whether the outline is dashed.
    """

    fill: str
    border: str
    text: str
    outline: str
    dashed: bool = False


COLOURS: Mapping[str, Colour] = {
    INPUT: Colour("#e4e6ea", "#767676", "#111111", "round"),
    "convolution": Colour("#0072b2", "#5aa9dc", "#ffffff", "rectangle"),
    "max_pooling": Colour("#e69f00", "#a06c00", "#111111", "trapezium"),
    "average_pooling": Colour("#f0e442", "#8f8615", "#111111", "hexagon"),
    "identity": Colour("#ffffff", "#767676", "#333333", "rectangle", dashed=True),
    "add": Colour("#cc79a7", "#a04c7c", "#111111", "ellipse"),
    "concat": Colour("#2fb88f", "#00795a", "#111111", "bars"),
    "zero": Colour("#333333", "#767676", "#ffffff", "round", dashed=True),
    "activation": Colour("#d55e00", "#a04600", "#111111", "ellipse", dashed=True),
    "multiply": Colour("#7f26d8", "#b184ea", "#ffffff", "hexagon", dashed=True),
    OUTPUT: Colour("#e4e6ea", "#767676", "#111111", "round"),
}
"""Kind of node to its looks."""

LINE = "#767676"
"""Of edges and of text outside nodes: the one grey of contrast 4.5 on white and on black."""


@dataclasses.dataclass(frozen=True)
class Mark:
    """How a node or an edge is painted that only one of two blocks has.

    Attributes:
        colour: of the outline or the line.
        sign: that stands beside a node.
        dashed: whether the line is dashed.
    """

    colour: str
    sign: str
    dashed: bool


REMOVED = "removed"
ADDED = "added"
MARKS: Mapping[str, Mark] = {
    REMOVED: Mark("#e0362c", "\u2212", dashed=True),
    ADDED: Mark("#1f9d3a", "+", dashed=False),
}
"""What only the first and only the second of two blocks has."""
