"""Curves of several runs: of each, and the mean over the runs of a group."""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Sequence
from typing import Any

from blockqnn.report.curves import learning_curves
from blockqnn.report.grouping import Group
from blockqnn.report.methods import seconds_before_trials
from blockqnn.runs.spending import elapsed
from blockqnn.trial import Status, Trial

AXES = ("iteration", "trained", "seconds")
QUANTITIES = ("best_reward", "best_accuracy", "mean_reward", "mean_accuracy")
_BEST = "best_"
_POINTS = 200

Curve = list[tuple[float, float]]
"""Points of ascending x; between two of them the first's value holds."""


def spread(values: Sequence[float | None]) -> dict[str, float | None]:
    """Mean and deviation over the runs that have a value.

    Args:
        values: one a run.

    Returns:
        `mean`, None without values; `deviation` of the sample, None with fewer than two.
    """
    known = [value for value in values if value is not None]
    return {
        "mean": statistics.fmean(known) if known else None,
        "deviation": statistics.stdev(known) if len(known) > 1 else None,
    }


def run_curves(trials: Sequence[Trial], before: float = 0.0) -> dict[str, dict[str, Curve]]:
    """A run's curves over iterations, trained blocks and seconds.

    Args:
        trials: of the run, in order of number.
        before: seconds that supernets were trained, before anything was scored.

    Returns:
        By quantity and axis the curve. The best so far has a point for each
        trained block, a mean one for each iteration, at its end. Seconds count
        from the beginning of the first child, without the times in which the
        search stood still.
    """
    trained = sorted(
        (trial for trial in trials if trial.status is Status.COMPLETED),
        key=lambda trial: (trial.finished or 0.0, trial.number),
    )
    seconds = {number: before + own for number, own in elapsed(trials).items()}
    found: dict[str, dict[str, Curve]] = {}
    for name, value in (("reward", _reward), ("accuracy", _accuracy)):
        best: dict[str, Curve] = {axis: [] for axis in AXES}
        so_far = -math.inf
        for count, trial in enumerate(trained, start=1):
            so_far = max(so_far, value(trial) or 0.0)
            for axis, x in _places(trial.iteration, count, seconds.get(trial.number)):
                best[axis].append((x, so_far))
        found[f"best_{name}"] = best
        found[f"mean_{name}"] = _means(trials, trained, seconds, name)
    return found


def held(curve: Curve, x: float) -> float | None:
    """The value of a curve at x: that of the last point not after it, or None before the first."""
    place = bisect.bisect_right(curve, (x, math.inf))
    return curve[place - 1][1] if place else None


def group_curves(group: Group) -> dict[str, dict[str, dict[str, list[Any]]]]:
    """Means and deviations of the curves of a group's runs.

    Args:
        group: of runs.

    Returns:
        By quantity and axis the lists `x`, `mean`, `deviation` (None for one
        run) and `runs`, over how many runs the mean goes: all that have come so
        far. The best so far of a run holds when the others go on.
    """
    curves = [run_curves(run.trials, seconds_before_trials(run)) for run in group.runs]
    return {
        quantity: {
            axis: _mean_curve([each[quantity][axis] for each in curves], quantity.startswith(_BEST))
            for axis in AXES
        }
        for quantity in QUANTITIES
    }


def _reward(trial: Trial) -> float | None:
    return trial.reward


def _accuracy(trial: Trial) -> float | None:
    return trial.accuracy


def _places(iteration: int, count: int, seconds: float | None) -> list[tuple[str, float]]:
    places: list[tuple[str, float]] = [("iteration", iteration), ("trained", count)]
    return places if seconds is None else [*places, ("seconds", seconds)]


def _means(
    trials: Sequence[Trial], trained: Sequence[Trial], seconds: dict[int, float], name: str
) -> dict[str, Curve]:
    curves = learning_curves(trials)
    count_until, end_of = _ends(trained, seconds)
    found: dict[str, Curve] = {axis: [] for axis in AXES}
    for iteration, mean in zip(curves["iteration"], curves[name]["mean"], strict=True):
        if mean is None:
            continue
        count, end = held(count_until, iteration), held(end_of, iteration)
        for axis, x in _places(iteration, int(count or 0), end):
            found[axis].append((x, mean))
    return found


def _ends(trained: Sequence[Trial], seconds: dict[int, float]) -> tuple[Curve, Curve]:
    """How many blocks were trained, and how many seconds gone, until the end of an iteration."""
    counts: dict[int, float] = {}
    ends: dict[int, float] = {}
    for count, trial in enumerate(trained, start=1):
        counts[trial.iteration] = count
        if trial.number in seconds:
            ends[trial.iteration] = seconds[trial.number]
    return sorted(counts.items()), sorted(ends.items())


def _mean_curve(curves: Sequence[Curve], holds: bool) -> dict[str, list[Any]]:
    """The mean of curves; with `holds` one that has ended keeps its last value."""
    begun = [curve for curve in curves if curve]
    x = sorted({x for curve in begun for x, _ in curve})
    if len(x) > _POINTS:
        first, last = x[0], x[-1]
        x = [first + (last - first) * step / (_POINTS - 1) for step in range(_POINTS)]
    rows, counts = [], []
    for place in x:
        going = [curve for curve in begun if holds or place <= curve[-1][0]]
        values = [value for curve in going if (value := held(curve, place)) is not None]
        rows.append(spread(values))
        counts.append(len(values))
    return {
        "x": x,
        "mean": [row["mean"] for row in rows],
        "deviation": [row["deviation"] for row in rows],
        "runs": counts,
    }
