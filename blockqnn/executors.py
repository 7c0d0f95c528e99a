"""Where children are evaluated: in worker processes, or in this one."""

from __future__ import annotations

import collections
import dataclasses
import functools
import json
import pathlib
import queue
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from blockqnn.errors import UserError
from blockqnn.evaluators import Evaluator
from blockqnn.placement import Place
from blockqnn.trial import Job, Outcome
from blockqnn.worker import decode_outcome, encode_job
from blockqnn.worker_process import WorkerProcess

INLINE = "inline"
LOCAL = "local"

START_TIMEOUT_SECONDS = 600.0
"""After which a worker that is not ready is given up: reading a data set may take minutes."""

_MOST_RETURNS = 3
"""A job that was the next one as often when a worker died with none begun is given up."""


class Executor(Protocol):
    """Evaluates jobs, in whatever order it likes."""

    @property
    def slots(self) -> int:
        """How many children it can train at once."""

    def submit(self, job: Job) -> None:
        """Accepts a job."""

    def next_outcome(self) -> tuple[int, Outcome]:
        """Waits for any accepted job to end; returns its number and outcome."""

    def close(self) -> None:
        """Gives up whatever is under way."""


class InlineExecutor:
    """Evaluates in this process, in order; a child that kills the process ends the run."""

    slots = 1

    def __init__(self, evaluator: Evaluator):
        """Creates the executor.

        Args:
            evaluator: does the work.
        """
        self._evaluator = evaluator
        self._jobs: collections.deque[Job] = collections.deque()

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        self._jobs.append(job)

    def next_outcome(self) -> tuple[int, Outcome]:
        """See `Executor.next_outcome`."""
        job = self._jobs.popleft()
        return job.number, self._evaluator.evaluate(job, slot=0)

    def close(self) -> None:
        """See `Executor.close`."""


@dataclasses.dataclass
class _Handed:
    """A job that a worker has."""

    job: Job
    begun: float | None = None
    overdue: bool = False


@dataclasses.dataclass
class _Worker:
    """A worker and what it has to do; it is ready when it has slots."""

    number: int
    spawned: float
    process: WorkerProcess = dataclasses.field(init=False)
    slots: int = 0
    ahead: int = 0
    jobs: dict[int, _Handed] = dataclasses.field(default_factory=dict)
    being_killed: bool = False


