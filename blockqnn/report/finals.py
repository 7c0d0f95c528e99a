"""The finals of a run for its report: who came where, who moved, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blockqnn.calibration.early_pick import correlation_words, pick_words
from blockqnn.inspection.finals_table import failed_words, finals_heading, finals_line
from blockqnn.listing import about, counted, number
from blockqnn.measure import measure_in
from blockqnn.report.columns import short
from blockqnn.report.statistics import pooled_t_widths
from blockqnn.runs.finals import Finals, Result
from blockqnn.runs.run_record import RunRecord


def finals_of(run: RunRecord) -> dict[str, Any] | None:
    """What the page shows of the finals of a run.

    Args:
        run: as it was read.

    Returns:
        None for a run without finals. Otherwise whether they have `ended`; `sentences` about
        them; `epochs`, of each training of the search and of each round, None where not known;
        `seeds` of each round; `under_way`, the round that has not ended, from 1, or None; and
        `rows`, one a block, the best first, each with its `trial`, `rank` (None before a round
        has ended), `early_rank`, `round`, the last ended one that it was in, `early` accuracy,
        `results`, one an ended round that it was in, with `accuracy`, `deviation`, the ends `low`
        and `high` of a 95 % interval (None of one training) and the number that `failed`,
        `so_far` in the round under way (`accuracy` and `trainings`, or None), `filters`, the
        `words` on it and the `reasons` of what failed. Accuracies are in percent.
    """
    finals = run.finals
    if finals is None:
        return None
    widths = _widths(finals)
    standing = _standing(finals)
    early = {trial.number: trial for trial in run.trials}
    # What is written as its inverse is rounded then.
    digits = 6 if measure_in(run.layout).inverse else 2
    epochs = run.flags.get("epochs", "")
    rounds = finals.plan.rounds
    return {
        "ended": finals.ended,
        "sentences": _sentences(run, finals),
        "epochs": [int(epochs) if epochs.isdecimal() else None, *[r.epochs for r in rounds]],
        "seeds": [each.seeds for each in rounds],
        "under_way": None if finals.ended else finals.under_way,
        "rows": [
            {
                "trial": trial,
                "rank": rank if finals.orders else None,
                "early_rank": finals.early_rank(trial),
                "round": len(finals.results(trial)),
                "early": short(early[trial].accuracy),
                "results": [
                    _result(result, widths[result.round - 1][trial], digits)
                    for result in finals.results(trial)
                ],
                "so_far": _so_far(finals, trial, digits),
                "filters": ", ".join(map(str, early[trial].filters)),
                "words": finals_line(run, trial),
                "reasons": [r for result in finals.results(trial) for r in result.reasons],
            }
            for rank, trial in enumerate(standing, start=1)
        ],
    }


def winner_words(run: RunRecord) -> str:
    """Who has won the finals of a run, in a sentence; empty before they have ended."""
    if run.finals is None or not run.finals.ended:
        return ""
    winner = run.finals.ranking[0]
    last = run.finals.results(winner)[-1]
    measure = measure_in(run.layout)
    spread = ""
    if last.deviation is not None:
        spread = f" ± {number(measure.spread(last.mean, last.deviation))}"
    epochs = counted(run.finals.plan.rounds[last.round - 1].epochs, "epoch")
    trainings = counted(len(last.trainings), "training")
    return (
        f"The finals were won by trial {winner}: {measure.name} {measure.figure(last.mean)}"
        f"{spread}{measure.unit} after "
        f"{epochs}, of {trainings}; it had entered with rank {run.finals.early_rank(winner)} by "
        "reward."
    )


def winners_accuracy(run: RunRecord) -> float | None:
    """Mean accuracy in percent of the block that has won the finals; None without them."""
    if run.finals is None or not run.finals.ended:
        return None
    return short(run.finals.results(run.finals.ranking[0])[-1].mean)


def different_finals(runs: Sequence[RunRecord]) -> list[str]:
    """A sentence where the finals of runs are not alike.

    Args:
        runs: that are compared.

    Returns:
        The sentence, or nothing.
    """
    ended = [run.finals.plan for run in runs if run.finals and run.finals.ended]
    if all(plan.same_as(ended[0]) for plan in ended):
        return []
    return [
        "The finals of these runs had different rounds or images, so that the accuracies of their "
        "winners do not compare like with like."
    ]


def _standing(finals: Finals) -> list[int]:
    """All blocks by the rounds that have ended, the best first."""
    found: list[int] = []
    for order in [*reversed(finals.orders), list(finals.plan.trials)]:
        found += [trial for trial in order if trial not in found]
    return found


def _sentences(run: RunRecord, finals: Finals) -> list[str]:
    heading = finals_heading(run).removesuffix(":").removesuffix(".") + "."
    if seconds := sum(training.seconds for training in finals.trainings):
        heading += f" The trainings took about {about(seconds)} of device time."
    found = [heading, run.stale_finals]
    if finals.ended:
        found.append(pick_words(finals, measure_in(run.layout), run.chosen))
    found += [correlation_words(run, finals), failed_words(finals)]
    return [each for each in found if each]


def _widths(finals: Finals) -> list[dict[int, float | None]]:
    """Of each ended round half the 95 % interval of each block; None of what failed."""
    found = []
    for place, order in enumerate(finals.orders, start=1):
        results = {trial: finals.result(place, trial) for trial in order}
        # A training that counts as guessing says nothing of how seeds differ.
        sound = {trial: each for trial, each in results.items() if not each.reasons}
        widths = pooled_t_widths([each.accuracies for each in sound.values()])
        found.append(dict.fromkeys(order) | dict(zip(sound, widths, strict=True)))
    return found


def _result(result: Result, width: float | None, digits: int) -> dict[str, Any]:
    return {
        "accuracy": _rounded(result.mean, digits),
        "deviation": _rounded(result.deviation, digits),
        "low": None if width is None else _rounded(result.mean - width, digits),
        "high": None if width is None else _rounded(result.mean + width, digits),
        "failed": len(result.reasons),
    }


def _rounded(value: float | None, digits: int) -> float | None:
    """As sentences write it: half of the last digit may otherwise go up here and down there."""
    return None if value is None else short(round(value, digits))


def _so_far(finals: Finals, trial: int, digits: int) -> dict[str, Any] | None:
    if finals.ended or trial not in finals.entered(finals.under_way):
        return None
    result = finals.result(finals.under_way, trial)
    if not result.trainings:
        return None
    return {"accuracy": _rounded(result.mean, digits), "trainings": len(result.trainings)}
