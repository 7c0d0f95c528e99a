"""How long finals will take, by what the search took and by what they have taken so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from blockqnn.runs.finals import Finals


class Clock:
    """Counts the trainings that are left against those that have ended.

    A training takes as long as that of the search did, times its epochs and its
    images in proportion; what the first trainings took corrects that.
    """

    def __init__(
        self,
        epoch_seconds: Mapping[int, float],
        fixed_seconds: Mapping[int, float],
        now: Callable[[], float] = time.monotonic,
    ):
        """Begins to count.

        Args:
            epoch_seconds: by the number of a trial, what an epoch of its block took,
                in proportion to the images of the finals.
            fixed_seconds: by the number of a trial, what it took once.
            now: the time in seconds.
        """
        self._epoch, self._fixed, self._now = epoch_seconds, fixed_seconds, now
        self._expected = self._taken = 0.0
        self._slots = 1
        self._begun = now()

    def expected(self, trial: int, epochs: int) -> float:
        """Seconds of one training, before any has ended."""
        return self._fixed.get(trial, 0.0) + epochs * self._epoch.get(trial, 0.0)

    def round_begins(self, slots: int) -> None:
        """Is told that trainings begin, so many at once."""
        self._slots, self._begun = max(1, slots), self._now()
        self._expected = self._taken = 0.0

    def ended(self, trial: int, epochs: int) -> None:
        """Is told that a training has ended."""
        self._expected += self.expected(trial, epochs)
        self._taken = (self._now() - self._begun) * self._slots

    def seconds(self, finals: Finals, slots: int | None = None) -> float:
        """Until the end of the finals.

        Args:
            finals: as far as they are.
            slots: trainings at once; None for as many as the round has.

        Returns:
            Seconds; 0 where nothing is known.
        """
        left = sum(self._of_round(finals, place) for place in self._open(finals))
        return left / (slots or self._slots) * self._correction

    def round_seconds(self, finals: Finals, place: int, slots: int | None = None) -> float:
        """Until the end of a round; see `seconds`."""
        return self._of_round(finals, place) / (slots or self._slots) * self._correction

    @property
    def _correction(self) -> float:
        return self._taken / self._expected if self._expected and self._taken else 1.0

    def _open(self, finals: Finals) -> range:
        return range(len(finals.orders) + 1, len(finals.plan.rounds) + 1)

    def _of_round(self, finals: Finals, place: int) -> float:
        one = finals.plan.rounds[place - 1]
        if place <= len(finals.orders) + 1:
            return sum(
                self.expected(trial, one.epochs)
                * (one.seeds - len(finals.result(place, trial).trainings))
                for trial in finals.entered(place)
            )
        # Who will be in it is not known: blocks of the usual size.
        every = finals.plan.trials
        mean = sum(self.expected(trial, one.epochs) for trial in every) / len(every)
        return mean * min(one.blocks, len(every)) * one.seeds
