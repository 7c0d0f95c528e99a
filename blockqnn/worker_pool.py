"""Workers that are handed jobs, wherever they are: who gets what, and what becomes of the dead."""

from __future__ import annotations

import collections
import dataclasses
import functools
import json
import logging
import math
import queue
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from blockqnn.errors import UserError
from blockqnn.trial import Job, Outcome
from blockqnn.worker import decode_outcome, encode_job
from blockqnn.worker_state import ChildState, Watcher, WorkerState

START_TIMEOUT_SECONDS = 600.0
"""After which a worker that is not ready is given up: reading a data set may take minutes."""

WATCH_SECONDS = 2.0
"""Between two looks of a watcher."""

_MOST_RETURNS = 3
"""A job that was the next one as often when a worker died with none begun is given up."""

_MOST_FAILED_STARTS = 5
"""A worker that was killed as often in a row before it was ready ends the search."""

_log = logging.getLogger(__name__)


class WorkerLink(Protocol):
    """A worker as its pool sees it; `blockqnn.worker` says which lines are spoken."""

    @property
    def alive(self) -> bool:
        """Whether it may still answer."""

    @property
    def placed(self) -> bool:
        """Whether it has got its place on a machine; until then its start takes no time."""

    @property
    def ending(self) -> str:
        """How it ended, in words."""

    @property
    def killed(self) -> bool:
        """Whether something else ended it."""

    @property
    def blameless(self) -> bool:
        """Whether it ended for a reason that no child can have, as when a cluster is lost."""

    @property
    def log(self) -> str:
        """Where to read what it wrote to standard error."""

    def send(self, line: str) -> None:
        """Sends it a line; nothing happens if it has ended."""

    def kill(self) -> None:
        """Ends it, whatever it is doing."""

    def wait(self) -> None:
        """Waits until it has ended, and lets go of it."""


Spawn = Callable[[int, Callable[[str], None]], WorkerLink]
"""Starts the worker of a number; each line that it says, and at last an empty one, is passed on."""


