"""The verb `search`: one run from its flags to its best blocks."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable
from typing import TextIO

from blockqnn.errors import INTERRUPTED
from blockqnn.evaluation.contract import DRY, TABLE
from blockqnn.evaluation.table import NOT_IN_TABLE, AccuracyTable, read_table, say_what_is_read
from blockqnn.invocation import command, quoted
from blockqnn.listing import DRY_NOTICE, best_blocks
from blockqnn.runs import run_directory
from blockqnn.runs.run_record import read_run
from blockqnn.runs.status_file import FILE_NAME as STATUS_FILE
from blockqnn.runs.status_file import FINISHED, StatusFile
from blockqnn.runs.store import FILE_NAME as STORE_FILE
from blockqnn.runs.store import Store
from blockqnn.searching.asynchronous import AsynchronousSearch
from blockqnn.searching.loop import Search
from blockqnn.searching.progress import Progress, make_progress
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.tensorboard.command import DIRECTORY, write_events
from blockqnn.terminal import terminal_of
from blockqnn.trial import Status, Trial
from blockqnn.workers.choice import check_executor, make_executor
from blockqnn.workers.contract import Executor
from blockqnn.workers.state import Watcher

_SHOWN_AT_THE_END = 5
_FIRST_CHILDREN = 20
"""Most programs are compiled for the first children; later ones share them."""

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
    accuracies = None
    if settings.evaluator == TABLE and not (run.run_dir / STORE_FILE).exists():
        # A table that cannot be used must leave no directory.
        accuracies = _table(settings, stream)
    with run_directory.opened(run) as store:
        kind = AsynchronousSearch if settings.asynchronous else Search
        search = kind(settings, settings.make_agent(), store)
        try:
            if not search.finished:
                _carry_on(search, settings, run, store, stream, make, accuracies)
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
    _print_result(run, stream)
    return 0


def _carry_on(
    search: Search,
    settings: SearchSettings,
    run: RunSettings,
    store: Store,
    stream: TextIO,
    make: MakeExecutor,
    accuracies: AccuracyTable | None,
) -> None:
    if settings.evaluator == TABLE:
        search.look_up_in(accuracies or _table(settings, stream))
    heard = StatusFile(run.run_dir / STATUS_FILE, run.executor, settings.iterations)
    before = list(store.trials())
    for trial in before:
        heard.history(trial)
    executor = make(settings, run, heard.workers)
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
        begun, trained_seconds = time.monotonic(), 0.0
        try:
            for trial in search.run(executor):
                for listener in listeners:
                    listener.finished(trial)
                heard.finished(trial)
                trained_seconds += trial.train_seconds
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
        if trained_seconds:
            seconds = time.monotonic() - begun
            idle = max(0.0, 1 - trained_seconds / (seconds * executor.slots))
            print(
                f"\n{executor.slots} at a time for {seconds:.0f} seconds, of which "
                f"{100 * idle:.0f} % idle, with no child in training.",
                file=stream,
            )


def _table(settings: SearchSettings, stream: TextIO) -> AccuracyTable:
    """Reads the table of accuracies, and says what it is."""
    say_what_is_read(settings.table.path, stream)
    accuracies = read_table(settings.table.path, (settings.table.column,))
    for sentence in accuracies.sentences(accuracies.space(settings.space)):
        print(sentence, file=stream, flush=True)
    return accuracies


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


def _print_result(run: RunSettings, stream: TextIO) -> None:
    result = read_run(run.run_dir)
    statuses = [trial.status for trial in result.trials]
    counts = ", ".join(
        f"{statuses.count(status)} {status}"
        for status in (Status.COMPLETED, Status.KNOWN, Status.INFEASIBLE, Status.FAILED)
    )
    share = statuses.count(Status.INFEASIBLE) / max(1, len(statuses))
    print(f"\n{len(statuses)} trials: {counts} ({100 * share:.0f} % infeasible).", file=stream)
    lacking = sum(trial.reason == NOT_IN_TABLE for trial in result.trials)
    if lacking:
        print(f"The table lacks {lacking:,} of them, which were never judged.", file=stream)
    trained = [trial for trial in result.trials if trial.status is Status.COMPLETED]
    if any(trial.seconds > 0 for trial in trained) and not result.dry:
        print(time_spent(trained), file=stream)
    if result.dry:
        print(DRY_NOTICE, file=stream)
    best = result.best(_SHOWN_AT_THE_END)
    if not best:
        print("No block was trained; `trials` tells why.", file=stream)
        return
    print(f"\nBest blocks by reward:\n{best_blocks(best, terminal_of(stream))}", file=stream)
    print(
        f"\nLook at the best:    {command('show', f'{run.run_dir}#best')}"
        f"\nAll trials:          {command('trials', run.run_dir)}",
        file=stream,
    )
    if run.tensorboard:
        print(
            f"Learning curves:     tensorboard --logdir {quoted(str(run.run_dir / DIRECTORY))}",
            file=stream,
        )


def time_spent(trained: list[Trial]) -> str:
    """What the children took, and how much of it was waiting for their programs.

    Args:
        trained: trials that were trained, at least one.

    Returns:
        Three sentences.
    """
    in_order = sorted(trained, key=lambda trial: trial.finished or 0.0)
    first, later = in_order[:_FIRST_CHILDREN], in_order[_FIRST_CHILDREN:]

    def waiting(trials: list[Trial]) -> str:
        seconds = sum(trial.seconds for trial in trials)
        share = sum(trial.waiting_seconds for trial in trials) / max(seconds, 1e-9)
        return f"{100 * share:.1f} %"

    text = (
        f"The children took {sum(trial.seconds for trial in trained):.0f} seconds. "
        f"{'The only one' if len(trained) == 1 else f'The first {len(first)}'} waited for the "
        f"compiler for {waiting(first)} of the time"
    )
    if later:
        text += f", the other {len(later)} for {waiting(later)}"
    saved = sum(trial.saved for trial in trained)
    return f"{text}. The compilation cache saved {saved:.0f} seconds."
