"""What finals say at their end: who won, who moved, and what a pick by early reward costs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from blockqnn.inspection.finals_table import finals_heading, finals_table, ranked_facts
from blockqnn.invocation import command
from blockqnn.listing import DRY_NOTICE, counted, number
from blockqnn.networks.spaces.registry import write
from blockqnn.runs.finals import Finals
from blockqnn.runs.rounds import short_rounds
from blockqnn.runs.run_record import RunRecord
from blockqnn.terminal import terminal_of

if TYPE_CHECKING:
    from blockqnn.calibration.rank_correlation import Interval

_FEWEST = 4
"""Of fewer blocks no rank correlation is told."""


def print_result(run: RunRecord, as_json: bool, stream: TextIO) -> int:
    """Prints the result of finals.

    Args:
        run: whose finals have ended.
        as_json: print one JSON object.
        stream: where to print.

    Returns:
        The exit status.
    """
    finals = run.finals
    assert finals is not None and finals.ended
    if as_json:
        print(json.dumps(result_facts(run, finals)), file=stream)
        return 0
    print(f"\n{finals_heading(run)}", file=stream)
    print(finals_table(run, terminal_of(stream)), file=stream)
    if failed := [t for t in finals.trainings if t.reason]:
        count = "counts" if len(failed) == 1 else "count"
        what = counted(len(failed), "training")
        print(f"{what} failed, which {count} as guessing.", file=stream)
    print(f"\n{correlation_words(run, finals)}{pick_words(finals)}", file=stream)
    if run.dry:
        print(DRY_NOTICE, file=stream)
    best = f"{run.path}#best"
    print(
        f"\nLook at the winner:  {command('show', best)}  (#best_early is the best by reward)"
        f"\nTrain it to the end: {command('train', best, f'--out_dir={run.path}-trained')}"
        f"\nThen take it home:   "
        f"{command('export', f'{run.path}-trained', f'--to={run.path}-exported')}"
        "  (--framework=torch for PyTorch)"
        f"\nAll of the run:      {command('report', run.path)}",
        file=stream,
    )
    return 0


def result_facts(run: RunRecord, finals: Finals) -> dict[str, Any]:
    """The result of finals for programs.

    Args:
        run: whose finals have ended.
        finals: of the run.

    Returns:
        Rounds, ranking, rank correlations and what the best by early reward would have cost;
        accuracies in percent.
    """
    by_number = {trial.number: trial for trial in run.trials}
    first = finals.plan.trials[0]
    ranking = []
    for trial in map(by_number.__getitem__, finals.ranking):
        own = {
            "early_accuracy": trial.accuracy,
            "reward": trial.reward,
            "parameters": trial.parameters,
            "code": write(trial.code),
        }
        ranking.append(ranked_facts(run, trial.number) | own)
    rounds = [
        {
            "blocks": len(order),
            "epochs": one.epochs,
            "seeds": one.seeds,
            "order": order,
            "spearman": _interval(_correlation(run, finals, place)),
        }
        for place, (one, order) in enumerate(
            zip(finals.plan.rounds, finals.orders, strict=True), start=1
        )
    ]
    return {
        "run": str(run.path),
        "dry": run.dry,
        "rounds_flag": short_rounds(finals.plan.rounds),
        "train_examples": finals.plan.train_examples,
        "trained": finals.plan.trained,
        "stale": run.stale_finals or None,
        "rounds": rounds,
        "ranking": ranking,
        "best_early": {"trial": first, "points_behind": points_behind(finals)},
        "seconds": sum(training.seconds for training in finals.trainings),
    }


def correlation_words(run: RunRecord, finals: Finals) -> str:
    """How well the early reward ranked the blocks of each round, in sentences."""
    found = []
    for place, order in enumerate(finals.orders, start=1):
        interval = _correlation(run, finals, place)
        if interval is None or math.isnan(interval.value):
            continue
        low, high = number(interval.low), number(interval.high)
        found.append(
            f"{number(interval.value)} [{low}, {high}] over the {counted(len(order), 'block')} of "
            f"round {place}"
        )
    if not found:
        return ""
    return f"Spearman's rank correlation of early reward and accuracy: {', '.join(found)}.\n"


def pick_words(finals: Finals) -> str:
    """What taking the block of highest early reward would have cost, in a sentence."""
    first, rank = finals.plan.trials[0], finals.ranking.index(finals.plan.trials[0]) + 1
    name = f"The best by early reward, trial {first},"
    if rank == 1:
        return f"{name} has won."
    points = points_behind(finals)
    if points is None:
        last = finals.last_result(first)
        fell = last.round if last else 1
        return f"{name} fell out in round {fell}, as rank {rank} of {len(finals.ranking)}."
    return f"{name} came to rank {rank}: taking it would have cost {number(points)} points."


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


def _interval(found: Interval | None) -> dict[str, float | None] | None:
    if found is None:
        return None
    return {
        name: None if math.isnan(value) else value
        for name, value in (("value", found.value), ("low", found.low), ("high", found.high))
    }
