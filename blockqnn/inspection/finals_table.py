"""The finals of a run as a table, and those of one block in a line."""

from __future__ import annotations

from typing import Any

from blockqnn.listing import counted, in_units, judged, number, table_with_codes
from blockqnn.measure import Measure, measure_in, measure_of
from blockqnn.networks.spaces.registry import write
from blockqnn.runs.finals import Finals, Result
from blockqnn.runs.rounds import in_words
from blockqnn.runs.run_record import RunRecord
from blockqnn.terminal import Terminal, printable

_SHOWN = 10


def finals_table(run: RunRecord, terminal: Terminal) -> str:
    """Who came where in finals that have ended.

    Args:
        run: with such finals.
        terminal: to print on.

    Returns:
        A table with the winner first, and a line for what it leaves out.
    """
    finals = _of(run)
    shown = finals.ranking[:_SHOWN]
    if len(finals.ranking) > _SHOWN and finals.plan.trials[0] not in shown:
        # What the search thought best is looked for first.
        shown = [*shown[:-1], finals.plan.trials[0]]
    by_number = {trial.number: trial for trial in run.trials}
    rows, codes = [], []
    for row in (ranked_facts(run, trial) for trial in shown):
        found = by_number[row["trial"]]
        rows.append(
            [
                str(row["rank"]),
                str(found.number),
                str(row["early_rank"]),
                str(row["epochs"]),
                _with_deviation(measure_of(found.code), row["accuracy"], row["deviation"]),
                judged(found),
                in_units(found.parameters),
            ]
        )
        failures = "".join(f"  failed: {printable(reason)}" for reason in row["reasons"])
        codes.append(write(found.code) + failures)
    measure = measure_in(run.layout)
    header = ["rank", "trial", "early rank", "epochs", measure.column, f"early{measure.unit}"]
    header.append("parameters")
    lines = [table_with_codes(header, rows, codes, terminal)]
    if len(shown) < len(finals.ranking):
        lines.append(f"{len(finals.ranking) - len(shown):,} more came after them.")
    return "\n".join(lines)


def finals_heading(run: RunRecord) -> str:
    """What stands before the table, or instead of it while finals go on."""
    finals = _of(run)
    rounds = in_words(finals.plan.rounds)
    if finals.plan.recipe:
        rounds += f"; {' '.join(finals.plan.recipe)}"
    if finals.ended:
        return f"Finals of {counted(finals.plan.trained, 'trained block')} ({rounds}):"
    return (
        f"Finals ({rounds}) have come to round {finals.under_way} of {len(finals.plan.rounds)} "
        "and not to their end; until then the best is that of highest reward."
    )


def failed_trainings(finals: Finals) -> int:
    """How many trainings failed, of the blocks that entered each round.

    Those of blocks that were among the best of a smaller search count no more.
    """
    return sum(
        len(finals.result(place, trial).reasons)
        for place in range(1, finals.under_way + 1)
        for trial in finals.entered(place)
    )


def failed_words(finals: Finals) -> str:
    """How many trainings of finals failed, in a sentence; empty where none did."""
    if not (failed := failed_trainings(finals)):
        return ""
    return f"{counted(failed, 'training')} failed, which count{'s' * (failed == 1)} as guessing."


def ranked_facts(run: RunRecord, trial: int) -> dict[str, Any]:
    """How a block did in finals that have ended, as JSON.

    Args:
        run: with such finals.
        trial: number of one of their trials.

    Returns:
        `rank` and `early_rank` from 1, the `round` and the `epochs` of the last
        training, its mean `accuracy` and the `deviation` over its seeds in
        percent, the `accuracies` of the seeds, and `reasons` of what failed.
    """
    finals = _of(run)
    last = finals.last_result(trial)
    assert last is not None
    return {
        "rank": finals.ranking.index(trial) + 1,
        "trial": trial,
        "early_rank": finals.early_rank(trial),
        "round": last.round,
        "epochs": finals.plan.rounds[last.round - 1].epochs,
        "accuracy": last.mean,
        "deviation": last.deviation,
        "accuracies": last.accuracies,
        "reasons": last.reasons,
    }


def finals_line(run: RunRecord | None, trial: int) -> str:
    """How a block did in finals.

    Args:
        run: of the block; None for none.
        trial: its number.

    Returns:
        A line; empty where it was in none, or they have not ended.
    """
    if run is None or trial not in run.final_ranking:
        return ""
    finals = _of(run)
    rank = finals.ranking.index(trial) + 1
    rounds = "; ".join(_round_words(run, result) for result in finals.results(trial))
    return f"rank {rank} of {len(finals.ranking)}, early rank {finals.early_rank(trial)}; {rounds}"


def _round_words(run: RunRecord, result: Result) -> str:
    epochs = counted(_of(run).plan.rounds[result.round - 1].epochs, "epoch")
    failed = f", {len(result.reasons)} failed" if result.reasons else ""
    measure = measure_in(run.layout)
    words = _with_deviation(measure, result.mean, result.deviation)
    return f"{words}{measure.unit} after {epochs}{failed}"


def _with_deviation(measure: Measure, mean: float, deviation: float | None) -> str:
    spread = "" if deviation is None else f" +- {number(measure.spread(mean, deviation))}"
    return measure.figure(mean) + spread


def _of(run: RunRecord) -> Finals:
    assert run.finals is not None
    return run.finals
