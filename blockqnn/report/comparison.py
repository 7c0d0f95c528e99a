"""Runs compared: figures of each group, as means with deviations over the seeds, and in words."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.measure import ACCURACY, Measure, measure_in
from blockqnn.networks.spaces.registry import space_of
from blockqnn.report.columns import STATUSES, columns
from blockqnn.report.commands import next_commands
from blockqnn.report.differences import every_pair
from blockqnn.report.early import too_early
from blockqnn.report.finals import different_finals, winners_accuracy
from blockqnn.report.findings import planned_iterations
from blockqnn.report.grouping import Group, differing, groups
from blockqnn.report.learned import learned
from blockqnn.report.mean_curves import group_curves, spread
from blockqnn.report.methods import (
    MADE_UP,
    OF_MIXTURE,
    SCORES,
    WEIGHTS,
    accuracies_of,
    checked_ranks,
    different_kinds,
    finals_seconds,
    seconds_before_trials,
    weights_words,
)
from blockqnn.report.state import FINISHED, search_state, unfinished_words
from blockqnn.runs.run_record import RunRecord
from blockqnn.runs.spending import time_spent
from blockqnn.trial import Status


def comparison(runs: Sequence[RunRecord], top: int) -> dict[str, Any]:
    """What the page of several runs shows.

    Args:
        runs: at least two.
        top: how many of each run's best blocks are drawn.

    Returns:
        `notice` of dry runs or None; `sentences`; `groups`, each with `name`,
        `kind`, the weights that its accuracies are of, `count`, the number of its runs
        that are `unfinished`, `figures` (means and deviations) and `curves`; `runs`,
        each with its name, group, figures, how it is `unfinished` in words (empty where
        it has finished), what its agent has `learned`, how its shared `weights` are and
        best blocks; `differences` of the first of all these blocks as `every_pair` gives
        them; `differing`, flags with a value for each group.
    """
    # Drawing imports more than the figures need.
    from blockqnn.report.blocks import distinct_best, top_blocks
    from blockqnn.report.drawings import of_trials

    found = groups(runs)
    runs_in_order = [run for group in found for run in group.runs]
    names = differing([group.flags for group in found])
    figures = [[run_figures(run) for run in group.runs] for group in found]
    seen = {run.path: search_state(run) for run in runs}
    states = {path: state["search"] for path, state in seen.items()}
    still = {run.path: unfinished_words(run, states[run.path]) for run in runs}
    return {
        "statuses": STATUSES,
        "measure": dataclasses.asdict(_measure(runs)),
        "notice": _notice(runs),
        "sentences": [
            *sentences(found, figures, sum(map(bool, still.values()))),
            *different_kinds(runs),
            *different_finals(runs),
        ],
        "groups": [
            {
                "name": group.name,
                "kind": WEIGHTS[accuracies_of(group.runs[0])],
                "count": len(group.runs),
                "unfinished": sum(bool(still[run.path]) for run in group.runs),
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
                "unfinished": still[run.path],
                "early": _early(run, seen[run.path]),
                "learned": learned(run),
                "weights": weights_words(run),
                "best": top_blocks(run, top),
                "trials": columns(distinct_best(run, top)),
                "drawings": of_trials(distinct_best(run, top), run.layout),
                "commands": next_commands(run.path),
            }
            for index, (group, rows) in enumerate(zip(found, figures, strict=True))
            for run, row in zip(group.runs, rows, strict=True)
        ],
        "differences": _pairs(runs_in_order, top),
        "differing": [
            {"name": name, "values": [group.flags.get(name, "") for group in found]}
            for name in names
        ],
    }


def _measure(runs: Sequence[RunRecord]) -> Measure:
    """That of all runs; where they differ, numbers stay as the stores have them."""
    found = {measure_in(run.layout) for run in runs}
    return found.pop() if len(found) == 1 else ACCURACY


def run_figures(run: RunRecord) -> dict[str, float | None]:
    """A run in a few figures.

    Args:
        run: as it was read.

    Returns:
        `best_reward` and `best_accuracy` in percent, `final_accuracy` of the block that
        has won the finals (None without them), `trained` blocks,
        `iterations` that ended, `seconds` of its devices in all, of these `supernet_seconds`
        and `finals_seconds` (None without any), and Kendall's tau of `scores` and of the number
        of `parameters` with accuracies of networks of their own, where that was checked.
    """
    trained = [trial for trial in run.trials if trial.status is Status.COMPLETED]
    spent, ranks = time_spent(run.trials), checked_ranks(run)
    supernets, ended = seconds_before_trials(run), finals_seconds(run)
    return {
        "best_reward": max((t.reward for t in trained if t.reward is not None), default=None),
        "best_accuracy": max((t.accuracy for t in trained if t.accuracy is not None), default=None),
        "final_accuracy": winners_accuracy(run),
        "trained": len(trained),
        "iterations": run.iterations,
        "seconds": spent["training"] + spent["waiting"] + supernets + ended,
        "supernet_seconds": supernets or None,
        "finals_seconds": ended or None,
        "tau_scores": ranks["scores"],
        "tau_parameters": ranks["parameters"],
    }


def sentences(
    found: Sequence[Group], figures: Sequence[Sequence[dict[str, Any]]], unfinished: int = 0
) -> list[str]:
    """The comparison in words.

    Args:
        found: the groups.
        figures: of each run of each group.
        unfinished: runs that have not come to their end; what they have found
            by now is said, but no group is called better.

    Returns:
        Sentences.
    """
    total = sum(len(group.runs) for group in found)
    *most, last = [str(len(group.runs)) for group in found]
    sizes = f"{', '.join(most)} and {last}" if most else last
    if len(found) == 1:
        words = [f"{total} runs that differ in the seed alone."]
    else:
        words = [f"{total} runs in {len(found)} groups of {sizes}, which differ in their flags."]
    if unfinished:
        have = "has" if unfinished == 1 else "have"
        words.append(
            f"{unfinished} of {total} runs {have} not finished, so the figures are those of now "
            "and no verdict."
        )
    rewards = [
        [row["best_reward"] for row in rows if row["best_reward"] is not None] for rows in figures
    ]
    ranked = sorted(
        (i for i, values in enumerate(rewards) if values),
        key=lambda i: -statistics.fmean(rewards[i]),
    )
    if not ranked:
        return [*words, "No block has been trained yet."]
    kinds = {accuracies_of(run) for group in found for run in group.runs}
    if len(kinds) > 1:
        # Which of two kinds of accuracies is higher says nothing.
        return words + [
            f"{found[index].name}: best reward {_plus_minus(rewards[index])}, of "
            f"{accuracies_of(found[index].runs[0])}."
            for index in sorted(ranked)
        ]
    first = ranked[0]
    lead = f"best reward {_plus_minus(rewards[first])}"
    if len(ranked) == 1:
        return [*words, f"Over the seeds: {lead} (mean ± standard deviation)."]
    highest = "Highest by now" if unfinished else "Highest"
    words.append(f"{highest} is {found[first].name}: {lead} (mean ± standard deviation).")
    for other in ranked[1:]:
        if unfinished:
            words.append(f"{found[other].name}: {_plus_minus(rewards[other])}.")
            continue
        words.append(
            f"{found[other].name}: {_plus_minus(rewards[other])}; "
            + _difference(rewards[first], rewards[other])
        )
    return words


def _notice(runs: Sequence[RunRecord]) -> str | None:
    noticed = [run for run in runs if run.notice]
    if len(noticed) == len(runs) and len({run.notice for run in noticed}) == 1:
        return noticed[0].notice
    words = []
    dry = [str(run.path) for run in noticed if accuracies_of(run) == MADE_UP]
    if dry:
        words.append(f"Accuracies are made up in the dry runs {', '.join(dry)}.")
    scored = [str(run.path) for run in noticed if run.proxy]
    if scored:
        words.append(f"Rewards are scores of untrained children in {', '.join(scored)}.")
    for kind in (SCORES, OF_MIXTURE):
        if own := [str(run.path) for run in noticed if accuracies_of(run) == kind]:
            words.append(f"Accuracies are {kind.removeprefix('accuracies ')} in {', '.join(own)}.")
    return " ".join(words) or None


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


def _early(run: RunRecord, state: Mapping[str, Any]) -> str | None:
    planned = planned_iterations(run.flags)
    return too_early(
        run.trials, run.iterations, planned, state["search"] == FINISHED, state["used"]
    )


def _pairs(runs: Sequence[RunRecord], top: int) -> dict[str, Any]:
    """What differs between every two of the best blocks; nothing across search spaces."""
    from blockqnn.report.blocks import distinct_best

    codes = [trial.code for run in runs for trial in distinct_best(run, top)]
    if len({space_of(code).name for code in codes}) > 1:
        codes = []
    return every_pair(codes)
