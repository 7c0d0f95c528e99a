"""How far a tournament is, while one waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from blockqnn.listing import about

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
