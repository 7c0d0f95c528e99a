"""All that the report of one run says, as plain data for JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

from blockqnn.measure import measure_in
from blockqnn.report.blocks import common_motifs, top_blocks
from blockqnn.report.columns import STATUSES
from blockqnn.report.commands import next_commands
from blockqnn.report.curves import distributions, learning_curves
from blockqnn.report.early import too_early
from blockqnn.report.finals import finals_of, winner_words
from blockqnn.report.findings import findings, planned_iterations
from blockqnn.report.learned import learned
from blockqnn.report.mixture import mixture
from blockqnn.report.pareto import pareto_front
from blockqnn.report.prediction import prediction
from blockqnn.report.reward_words import reward_in_words
from blockqnn.report.state import FINISHED, search_state
from blockqnn.report.supernet import supernet_of
from blockqnn.runs.run_directory import FLAG_FILE
from blockqnn.runs.run_record import RunRecord
from blockqnn.runs.spending import reasons, time_spent


def summary(
    run: RunRecord, top: int, begun: bool = True, state: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What is said of a run as a whole; `columns` gives its trials.

    Args:
        run: as it was read.
        top: how many of its best blocks are drawn and compared with all.
        begun: whether the search has begun; before that its flags are not known.
        state: of the search as `search_state` gives it; None to look now.

    Returns:
        By the name of each part of the page what it shows.
    """
    trials, planned = run.trials, planned_iterations(run.flags)
    state = search_state(run) if state is None else state
    early = too_early(trials, run.iterations, planned, state["search"] == FINISHED, state["used"])
    found = findings(trials, run.notice, run.iterations, planned, begun, early)
    if won := winner_words(run):
        found["sentences"].insert(1, won)
    return {
        "name": run.path.name or str(run.path),
        "dry": run.dry,
        "measure": dataclasses.asdict(measure_in(run.layout)),
        "examples": run.layout.examples,
        "statuses": STATUSES,
        "begun": begun,
        "last_finished": max((t.finished for t in trials if t.finished is not None), default=None),
        "state": state,
        "findings": found,
        "finals": finals_of(run),
        "supernet": supernet_of(run),
        "reward": reward_in_words(run) if begun else [],
        "curves": learning_curves(trials),
        "distributions": distributions(trials),
        "pareto": {
            "flops": [t.number for t in pareto_front(trials, lambda t: t.flops)],
            "parameters": [t.number for t in pareto_front(trials, lambda t: t.parameters)],
        },
        "top": top_blocks(run, top),
        "motifs": common_motifs(run, top),
        "learned": learned(run) if begun else None,
        "mixture": mixture(run),
        "prediction": prediction(trials, run.flags),
        "spending": time_spent(trials),
        "reasons": reasons(trials),
        "commands": next_commands(run.path),
        "flags": run.flags,
        "carried_out": carried_out(run),
    }


def carried_out(run: RunRecord) -> dict[str, str]:
    """The flags of the run's flag file that do not change what the search is.

    Args:
        run: as it was read.

    Returns:
        By name the value; empty where there is no such file.
    """
    try:
        lines = (run.path / FLAG_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = [line.removeprefix("--").partition("=") for line in lines if line.startswith("--")]
    return {name: value for name, _, value in pairs if name not in run.flags and value}
