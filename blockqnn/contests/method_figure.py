"""The curves of methods over what they cost, as a picture."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Mapping
from typing import Any

from blockqnn.contests.method_standings import EVALUATIONS, SECONDS
from blockqnn.runs.whole_file import write_whole

_STYLES = ("-", "--", "-.", ":")
_LABELS = {EVALUATIONS: "evaluations", SECONDS: "seconds of one device, all in all"}


def draw_curves(judged: Mapping[str, Any], figure: pathlib.Path) -> None:
    """Draws the judged accuracy of what methods had chosen, over evaluations and over seconds.

    A search by a supernet has chosen nothing before its end: it is a point and a line from there.

    Args:
        judged: what a judge says, with `kept` and `curves`.
        figure: the file; its suffix says what kind of picture.

    Raises:
        UserError: if it cannot be written.
    """
    from matplotlib import ticker
    from matplotlib.figure import Figure

    kinds = [kind for kind in (EVALUATIONS, SECONDS) if judged["curves"][kind]]
    drawing = Figure(figsize=(6.4 * max(1, len(kinds)), 4.2), layout="constrained")
    panes = drawing.subplots(1, max(1, len(kinds)), squeeze=False, sharey=True)[0]
    titles = list(dict.fromkeys(c["method"] for kind in kinds for c in judged["curves"][kind]))
    for axes, kind in zip(panes, kinds, strict=False):
        for curve in judged["curves"][kind]:
            place = titles.index(curve["method"])
            known = [mean is not None for mean in curve["mean"]]
            axes.plot(
                curve["x"],
                [float("nan") if mean is None else mean for mean in curve["mean"]],
                drawstyle="steps-post",
                linestyle=_STYLES[place // 10 % len(_STYLES)],
                color=f"C{place % 10}",
                label=curve["method"],
                marker="o",
                markevery=[known.index(True)],
            )
        axes.set(xlabel=_LABELS[kind], xscale="log")
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(ticker.NullFormatter())
        axes.grid(visible=True, alpha=0.3)
    panes[0].set_ylabel(f"judged {judged['kept']}, of what was chosen")
    if titles:
        panes[-1].legend(fontsize="small")
    content = io.BytesIO()
    undated: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    drawing.savefig(content, format=figure.suffix[1:], dpi=150, metadata=undated.get(figure.suffix))
    write_whole(figure, content.getvalue())
