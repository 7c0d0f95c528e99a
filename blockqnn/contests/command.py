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
    show_progress,
    table_digest,
    wanted_runs,
)
from blockqnn.errors import UserError
from blockqnn.evaluation.table import AccuracyTable
from blockqnn.listing import table
from blockqnn.networks.spaces.registry import space_of
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


def compare(settings: CompareSettings, stream: TextIO, progress: TextIO) -> None:
    """Plays what is missing, and prints the standings.

    Args:
        settings: what to compare.
        stream: for the result.
        progress: for how far it is.

    Raises:
        UserError: if the table or a directory cannot be used.
    """
    columns = settings.search_column, settings.judge_column
    accuracies = AccuracyTable(settings.table, columns)
    if len(accuracies.codes) < max(settings.budgets):
        raise UserError(
            f"--budgets has {max(settings.budgets):,}; the table has {len(accuracies.codes):,} "
            "designs."
        )
    check_figure(settings.figure)
    space = settings.space or space_of(accuracies.codes[0]).name
    identity = {
        "space": space,
        "table": table_digest(settings.table),
        "search_column": settings.search_column,
        "judge_column": settings.judge_column,
    }
    with contextlib.closing(
        Results(settings.out_dir, identity, contest.as_json, contest.from_json)
    ) as results:
        wanted = wanted_runs(settings.contestants, settings.budgets, settings.seeds)
        missing = [key for key in wanted if key not in results.runs]
        done = len(wanted) - len(missing)
        workers = settings.workers or len(available_cores())
        if missing:
            for runs in carry_out(missing, space, settings.table, columns, workers):
                results.add(runs)
                done += len(runs)
                show_progress(progress, done, len(wanted))
    facts = _facts(settings, results, accuracies)
    if settings.figure is not None:
        draw_regret(facts["curves"], settings.figure)
    print(json.dumps(facts) if settings.as_json else _in_words(facts, settings), file=stream)


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
        "optimum": optimum,
        "curves": standings.regret_curves(*common, optimum),
    }


def _in_words(facts: dict[str, Any], settings: CompareSettings) -> str:
    reference = settings.contestants[0].title
    parts = [
        f"Best by {settings.search_column}, judged by {settings.judge_column} in percent: mean +- "
        f"standard deviation of {settings.seeds} seeds",
        "",
    ]
    by_budget: dict[int, list[dict[str, Any]]] = {}
    for row in facts["rows"]:
        by_budget.setdefault(row["budget"], []).append(row)
    lines = []
    for place, contestant in enumerate(settings.contestants):
        own = [same[place] for same in by_budget.values()]
        cells = [standings.mean_cell(row["mean"], row["std"], row["p"]) for row in own]
        reached = standings.reached_cells(facts["targets"][place])
        lines.append([*cells, *reached, contestant.title])
    header = [f"{budget:,} evaluations" for budget in by_budget]
    header += [f"reach {facts['target']:.2f}", "median after", "agent"]
    parts.append(table(header, lines))
    parts += [
        "",
        f"{standings.marked(reference)}; optimum {facts['optimum']:.2f}; an evaluation is a design "
        "not seen before in the run",
    ]
    if settings.figure is not None:
        parts.append(f"Simple regret: {settings.figure}")
    return "\n".join(parts)
