"""The verb `trials`: every trial of a run, in order."""

from __future__ import annotations

import csv
import dataclasses
import json
import pathlib
from typing import Any, TextIO

from blockqnn.listing import (
    has_own_filters,
    in_units,
    judged,
    judged_by,
    number,
    table_with_codes,
)
from blockqnn.measure import measure_in, measure_of
from blockqnn.networks.spaces.registry import write
from blockqnn.runs.run_record import RunRecord, read_run
from blockqnn.terminal import Terminal, printable, terminal_of
from blockqnn.trial import Status, Trial

COLUMNS = (
    *("number", "iteration", "epsilon", "status", "accuracy", "accuracies", "reward"),
    *("final_rank", "final_accuracy", "code"),
    *("hash", "density", "parameters", "flops", "block_flops", "depth", "seconds"),
    *("waiting_seconds", "train_seconds", "compile_seconds", "saved_seconds", "restarts", "seed"),
    *("source", "reason", "device", "worker", "finished", "filters", "dry"),
)
"""What is told of a trial, in order; the data frame has the same names, the first as its index."""

TABLE, JSON, CSV = "table", "json", "csv"
FORMATS = (TABLE, JSON, CSV)


@dataclasses.dataclass(frozen=True)
class TrialsSettings:
    """What to list.

    Attributes:
        run_dir: the run.
        form: `table`, `json` or `csv`.
    """

    run_dir: pathlib.Path
    form: str


def list_trials(settings: TrialsSettings, stream: TextIO) -> None:
    """Prints all trials.

    Args:
        settings: of which run, and how.
        stream: where to print.

    Raises:
        UserError: if there is no such run.
    """
    run = read_run(settings.run_dir)
    if settings.form == JSON:
        for trial in run.trials:
            print(json.dumps(trial_facts(trial, run)), file=stream)
    elif settings.form == CSV:
        write_csv(run, stream)
    else:
        if run.notice:
            print(run.notice, file=stream)
        print(_table(run, terminal_of(stream)), file=stream)


def trial_facts(trial: Trial, run: RunRecord) -> dict[str, Any]:
    """A trial as JSON; null where there is no value.

    Args:
        trial: which one.
        run: that it is of.

    Returns:
        The values of `COLUMNS`; accuracies and rewards in percent, FLOPs in
        units. What was not trained has no reward, whatever the agent was told. What
        was in no finals, or in none that have ended, has no final rank.
    """
    final_rank, final_accuracy = run.final_places.get(trial.number, (None, None))
    changed = {
        "status": trial.status.value,
        "accuracies": list(trial.accuracies) or None,
        "reward": trial.measured_reward,
        "code": write(trial.code),
        "filters": trial.filters_text,
        "seconds": None if trial.status is Status.INFEASIBLE else trial.seconds,
        "saved_seconds": trial.saved,
        "final_rank": final_rank,
        "final_accuracy": final_accuracy,
        "dry": run.dry,
    }
    return {name: changed[name] if name in changed else getattr(trial, name) for name in COLUMNS}


def write_csv(run: RunRecord, stream: TextIO) -> None:
    """Writes all trials of a run as CSV, a header first.

    Args:
        run: as it was read.
        stream: where to write.
    """
    rows = [trial_facts(trial, run) for trial in run.trials]
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        accuracies = " ".join(map(str, row["accuracies"] or ()))
        writer.writerow(row | {"accuracies": accuracies})


def _table(run: RunRecord, terminal: Terminal) -> str:
    header = ["trial", "iteration", "epsilon", "status", judged_by(run.trials), "reward"]
    places = run.final_places
    header += ["final rank", f"final{measure_in(run.layout).unit}"] if places else []
    own = has_own_filters(run.trials)
    header += ["parameters", "FLOPs", *(["filters"] if own else []), "seconds"]
    rows = []
    for trial in run.trials:
        row = [
            str(trial.number),
            str(trial.iteration),
            f"{trial.epsilon:g}",
            trial.status.value,
            judged(trial),
            number(trial.measured_reward),
        ]
        if places:
            rank, accuracy = places.get(trial.number, ("-", None))
            row += [str(rank), measure_of(trial.code).figure(accuracy)]
        seconds = None if trial.status is Status.INFEASIBLE else trial.seconds
        row += [in_units(trial.parameters), in_units(trial.flops)]
        row += [trial.filters_text or "-"] if own else []
        rows.append([*row, number(seconds, 1)])
    ends = [
        write(trial.code) + (f"  {printable(trial.reason)}" if trial.reason else "")
        for trial in run.trials
    ]
    return table_with_codes(header, rows, ends, terminal)
