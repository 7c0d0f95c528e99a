"""The verb `search`: one run from its flags to its best blocks."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import TextIO

from blockqnn.errors import INTERRUPTED
from blockqnn.evaluation.contract import DRY
from blockqnn.invocation import command
from blockqnn.listing import DRY_NOTICE
from blockqnn.runs import run_directory
from blockqnn.runs.run_record import read_run
from blockqnn.runs.status_file import FILE_NAME as STATUS_FILE
from blockqnn.runs.status_file import FINISHED, StatusFile
from blockqnn.runs.store import Store
from blockqnn.searching.asynchronous import AsynchronousSearch
from blockqnn.searching.ending import print_result
from blockqnn.searching.loop import Search
from blockqnn.searching.progress import Progress, make_progress
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.tensorboard.command import DIRECTORY, write_events
from blockqnn.trial import Status, Trial
from blockqnn.workers.choice import check_executor, make_executor
from blockqnn.workers.contract import Executor
from blockqnn.workers.state import Watcher, WorkerState

_log = logging.getLogger(__name__)


MakeExecutor = Callable[[SearchSettings, RunSettings, Watcher], Executor]


def run_search(
    settings: SearchSettings,
    run: RunSettings,
    stream: TextIO,
    make: MakeExecutor = make_executor,
) -> int:
    """Runs a search, or goes on with it, and prints what it found.

    Args:
        settings: what to search.
        run: how and where.
        stream: for progress and results.
        make: what makes the executor.

    Returns:
        The exit status.

    Raises:
        UserError: if the run directory or the data set cannot be used.
    """
    check_executor(run)
    with run_directory.opened(run) as store:
        kind = AsynchronousSearch if settings.asynchronous else Search
        search = kind(settings, settings.make_agent(), store)
        try:
            if not search.finished:
                _carry_on(search, settings, run, store, stream, make)
            elif run.tensorboard:
                write_events(read_run(run.run_dir), run.run_dir / DIRECTORY)
        except KeyboardInterrupt:
            kept = run.run_dir / run_directory.FLAG_FILE
            print(
                f"\nStopped; what has finished is in {run.run_dir}. The same command "
                f"continues, or: {command('search', f'--flagfile={kept}')}",
                file=stream,
            )
            return INTERRUPTED
    return print_result(run, stream)


def _carry_on(
    search: Search,
    settings: SearchSettings,
    run: RunSettings,
    store: Store,
    stream: TextIO,
    make: MakeExecutor,
) -> None:
    heard = StatusFile(run.run_dir / STATUS_FILE, run.executor, settings.iterations)
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
        listeners: list[Progress] = []
        if run.tensorboard:
            listeners.append(_tensorboard(search, settings, run, before))
            stack.enter_context(contextlib.closing(listeners[0]))
        # Only now is it sure that the data can be read: a wrong flag must leave no trace.
        layout = dataclasses.asdict(settings.layout)
        facts = {"layout": layout, "dry": settings.evaluator == DRY}
        run_directory.record(store, run, facts)
        if settings.evaluator == DRY:
            print(DRY_NOTICE, file=stream)
        progress = make_progress(stream, settings.iterations, settings.blocks_per_iteration)
        listeners.append(progress)
        for trial in before:
            for listener in listeners:
                listener.history(trial)
        if notice := run_directory.network_notice(run.run_dir):
            print(notice, file=stream)
        if before:
            print(f"Continuing {run.run_dir} after {len(before)} trials.", file=stream)
        try:
            for trial in search.run(executor):
                for listener in listeners:
                    listener.finished(trial)
                heard.finished(trial)
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
        finally:
            progress.close()


def _tensorboard(
    search: Search, settings: SearchSettings, run: RunSettings, before: list[Trial]
) -> Progress:
    # tensorboardX takes a while to load, and most searches do without.
    from blockqnn.tensorboard.listener import TensorBoard

    return TensorBoard(
        run.run_dir / DIRECTORY,
        run.flag_values,
        settings.layout,
        before,
        lambda: search.ended_iterations,
        settings.iterations,
    )
