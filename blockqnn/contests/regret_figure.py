"""The curve of simple regret over evaluations, as a picture."""

from __future__ import annotations

import io
import math
import pathlib
from collections.abc import Sequence
from typing import Any

from blockqnn.errors import UserError
from blockqnn.runs.whole_file import write_whole

SUFFIXES = (".svg", ".png", ".pdf")
_LEAST = 0.005
"""Percentage points that are rounded to nothing where accuracies have two decimals."""
_STYLES = ("-", "--", "-.", ":")


def check_figure(figure: pathlib.Path | None) -> None:
    """Refuses a name under which no picture can be written, before hours of work.

    Args:
        figure: of the file, or None for no picture.

    Raises:
        UserError: if it has another suffix, is a directory or lies in none.
    """
    if figure is None:
        return
    if figure.suffix not in SUFFIXES:
        raise UserError(
            f"--out is {str(figure)!r}; allowed: a name that ends in {', '.join(SUFFIXES)}."
        )
    if figure.is_dir():
        raise UserError(f"--out is {str(figure)!r}, which is a directory; name a file.")
    if not figure.parent.is_dir():
        raise UserError(f"--out is {str(figure)!r}, but there is no directory {figure.parent}.")


def draw_regret(curves: Sequence[dict[str, Any]], figure: pathlib.Path) -> None:
    """Draws a curve for each agent, both axes logarithmic.

    Args:
        curves: each with `agent`, `evaluations` and `regret` in percentage points.
        figure: the file; its suffix says what kind of picture.

    Raises:
        UserError: if it cannot be written.
    """
    from matplotlib import ticker
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = drawing.subplots()
    for place, curve in enumerate(curves):
        style = _STYLES[place % len(_STYLES)]
        # A logarithmic axis has no zero: a regret of nothing is drawn as one below the axis.
        regret = [
            math.nan if value is None else max(value, _LEAST / 10) for value in curve["regret"]
        ]
        axes.plot(curve["evaluations"], regret, style, label=curve["agent"])
    axes.set(
        xlabel="evaluations",
        ylabel="simple regret, percentage points",
        xscale="log",
        yscale="log",
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(ticker.NullFormatter())
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    # Curves of agents that find the best with every seed would else pull the axis to nothing.
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, _LEAST), max(high, 10 * _LEAST))
    content = io.BytesIO()
    undated: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    drawing.savefig(content, format=figure.suffix[1:], dpi=150, metadata=undated.get(figure.suffix))
    write_whole(figure, content.getvalue())
