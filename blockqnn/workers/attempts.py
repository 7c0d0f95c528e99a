"""What becomes of the children of a worker that has ended."""

from __future__ import annotations

import logging
import time

from blockqnn.trial import Outcome
from blockqnn.workers.pool_worker import PoolWorker, Task

_MOST_RETURNS = 3
"""A job that was the next one as often when a worker died with none begun is given up."""

_log = logging.getLogger(__name__)


class Attempts:
    """Decides which children are tried again and which have failed."""

    def __init__(self, retries: int, timeout_seconds: float):
        """Creates the rule.

        Args:
            retries: how often a child is tried again whose worker died or hung.
            timeout_seconds: after which a child is overdue.
        """
        self._retries, self._timeout = retries, timeout_seconds

    def after_the_end_of(self, worker: PoolWorker) -> tuple[list[tuple[int, Outcome]], list[Task]]:
        """Decides on the children that a worker had when it ended.

        Args:
            worker: with its jobs.

        Returns:
            Those that have failed, and those that are to be tried again, in order.
        """
        blamed = self._blamed_unbegun(worker)
        failed, back = [], []
        for number, task in worker.jobs.items():
            # Those beside one that took too long were not at fault.
            innocent = task.begun is None or (worker.being_killed and not task.overdue)
            if task is not blamed and (innocent or worker.process.blameless):
                back.append(task)
            elif self._failed_for_good(worker, task):
                failed.append((number, self._failure(worker, task)))
            else:
                back.append(task)
        for task in back:
            task.begun, task.overdue = None, False
        return failed, back

    def _blamed_unbegun(self, worker: PoolWorker) -> Task | None:
        """A job that has ended too many workers before it was begun, so that this ends."""
        if worker.being_killed or worker.process.blameless or not worker.jobs:
            return None
        if any(task.begun is not None for task in worker.jobs.values()):
            return None
        first = next(iter(worker.jobs.values()))
        first.returns += 1
        if first.returns < max(_MOST_RETURNS, self._retries + 1):
            return None
        first.attempts = self._retries
        return first

    def _failed_for_good(self, worker: PoolWorker, task: Task) -> bool:
        """Counts an attempt; whether it was the last one."""
        task.attempts += 1
        task.avoided.add(worker.number)
        if task.attempts > self._retries:
            return True
        _log.warning(
            "trial %d: %s at worker %d; tried again",
            task.job.number,
            self._reason(worker, task),
            worker.number,
        )
        return False

    def _reason(self, worker: PoolWorker, task: Task) -> str:
        if task.overdue:
            return f"not finished after {self._timeout:g} seconds (--child_timeout_seconds)"
        if worker.talked_nonsense:
            return "the worker said what no worker says"
        return f"the worker {worker.process.ending}"

    def _failure(self, worker: PoolWorker, task: Task) -> Outcome:
        reason = self._reason(worker, task)
        if task.attempts > 1:
            reason += f", the last of {task.attempts} attempts (--child_retries)"
        seconds = 0.0 if task.begun is None else time.monotonic() - task.begun
        return Outcome(reason=reason, train_seconds=seconds, worker=worker.number)
