"""A function of the user's as an evaluator, called in threads of this process."""

from __future__ import annotations

import concurrent.futures
import functools
import logging
import math
import os
import platform
import queue
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from blockqnn.networks.spaces.contract import Code
from blockqnn.trial import Job, Outcome
from blockqnn.workers.state import ChildState, Watcher, WorkerState

_FEW = 3
"""If so many accuracies are between 0 and 1 at first, they are taken for shares."""

_log = logging.getLogger(__name__)


class FunctionEvaluator:
    """Asks a function of the user's for accuracies."""

    device = "python"
    ahead = 0

    def __init__(self, function: Callable[[Code], Any], slots: int = 1):
        """Creates the evaluator.

        Args:
            function: from a code to its accuracy in percent, or to those after each epoch.
            slots: how many threads may call it at the same time.
        """
        self._function, self.slots = function, slots
        self._first: list[float] = []

    def prepare(self, job: Job, slot: int) -> None:
        """See `Evaluator.prepare`."""

    def evaluate(self, job: Job, slot: int) -> Outcome:
        """See `Evaluator.evaluate`; what the function raises is the reason of a failed trial."""
        begun = time.monotonic()
        try:
            accuracies = _accuracies(self._function(job.code))
        except Exception as error:
            _log.exception("trial %d", job.number)
            return Outcome(
                reason=f"{type(error).__name__}: {error}", train_seconds=time.monotonic() - begun
            )
        seconds = time.monotonic() - begun
        for accuracy in accuracies:
            if not (math.isfinite(accuracy) and 0 <= accuracy <= 100):
                why = f"an accuracy is a percentage from 0 to 100, given {accuracy}"
                return Outcome(reason=why, train_seconds=seconds)
        self._warn_of_shares(accuracies[-1])
        return Outcome(
            accuracies=accuracies, device=self.device, train_seconds=seconds, worker=slot
        )

    def _warn_of_shares(self, accuracy: float) -> None:
        """Warns once if all of the first accuracies look like shares of 1."""
        if len(self._first) == _FEW:
            return
        self._first.append(accuracy)
        if len(self._first) == _FEW and max(self._first) <= 1:
            warnings.warn(
                f"The first {_FEW} accuracies are between 0 and 1, and are read as percent: a "
                "function that computes shares has to return 100 times as much.",
                stacklevel=2,
            )


def _accuracies(value: Any) -> tuple[float, ...]:
    """What a function returned, as accuracies after each epoch."""
    if value is None or isinstance(value, (str, bytes, bool, Mapping)):
        raise TypeError(
            f"the function returned {value!r:.60}, wanted is an accuracy in percent, or a sequence "
            "of those after each epoch"
        )
    found = tuple(float(number) for number in np.asarray(value, np.float64).reshape(-1))
    if not found:
        raise ValueError("the function returned no accuracy")
    return found


class ThreadExecutor:
    """Calls an evaluator in threads of this process."""

    def __init__(self, evaluator: FunctionEvaluator, watcher: Watcher | None = None):
        """Creates the executor.

        Args:
            evaluator: whose slots are the threads.
            watcher: told how this process is whenever a call begins or ends.
        """
        self._evaluator, self._watcher, self.slots = evaluator, watcher, evaluator.slots
        self._threads = concurrent.futures.ThreadPoolExecutor(self.slots, "blockqnn-search")
        self._free = list(range(self.slots))
        self._begun: dict[int, float] = {}
        self._ended: queue.SimpleQueue[tuple[int, int, concurrent.futures.Future[Outcome]]] = (
            queue.SimpleQueue()
        )
        self._waiting: list[Job] = []

    @property
    def room(self) -> int:
        """See `Executor.room`."""
        return len(self._free)

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        self._waiting.append(job)
        self._begin()

    def next_outcome(self) -> tuple[int, Outcome]:
        """See `Executor.next_outcome`."""
        number, slot, call = self._ended.get()
        self._free.append(slot)
        del self._begun[number]
        self._begin()
        return number, call.result()

    def next_outcome_or_room(self) -> tuple[int, Outcome] | None:
        """See `Executor.next_outcome_or_room`."""
        return self.next_outcome()

    def close(self) -> None:
        """See `Executor.close`; a call that is under way cannot be ended, and is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        while self._free and self._waiting:
            job, slot = self._waiting.pop(0), self._free.pop(0)
            self._begun[job.number] = time.time()
            call = self._threads.submit(self._evaluator.evaluate, job, slot)
            call.add_done_callback(functools.partial(self._end, job.number, slot))
        self._tell()

    def _end(self, number: int, slot: int, call: concurrent.futures.Future[Outcome]) -> None:
        self._ended.put((number, slot, call))

    def _tell(self) -> None:
        if self._watcher is None or not self._begun:
            return
        children = tuple(ChildState(number, since) for number, since in self._begun.items())
        since, here = min(self._begun.values()), platform.node()
        state = WorkerState(
            0, here, os.getpid(), self._evaluator.device, "training", since, time.time(), children
        )
        self._watcher([state])
