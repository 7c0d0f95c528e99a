"""The verb `search`: one run from its flags to its best blocks."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from blockqnn.agents.contract import Agent, Sampling
from blockqnn.agents.cpu_device import share_platforms
from blockqnn.errors import INTERRUPTED
from blockqnn.evaluation.contract import DRY, PYTHON, TABLE, TRAIN
from blockqnn.evaluation.lowerings import lowerings_notice
from blockqnn.evaluation.recorded import checked_facts, data_as_recorded
from blockqnn.evaluation.table import AccuracyTable, read_table, say_what_is_read
from blockqnn.invocation import command
from blockqnn.listing import DRY_NOTICE, proxy_notice
from blockqnn.runs import run_directory
from blockqnn.runs.run_record import read_run
from blockqnn.runs.status_file import FILE_NAME as STATUS_FILE
from blockqnn.runs.status_file import FINISHED, StatusFile
from blockqnn.runs.store import FILE_NAME as STORE_FILE
from blockqnn.runs.store import Store
from blockqnn.runs.supernet_record import supernet_from_facts
from blockqnn.searching.asynchronous import AsynchronousSearch
from blockqnn.searching.ending import print_result
from blockqnn.searching.estimate import Estimate
from blockqnn.searching.heading import search_heading
from blockqnn.searching.loop import Search
from blockqnn.searching.mixture import MixtureSearch
from blockqnn.searching.progress import Progress, make_progress
from blockqnn.searching.refusals import RefusalWatch
from blockqnn.searching.supernet import SupernetPhase
from blockqnn.searching.supernet_progress import train_banks
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.tensorboard.command import DIRECTORY, write_events
from blockqnn.trial import Status, Trial
from blockqnn.workers.choice import banks_of, check_executor, make_executor, with_spare_cores
from blockqnn.workers.contract import INLINE, Executor
from blockqnn.workers.state import Watcher, WorkerState

if TYPE_CHECKING:
    from blockqnn.tensorboard.listener import TensorBoard

_log = logging.getLogger(__name__)


MakeExecutor = Callable[[SearchSettings, RunSettings, Watcher], Executor]


def run_search(
    settings: SearchSettings,
    run: RunSettings,
    stream: TextIO,
    make: MakeExecutor = make_executor,
    listeners: Sequence[Progress] = (),
) -> int:
    """Runs a search, or goes on with it, and prints what it found.

    Args:
        settings: what to search.
        run: how and where.
        stream: for progress and results.
        make: what makes the executor.
        listeners: are told of trials besides.

    Returns:
        The exit status.

    Raises:
        UserError: if the run directory or the data set cannot be used.
    """
    for note in run.notes:
        print(note, file=stream)
    check_executor(run)
    run = with_spare_cores(settings, run)
    accuracies = None
    if settings.evaluator == TABLE and not (run.run_dir / STORE_FILE).exists():
        # A table that cannot be used must leave no directory.
        accuracies = _table(settings, stream)
    with run_directory.opened(run) as store:
        before = store.facts()
        data = data_as_recorded(before, settings.data)
        settings = dataclasses.replace(settings, data=data)
        if settings.evaluator != PYTHON:
            print(search_heading(settings, run), file=stream, flush=True)
        sources = checked_facts(before, settings, f"the run in {run.run_dir}")
        kind = AsynchronousSearch if settings.asynchronous else Search
        if run.executor == INLINE:
            share_platforms()
        agent = settings.make_agent()
        search: Search | MixtureSearch
        phase = None
        if settings.supernet is not None and settings.supernet.mixture is not None:
            search = MixtureSearch(settings, agent, store, banks_of(run))
        else:
            search = kind(settings, agent, store)
        if settings.supernet is not None and isinstance(search, Search):
            phase = SupernetPhase(settings, agent, store, banks_of(run))
            search.score_with(phase.bank_of)
        try:
            # A budget of next to nothing is used up at once, and the run has begun all the same.
            if not before or not search.finished:
                _carry_on(
                    search,
                    agent,
                    phase,
                    settings,
                    run,
                    store,
                    stream,
                    make,
                    listeners,
                    sources,
                    accuracies,
                )
            elif run.tensorboard:
                write_events(read_run(run.run_dir), run.run_dir / DIRECTORY)
        except KeyboardInterrupt:
            kept = run.run_dir / run_directory.FLAG_FILE
            other = f", or: {command('search', f'--flagfile={kept}')}"
            print(
                f"\nStopped; what has finished is in {run.run_dir}. The same "
                f"{'call' if run.from_python else 'command'} continues"
                f"{'.' if settings.evaluator == PYTHON else other}",
                file=stream,
            )
            return INTERRUPTED
        if isinstance(search, MixtureSearch):
            print("", *search.ending(), sep="\n", file=stream)
        if settings.budget:
            ending = search.pace.ending()
            if run.from_python:
                # The arguments of a call have other names than the flags.
                ending = ending.replace("--max_blocks", "budget").replace("--max_", "max_")
            print(f"\n{ending}", file=stream)
    return print_result(settings, run, stream)


def _carry_on(
    search: Search | MixtureSearch,
    agent: Agent,
    phase: SupernetPhase | None,
    settings: SearchSettings,
    run: RunSettings,
    store: Store,
    stream: TextIO,
    make: MakeExecutor,
    besides: Sequence[Progress],
    sources: dict[str, Any],
    accuracies: AccuracyTable | None,
) -> None:
    if settings.evaluator == TABLE and isinstance(search, Search):
        search.look_up_in(accuracies or _table(settings, stream))
    iterations = 0 if settings.budget else settings.iterations
    heard = StatusFile(run.run_dir / STATUS_FILE, run.executor, iterations, budget=settings.budget)
    before = list(store.trials())
    for trial in before:
        heard.history(trial)

    def watch(states: Sequence[WorkerState]) -> None:
        # A child may take hours: what it could not be written to is noticed before it ends.
        store.check_there()
        heard.workers(states)

    executor = make(settings, run, watch)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.closing(heard))
        stack.enter_context(contextlib.closing(executor))
        boards = [_tensorboard(search, settings, run, before, store)] if run.tensorboard else []
        for board in boards:
            stack.enter_context(contextlib.closing(board))
        listeners: list[Progress] = [*besides, *boards]
        # Only now is it sure that the data can be read: a wrong flag must leave no trace.
        layout = settings.layout.as_json()
        facts = {"layout": layout, "dry": settings.evaluator == DRY, **sources}
        run_directory.record(store, run, facts)
        if settings.evaluator == DRY:
            print(DRY_NOTICE, file=stream)
        if settings.proxy:
            print(proxy_notice(settings.proxy), file=stream)
        if phase is not None:
            told = [heard.epoch_ended, *(board.epoch_ended for board in boards)]
            train_banks(phase, executor, stream, told)
        estimate = Estimate(
            settings.iterations,
            settings.blocks_per_iteration,
            settings.budget,
            executor.slots,
            search.pace.seconds,
        )
        heard.estimate = estimate
        progress = make_progress(stream, estimate)
        listeners.append(progress)
        for trial in before:
            for listener in listeners:
                listener.history(trial)
        if notice := run_directory.network_notice(run.run_dir):
            print(notice, file=stream)
        if before:
            print(f"Continuing {run.run_dir} after {len(before)} trials.", file=stream)
            if notice := lowerings_notice(sources):
                print(notice, file=stream)
        refusals = RefusalWatch(settings, before)
        if warning := refusals.beforehand():
            print(warning, file=stream)
        if settings.evaluator == TRAIN and not before:
            print(
                "Compiling the first children, which takes longest; later ones share programs.",
                file=stream,
                flush=True,
            )
        failures, warned = 0, False
        try:
            for trial in search.run(executor):
                for listener in listeners:
                    listener.finished(trial)
                if isinstance(search, MixtureSearch):
                    heard.epoch_ended(search.last_epoch())
                heard.finished(trial)
                if isinstance(search, MixtureSearch) and (words := search.words()):
                    progress.say(words)
                failures += trial.status is Status.FAILED
                if settings.evaluator == PYTHON and trial.status is Status.FAILED and failures == 1:
                    progress.say(f"Trial {trial.number} failed: {trial.reason}")
                if warning := refusals.finished(trial):
                    progress.say(warning)
                if not warned and isinstance(agent, Sampling) and (warning := agent.warning()):
                    warned = True
                    progress.say(warning)
                level = logging.WARNING if trial.status is Status.FAILED else logging.INFO
                _log.log(
                    level,
                    "trial %d %s reward %s %s",
                    trial.number,
                    trial.status,
                    trial.reward,
                    trial.reason or "",
                )
            heard.state_at_close = FINISHED
            search.keep_seconds()
        except KeyboardInterrupt:
            search.keep_seconds()
            raise
        finally:
            progress.close()


def _table(settings: SearchSettings, stream: TextIO) -> AccuracyTable:
    """Reads the table of accuracies, and says what it is."""
    say_what_is_read(settings.table.path, stream)
    accuracies = read_table(settings.table.path, (settings.table.column,), settings.table.space)
    for sentence in accuracies.sentences(accuracies.space(settings.space)):
        print(sentence, file=stream, flush=True)
    return accuracies


def _tensorboard(
    search: Search | MixtureSearch,
    settings: SearchSettings,
    run: RunSettings,
    before: list[Trial],
    store: Store,
) -> TensorBoard:
    # tensorboardX takes a while to load, and most searches do without.
    from blockqnn.tensorboard.listener import TensorBoard

    return TensorBoard(
        run.run_dir / DIRECTORY,
        run.flag_values,
        settings.layout,
        before,
        lambda: search.ended_iterations,
        settings.iterations,
        supernet_from_facts(store.facts()),
        lambda number: search.scalars(number) if isinstance(search, MixtureSearch) else {},
    )
