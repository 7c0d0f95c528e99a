"""The best blocks of a run, drawn, and what they have in common."""

from __future__ import annotations

import collections
import functools
from typing import Any

from blockqnn.drawing.arrangement import arrange
from blockqnn.drawing.svg import svg
from blockqnn.networks.motifs import MOTIFS, motifs
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import design_of, graph_of
from blockqnn.report.statistics import fisher_p_value, holm, wilson_interval
from blockqnn.runs.run_record import RunRecord
from blockqnn.trial import Status, Trial


def distinct_best(run: RunRecord, count: int) -> list[Trial]:
    """The best trained trials, each design once and those that repeat one behind.

    Args:
        run: as it was read.
        count: how many at most.

    Returns:
        By reward, best first; then the trials whose design stands before them.
    """
    ranked = run.by_reward
    first: dict[str, Trial] = {}
    for trial in ranked:
        first.setdefault(trial.hash, trial)
    repeats = [trial for trial in ranked if first[trial.hash] is not trial]
    return [*first.values(), *repeats][:count]


def top_blocks(run: RunRecord, count: int) -> list[dict[str, Any]]:
    """The best blocks by reward, as `distinct_best` has them.

    Args:
        run: as it was read.
        count: how many at most.

    Returns:
        For each, best first, its trial's `number`, its drawing, `svg`, and how
        many trials of the run suggested its design, `suggested`.
    """
    suggested = collections.Counter(trial.hash for trial in run.trials)
    return [
        {
            "number": trial.number,
            "svg": svg(
                arrange(graph_of(trial.code, trial.layout(run.layout))),
                f"Design of trial {trial.number}",
            ),
            "suggested": suggested[trial.hash],
        }
        for trial in distinct_best(run, count)
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
    best = distinct_best(run, count)
    trained = [trial for trial in run.trials if trial.status is Status.COMPLETED]
    found: dict[str, Any] = {"top": len(best), "all": len(trained), "rows": []}
    if not best:
        return found
    in_best = _count([trial.code for trial in best])
    in_all = _count([trial.code for trial in trained])
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
    return frozenset(name for name, has in motifs(graph_of(design_of(code))).items() if has)
