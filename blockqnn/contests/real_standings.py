"""What a contest with real children shows: the standings, and those at equal seconds."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Any

from blockqnn.contests import standings
from blockqnn.contests.contest import Improvement, Played
from blockqnn.contests.contestants import Contestant
from blockqnn.contests.real_contest import RealRun
from blockqnn.contests.tournament import Key

Runs = dict[Key, RealRun]


@dataclasses.dataclass(frozen=True)
class RealStandings:
    """Who found what.

    Attributes:
        rows: for each budget, and last for equal seconds, one for each agent;
            see `real_rows`.
        target: reward in percent.
        targets: see `standings.targets`.
        best: the highest reward of any run, in percent; nobody knows the optimum.
        curves: see `standings.regret_curves`; regret is the distance from `best`.
    """

    rows: list[dict[str, Any]]
    target: float
    targets: list[dict[str, Any]]
    best: float
    curves: list[dict[str, Any]]


def as_played(run: RealRun) -> Played:
    """A run as the standings of a table know it, searched and judged by reward.

    Args:
        run: with at least one evaluation.

    Returns:
        Its improvements.
    """
    improvements: list[Improvement] = []
    for count, evaluation in enumerate(run.evaluations, 1):
        if not improvements or evaluation.reward > improvements[-1].searched:
            improvements.append(Improvement(count, evaluation.reward, evaluation.reward))
    return Played(run.contestant, run.budget, run.seed, len(run.evaluations), tuple(improvements))


def real_standings(
    runs: Runs,
    contestants: Sequence[Contestant],
    budgets: Sequence[int],
    seeds: int,
    target: float,
) -> RealStandings:
    """Compares the agents with the first of them.

    Args:
        runs: of the largest budget, all of them.
        contestants: in the order of the rows.
        budgets: evaluations.
        seeds: how many runs of each.
        target: reward to reach, in percent; 0 for the mean of the first agent
            after all evaluations.

    Returns:
        The standings.
    """
    played = {key: as_played(run) for key, run in runs.items()}
    best = max(run.improvements[-1].judged for run in played.values())
    rows = real_rows(runs, contestants, budgets, seeds)
    if not target:
        first = [played[contestants[0].title, max(budgets), seed] for seed in range(seeds)]
        rewards = [run.improvements[-1].judged for run in first]
        # A mean of equal numbers may be rounded to more than they are.
        target = min(statistics.fmean(rewards), max(rewards))
    common = played, contestants, budgets, seeds
    return RealStandings(
        rows,
        target,
        standings.targets(*common, target),
        best,
        standings.regret_curves(*common, best),
    )


def real_rows(
    runs: Runs, contestants: Sequence[Contestant], budgets: Sequence[int], seeds: int
) -> list[dict[str, Any]]:
    """A row for each agent and budget, and one for equal seconds.

    Children cost too much for a run of each budget: the smaller ones are read
    off the largest.

    Args:
        runs: of the largest budget, all of them.
        contestants: in the order of the rows; the others are compared with the first.
        budgets: evaluations.
        seeds: how many runs of each.

    Returns:
        `agent`, `budget` (None for equal seconds: those of the run that took the
        fewest), `seconds`, `seeds`; `mean`, `std` and `p` of the accuracy of the
        best block by reward, `reward`, `reward_std` and `reward_p` of its reward,
        where p is Welch's against the first agent, None for itself; `first` and
        `last`, the mean accuracy of the first and the last quarter of the
        evaluations.
    """
    least = min(run.seconds for run in runs.values())
    rows = []
    for budget in [*sorted(budgets), None]:
        reference: tuple[list[float], list[float]] | None = None
        for contestant in contestants:
            own = [runs[contestant.title, max(budgets), seed] for seed in range(seeds)]
            best = [run.best_after(run.within(least) if budget is None else budget) for run in own]
            accuracies = [evaluation.accuracy for evaluation in best]
            rewards = [evaluation.reward for evaluation in best]
            rows.append(
                {
                    "agent": contestant.title,
                    "budget": budget,
                    "seconds": least if budget is None else None,
                    "mean": statistics.fmean(accuracies),
                    "std": standings.deviation(accuracies),
                    "seeds": seeds,
                    "p": standings.welch_p(accuracies, reference[0]) if reference else None,
                    "reward": statistics.fmean(rewards),
                    "reward_std": standings.deviation(rewards),
                    "reward_p": standings.welch_p(rewards, reference[1]) if reference else None,
                    "first": statistics.fmean(_quarter(run, first=True) for run in own),
                    "last": statistics.fmean(_quarter(run, first=False) for run in own),
                }
            )
            reference = reference or (accuracies, rewards)
    return rows


def _quarter(run: RealRun, first: bool) -> float:
    """Mean accuracy of the first or the last quarter of the evaluations, in percent."""
    count = max(1, len(run.evaluations) // 4)
    part = run.evaluations[:count] if first else run.evaluations[-count:]
    return statistics.fmean(evaluation.accuracy for evaluation in part)
