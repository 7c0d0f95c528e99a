"""What a tournament shows: means, deviations, significance, regret, evaluations to a target."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from blockqnn.contests.contest import Played
from blockqnn.contests.contestants import Contestant
from blockqnn.contests.tournament import Key

_CURVE_POINTS = 40
_NOTICED = 0.05


def judged(
    runs: dict[Key, Played], contestant: Contestant, budget: int, budgets: Sequence[int], seeds: int
) -> list[float]:
    """The judged accuracy of the best design by the search, for each seed that found any.

    Args:
        runs: that have ended.
        contestant: whose.
        budget: after how many evaluations.
        budgets: of the tournament.
        seeds: how many.

    Returns:
        Accuracies in percent.
    """
    sized = budget if contestant.is_sized else max(budgets)
    best = [runs[contestant.title, sized, seed].best_at(budget) for seed in range(seeds)]
    return [improvement.judged for improvement in best if improvement is not None]


def welch_p(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Two-sided p of Welch's t-test for unequal means.

    Args:
        first: values of one sample.
        second: values of the other.

    Returns:
        The probability; None where there are fewer than two values or none varies.
    """
    from scipy import stats

    if min(len(first), len(second)) < 2 or not (np.ptp(first) or np.ptp(second)):
        return None
    with warnings.catch_warnings():
        # One agent may find the optimum with every seed: a sample that does not vary is no fault.
        warnings.simplefilter("ignore", RuntimeWarning)
        p = float(stats.ttest_ind(first, second, equal_var=False).pvalue)
    return p if math.isfinite(p) else None


def rows(
    runs: dict[Key, Played],
    contestants: Sequence[Contestant],
    budgets: Sequence[int],
    seeds: int,
    reference: Contestant,
) -> list[dict[str, Any]]:
    """A row for each agent and budget.

    Args:
        runs: that have ended, all of them.
        contestants: in the order of the rows.
        budgets: evaluations.
        seeds: how many runs of each.
        reference: whom the others are compared with.

    Returns:
        `agent`, `budget`, `mean` and `std` of the judged accuracy in percent
        (the standard deviation over seeds, of a sample; None where fewer than
        two seeds found a design), `seeds`, `found`, how many of them found a
        design, and `p` of Welch's test against the reference, None for itself.
    """
    found = []
    for budget in sorted(budgets):
        against = judged(runs, reference, budget, budgets, seeds)
        for contestant in contestants:
            values = judged(runs, contestant, budget, budgets, seeds)
            found.append(
                {
                    "agent": contestant.title,
                    "budget": budget,
                    "mean": statistics.fmean(values) if values else None,
                    "std": deviation(values),
                    "seeds": seeds,
                    "found": len(values),
                    "p": None if contestant is reference else welch_p(values, against),
                }
            )
    return found


def targets(
    runs: dict[Key, Played],
    contestants: Sequence[Contestant],
    budgets: Sequence[int],
    seeds: int,
    target: float,
) -> list[dict[str, Any]]:
    """How many evaluations it takes until the best design by the search reaches a target.

    Args:
        runs: that have ended, all of them.
        contestants: in the order of the rows.
        budgets: evaluations; runs of the largest are looked at.
        seeds: how many runs.
        target: what it is judged by, in percent.

    Returns:
        `agent`, `reached` (the share of runs that do) and the median
        `evaluations`, None where fewer than half of the runs reach it.
    """
    found = []
    for contestant in contestants:
        needed = []
        for seed in range(seeds):
            run = runs[contestant.title, max(budgets), seed]
            first = next((i.evaluations for i in run.improvements if i.judged >= target), math.inf)
            needed.append(first)
        median = statistics.median_low(needed)
        found.append(
            {
                "agent": contestant.title,
                "reached": sum(map(math.isfinite, needed)) / seeds,
                "evaluations": int(median) if math.isfinite(median) else None,
            }
        )
    return found


def regret_curves(
    runs: dict[Key, Played],
    contestants: Sequence[Contestant],
    budgets: Sequence[int],
    seeds: int,
    optimum: float,
) -> list[dict[str, Any]]:
    """Simple regret: how far the best design by the search is from the optimum.

    Args:
        runs: that have ended, all of them.
        contestants: in the order of the curves.
        budgets: evaluations; runs of the largest are looked at.
        seeds: how many runs.
        optimum: the highest that it could be judged by, in percent.

    Returns:
        `agent`, `evaluations` in logarithmic steps, and the mean `regret` over
        the seeds that found a design at each, in percentage points; None where
        none did.
    """
    largest = max(budgets)
    points = sorted({round(x) for x in np.geomspace(1, largest, _CURVE_POINTS).tolist()})
    curves = []
    for contestant in contestants:
        played = [runs[contestant.title, largest, seed] for seed in range(seeds)]
        regret: list[float | None] = []
        for point in points:
            best = [found for run in played if (found := run.best_at(point)) is not None]
            own = [optimum - improvement.judged for improvement in best]
            regret.append(statistics.fmean(own) if own else None)
        curves.append({"agent": contestant.title, "evaluations": points, "regret": regret})
    return curves


def lacking(
    runs: dict[Key, Played], contestants: Sequence[Contestant], budgets: Sequence[int], seeds: int
) -> list[dict[str, Any]]:
    """How many suggestions the table did not have.

    Args:
        runs: that have ended, all of them.
        contestants: in the order of the rows.
        budgets: evaluations; runs of the largest are looked at.
        seeds: how many runs.

    Returns:
        `agent`, `suggestions` of all its runs, and how many of them were `lacking`.
    """
    found = []
    for contestant in contestants:
        own = [runs[contestant.title, max(budgets), seed] for seed in range(seeds)]
        found.append(
            {
                "agent": contestant.title,
                "suggestions": sum(run.suggestions for run in own),
                "lacking": sum(run.lacking for run in own),
            }
        )
    return found


def deviation(values: Sequence[float]) -> float | None:
    """Standard deviation of a sample; None where one value or none says nothing of it."""
    return statistics.stdev(values) if len(values) > 1 else None


def mean_cell(mean: float | None, deviation: float | None, p: float | None) -> str:
    """Mean and deviation, and a star where chance hardly makes the difference."""
    if mean is None:
        return "- "
    star = "" if p is None or p >= _NOTICED else "*"
    return f"{mean:.2f} +- {'-' if deviation is None else f'{deviation:.2f}'}{star:1}"


def of_seeds(seeds: int) -> str:
    """What the cells of `mean_cell` are, by the number of seeds."""
    if seeds == 1:
        return "one seed, and so no deviation"
    return f"mean +- standard deviation of {seeds} seeds"


def marked(reference: str, found: Sequence[dict[str, Any]]) -> list[str]:
    """What the star of `mean_cell` says, where rows that are compared with `reference` have any."""
    tested = any(row.get(name) is not None for row in found for name in ("p", "reward_p"))
    return [f"* other than {reference} by Welch's test, p < {_NOTICED}"] if tested else []


def reached_cells(row: dict[str, Any]) -> list[str]:
    """Of a row of `targets`: the share of the runs, and after how many evaluations."""
    evaluations = row["evaluations"]
    return [f"{100 * row['reached']:.0f} %", "-" if evaluations is None else f"{evaluations:,}"]
