"""How far a piece of work has come: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

from tqdm import tqdm

from blockqnn.listing import duration

_SECONDS_BETWEEN_LINES = 10.0


class Report:
    """What is said of one piece of work."""

    def __init__(
        self,
        stream: TextIO,
        title: str,
        total: int,
        unit: str,
        now: Callable[[], float] = time.monotonic,
    ):
        """Says what begins.

        Args:
            stream: where to write.
            title: of the work.
            total: units of the whole of it.
            unit: their name; `B` for bytes.
            now: the time in seconds.
        """
        self._stream, self._title, self._total, self._unit = stream, title, total, unit
        self._now, self._first = now, 0
        self._began = now()
        self._said = self._began
        self._bar: tqdm | None = None
        print(f"{title}, {self._amount(total)} ...", file=stream, flush=True)
        if stream.isatty():
            size = shutil.get_terminal_size()
            self._bar = tqdm(
                total=total,
                unit=unit,
                unit_scale=unit == "B",
                file=stream,
                # Where a terminal does not tell its size, tqdm would show nothing.
                ncols=size.columns - 1,
                nrows=size.lines,
            )

    def begin_at(self, done: int) -> None:
        """Tells that so much was done before, which says nothing about the speed."""
        self._first, self._began = done, self._now()
        if self._bar is not None:
            self._bar.reset(self._total)
            self._bar.initial = self._bar.n = done
            self._bar.refresh()
        elif done:
            print(f"Going on after {self._part(done)}.", file=self._stream, flush=True)

    def at(self, done: int) -> None:
        """Tells how much is done."""
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
            return
        now = self._now()
        if now - self._said < _SECONDS_BETWEEN_LINES or done <= self._first:
            return
        self._said = now
        left = (now - self._began) / (done - self._first) * (self._total - done)
        print(
            f"{self._part(done)}, {duration(left)} left",
            file=self._stream,
            flush=True,
        )

    def close(self) -> None:
        """Tells that no more will be said."""
        if self._bar is not None:
            self._bar.close()

    def _amount(self, units: int) -> str:
        return f"{units / 1e6:.0f} MB" if self._unit == "B" else f"{units:,} {self._unit}"

    def _part(self, units: int) -> str:
        done = f"{units / 1e6:.0f}" if self._unit == "B" else f"{units:,}"
        return f"{done} of {self._amount(self._total)}"
