"""The verb `compare`: agents against one another on a table of accuracies."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import pathlib
from typing import Any, TextIO

from blockqnn import contest, standings
from blockqnn.accuracy_table import AccuracyTable
from blockqnn.contestants import Contestant
from blockqnn.errors import UserError
from blockqnn.listing import table
from blockqnn.placement import available_cores
from blockqnn.tournament import Results, carry_out, show_progress, table_digest, wanted_runs
from blockqnn.whole_file import write_whole

FIGURES = (".svg", ".png", ".pdf")
_NOTICED = 0.05
_TARGET_BELOW_OPTIMUM = 0.2


@dataclasses.dataclass(frozen=True)
class CompareSettings:
    """What to compare.

    Attributes:
        contestants: the agents; the first is what the others are tested against.
        space: `nsc` or `nasbench201`.
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
    _check_figure(settings.figure)
    identity = {
        "space": settings.space,
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
            for runs in carry_out(missing, settings.space, settings.table, columns, workers):
                results.add(runs)
                done += len(runs)
                show_progress(progress, done, len(wanted))
    facts = _facts(settings, results, accuracies)
    if settings.figure is not None:
        _draw(facts, settings.figure)
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
        cells = []
        for same in by_budget.values():
            row = same[place]
            mark = "" if row["p"] is None or row["p"] >= _NOTICED else "*"
            cells.append(f"{row['mean']:.2f} +- {row['std']:.2f}{mark:1}")
        reached = facts["targets"][place]
        needed = "-" if reached["evaluations"] is None else f"{reached['evaluations']:,}"
        lines.append([*cells, f"{reached['reached']:.0%}", needed, contestant.title])
    header = [f"{budget:,} evaluations" for budget in by_budget]
    header += [f"reach {facts['target']:.2f}", "median after", "agent"]
    parts.append(table(header, lines))
    parts += [
        "",
        f"* other than {reference} by Welch's test, p < {_NOTICED}; optimum "
        f"{facts['optimum']:.2f}; an evaluation is a design not seen before in the run",
    ]
    if settings.figure is not None:
        parts.append(f"Simple regret: {settings.figure}")
    return "\n".join(parts)


def _check_figure(figure: pathlib.Path | None) -> None:
    if figure is None:
        return
    if figure.suffix not in FIGURES:
        raise UserError(f"--out is {str(figure)!r}; allowed: a name that ends {', '.join(FIGURES)}")
    if not figure.parent.is_dir():
        raise UserError(f"--out is {str(figure)!r}, but there is no directory {figure.parent}.")


def _draw(facts: dict[str, Any], figure: pathlib.Path) -> None:
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = drawing.subplots()
    styles = ("-", "--", "-.", ":")
    for place, curve in enumerate(facts["curves"]):
        style = styles[place % len(styles)]
        axes.plot(curve["evaluations"], curve["regret"], style, label=curve["agent"])
    axes.set(
        xlabel="evaluations",
        ylabel="simple regret, percentage points",
        xscale="log",
        yscale="log",
    )
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    content = io.BytesIO()
    drawing.savefig(content, format=figure.suffix[1:], dpi=150)
    write_whole(figure, content.getvalue())