class LocalExecutor:
    """Evaluates in worker processes on this machine.

    A worker that dies costs the children that it had begun, one that hangs
    costs the child that took too long; either is replaced, and what else it
    had goes to the next that is free. The order of outcomes depends on timing;
    the outcomes do not.
    """

    def __init__(
        self,
        settings: str,
        places: Sequence[Place],
        log_dir: pathlib.Path,
        child_timeout_seconds: float,
    ):
        """Starts the workers and waits until one is ready.

        Args:
            settings: what each worker is told first.
            places: one for each worker.
            log_dir: where each worker's standard error goes.
            child_timeout_seconds: after which a child that was begun is given up.

        Raises:
            UserError: if a worker cannot start, with the reason that it gives.
        """
        self._settings, self._places, self._log_dir = settings, places, log_dir
        self._timeout = child_timeout_seconds
        self._jobs: collections.deque[Job] = collections.deque()
        self._ended: collections.deque[tuple[int, Outcome]] = collections.deque()
        self._returns: collections.Counter[int] = collections.Counter()
        self._events: queue.Queue[tuple[_Worker, str]] = queue.Queue()
        self._workers: list[_Worker] = []
        try:
            for number in range(len(places)):
                self._workers.append(self._spawn(number))
            while not any(worker.slots for worker in self._workers):
                self._wait()
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> int:
        """See `Executor.slots`."""
        return len(self._workers) * self._slots_each

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        self._jobs.append(job)
        self._assign()

    def next_outcome(self) -> tuple[int, Outcome]:
        """See `Executor.next_outcome`."""
        while not self._ended:
            self._wait()
        return self._ended.popleft()

    def close(self) -> None:
        """See `Executor.close`."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()

    @property
    def _slots_each(self) -> int:
        # A worker that has just been replaced will have as many as the others.
        return max(worker.slots for worker in self._workers)

    def _spawn(self, number: int) -> _Worker:
        worker = _Worker(number, time.monotonic())
        worker.process = WorkerProcess(
            self._places[number],
            self._settings,
            self._log(number),
            functools.partial(self._said, worker),
        )
        return worker

    def _said(self, worker: _Worker, line: str) -> None:
        self._events.put((worker, line))

    def _log(self, number: int) -> pathlib.Path:
        return self._log_dir / f"worker-{number}.log"

    def _wait(self) -> None:
        """Waits for a worker to say something, or for a time to be up."""
        deadlines = [deadline for _, _, deadline in self._deadlines()]
        wait = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        try:
            worker, line = self._events.get(timeout=wait)
        except queue.Empty:
            self._kill_overdue()
            return
        self._handle(worker, line)
        self._assign()

    def _deadlines(self) -> Iterator[tuple[_Worker, _Handed | None, float]]:
        """What is waited for: workers to be ready, and children that have begun."""
        for worker in self._workers:
            if worker.being_killed:
                continue
            if not worker.slots:
                yield worker, None, worker.spawned + START_TIMEOUT_SECONDS
            for handed in worker.jobs.values():
                if handed.begun is not None:
                    yield worker, handed, handed.begun + self._timeout

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        overdue = [(w, handed) for w, handed, deadline in self._deadlines() if deadline <= now]
        for worker, handed in overdue:
            if handed is not None:
                handed.overdue = True
            worker.being_killed = True
            worker.process.kill()

    def _handle(self, worker: _Worker, line: str) -> None:
        """Takes note of what a worker said."""
        if not line:
            self._bury(worker)
            return
        message = json.loads(line)
        if "error" in message:
            raise UserError(message["error"])
        if "ready" in message:
            worker.slots, worker.ahead = message["slots"], message["ahead"]
        elif "started" in message:
            worker.jobs[message["started"]].begun = time.monotonic()
        else:
            del worker.jobs[message["number"]]
            self._ended.append((message["number"], decode_outcome(message, worker.number)))

    def _bury(self, worker: _Worker) -> None:
        """Replaces a worker that has ended, fails its children, takes back its other jobs."""
        worker.process.wait()
        if not worker.slots:
            why = worker.process.ending + " before it was ready"
            if worker.being_killed:
                why = f"was not ready after {START_TIMEOUT_SECONDS:g} seconds"
            raise UserError(f"Worker {worker.number} {why}; see {self._log(worker.number)}.")
        self._workers[worker.number] = self._spawn(worker.number)
        begun = any(handed.begun is not None for handed in worker.jobs.values())
        if worker.jobs and not begun and not worker.being_killed:
            # Should a job kill workers before it is begun, this ends.
            first = next(iter(worker.jobs.values()))
            self._returns[first.job.number] += 1
            if self._returns[first.job.number] >= _MOST_RETURNS:
                first.begun = time.monotonic()
        back = []
        for number, handed in worker.jobs.items():
            reason = f"the worker {worker.process.ending}"
            if handed.overdue:
                reason = f"not finished after {self._timeout:g} seconds (--child_timeout_seconds)"
            # Those beside one that took too long were not at fault.
            if handed.begun is None or (worker.being_killed and not handed.overdue):
                back.append(handed.job)
                continue
            seconds = time.monotonic() - handed.begun
            outcome = Outcome(reason=reason, train_seconds=seconds, worker=worker.number)
            self._ended.append((number, outcome))
        self._jobs.extendleft(reversed(back))

    def _assign(self) -> None:
        """Hands jobs out, so that none waits at a worker while another has a free slot.

        What was handed over early stays where it is, even if another worker
        becomes free when no job is left: at the end of an iteration that costs
        at most the time of the children that a worker has ahead.
        """
        while self._jobs:
            worker = min(filter(self._takes_more, self._workers), key=_load, default=None)
            if worker is None:
                return
            job = self._jobs.popleft()
            worker.jobs[job.number] = _Handed(job)
            worker.process.send(encode_job(job))

    def _takes_more(self, worker: _Worker) -> bool:
        # One that is being killed may still have answered; it gets nothing more to do.
        if not worker.slots or worker.being_killed or not worker.process.alive:
            return False
        if len(worker.jobs) < worker.slots:
            return True
        starting = sum(not other.slots for other in self._workers)
        # Those that are not ready yet will have free slots.
        return (
            len(worker.jobs) < worker.slots + worker.ahead
            and len(self._jobs) > starting * worker.slots
        )


def _load(worker: _Worker) -> int:
    return len(worker.jobs)
