"""The curve of simple regret over evaluations, as a picture."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Sequence
from typing import Any

from blockqnn.errors import UserError
from blockqnn.whole_file import write_whole

SUFFIXES = (".svg", ".png", ".pdf")
_STYLES = ("-", "--", "-.", ":")


def check_figure(figure: pathlib.Path | None) -> None:
    """Refuses a name under which no picture can be written, before hours of work.

    Args:
        figure: of the file, or None for no picture.

    Raises:
        UserError: if it has another suffix or there is no such directory.
    """
    if figure is None:
        return
    if figure.suffix not in SUFFIXES:
        raise UserError(
            f"--out is {str(figure)!r}; allowed: a name that ends {', '.join(SUFFIXES)}"
        )
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
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = drawing.subplots()
    for place, curve in enumerate(curves):
        style = _STYLES[place % len(_STYLES)]
        axes.plot(curve["evaluations"], curve["regret"], style, label=curve["agent"])
    axes.set(
        xlabel="evaluations",
        ylabel="simple regret, percentage points",
        xscale="log",
        yscale="log",
    )
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    content = io.BytesIO()
    drawing.savefig(content, format=figure.suffix[1:], dpi=150)
    write_whole(figure, content.getvalue())
