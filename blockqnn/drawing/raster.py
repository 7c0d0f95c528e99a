"""Drawings as PNG and PDF, painted by matplotlib."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as MatplotlibPath

from blockqnn.drawing.arrangement import Arrangement
from blockqnn.drawing.scene import Path, scene
from blockqnn.errors import UserError

FONTS = ["DejaVu Sans"]
"""The font that comes with matplotlib."""

POINTS_PER_INCH = 72
MOST_DOTS = 100_000_000
"""Of a .png; more would not fit into the memory of many machines."""
_CODES = {
    "M": [MatplotlibPath.MOVETO],
    "L": [MatplotlibPath.LINETO],
    "C": [MatplotlibPath.CURVE4] * 3,
    "Z": [MatplotlibPath.CLOSEPOLY],
}


def png(arrangement: Arrangement, dots_per_inch: int = 144) -> bytes:
    """Paints an arrangement as PNG.

    Args:
        arrangement: what to paint.
        dots_per_inch: dots for 72 points.

    Returns:
        The file, without ground.

    Raises:
        UserError: if it has too many dots.
    """
    dots = arrangement.width * arrangement.height * (dots_per_inch / POINTS_PER_INCH) ** 2
    if dots > MOST_DOTS:
        raise UserError(
            f"At {dots_per_inch} dots an inch the picture has {dots / 10**6:,.0f} million dots; "
            f"allowed: {MOST_DOTS // 10**6} million. Lower --dots_per_inch, or draw .svg or .pdf."
        )
    file = io.BytesIO()
    with style.context("default", after_reset=True):
        figure = _figure(arrangement)
        FigureCanvasAgg(figure)
        figure.savefig(
            file, format="png", dpi=dots_per_inch, transparent=True, metadata={"Software": None}
        )
    return file.getvalue()


def pixels(arrangement: Arrangement) -> np.ndarray:
    """Paints an arrangement on white.

    Args:
        arrangement: what to paint.

    Returns:
        uint8 [H, W, 3].
    """
    painted = PIL.Image.open(io.BytesIO(png(arrangement))).convert("RGBA")
    ground = PIL.Image.new("RGBA", painted.size, "white")
    return np.array(PIL.Image.alpha_composite(ground, painted).convert("RGB"))


def pdf(arrangement: Arrangement) -> bytes:
    """Paints an arrangement as PDF.

    Args:
        arrangement: what to paint.

    Returns:
        The file: one page of the arrangement's size, without ground.
    """
    file = io.BytesIO()
    undated = {"CreationDate": None, "Creator": None, "Producer": None}
    # Fonts of type 42 keep text that can be searched and edited, as publishers ask for.
    with style.context(["default", {"pdf.fonttype": 42}], after_reset=True):
        figure = _figure(arrangement)
        FigureCanvasPdf(figure)
        figure.savefig(file, format="pdf", transparent=True, metadata=undated)
    return file.getvalue()


def _figure(arrangement: Arrangement) -> Figure:
    """A figure of the arrangement's size, in which one unit is one point."""
    size = (arrangement.width / POINTS_PER_INCH, arrangement.height / POINTS_PER_INCH)
    figure = Figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, arrangement.width)
    axes.set_ylim(arrangement.height, 0)
    for order, item in enumerate(scene(arrangement)):
        if isinstance(item, Path):
            axes.add_patch(_patch(item, order))
        else:
            axes.text(
                item.x,
                item.y,
                item.text,
                fontsize=item.size,
                color=item.colour,
                family=FONTS,
                weight="bold" if item.bold else "normal",
                ha="center" if item.centred else "left",
                va="baseline",
                parse_math=False,
                zorder=order,
            )
    return figure


def _patch(path: Path, order: int) -> PathPatch:
    vertices: list[tuple[float, float]] = []
    codes: list[int] = []
    for letter, points in path.commands:
        vertices += points or (vertices[0],)
        codes += map(int, _CODES[letter])
    return PathPatch(
        MatplotlibPath(vertices, codes),
        facecolor=path.fill or "none",
        edgecolor=path.stroke or "none",
        linewidth=path.line_width if path.stroke else 0,
        # matplotlib measures dashes in widths of the line.
        linestyle=(0, [d / path.line_width for d in path.dashes]) if path.dashes else "solid",
        capstyle="butt",
        joinstyle="miter",
        zorder=order,
    )
