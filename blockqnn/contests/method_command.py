"""The verb `compare --methods`: every method on one ground, judged by what it chose."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, TextIO, cast

from blockqnn.contests.judges import Judge, TableJudge, TrainingJudge, rivals_of
from blockqnn.contests.looked_up import looked_up
from blockqnn.contests.method_begun import check_begun
from blockqnn.contests.method_figure import draw_curves
from blockqnn.contests.method_play import (
    Goal,
    Relay,
    end,
    has_ended,
    play_agent,
    play_finals,
    play_supernet,
)
from blockqnn.contests.method_runs import MethodRun, read_method_run
from blockqnn.contests.method_settings import MethodSettings
from blockqnn.contests.method_standings import (
    EVALUATIONS,
    SECONDS,
    Column,
    columns_of,
    costs,
    curves,
    rows,
    too_small,
)
from blockqnn.contests.method_words import in_words
from blockqnn.contests.methods import Player
from blockqnn.contests.regret_figure import check_figure
from blockqnn.contests.shared_banks import POOL
from blockqnn.contests.shared_outcomes import FILE_NAME, SharingExecutor, children_digest
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DRY, TABLE
from blockqnn.evaluation.table import AccuracyTable, read_table, say_what_is_read
from blockqnn.heading import heading
from blockqnn.listing import DRY_NOTICE, counted
from blockqnn.measure import measure_of
from blockqnn.networks.spaces.registry import parse
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.workers.choice import check_executor, make_executor
from blockqnn.workers.contract import Executor
from blockqnn.workers.machine import described


def compare_methods(settings: MethodSettings, stream: TextIO, progress: TextIO) -> int:
    """Carries out what is missing, judges what was chosen, and prints the standings.

    Args:
        settings: what to compare.
        stream: for the result.
        progress: for how far it is.

    Returns:
        The exit status: 1 where no search found any design of the table.

    Raises:
        UserError: if a search, the data or a table cannot be used.
    """
    check_figure(settings.figure)
    # A wrong flag of the last method must be found before the first one has searched for hours.
    prepared = {p.title: settings.prepare(p, 0) for p in settings.players}
    search, run = next(iter(prepared.values()))
    check_executor(run)
    for player in settings.players:
        if not settings.looks_up(player):
            _check_begun(settings, player, prepared[player.title][1])
    accuracies = _table(settings, search, progress)
    columns = columns_of(settings.budgets, settings.seconds)
    print(_heading(settings, search), file=progress, flush=True)
    runs: dict[str, list[MethodRun]] = {player.title: [] for player in settings.players}
    if accuracies is not None:
        agents = [player.title for player in settings.players if settings.looks_up(player)]
        runs |= (
            looked_up(
                agents,
                settings.seeds,
                settings.size,
                settings.evaluation_seconds,
                search.space,
                settings.table,
                (settings.search_column, settings.judge_column),
                settings.workers,
                settings.out_dir,
                progress,
            )
            if agents
            else {}
        )
    _search(settings, runs, progress)
    judges: list[Judge] = []
    if accuracies is not None:
        judges.append(TableJudge(accuracies, len(accuracies.columns) - 1, search.layout))
    if settings.judged_by_training:
        judges.append(_trained(settings, runs, columns, progress))
    facts: dict[str, Any] = {
        "columns": [dataclasses.asdict(column) for column in columns],
        "reference": settings.reference,
        "seeds": settings.seeds,
        "dry": settings.evaluator == DRY,
        "costs": costs(runs),
        "too_small": too_small(runs, columns),
        "judges": [_judged(judge, runs, columns, settings) for judge in judges],
    }
    status = 0 if any(runs.values()) else 1
    if settings.figure is not None:
        draw_curves(facts["judges"][0], settings.figure)
    if settings.as_json:
        print(json.dumps(facts), file=stream)
        return status
    if facts["dry"]:
        print(DRY_NOTICE, file=stream)
    print(in_words(facts, columns, settings.rounds), file=stream)
    directories = [p for p in settings.players if not settings.looks_up(p)]
    if len(directories) * settings.seeds > 1:
        print(f"All searches on one page: blockqnn report {settings.out_dir}/runs/*", file=stream)
    return status


def _heading(settings: MethodSettings, search: SearchSettings) -> str:
    goals = [counted(max(settings.budgets), "evaluation")] if settings.budgets else []
    if settings.seconds:
        goals.append(f"{max(settings.seconds):g} seconds of one device")
    trained = any(p.contestant is not None and not settings.looks_up(p) for p in settings.players)
    sized = counted(settings.sized_to, "evaluation")
    judged = ["the table"] if settings.table else []
    judged += ["trainings to the end"] if settings.judged_by_training else []
    return heading(
        {
            "Space": search.space,
            "Data": search.data.dataset,
            "Device": described(),
            "Methods": ", ".join(player.title for player in settings.players),
            "Contest": f"{counted(settings.seeds, 'search', 'searches')} of each, "
            f"{' and '.join(goals)}",
            "Agents": f"sized to {sized}" if trained else None,
            "Judged by": " and ".join(judged),
            "Directory": str(settings.out_dir),
        }
    )


def _table(
    settings: MethodSettings, search: SearchSettings, progress: TextIO
) -> AccuracyTable | None:
    if not settings.table:
        return None
    say_what_is_read(settings.table, progress)
    accuracies = read_table(settings.table, _columns(settings), search.space)
    space = accuracies.space(search.space)
    most = settings.evaluations
    if settings.evaluator == TABLE and accuracies.count(space) < most:
        raise UserError(
            f"--budgets has {most:,}; the table has {counted(accuracies.count(space), 'design')}."
        )
    print(*accuracies.sentences(space), sep="\n", file=progress, flush=True)
    return accuracies


def _columns(settings: MethodSettings) -> tuple[str, ...]:
    seen = (settings.search_column,) if settings.evaluator == TABLE else ()
    return (*seen, settings.judge_column)


def _search(settings: MethodSettings, runs: dict[str, list[MethodRun]], progress: TextIO) -> None:
    """Carries searches out, those of one seed before those of the next, and reads them."""
    of_agents = Goal(settings.evaluations, max(settings.seconds, default=0.0))
    with contextlib.closing(_Children(settings.out_dir)) as children:
        for seed in range(settings.seeds):
            for player in settings.players:
                if settings.looks_up(player):
                    continue
                search, run = settings.prepare(player, seed)
                whole = player.contestant is None
                # A search by a supernet comes to its own end, whatever the others may spend.
                goal = Goal(0, 0.0) if whole else of_agents
                _check_begun(settings, player, run)
                if not has_ended(run, goal):
                    words = f"{player.title}, seed {seed}"
                    print(f"{words}: searching ...", file=progress, flush=True)
                    log = settings.out_dir / "logs" / f"{run.run_dir.name}.log"
                    with contextlib.closing(Relay(log, words, progress)) as relay:
                        said = cast(TextIO, relay)
                        if whole:
                            children.close()
                            play_supernet(search, run, settings.out_dir / POOL, said)
                        else:
                            play_agent(search, run, children.of(search, run), goal, relay.trial)
                        if settings.rounds:
                            children.close()
                            play_finals(search, run, settings.rounds, said)
                    end(run, goal)
                    _say(words, read_method_run(player.title, seed, run.run_dir, whole), progress)
                runs[player.title].append(read_method_run(player.title, seed, run.run_dir, whole))


class _Children:
    """The workers of the agents, which train the same children, so that one start is enough."""

    def __init__(self, out_dir: pathlib.Path):
        """Starts none yet.

        Args:
            out_dir: of the contest.
        """
        self._out_dir = out_dir
        self._executor: Executor | None = None

    def of(self, search: SearchSettings, run: RunSettings) -> Executor:
        """The executor of all agents, its workers ready."""
        if self._executor is None:
            self._out_dir.mkdir(parents=True, exist_ok=True)
            executor = make_executor(search, dataclasses.replace(run, run_dir=self._out_dir))
            known = self._out_dir / FILE_NAME
            with contextlib.ExitStack() as undo:
                undo.callback(executor.close)
                self._executor = SharingExecutor(executor, known, children_digest(search))
                undo.pop_all()
        return self._executor

    def close(self) -> None:
        """Gives their place up: what others begin needs the same cores, memory, or cluster."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.close()


