"""The verb `compare`: agents against one another on a table of accuracies."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
from typing import Any, TextIO

from blockqnn.contests import contest, standings
from blockqnn.contests.contestants import Contestant
from blockqnn.contests.regret_figure import check_figure, draw_regret
from blockqnn.contests.tournament import (
    Results,
    carry_out,
    table_digest,
    wanted_runs,
)
from blockqnn.contests.waiting import Waiting
from blockqnn.errors import UserError
from blockqnn.evaluation.table import AccuracyTable, read_table, say_what_is_read
from blockqnn.listing import counted, table
from blockqnn.workers.placement import available_cores

_TARGET_BELOW_OPTIMUM = 0.2


@dataclasses.dataclass(frozen=True)
class CompareSettings:
    """What to compare.

    Attributes:
        contestants: the agents; the first is what the others are tested against.
        space: name of the search space; empty for the one that the table's codes are of.
        table: path of the accuracies.
        search_column: that the agents see.
        judge_column: by which the best one by the other column is judged.
        budgets: evaluations.
        seeds: runs of each.
        target: judged accuracy in percent; 0 for 0.2 points below the optimum.
        workers: processes; 0 for one a core.
        out_dir: where runs are kept, so that the same command continues.
        figure: file for the curve of simple regret, or None.
        as_json: print one JSON object.
    """

    contestants: tuple[Contestant, ...]
    space: str
    table: str
    search_column: str
    judge_column: str
    budgets: tuple[int, ...]
    seeds: int
    target: float
    workers: int
    out_dir: pathlib.Path
    figure: pathlib.Path | None
    as_json: bool


def compare(settings: CompareSettings, stream: TextIO, progress: TextIO) -> int:
    """Plays what is missing, and prints the standings.

    Args:
        settings: what to compare.
        stream: for the result.
        progress: for how far it is.

    Returns:
        The exit status: 1 where no agent found any design of the table.

    Raises:
        UserError: if the table or a directory cannot be used.
    """
    columns = settings.search_column, settings.judge_column
    check_figure(settings.figure)
    said = progress if settings.as_json else stream
    say_what_is_read(settings.table, said)
    accuracies = read_table(settings.table, columns, settings.space)
    space = accuracies.space(settings.space)
    if accuracies.count(space) < max(settings.budgets):
        raise UserError(
            f"--budgets has {max(settings.budgets):,}; the table has "
            f"{counted(accuracies.count(space), 'design')}."
        )
    print(*accuracies.sentences(space), "", sep="\n", file=said, flush=True)
    identity = {
        "space": space.name,
        "table": table_digest(settings.table),
        "search_column": settings.search_column,
        "judge_column": settings.judge_column,
    }
    with contextlib.closing(
        Results(settings.out_dir, identity, contest.as_json, contest.from_json)
    ) as results:
        wanted = wanted_runs(settings.contestants, settings.budgets, settings.seeds)
        missing = [key for key in wanted if key not in results.runs]
        waiting = Waiting(progress, len(wanted) - len(missing), len(wanted))
        workers = settings.workers or len(available_cores())
        if missing:
            for runs in carry_out(missing, space.name, settings.table, columns, workers):
                results.add(runs)
                waiting.ended(len(runs))
    facts = _facts(settings, results, accuracies)
    if settings.figure is not None:
        draw_regret(facts["curves"], settings.figure)
    print(json.dumps(facts) if settings.as_json else _in_words(facts, settings), file=stream)
    return 0 if any(row["found"] for row in facts["rows"]) else 1


def _facts(
    settings: CompareSettings, results: Results, accuracies: AccuracyTable
) -> dict[str, Any]:
    common = results.runs, settings.contestants, settings.budgets, settings.seeds
    optimum = accuracies.best(1)
    target = settings.target or optimum - _TARGET_BELOW_OPTIMUM
    return {
        "rows": standings.rows(*common, settings.contestants[0]),
        "target": target,
        "targets": standings.targets(*common, target),
        "lacking": standings.lacking(*common),
        "optimum": optimum,
        "curves": standings.regret_curves(*common, optimum),
    }


def _in_words(facts: dict[str, Any], settings: CompareSettings) -> str:
    reference = settings.contestants[0].title
    parts = [
        f"Best by {settings.search_column}, judged by {settings.judge_column} in percent: "
        f"{standings.of_seeds(settings.seeds)}",
        "",
    ]
    by_budget: dict[int, list[dict[str, Any]]] = {}
    for row in facts["rows"]:
        by_budget.setdefault(row["budget"], []).append(row)
    lines = []
    lacking = _lacking_cells(facts["lacking"])
    for place, contestant in enumerate(settings.contestants):
        own = [same[place] for same in by_budget.values()]
        cells = [standings.mean_cell(row["mean"], row["std"], row["p"]) for row in own]
        reached = standings.reached_cells(facts["targets"][place])
        lines.append([*cells, *reached, *lacking[place], contestant.title])
    header = [counted(budget, "evaluation") for budget in by_budget]
    header += [f"reach {facts['target']:.2f}", "median after"]
    header += ["not in the table"] if any(lacking) else []
    header.append("agent")
    parts.append(table(header, lines))
    parts += [
        "",
        *standings.marked(reference, facts["rows"]),
        f"optimum {facts['optimum']:.2f}; an evaluation is a design not seen before in the run",
    ]
    parts += _finding_nothing(facts["rows"], settings)
    if settings.figure is not None:
        parts.append(f"Simple regret: {settings.figure}")
    return "\n".join(parts)


def _lacking_cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    """For each agent the share of its suggestions that the table lacks; nothing where it has all.

    Runs of earlier versions do not know.
    """
    if not any(row["lacking"] for row in rows):
        return [[] for _ in rows]
    return [
        [f"{100 * row['lacking'] / row['suggestions']:.0f} %" if row["suggestions"] else "-"]
        for row in rows
    ]


def _finding_nothing(rows: list[dict[str, Any]], settings: CompareSettings) -> list[str]:
    """What to say of runs whose suggestions were never in the table."""
    # Smaller budgets are read off the same runs, unless settings depend on the budget.
    sized = {contestant.title for contestant in settings.contestants if contestant.is_sized}
    return [
        f"{row['agent']}: {row['seeds'] - row['found']} of {counted(row['seeds'], 'run')} of "
        f"{counted(row['budget'], 'evaluation')} found no design of the table, and are left out"
        for row in rows
        if row["found"] < row["seeds"]
        and (row["agent"] in sized or row["budget"] == max(settings.budgets))
    ]
