"""The best blocks of a run, drawn, and what they have in common."""

from __future__ import annotations

from typing import Any

from blockqnn.drawing.arrangement import arrange
from blockqnn.drawing.svg import svg
from blockqnn.run_record import RunRecord


def top_blocks(run: RunRecord, count: int) -> list[dict[str, Any]]:
    """The best blocks by reward.

    Args:
        run: as it was read.
        count: how many at most.

    Returns:
        For each, best first, its trial's `number` and its drawing, `svg`.
    """
    return [
        {
            "number": trial.number,
            "svg": svg(arrange(trial.code, run.layout), f"Block of trial {trial.number}"),
        }
        for trial in run.best(count)
    ]


def common_motifs(run: RunRecord, count: int) -> list[dict[str, Any]]:
    """How often motifs occur in the best blocks and in all trained ones.

    Args:
        run: as it was read.
        count: of the best blocks.

    Returns:
        One entry a motif.
    """
    return []
