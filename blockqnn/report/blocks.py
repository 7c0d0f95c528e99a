"""The best blocks of a run, drawn, and what they have in common."""

from __future__ import annotations

import functools
from typing import Any

from blockqnn.drawing.arrangement import arrange
from blockqnn.drawing.svg import svg
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import Code
from blockqnn.networks.spaces.nsc.motifs import MOTIFS, motifs
from blockqnn.networks.spaces.registry import as_block, is_block
from blockqnn.report.statistics import fisher_p_value, holm, wilson_interval
from blockqnn.runs.run_record import RunRecord
from blockqnn.trial import Status


def top_blocks(run: RunRecord, count: int) -> list[dict[str, Any]]:
    """The best blocks by reward.

    Args:
        run: as it was read.
        count: how many at most.

    Returns:
        For each, best first, its trial's `number` and its drawing, `svg`,
        which is empty where the run designs something else than blocks.
    """
    return [
        {
            "number": trial.number,
            "svg": svg(arrange(trial.code, run.layout), f"Block of trial {trial.number}")
            if is_block(trial.code)
            else "",
        }
        for trial in run.best(count)
    ]


def common_motifs(run: RunRecord, count: int) -> dict[str, Any]:
    """How often motifs occur in the best blocks and in all trained ones.

    Args:
        run: as it was read.
        count: how many of the best.

    Returns:
        `top` and `all`, the numbers of blocks; `rows`, one a motif, with its
        `name`, how often it occurs in the best, `top`, and in all, `all`, the
        `interval` of 95 % of its share in the best, `p_value` of the test
        that the best and the others have equal shares, and `corrected`, the
        same for as many tests as there are motifs (None without others). By
        the difference of the shares, largest first.
    """
    best = [trial for trial in run.best(count) if is_block(trial.code)]
    trained = [
        trial for trial in run.trials if trial.status is Status.COMPLETED and is_block(trial.code)
    ]
    found: dict[str, Any] = {"top": len(best), "all": len(trained), "rows": []}
    if not best:
        return found
    in_best = _count([as_block(trial.code) for trial in best])
    in_all = _count([as_block(trial.code) for trial in trained])
    others = len(trained) - len(best)
    p_values = [
        fisher_p_value(in_best[name], len(best), in_all[name] - in_best[name], others)
        for name in MOTIFS
    ]
    for name, p_value, corrected in zip(MOTIFS, p_values, holm(p_values), strict=True):
        found["rows"].append(
            {
                "name": name,
                "top": in_best[name],
                "all": in_all[name],
                "interval": wilson_interval(in_best[name], len(best)),
                "p_value": p_value if others else None,
                "corrected": corrected if others else None,
            }
        )
    found["rows"].sort(key=lambda row: row["all"] / len(trained) - row["top"] / len(best))
    return found


def _count(codes: list[Code]) -> dict[str, int]:
    found = [_motifs(code) for code in codes]
    return {name: sum(name in names for names in found) for name in MOTIFS}


@functools.lru_cache(maxsize=100_000)
def _motifs(code: Code) -> frozenset[str]:
    """The motifs of a block; a page that follows a run asks for them again and again."""
    return frozenset(name for name, has in motifs(canonical_form(code)).items() if has)
