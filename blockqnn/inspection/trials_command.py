"""The verb `trials`: every trial of a run, in order."""

from __future__ import annotations

import csv
import dataclasses
import json
import pathlib
from typing import Any, TextIO

from blockqnn.listing import DRY_NOTICE, in_units, number, table
from blockqnn.networks.spaces.registry import write
from blockqnn.runs.run_record import RunRecord, read_run
from blockqnn.trial import Status, Trial

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
            print(json.dumps(trial_facts(trial, run.dry)), file=stream)
    elif settings.form == CSV:
        write_csv(run, stream)
    else:
        if run.dry:
            print(DRY_NOTICE, file=stream)
        print(_table(run.trials), file=stream)


def trial_facts(trial: Trial, dry: bool) -> dict[str, Any]:
    """A trial as JSON; null where there is no value.

    Args:
        trial: which one.
        dry: whether its accuracies were made up.

    Returns:
        Its fields; accuracies and rewards in percent, FLOPs in units.
    """
    facts = {field.name: getattr(trial, field.name) for field in dataclasses.fields(trial)}
    facts["code"] = write(trial.code)
    facts["status"] = trial.status.value
    facts["accuracy"] = trial.accuracy
    facts["accuracies"] = list(trial.accuracies) or None
    facts["seconds"] = None if trial.status is Status.INFEASIBLE else trial.seconds
    facts["dry"] = dry
    return facts


def write_csv(run: RunRecord, stream: TextIO) -> None:
    """Writes all trials of a run as CSV, a header first.

    Args:
        run: as it was read.
        stream: where to write.
    """
    rows = [trial_facts(trial, run.dry) for trial in run.trials]
    names = [field.name for field in dataclasses.fields(Trial)]
    names += ["accuracy", "seconds", "dry"]
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        accuracies = " ".join(map(str, row["accuracies"] or ()))
        writer.writerow(row | {"accuracies": accuracies})


def _table(trials: list[Trial]) -> str:
    return table(
        [
            "trial",
            "iteration",
            "epsilon",
            "status",
            "accuracy %",
            "reward",
            "parameters",
            "FLOPs",
            "seconds",
            "code",
        ],
        [
            [
                str(trial.number),
                str(trial.iteration),
                f"{trial.epsilon:g}",
                trial.status.value,
                number(trial.accuracy),
                number(trial.reward),
                in_units(trial.parameters),
                in_units(trial.flops),
                number(None if trial.status is Status.INFEASIBLE else trial.seconds, 1),
                write(trial.code) + (f"  {trial.reason}" if trial.reason else ""),
            ]
            for trial in trials
        ],
    )