def _check_begun(settings: MethodSettings, player: Player, run: RunSettings) -> None:
    check_begun(player, run, settings.evaluations, settings.rounds, settings.out_dir)


def _say(words: str, found: MethodRun, progress: TextIO) -> None:
    measure = measure_of(parse(found.last.code))
    of = "words" if measure.inverse else "images"
    name = "" if measure.unit else f"{measure.name} "
    print(
        f"{words}: {counted(found.evaluations, 'evaluation')}, {found.seconds:.0f} s of a device; "
        f"chose {found.last.reference}, {name}{measure.in_words(found.last.validation)} on "
        f"validation {of}",
        file=progress,
        flush=True,
    )


def _trained(
    settings: MethodSettings,
    runs: Mapping[str, Sequence[MethodRun]],
    columns: Sequence[Column],
    progress: TextIO,
) -> Judge:
    """Trains all that was chosen at any cost, and the rivals that no search is needed for."""
    judge = TrainingJudge(
        settings.out_dir / "judged", settings.judge_seeds, settings.judge_flags, progress
    )
    every = [run for own in runs.values() for run in own]
    chosen = [choice for run in every for c in columns if (choice := c.choice(run)) is not None]
    rivals = [choice for own in rivals_of(every).values() for choice in own]
    judge.train([*chosen, *rivals])
    return judge


def _judged(
    judge: Judge,
    runs: Mapping[str, Sequence[MethodRun]],
    columns: Sequence[Column],
    settings: MethodSettings,
) -> dict[str, Any]:
    """What one judge says of all methods, as JSON has it."""
    every = [run for own in runs.values() for run in own]
    return {
        "by": judge.words,
        "judged_on": list(judge.judged_on),
        "measure": judge.measure.name,
        "kept": judge.measure.kept,
        "rows": rows(runs, settings.seeds, columns, judge.of, settings.reference),
        "without_search": [
            {
                "name": name,
                "mean": statistics.fmean(values),
                "std": statistics.stdev(values) if len(values) > 1 else None,
                "designs": len(values),
            }
            for name, values in judge.without_search(every).items()
        ],
        "curves": {kind: curves(runs, judge.of, kind) for kind in (EVALUATIONS, SECONDS)},
    }
