"""Drawings of thousands of blocks, small enough for a page whose script paints them.

A page needs where nodes and edges stand, which Python computes, and paints
them as `blockqnn.drawing.svg` does.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from collections.abc import Sequence
from typing import Any

from blockqnn.drawing import arrangement, palette, scene
from blockqnn.drawing.arrangement import Arrangement, arrange
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import graph_of
from blockqnn.trial import Trial

PORTION = 256
"""Drawings that are unpacked at once when one of them is wanted."""


class Drawings:
    """Arrangements of blocks as lists of integers, and the shapes that they share."""

    def __init__(self, layout: Layout):
        """Starts without any.

        Args:
            layout: of the run, for the widths on the edges.
        """
        self._layout = layout
        self._shapes: dict[tuple[str, str, float, float], int] = {}
        self._place: dict[tuple[Code, tuple[int, ...]], int] = {}
        self._packed: list[list[int]] = []

    def place(self, trial: Trial) -> int:
        """Where the drawing of a trial's block stands in the list; it is added if need be."""
        drawn = trial.code, trial.filters
        if drawn not in self._place:
            self._place[drawn] = len(self._packed)
            self._packed.append(self.packed(trial))
        return self._place[drawn]

    def packed(self, trial: Trial) -> list[int]:
        """A block's arrangement.

        Args:
            trial: that suggested it.

        Returns:
            Width and height; the number of nodes, and for each its shape's
            place, x and y; the number of edges, and for each its source,
            target, channels, number of points, and x and y of each. In points.
        """
        return self._flat(arrange(graph_of(trial.code, trial.layout(self._layout))))

    @property
    def shapes(self) -> list[tuple[str, str, float, float]]:
        """Kind, label, width and height of the shapes that the arrangements name."""
        return list(self._shapes)

    def compressed(self) -> list[str]:
        """All arrangements, `PORTION` after `PORTION`, as JSON, deflated, in base 64."""
        return [
            deflated(json.dumps(self._packed[first : first + PORTION], separators=(",", ":")))
            for first in range(0, len(self._packed), PORTION)
        ]

    def _flat(self, found: Arrangement) -> list[int]:
        flat: list[float] = [found.width, found.height, len(found.nodes)]
        for node in found.nodes:
            shape = (node.kind, node.label, node.width, node.height)
            flat += [self._shapes.setdefault(shape, len(self._shapes)), node.x, node.y]
        flat.append(len(found.edges))
        for edge in found.edges:
            channels = -1 if edge.channels is None else edge.channels
            flat += [edge.source, edge.target, channels, len(edge.points)]
            flat += [coordinate for point in edge.points for coordinate in point]
        return [round(value) for value in flat]


def style() -> dict[str, Any]:
    """What the page's script needs to paint as `blockqnn.drawing.scene` does."""
    return {
        "colours": {kind: dataclasses.asdict(look) for kind, look in palette.COLOURS.items()},
        "line": palette.LINE,
        "marks": {name: dataclasses.asdict(mark) for name, mark in palette.MARKS.items()},
        "stem": arrangement.STEM,
        "arrow": scene.ARROW,
        "font": scene.FONT_SIZE,
        "smallFont": scene.SMALL_FONT_SIZE,
    }


def of_trials(trials: Sequence[Trial], layout: Layout) -> dict[str, Any]:
    """The drawings of all blocks of a run.

    Args:
        trials: of the run.
        layout: of the run.

    Returns:
        `shapes`; `packed` as `Drawings.compressed` gives it, in portions of
        `portion`; and `of`, for each trial the place of its drawing.
    """
    drawings = Drawings(layout)
    of = [drawings.place(trial) for trial in trials]
    return {
        "shapes": drawings.shapes,
        "packed": drawings.compressed(),
        "portion": PORTION,
        "of": of,
    }


def deflated(text: str) -> str:
    """A text as the page's script inflates it: deflated without a header, in base 64."""
    content = text.encode(errors="replace")
    return base64.b64encode(zlib.compress(content, 9, wbits=-15)).decode()
