"""What finals say of the early reward: how well it ranked, and what a pick by it costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from blockqnn.listing import counted, number
from blockqnn.measure import ACCURACY, Measure, measure_in
from blockqnn.runs.finals import Finals
from blockqnn.runs.run_record import RunRecord

if TYPE_CHECKING:
    from blockqnn.calibration.rank_correlation import Interval

_FEWEST = 4
"""Of fewer blocks no rank correlation is told."""


def correlation_words(run: RunRecord, finals: Finals) -> str:
    """How well the early reward ranked the blocks of each round, in a sentence.

    Args:
        run: of the finals.
        finals: whose rounds that have ended are told.

    Returns:
        The sentence; empty where every round is too small, or all its blocks are alike.
    """
    found = []
    for place, order in enumerate(finals.orders, start=1):
        interval = _correlation(run, finals, place)
        if interval is None or math.isnan(interval.value):
            continue
        low, high = number(interval.low), number(interval.high)
        # Resamples of a perfect order are perfect, too, however few blocks there are.
        ends = "" if low == high else f" [{low}, {high}]"
        blocks = counted(len(order), "block")
        found.append(f"{number(interval.value)}{ends} over the {blocks} of round {place}")
    if not found:
        return ""
    name = measure_in(run.layout).name
    return f"Spearman's rank correlation of early reward and {name}: {', '.join(found)}."


def correlation_facts(run: RunRecord, finals: Finals, place: int) -> dict[str, float | None] | None:
    """Spearman's rank correlation of early reward and accuracy in a round.

    Args:
        run: of the finals.
        finals: in which the round has ended.
        place: of the round, from 1.

    Returns:
        Its `value` with the ends `low` and `high` of a 95 % interval by the bootstrap over
        blocks, None where they are not defined; None in all where the round is too small.
    """
    found = _correlation(run, finals, place)
    if found is None:
        return None
    return {
        name: None if math.isnan(value) else value
        for name, value in (("value", found.value), ("low", found.low), ("high", found.high))
    }


def pick_words(finals: Finals, measure: Measure = ACCURACY, derived: int = 0) -> str:
    """What taking the block of highest early reward would have cost, in a sentence.

    Args:
        finals: that have ended.
        measure: by which they judge.
        derived: trial whose cell a mixture came to, which is first whatever its reward; 0 for none.

    Returns:
        The sentence.
    """
    first, rank = finals.plan.trials[0], finals.ranking.index(finals.plan.trials[0]) + 1
    name = f"The {'derived cell' if first == derived else 'best by early reward'}, trial {first},"
    if rank == 1:
        return f"{name} has won."
    fell = points_behind(finals) is None
    place = finals.results(first)[-1].round if fell else len(finals.plan.rounds)
    own, best = (finals.result(place, trial).mean for trial in (first, finals.ranking[0]))
    if fell:
        there = f"there it was {number(best - own)} points behind the block that won in the end"
        if measure.inverse:
            there = (
                f"there it had a {measure.name} of {measure.figure(own)}, and the block that won "
                f"in the end {measure.figure(best)}"
            )
        return (
            f"{name} fell out in round {place}, as rank {rank} of {len(finals.ranking)}: {there}."
        )
    cost = f"cost {number(best - own)} points"
    if measure.inverse:
        cost = f"meant a {measure.name} of {measure.figure(own)} instead of {measure.figure(best)}"
    return f"{name} came to rank {rank}: taking it would have {cost}."


def points_behind(finals: Finals) -> float | None:
    """How far the best by early reward is behind the winner, in points of accuracy.

    Args:
        finals: that have ended.

    Returns:
        The difference of the means in the last round; None where it was not in that.
    """
    place = len(finals.plan.rounds)
    first, winner = finals.plan.trials[0], finals.ranking[0]
    if first not in finals.orders[-1]:
        return None
    return finals.result(place, winner).mean - finals.result(place, first).mean


def _correlation(run: RunRecord, finals: Finals, place: int) -> Interval | None:
    order = finals.orders[place - 1]
    if len(order) < _FEWEST:
        return None
    # SciPy is behind it, for which a search need not wait.
    from blockqnn.calibration.rank_correlation import bootstrap, spearman

    rewards = {trial.number: trial.reward or 0.0 for trial in run.trials}
    early = np.array([rewards[trial] for trial in order])
    late = np.array([finals.result(place, trial).mean for trial in order])
    return bootstrap(spearman, early, late)
