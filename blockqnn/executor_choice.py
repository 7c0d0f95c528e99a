"""Which executor a run's settings ask for."""

from __future__ import annotations

import dataclasses

from blockqnn.evaluators import make_evaluator
from blockqnn.executors import INLINE, Executor, InlineExecutor, LocalExecutor
from blockqnn.placement import compile_threads, places
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.worker import encode_settings


def make_executor(settings: SearchSettings, run: RunSettings) -> Executor:
    """Creates the executor of a run, its workers ready.

    Args:
        settings: what the children are.
        run: where they are evaluated.

    Returns:
        The executor, to be closed.

    Raises:
        UserError: if a worker cannot start.
    """
    what = (settings.evaluator, settings.data, settings.recipe, settings.layout)
    if run.executor == INLINE:
        return InlineExecutor(make_evaluator(*what, run.worker, settings.table))
    found = places(
        run.workers, run.cores_per_worker, settings.blocks_per_iteration, settings.evaluator
    )
    worker = dataclasses.replace(run.worker, compile_threads=compile_threads(found))
    line = encode_settings(*what, worker, settings.table)
    return LocalExecutor(line, found, run.run_dir, run.child_timeout_seconds)
