"""Runs compared: curves and figures of each group, as means with deviations over the seeds."""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Sequence
from typing import Any

from blockqnn.listing import DRY_NOTICE
from blockqnn.report.columns import STATUSES, columns
from blockqnn.report.curves import learning_curves
from blockqnn.report.grouping import Group, differing, groups
from blockqnn.runs.run_record import RunRecord
from blockqnn.runs.spending import elapsed, time_spent
from blockqnn.trial import Status, Trial

AXES = ("iteration", "trained", "seconds")
QUANTITIES = ("best_reward", "best_accuracy", "mean_reward", "mean_accuracy")
_POINTS = 200

Curve = list[tuple[float, float]]
"""Points of ascending x; between two of them the first's value holds."""


def comparison(runs: Sequence[RunRecord], top: int) -> dict[str, Any]:
    """What the page of several runs shows.

    Args:
        runs: at least two.
        top: how many of each run's best blocks are drawn.

    Returns:
        `notice` of dry runs or None; `sentences`; `groups`, each with `name`,
        `figures` (means and deviations) and `curves`; `runs`, each with its
        name, group, figures and best blocks; `differing`, flags with a value
        for each group.
    """
    # Drawing imports more than the figures need.
    from blockqnn.report.blocks import top_blocks

    found = groups(runs)
    names = differing([group.flags for group in found])
    figures = [[run_figures(run) for run in group.runs] for group in found]
    dry = [str(run.path) for run in runs if run.dry]
    return {
        "statuses": STATUSES,
        "notice": _notice(dry, len(runs)),
        "sentences": sentences(found, figures),
        "groups": [
            {
                "name": group.name,
                "count": len(group.runs),
                "figures": {key: spread([each[key] for each in rows]) for key in rows[0]},
                "curves": group_curves(group),
            }
            for group, rows in zip(found, figures, strict=True)
        ],
        "runs": [
            {
                "name": str(run.path),
                "group": index,
                "seed": str(run.flags.get("seed", "")),
                "figures": row,
                "best": top_blocks(run, top),
                "trials": columns(run.best(top)),
            }
            for index, (group, rows) in enumerate(zip(found, figures, strict=True))
            for run, row in zip(group.runs, rows, strict=True)
        ],
        "differing": [
            {"name": name, "values": [group.flags.get(name, "") for group in found]}
            for name in names
        ],
    }


def run_figures(run: RunRecord) -> dict[str, float | None]:
    """A run in a few figures.

    Args:
        run: as it was read.

    Returns:
        `best_reward` and `best_accuracy` in percent, `trained` blocks,
        `iterations` that ended, `seconds` that its devices had children.
    """
    trained = [trial for trial in run.trials if trial.status is Status.COMPLETED]
    spent = time_spent(run.trials)
    return {
        "best_reward": max((t.reward for t in trained if t.reward is not None), default=None),
        "best_accuracy": max((t.accuracy for t in trained if t.accuracy is not None), default=None),
        "trained": len(trained),
        "iterations": run.iterations,
        "seconds": spent["training"] + spent["waiting"],
    }


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


def run_curves(trials: Sequence[Trial]) -> dict[str, dict[str, Curve]]:
    """A run's curves over iterations, trained blocks and seconds.

    Args:
        trials: of the run, in order of number.

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
    seconds = elapsed(trials)
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
        By quantity and axis the lists `x`, `mean` and `deviation` (None for
        one run), from where all runs have begun to where the first ends.
    """
    curves = [run_curves(run.trials) for run in group.runs]
    return {
        quantity: {axis: _mean_curve([each[quantity][axis] for each in curves]) for axis in AXES}
        for quantity in QUANTITIES
    }


def sentences(found: Sequence[Group], figures: Sequence[Sequence[dict[str, Any]]]) -> list[str]:
    """The comparison in words.

    Args:
        found: the groups.
        figures: of each run of each group.

    Returns:
        Sentences.
    """
    total = sum(len(group.runs) for group in found)
    sizes = " and ".join(str(len(group.runs)) for group in found)
    if len(found) == 1:
        words = [f"{total} runs that differ in the seed alone."]
    else:
        words = [f"{total} runs in {len(found)} groups of {sizes}, which differ in their flags."]
    rewards = [
        [row["best_reward"] for row in rows if row["best_reward"] is not None] for rows in figures
    ]
    ranked = sorted(
        (i for i, values in enumerate(rewards) if values),
        key=lambda i: -statistics.fmean(rewards[i]),
    )
    if not ranked:
        return [*words, "No block has been trained yet."]
    first = ranked[0]
    lead = f"best reward {_plus_minus(rewards[first])}"
    if len(ranked) == 1:
        return [*words, f"Over the seeds: {lead} (mean ± standard deviation)."]
    words.append(f"Highest is {found[first].name}: {lead} (mean ± standard deviation).")
    for other in ranked[1:]:
        words.append(
            f"{found[other].name}: {_plus_minus(rewards[other])}; "
            + _difference(rewards[first], rewards[other])
        )
    return words


def _notice(dry: Sequence[str], total: int) -> str | None:
    if len(dry) == total:
        return DRY_NOTICE
    return f"Accuracies are made up in the dry runs {', '.join(dry)}." if dry else None


def _plus_minus(values: Sequence[float]) -> str:
    mean = f"{statistics.fmean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else mean


def _difference(first: Sequence[float], other: Sequence[float]) -> str:
    difference = statistics.fmean(first) - statistics.fmean(other)
    if min(len(first), len(other)) < 2:
        return f"{difference:.2f} lower, and one run says nothing of the spread over seeds."
    error = math.sqrt(sum(statistics.variance(each) / len(each) for each in (first, other)))
    clear = "more" if difference > 2 * error else "no more"
    return f"{difference:.2f} lower, which is {clear} than two standard errors ({2 * error:.2f})."


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


def _mean_curve(curves: Sequence[Curve]) -> dict[str, list[Any]]:
    if not all(curves):
        return {"x": [], "mean": [], "deviation": []}
    first = max(curve[0][0] for curve in curves)
    last = min(curve[-1][0] for curve in curves)
    x = sorted({x for curve in curves for x, _ in curve if first <= x <= last})
    if len(x) > _POINTS:
        x = [first + (last - first) * step / (_POINTS - 1) for step in range(_POINTS)]
    rows = [spread([held(curve, place) for curve in curves]) for place in x]
    return {
        "x": x,
        "mean": [row["mean"] for row in rows],
        "deviation": [row["deviation"] for row in rows],
    }
