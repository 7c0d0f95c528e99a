"""How long a search will take from here, by what it has taken so far."""

from __future__ import annotations

import time
from collections.abc import Callable

from blockqnn.searching.pace import takes_budget
from blockqnn.settings import NO_BUDGET, Budget
from blockqnn.trial import Status, Trial

_SECONDS_AN_HOUR = 3600.0


class Estimate:
    """Listens to a search and says how much is left of it.

    A block counts with all that it took: its training, suggestions that were
    refused or known in between, and workers that waited for others.
    """

    def __init__(
        self,
        iterations: int,
        blocks_per_iteration: int,
        budget: Budget = NO_BUDGET,
        slots: int = 1,
        seconds: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ):
        """Begins to count.

        Args:
            iterations: of the schedule.
            blocks_per_iteration: trials of an iteration, infeasible ones not counted.
            budget: that ends the search instead of its schedule.
            slots: children that are trained at once.
            seconds: that earlier processes searched.
            now: the time in seconds.
        """
        self.budget = budget
        self._schedule = iterations
        self._wanted = budget.max_blocks or iterations * blocks_per_iteration
        self._slots, self._now = slots, now
        self._begun, self._seconds = now(), seconds
        self.blocks = 0
        self._here = 0
        self._trained, self._trained_seconds = 0, 0.0

    def history(self, trial: Trial) -> None:
        """See `Progress.history`."""
        self.blocks += self._counts(trial)
        if trial.status is Status.COMPLETED:
            self._trained += 1
            self._trained_seconds += trial.seconds

    def finished(self, trial: Trial) -> None:
        """See `Progress.finished`."""
        self.history(trial)
        self._here += self._counts(trial)

    def close(self) -> None:
        """See `Progress.close`."""

    @property
    def iterations(self) -> int:
        """Of the whole search; 0 where a budget ends it."""
        return 0 if self.budget else self._schedule

    @property
    def searched_seconds(self) -> float:
        """For how long the run has been searched, in all its processes."""
        return self._seconds + self._now() - self._begun

    @property
    def seconds_left(self) -> float | None:
        """Until the end of the search; None where nothing is known of it, or it is over."""
        found = []
        if self.budget.max_hours:
            found.append(self.budget.max_hours * _SECONDS_AN_HOUR - self.searched_seconds)
        if self.budget.max_blocks or not self.budget:
            left = self._wanted - self.blocks
            seconds = self._seconds_a_block()
            if left <= 0:
                return None
            if seconds is not None:
                found.append(left * seconds)
        least = min(found, default=None)
        return None if least is None or least <= 0 else least

    def place(self, iteration: int) -> str:
        """Where the search is, in a few words.

        Args:
            iteration: of the last trial.

        Returns:
            A phrase.
        """
        if self.budget.max_blocks:
            return f"block {self.blocks}/{self._wanted}"
        if self.budget:
            return f"block {self.blocks}"
        return f"iteration {iteration}/{self._schedule}"

    def _counts(self, trial: Trial) -> bool:
        return takes_budget(trial) if self.budget else trial.status is not Status.INFEASIBLE

    def _seconds_a_block(self) -> float | None:
        """From one block to the next, all workers together."""
        mean = self._trained_seconds / self._trained if self._trained else 0.0
        if mean and self._here < self._slots:
            # The first are still in training, all at once.
            return mean / self._slots
        elapsed = self._now() - self._begun
        return elapsed / self._here if self._here and elapsed > 0 else None