@dataclasses.dataclass
class _Task:
    """A job and what has become of it so far."""

    job: Job
    begun: float | None = None
    overdue: bool = False
    attempts: int = 0
    returns: int = 0
    avoided: set[int] = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class _Worker:
    """A worker and what it has to do; it is ready when it has slots."""

    number: int
    since: float
    failed_starts: int = 0
    process: WorkerLink = dataclasses.field(init=False)
    slots: int = 0
    ahead: int = 0
    jobs: dict[int, _Task] = dataclasses.field(default_factory=dict)
    given: int = 0
    being_killed: bool = False
    talked_nonsense: bool = False
    node: str = ""
    pid: int | None = None
    device: str = ""
    heard: float | None = None


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
        self._retries, self._children_per_worker = child_retries, children_per_worker
        self._watcher, self._watched = watcher, -math.inf
        self._jobs: collections.deque[_Task] = collections.deque()
        self._ended: collections.deque[tuple[int, Outcome]] = collections.deque()
        self._events: queue.Queue[tuple[_Worker | None, str]] = queue.Queue()
        self._workers: list[_Worker] = []
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
        return len(self._workers) * max(worker.slots for worker in self._workers)

    @property
    def room(self) -> int:
        """See `Executor.room`."""
        free = sum(
            max(0, worker.slots + worker.ahead - len(worker.jobs))
            for worker in self._workers
            if worker.slots and not worker.being_killed and not self._worn(worker)
        )
        idle = not self._jobs and not self._ended and not any(w.jobs for w in self._workers)
        return max(free - len(self._jobs), int(idle))

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        self._jobs.append(_Task(job))
        self._assign()

    def next_outcome(self) -> tuple[int, Outcome]:
        """See `Executor.next_outcome`."""
        while not self._ended:
            self._wait()
        return self._ended.popleft()

    def next_outcome_or_room(self) -> tuple[int, Outcome] | None:
        """See `Executor.next_outcome_or_room`."""
        before = self.room
        while not self._ended:
            self._wait()
            if not self._ended and self.room > before:
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
        return [
            WorkerState(
                number=worker.number,
                node=worker.node,
                process=worker.pid,
                device=worker.device,
                state=self._state(worker),
                since=worker.since + clock,
                heard=None if worker.heard is None else worker.heard + clock,
                children=tuple(
                    ChildState(number, None if task.begun is None else task.begun + clock)
                    for number, task in worker.jobs.items()
                ),
            )
            for worker in self._workers
        ]

    def _state(self, worker: _Worker) -> str:
        if worker.being_killed:
            return "ending"
        if not worker.slots:
            return "starting" if worker.process.placed else "waiting for a place"
        return "training" if worker.jobs else "idle"

    def _grow(self, count: int) -> None:
        """Adds workers until there are so many."""
        while len(self._workers) < count:
            self._workers.append(self._spawn(len(self._workers)))

    def _spawn(self, number: int, failed_starts: int = 0) -> _Worker:
        worker = _Worker(number, time.monotonic(), failed_starts)
        worker.process = self._start_worker(number, functools.partial(self._said, worker))
        self._alarm = min(self._alarm, worker.since + START_TIMEOUT_SECONDS)
        return worker

    def _said(self, worker: _Worker | None, line: str) -> None:
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
        self._assign()

    def _deadlines(self) -> Iterator[tuple[_Worker, _Task | None, float]]:
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

    def _handle(self, worker: _Worker | None, line: str) -> None:
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

    def _understand(self, worker: _Worker, message: dict[str, object]) -> None:
        if "error" in message:
            raise UserError(str(message["error"]))
        if "here" in message:
            worker.node, worker.since = str(message["here"]), time.monotonic()
            worker.pid = int(str(message["process"]))
        elif "ready" in message:
            worker.slots, worker.ahead = int(str(message["slots"])), int(str(message["ahead"]))
            worker.device, worker.since = str(message["ready"]), time.monotonic()
            worker.failed_starts = 0
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
            if not worker.jobs and self._worn(worker):
                worker.being_killed = True
                worker.process.kill()

        elif "alive" not in message:
            raise ValueError("neither an answer nor a sign of life")

    def _worn(self, worker: _Worker) -> bool:
        return bool(self._children_per_worker) and worker.given >= self._children_per_worker

    def _bury(self, worker: _Worker) -> None:
        """Replaces a worker that has ended, and decides what becomes of its children."""
        worker.process.wait()
        failed_starts = 0
        if not worker.slots and not worker.process.blameless:
            failed_starts = worker.failed_starts + 1
            self._check_start(worker, failed_starts)
        self._workers[worker.number] = self._spawn(worker.number, failed_starts)
        begun = any(task.begun is not None for task in worker.jobs.values())
        blamed = None
        if worker.jobs and not begun and not worker.being_killed and not worker.process.blameless:
            # Should a job kill workers before it is begun, this ends.
            first = next(iter(worker.jobs.values()))
            first.returns += 1
            if first.returns >= max(_MOST_RETURNS, self._retries + 1):
                blamed, first.attempts = first, self._retries
        back = []
        for number, task in worker.jobs.items():
            # Those beside one that took too long were not at fault.
            innocent = task.begun is None or (worker.being_killed and not task.overdue)
            if task is not blamed and (innocent or worker.process.blameless):
                back.append(task)
            elif self._failed_again(worker, task):
                outcome = self._failure(worker, task)
                self._ended.append((number, outcome))
            else:
                back.append(task)
        for task in back:
            task.begun, task.overdue = None, False
        self._jobs.extendleft(reversed(back))

    def _check_start(self, worker: _Worker, failed_starts: int) -> None:
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

    def _failed_again(self, worker: _Worker, task: _Task) -> bool:
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

    def _reason(self, worker: _Worker, task: _Task) -> str:
        if task.overdue:
            return f"not finished after {self._timeout:g} seconds (--child_timeout_seconds)"
        if worker.talked_nonsense:
            return "the worker said what no worker says"
        return f"the worker {worker.process.ending}"

    def _failure(self, worker: _Worker, task: _Task) -> Outcome:
        reason = self._reason(worker, task)
        if task.attempts > 1:
            reason += f", the last of {task.attempts} attempts (--child_retries)"
        seconds = 0.0 if task.begun is None else time.monotonic() - task.begun
        return Outcome(reason=reason, train_seconds=seconds, worker=worker.number)

    def _assign(self) -> None:
        """Hands jobs out, so that none waits at a worker while another has a free slot.

        What was handed over early stays where it is, even if another worker
        becomes free when no job is left: at the end of an iteration that costs
        at most the time of the children that a worker has ahead.
        """
        kept = []
        while self._jobs:
            takers = list(filter(self._takes_more, self._workers))
            if not takers:
                break
            task = self._jobs.popleft()
            worker = min((w for w in takers if self._may_go(task, w)), key=_load, default=None)
            if worker is None:
                kept.append(task)
                continue
            worker.jobs[task.job.number] = task
            worker.given += 1
            worker.process.send(encode_job(task.job))
        self._jobs.extendleft(reversed(kept))

    def _may_go(self, task: _Task, worker: _Worker) -> bool:
        """Whether a worker is another than those with whom the task failed, if there is one."""
        return worker.number not in task.avoided or len(task.avoided) >= len(self._workers)

    def _takes_more(self, worker: _Worker) -> bool:
        if not worker.slots or len(worker.jobs) >= worker.slots + worker.ahead:
            return False
        # One that is being killed may still have answered; it gets nothing more to do.
        if worker.being_killed or worker.talked_nonsense or self._worn(worker):
            return False
        if not worker.process.alive:
            return False
        if len(worker.jobs) < worker.slots:
            return True
        # Those that are about to be ready will have free slots.
        starting = sum(not other.slots and other.process.placed for other in self._workers)
        return len(self._jobs) > starting * worker.slots


def _load(worker: _Worker) -> int:
    return len(worker.jobs)
