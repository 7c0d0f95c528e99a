"""Executors that stand between a search and its workers."""

from __future__ import annotations

import abc
import collections

from blockqnn.trial import Job, Outcome
from blockqnn.workers.contract import Executor


class PassingExecutor:
    """An executor that passes on what it does not do itself."""

    def __init__(self, executor: Executor):
        """Begins.

        Args:
            executor: that does the work.
        """
        self._executor = executor

    @property
    def slots(self) -> int:
        """See `Executor.slots`."""
        return self._executor.slots

    @property
    def room(self) -> int:
        """See `Executor.room`."""
        return self._executor.room

    def close(self) -> None:
        """See `Executor.close`."""
        self._executor.close()


class KnowingExecutor(PassingExecutor, abc.ABC):
    """An executor that answers some jobs itself, and may keep what comes of the others."""

    def __init__(self, executor: Executor):
        """Knows nothing yet.

        Args:
            executor: that does what is not known.
        """
        super().__init__(executor)
        self._known: collections.deque[tuple[int, Outcome]] = collections.deque()

    @abc.abstractmethod
    def submit(self, job: Job) -> None:
        """See `Executor.submit`; what is known stands in `_known` after it."""

    @abc.abstractmethod
    def _kept(self, number: int, outcome: Outcome) -> tuple[int, Outcome]:
        """What the executor gave, which may be kept for others."""

    def next_outcome(self) -> tuple[int, Outcome]:
        """See `Executor.next_outcome`."""
        if self._known:
            return self._known.popleft()
        return self._kept(*self._executor.next_outcome())

    def next_outcome_or_room(self) -> tuple[int, Outcome] | None:
        """See `Executor.next_outcome_or_room`."""
        if self._known:
            return self._known.popleft()
        ended = self._executor.next_outcome_or_room()
        return None if ended is None else self._kept(*ended)
