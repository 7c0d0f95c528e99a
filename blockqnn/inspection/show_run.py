"""Trials of a run as a table, chosen and sorted by flags."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from blockqnn.errors import FAILED
from blockqnn.inspection.selection import ANY, FIGURES, Selection, select
from blockqnn.inspection.show_block import design_facts
from blockqnn.listing import DRY_NOTICE, in_units, number, table, wrapped_code
from blockqnn.networks.cost import cost
from blockqnn.networks.spaces.registry import design_of, write
from blockqnn.runs import run_directory
from blockqnn.runs.run_record import RunRecord, read_run
from blockqnn.runs.spending import nothing_trained
from blockqnn.terminal import Style, Terminal, printable, terminal_of
from blockqnn.trial import Status, Trial

_INDENT = 6


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
    ranks = {trial.number: rank for rank, trial in enumerate(run.best(len(run.trials)), start=1)}
    if as_json:
        found = [_facts(trial, ranks.get(trial.number), run) for trial in chosen[:top]]
        print(
            json.dumps({"run": str(path), "dry": run.dry, "selected": len(chosen), "best": found}),
            file=stream,
        )
        return 0 if ranks else FAILED
    if notice := run_directory.incomplete_notice(path):
        print(notice, file=stream)
    if run.dry:
        print(DRY_NOTICE, file=stream)
    if chosen:
        print(_heading(run, selection, len(chosen), top), file=stream)
        print(_table(chosen[:top], ranks, selection, terminal_of(stream)), file=stream)
    elif not ranks and selection == Selection():
        print(nothing_trained(run.trials), file=stream)
    else:
        print(f"None of the {len(run.trials)} trials fulfils all conditions.", file=stream)
    return 0 if ranks else FAILED


def _heading(run: RunRecord, selection: Selection, count: int, top: int) -> str:
    kind = "" if selection.status == ANY else f"{selection.status} "
    chosen = f"{count} {kind}trial{'' if count == 1 else 's'} chosen from {len(run.trials)}"
    first = f"; the first {top}" if top < count else ","
    order = "highest" if selection.descending else "lowest"
    return f"{chosen}{first} by {selection.sort}, {order} first:"


def _facts(trial: Trial, rank: int | None, run: RunRecord) -> dict[str, Any]:
    facts = design_facts(trial.code, cost(design_of(trial.code), run.layout))
    return {
        "number": trial.number,
        "rank": rank,
        "status": trial.status.value,
        "reason": trial.reason,
        "iteration": trial.iteration,
        "reward": trial.reward,
        "accuracy": trial.accuracy,
        "seconds": FIGURES["seconds"](trial),
    } | facts


def _table(
    trials: Sequence[Trial], ranks: Mapping[int, int], selection: Selection, terminal: Terminal
) -> str:
    header = ["rank", "trial", "reward", "accuracy %", "parameters", "FLOPs"]
    header += ["status"] if selection.status == ANY else ["depth", "density"]
    header += ["seconds", "code"]
    rows = []
    for trial in trials:
        row = [
            str(ranks.get(trial.number, "-")),
            str(trial.number),
            number(trial.reward),
            number(trial.accuracy),
            in_units(trial.parameters),
            in_units(trial.flops),
        ]
        if selection.status == ANY:
            row.append(trial.status.value)
        else:
            row += [str(trial.depth), f"{trial.density:.3f}"]
        rows.append([*row, number(FIGURES["seconds"](trial), 1), ""])
    figures = table([*header[:-1], ""], rows).splitlines()
    ends = [_end(trial) for trial in trials]
    width = terminal.width
    if width is None or all(
        len(line) + 2 + len(end) <= width for line, end in zip(figures[1:], ends, strict=True)
    ):
        ends = [f"  {header[-1]}", *(f"  {end}" for end in ends)]
    else:
        # Codes do not fit beside the figures: each goes below its own.
        ends = [
            "",
            *(
                "".join(
                    f"\n{' ' * _INDENT}{terminal.styled(line, Style.DIM)}"
                    for line in wrapped_code(end, width - _INDENT)
                )
                for end in ends
            ),
        ]
    lines = [line + end for line, end in zip(figures, ends, strict=True)]
    lines[0] = terminal.styled(lines[0], Style.BOLD)
    return "\n".join(lines)


def _end(trial: Trial) -> str:
    reason = trial.reason if trial.status is not Status.COMPLETED else None
    return write(trial.code) + (f"  {printable(reason)}" if reason else "")
