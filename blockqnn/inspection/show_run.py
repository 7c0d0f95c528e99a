"""Trials of a run as a table, chosen and sorted by flags."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from blockqnn.errors import FAILED
from blockqnn.inspection.finals_table import finals_heading, finals_table, ranked_facts
from blockqnn.inspection.selection import ANY, FIGURES, Selection, select
from blockqnn.inspection.show_block import design_facts
from blockqnn.listing import (
    counted,
    has_own_filters,
    in_units,
    judged,
    judged_by,
    number,
    table_with_codes,
)
from blockqnn.networks.cost import cost
from blockqnn.networks.spaces.registry import design_of, write
from blockqnn.runs import run_directory
from blockqnn.runs.run_record import RunRecord, read_run
from blockqnn.runs.spending import nothing_trained
from blockqnn.terminal import Terminal, printable, terminal_of
from blockqnn.trial import Status, Trial


def show_run(
    path: pathlib.Path, selection: Selection, top: int, as_json: bool, stream: TextIO
) -> int:
    """Prints trials of a run.

    Args:
        path: the run's directory.
        selection: which trials, and in which order.
        top: how many of them to print.
        as_json: print one JSON object.
        stream: where to print.

    Returns:
        The exit status: 1 where no block was trained.

    Raises:
        UserError: if there is no run.
    """
    run = read_run(path)
    chosen = select(run.trials, selection)
    ranks = {trial.number: rank for rank, trial in enumerate(run.by_reward, start=1)}
    if as_json:
        found = [
            {"number": trial.number, "rank": place, "reward_rank": ranks.get(trial.number)}
            | _facts(trial, run)
            for place, trial in enumerate(chosen[:top], start=1)
        ]
        facts = {"run": str(path), "dry": run.dry, "selected": len(chosen), "best": found}
        places = [ranked_facts(run, trial) for trial in run.final_ranking]
        print(json.dumps(facts | {"finals": places}), file=stream)
        return 0 if ranks else FAILED
    if notice := run_directory.incomplete_notice(path):
        print(notice, file=stream)
    if run.notice:
        print(run.notice, file=stream)
    if chosen:
        print(_heading(run, selection, len(chosen), top), file=stream)
        print(_table(chosen[:top], ranks, selection, terminal_of(stream)), file=stream)
    elif not ranks and selection == Selection():
        print(nothing_trained(run.trials), file=stream)
    else:
        print(f"None of the {len(run.trials)} trials fulfils all conditions.", file=stream)
    if run.finals:
        print(f"\n{finals_heading(run)}", file=stream)
        if run.finals.ended:
            print(finals_table(run, terminal_of(stream)), file=stream)
        if run.stale_finals:
            print(run.stale_finals, file=stream)
    return 0 if ranks else FAILED


def _heading(run: RunRecord, selection: Selection, count: int, top: int) -> str:
    kind = "" if selection.status == ANY else f"{selection.status} "
    chosen = f"{counted(count, f'{kind}trial')} chosen from {len(run.trials):,}"
    first = f"; the first {top}" if top < count else ","
    order = "highest" if selection.descending else "lowest"
    return f"{chosen}{first} by {selection.sort}, {order} first:"


def _facts(trial: Trial, run: RunRecord) -> dict[str, Any]:
    facts = design_facts(trial.code, cost(design_of(trial.code), trial.layout(run.layout)))
    return {
        "status": trial.status.value,
        "reason": trial.reason,
        "iteration": trial.iteration,
        "reward": trial.measured_reward,
        "accuracy": trial.accuracy,
        "seconds": FIGURES["seconds"](trial),
        "filters": list(trial.layout(run.layout).filters),
    } | facts


def _table(
    trials: Sequence[Trial], ranks: Mapping[int, int], selection: Selection, terminal: Terminal
) -> str:
    # Two ranks are shown only where they differ.
    both = any(ranks.get(trial.number) != place for place, trial in enumerate(trials, start=1))
    header = ["rank", "trial", *(["reward rank"] if both else []), "reward", judged_by(trials)]
    own = has_own_filters(trials)
    header += ["parameters", "FLOPs", *(["filters"] if own else [])]
    header += ["status"] if selection.status == ANY else ["depth", "density"]
    header += ["seconds"]
    rows = []
    for place, trial in enumerate(trials, start=1):
        row = [str(place), str(trial.number)]
        row += [str(ranks.get(trial.number, "-"))] if both else []
        row += [
            number(trial.measured_reward),
            judged(trial),
            in_units(trial.parameters),
            in_units(trial.flops),
            *([trial.filters_text or "-"] if own else []),
        ]
        if selection.status == ANY:
            row.append(trial.status.value)
        else:
            row += [str(trial.depth), f"{trial.density:.3f}"]
        rows.append([*row, number(FIGURES["seconds"](trial), 1)])
    return table_with_codes(header, rows, [_end(trial) for trial in trials], terminal)


def _end(trial: Trial) -> str:
    reason = trial.reason if trial.status is not Status.COMPLETED else None
    return write(trial.code) + (f"  {printable(reason)}" if reason else "")
