"""Where children are evaluated: in worker processes, or in this one."""

from __future__ import annotations

import collections
import os
import pathlib
import platform
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from blockqnn.evaluation.contract import Evaluator
from blockqnn.trial import Job, Outcome
from blockqnn.workers.placement import Place
from blockqnn.workers.pool import WorkerPool
from blockqnn.workers.process import WorkerProcess
from blockqnn.workers.state import ChildState, Watcher, WorkerState

INLINE = "inline"
LOCAL = "local"
RAY = "ray"


class Executor(Protocol):
    """Evaluates jobs, in whatever order it likes."""

    @property
    def slots(self) -> int:
        """How many children it can train at once."""

    @property
    def room(self) -> int:
        """How many more jobs it would do something with now; at least one if it has none."""

    def submit(self, job: Job) -> None:
        """Accepts a job."""

    def next_outcome(self) -> tuple[int, Outcome]:
        """Waits for any accepted job to end; returns its number and outcome."""

    def next_outcome_or_room(self) -> tuple[int, Outcome] | None:
        """Waits as `next_outcome` does, or until there is more room, and then returns None."""

    def close(self) -> None:
        """Gives up whatever is under way."""


class InlineExecutor:
    """Evaluates in this process, in order; a child that kills the process ends the run."""

    slots = 1

    def __init__(self, evaluator: Evaluator, watcher: Watcher | None = None):
        """Creates the executor.

        Args:
            evaluator: does the work.
            watcher: told how this process is whenever it begins with a child.
        """
        self._evaluator, self._watcher = evaluator, watcher
        self._jobs: collections.deque[Job] = collections.deque()

    @property
    def room(self) -> int:
        """See `Executor.room`."""
        return int(not self._jobs)

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        self._jobs.append(job)

    def next_outcome(self) -> tuple[int, Outcome]:
        """See `Executor.next_outcome`."""
        job = self._jobs.popleft()
        if self._watcher is not None:
            now = time.time()
            children = (ChildState(job.number, now),)
            here, device = platform.node(), self._evaluator.device
            self._watcher(
                [WorkerState(0, here, os.getpid(), device, "training", now, now, children)]
            )
        return job.number, self._evaluator.evaluate(job, slot=0)

    def next_outcome_or_room(self) -> tuple[int, Outcome] | None:
        """See `Executor.next_outcome_or_room`."""
        return self.next_outcome()

    def close(self) -> None:
        """See `Executor.close`."""


class LocalExecutor(WorkerPool):
    """Evaluates in worker processes on this machine; see `WorkerPool`."""

    def __init__(
        self,
        settings: str,
        places: Sequence[Place],
        log_dir: pathlib.Path,
        child_timeout_seconds: float,
        child_retries: int = 0,
        children_per_worker: int = 0,
        watcher: Watcher | None = None,
    ):
        """Starts the workers and waits until one is ready.

        Args:
            settings: what each worker is told first.
            places: one for each worker.
            log_dir: where each worker's standard error goes.
            child_timeout_seconds: after which a child that was begun is given up.
            child_retries: how often a child is tried again whose worker died or hung.
            children_per_worker: after which a worker is replaced; 0 for never.
            watcher: told now and then how the workers are.

        Raises:
            UserError: if a worker cannot start, with the reason that it gives.
        """

        def spawn(number: int, said: Callable[[str], None]) -> WorkerProcess:
            log = log_dir / f"worker-{number}.log"
            return WorkerProcess(places[number], settings, log, said)

        super().__init__(
            spawn,
            len(places),
            child_timeout_seconds,
            child_retries,
            children_per_worker,
            watcher,
        )
