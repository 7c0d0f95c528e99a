"""How far a tournament is, while one waits for it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TextIO

from blockqnn.listing import about, counted
from blockqnn.measure import measure_of
from blockqnn.trial import Status, Trial

_EVERY_SECONDS = 10.0
"""Between two lines where lines cannot be rewritten."""


class Waiting:
    """Tells how many runs have ended, and about how long the rest takes."""

    def __init__(
        self, stream: TextIO, done: int, total: int, now: Callable[[], float] = time.monotonic
    ):
        """Begins to wait.

        Args:
            stream: on a terminal one line is rewritten; elsewhere there is a line
                now and then, and none where all is over soon.
            done: runs that had ended before.
            total: runs.
            now: the time in seconds.
        """
        self._stream, self._total, self._now = stream, total, now
        self._before = self._done = done
        self._begun = self._said = now()

    def ended(self, runs: int) -> None:
        """Is told that runs have ended."""
        self._done += runs
        now = self._now()
        if self._stream.isatty():
            end = "\n" if self._done == self._total else ""
            print(f"\r\x1b[2K{self._line(now)}", end=end, file=self._stream, flush=True)
        elif now - self._said >= _EVERY_SECONDS:
            self._said = now
            print(self._line(now), file=self._stream, flush=True)

    def _line(self, now: float) -> str:
        left = self._total - self._done
        here = self._done - self._before
        rest = f", about {about((now - self._begun) / here * left)} left" if left and here else ""
        return f"{self._done:,} of {self._total:,} runs{rest}"


class WaitingForChildren:
    """Tells how many children of a run have been trained, and about how long all runs take."""

    def __init__(
        self, stream: TextIO, runs: int, budget: int, now: Callable[[], float] = time.monotonic
    ):
        """Begins to wait.

        Args:
            stream: gets a line now and then.
            runs: that are to be carried out.
            budget: children of each.
            now: the time in seconds.
        """
        self._stream, self._runs, self._budget, self._now = stream, runs, budget, now
        self._begun = self._said = now()
        self._ended = 0
        self._title = ""
        self._trained, self._best = 0, 0.0

    def begin(self, title: str) -> None:
        """Is told that a run begins."""
        if not self._title:
            print(
                f"{counted(self._runs, 'run')} of {counted(self._budget, 'evaluation')}: starting, "
                "and compiling the first children ...",
                file=self._stream,
                flush=True,
            )
        self._title = title
        self._trained, self._best = 0, -math.inf

    def finished(self, trial: Trial) -> None:
        """Is told of a trial of the run."""
        if trial.status is not Status.COMPLETED or trial.accuracy is None:
            return
        # An iteration may train more than the contest looks at.
        self._trained = min(self._trained + 1, self._budget)
        self._best = max(self._best, trial.accuracy)
        now, measure = self._now(), measure_of(trial.code)
        if now - self._said >= _EVERY_SECONDS:
            self._said = now
            done = self._ended * self._budget + self._trained
            left = self._runs * self._budget - done
            print(
                f"{self._title}: trained {self._trained} of {self._budget}, best "
                f"{measure.name} {measure.in_words(self._best)}; about "
                f"{about((now - self._begun) / done * left)} left for all runs",
                file=self._stream,
                flush=True,
            )

    def ended(self, line: str) -> None:
        """Is told what came of the run."""
        self._ended += 1
        print(f"{self._title}: {line}", file=self._stream, flush=True)
