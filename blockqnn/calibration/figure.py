"""The scatter of figure 6 of the paper: what is known early against what is found late."""

from __future__ import annotations

import io
import os
import pathlib

from blockqnn.calibration.findings import EARLY, FITTED, PAPER, Findings
from blockqnn.errors import UserError
from blockqnn.measure import measure_of
from blockqnn.runs.whole_file import write_whole

SUFFIXES = (".svg", ".png", ".pdf")
_PANELS = {
    EARLY: "Validation {kept}, at early stop",
    PAPER: "The paper's reward (mu = 1, rho = 8), %",
    FITTED: "Fitted reward, each block held out, %",
}
# From Okabe and Ito, distinct for colour-blind readers and in grey.
_COLOUR, _LINE = "#0072B2", "#999999"


def check_figure_path(path: pathlib.Path) -> None:
    """Refuses a place where no figure can be written, before anything is trained.

    Args:
        path: of the figure.

    Raises:
        UserError: if its suffix is not known, or its folder is not there.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--out {path} ends with no known suffix; allowed: {', '.join(SUFFIXES)}.")
    if not path.parent.is_dir():
        raise UserError(f"--out {path} cannot be written: there is no folder {path.parent}.")
    if path.is_dir():
        raise UserError(f"--out {path} cannot be written: it is a folder.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UserError(f"--out {path} cannot be written: that is not permitted.")


def draw_figure(findings: Findings, path: pathlib.Path, epochs: int, dry: bool) -> None:
    """Draws the final accuracy against each score.

    Args:
        findings: what to draw.
        path: of the figure; its suffix says what kind.
        epochs: of the longer training.
        dry: whether the accuracies were made up.

    Raises:
        UserError: if it cannot be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.2), layout="constrained")
    axes = figure.subplots(1, len(_PANELS), sharey=True)
    kept = measure_of(findings.trials[0].code).kept
    for place, (name, label) in zip(axes, _PANELS.items(), strict=True):
        score = findings.score(name)
        place.scatter(
            score.values, findings.final, color=_COLOUR, edgecolor="white", s=40, alpha=0.8
        )
        if name == EARLY:
            top = float(findings.final.max())
            place.axline((top, top), slope=1, color=_LINE, linewidth=1, zorder=0, label="no change")
            place.legend(loc="lower right", fontsize=8)
            place.set_xlim(score.values.min() - 1, max(top, score.values.max()) + 1)
        place.set_xlabel(label.format(kept=kept))
        rank = score.spearman
        place.set_title(f"Spearman {rank.value:.2f} [{rank.low:.2f}, {rank.high:.2f}]", fontsize=10)
        place.grid(color="#DDDDDD", linewidth=0.6)
        place.set_axisbelow(True)
    low, high = findings.final.min(), findings.final.max()
    room = max(0.5, 0.08 * (high - low))
    axes[0].set_ylim(low - room, high + room)
    axes[0].set_ylabel(f"Validation {kept}, after longer training")
    early = max(len(trial.accuracies) for trial in findings.trials)
    title = f"{len(findings.final)} blocks after {early} epochs and after {epochs}"
    figure.suptitle(title + (" (DRY RUN: made up)" if dry else ""), fontsize=11)
    kind = path.suffix.lower()[1:]
    drawn = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "blockqnn", "svg.fonttype": "none"}):
        figure.savefig(drawn, format=kind, dpi=150, metadata=_without_date(kind))
    write_whole(path, drawn.getvalue())


def _without_date(kind: str) -> dict[str, None]:
    """So that the same findings are the same file."""
    return {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
