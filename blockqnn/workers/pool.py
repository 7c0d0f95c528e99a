"""Workers that are handed jobs, wherever they are: what they say, and what becomes of the dead."""

from __future__ import annotations

import collections
import functools
import json
import logging
import math
import queue
import time
from collections.abc import Iterator

from blockqnn.errors import UserError
from blockqnn.trial import Job, Outcome
from blockqnn.workers.attempts import Attempts
from blockqnn.workers.job_queue import JobQueue
from blockqnn.workers.link import Spawn
from blockqnn.workers.pool_worker import PoolWorker, Task
from blockqnn.workers.state import Watcher, WorkerState
from blockqnn.workers.worker import decode_outcome

START_TIMEOUT_SECONDS = 600.0
"""After which a worker that is not ready is given up: reading a data set may take minutes."""

WATCH_SECONDS = 2.0
"""Between two looks of a watcher."""

_MOST_FAILED_STARTS = 5
"""A worker that was killed as often in a row before it was ready ends the search."""

_log = logging.getLogger(__name__)


class WorkerPool:
    """Evaluates in workers, each of which has a process of its own.

    A worker that ends or hangs is replaced. The children that were at fault,
    for all that one can tell, are tried again elsewhere, some times; what else
    it had goes to the next that is free and counts as no attempt. An error that
    a child reports by itself is its outcome, and it is not tried again. The
    order of outcomes depends on timing; the outcomes do not.
    """

    def __init__(
        self,
        spawn: Spawn,
        workers: int,
        child_timeout_seconds: float,
        child_retries: int = 0,
        children_per_worker: int = 0,
        watcher: Watcher | None = None,
    ):
        """Starts the workers and waits until one is ready.

        Args:
            spawn: starts a worker.
            workers: how many.
            child_timeout_seconds: after which a child that was begun is given up.
            child_retries: how often a child is tried again whose worker died or hung.
            children_per_worker: after which a worker is replaced; 0 for never.
            watcher: told now and then how the workers are.

        Raises:
            UserError: if a worker cannot start, with the reason that it gives.
        """
        self._start_worker, self._timeout = spawn, child_timeout_seconds
        self._attempts = Attempts(child_retries, child_timeout_seconds)
        self._watcher, self._watched = watcher, -math.inf
        self._ended: collections.deque[tuple[int, Outcome]] = collections.deque()
        self._events: queue.Queue[tuple[PoolWorker | None, str]] = queue.Queue()
        self._workers: list[PoolWorker] = []
        self._jobs = JobQueue(self._workers, children_per_worker)
        self._more_room = False
        self._alarm = math.inf
        self._worked = time.monotonic()
        try:
            self._grow(workers)
            while not any(worker.slots for worker in self._workers):
                self._wait()
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> int:
        """See `Executor.slots`."""
        # A worker that has just been replaced will have as many as the others.
        placed = sum(bool(worker.slots) or worker.process.placed for worker in self._workers)
        return placed * max(worker.slots for worker in self._workers)

    @property
    def room(self) -> int:
        """See `Executor.room`."""
        idle = not self._jobs.waiting and not self._ended
        idle = idle and not any(worker.jobs for worker in self._workers)
        return max(self._jobs.free - self._jobs.waiting, int(idle))

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        self._jobs.put(job)
        self._jobs.hand_out()

    def next_outcome(self) -> tuple[int, Outcome]:
        """See `Executor.next_outcome`."""
        while not self._ended:
            self._wait()
        return self._ended.popleft()

    def next_outcome_or_room(self) -> tuple[int, Outcome] | None:
        """See `Executor.next_outcome_or_room`."""
        while not self._ended:
            self._more_room = False
            self._wait()
            if self._more_room and not self._ended and self.room:
                return None
        return self._ended.popleft()

    def close(self) -> None:
        """See `Executor.close`."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()

    def states(self) -> list[WorkerState]:
        """How the workers are."""
        clock = time.time() - time.monotonic()
        return [worker.state(clock) for worker in self._workers]

    def _grow(self, count: int) -> None:
        """Adds workers until there are so many."""
        while len(self._workers) < count:
            self._workers.append(self._spawn(len(self._workers)))

    def _spawn(self, number: int, failed_starts: int = 0) -> PoolWorker:
        worker = PoolWorker(number, time.monotonic(), failed_starts)
        worker.process = self._start_worker(number, functools.partial(self._said, worker))
        self._alarm = min(self._alarm, worker.since + START_TIMEOUT_SECONDS)
        return worker

    def _said(self, worker: PoolWorker | None, line: str) -> None:
        self._events.put((worker, line))

    def _wait(self) -> None:
        """Waits for a worker to say something, or for a time to be up."""
        now = time.monotonic()
        if self._watcher is not None and now >= self._watched + WATCH_SECONDS:
            self._watched = now
            self._watcher(self.states())
        until = self._alarm
        if self._watcher is not None:
            until = min(until, self._watched + WATCH_SECONDS)
        try:
            wait = None if until == math.inf else max(0.0, until - now)
            worker, line = self._events.get(timeout=wait)
        except queue.Empty:
            if time.monotonic() >= self._alarm:
                self._kill_overdue()
            return
        self._handle(worker, line)
        if time.monotonic() >= self._alarm:
            self._kill_overdue()
        self._jobs.hand_out()

    def _deadlines(self) -> Iterator[tuple[PoolWorker, Task | None, float]]:
        """What is waited for: workers to be ready, and children that have begun."""
        for worker in self._workers:
            if worker.being_killed:
                continue
            if not worker.slots:
                begun = worker.since
                if not worker.process.placed:
                    # As long as others work, it may wait for its place.
                    begun = max(begun, self._worked)
                yield worker, None, begun + START_TIMEOUT_SECONDS
            for task in worker.jobs.values():
                if task.begun is not None:
                    yield worker, task, task.begun + self._timeout

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        if any(worker.slots for worker in self._workers):
            self._worked = now
        overdue = [(w, task) for w, task, deadline in self._deadlines() if deadline <= now]
        for worker, task in overdue:
            if task is not None:
                task.overdue = True
            worker.being_killed = True
            worker.process.kill()
        self._alarm = min((deadline for _, _, deadline in self._deadlines()), default=math.inf)

    def _handle(self, worker: PoolWorker | None, line: str) -> None:
        """Takes note of what a worker, or nobody among them, said."""
        if worker is None:
            self._cluster_said(line)
            return
        if not line:
            self._bury(worker)
            return
        worker.heard = time.monotonic()
        try:
            message = json.loads(line)
            if not isinstance(message, dict):
                raise ValueError("no message")
            self._understand(worker, message)
        except UserError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            _log.warning("worker %d said what no worker says: %r", worker.number, error)
            worker.talked_nonsense = True
            worker.process.kill()

    def _cluster_said(self, line: str) -> None:
        """Takes note of what the place where the workers are has to say; here there is none."""

    def _understand(self, worker: PoolWorker, message: dict[str, object]) -> None:
        if "error" in message:
            where = ""
            if any(other.slots for other in self._workers):
                # The others can do what this one cannot.
                where = f" (worker {worker.number} on {worker.node})"
            raise UserError(f"{message['error']}{where}")
        if "here" in message:
            worker.node, worker.since = str(message["here"]), time.monotonic()
            worker.pid = int(str(message["process"]))
        elif "ready" in message:
            worker.slots, worker.ahead = int(str(message["slots"])), int(str(message["ahead"]))
            worker.device, worker.since = str(message["ready"]), time.monotonic()
            worker.failed_starts = 0
            self._more_room = True
        elif "started" in message:
            begun = time.monotonic()
            worker.jobs[int(str(message["started"]))].begun = begun
            self._alarm = min(self._alarm, begun + self._timeout)
        elif "number" in message:
            number = int(str(message["number"]))
            outcome = decode_outcome(message, worker.number)
            del worker.jobs[number]
            self._ended.append((number, outcome))
            worker.since = time.monotonic()
            if not worker.jobs and self._jobs.is_worn(worker):
                worker.being_killed = True
                worker.process.kill()
        elif "alive" not in message:
            raise ValueError("neither an answer nor a sign of life")

    def _bury(self, worker: PoolWorker) -> None:
        """Replaces a worker that has ended, and decides what becomes of its children."""
        worker.process.wait()
        failed_starts = 0
        if not worker.slots and not worker.process.blameless:
            failed_starts = worker.failed_starts + 1
            self._check_start(worker, failed_starts)
        self._workers[worker.number] = self._spawn(worker.number, failed_starts)
        failed, back = self._attempts.after_the_end_of(worker)
        self._ended.extend(failed)
        self._jobs.put_back(back)

    def _check_start(self, worker: PoolWorker, failed_starts: int) -> None:
        """Ends the search where a worker will never be ready."""
        link = worker.process
        if not worker.being_killed:
            if link.killed and failed_starts < _MOST_FAILED_STARTS:
                return
            why = f"{link.ending} before it was ready"
        elif link.placed:
            why = f"was not ready after {START_TIMEOUT_SECONDS:g} seconds"
        else:
            why = f"had no place to run for {START_TIMEOUT_SECONDS:g} seconds"
        raise UserError(f"Worker {worker.number} {why}; see {link.log}.")
