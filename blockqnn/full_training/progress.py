"""What a person sees while a network is trained or measured."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from blockqnn.listing import duration, number

if TYPE_CHECKING:
    from blockqnn.full_training.trainer import Epoch

_INTERVAL_SECONDS = 0.2
_LINE_SECONDS = 5.0
"""Between lines where none can be rewritten."""


class TrainingProgress:
    """A line for each epoch, and on a terminal one that is rewritten as steps are made."""

    def __init__(
        self,
        stream: TextIO,
        epochs: int,
        steps_per_epoch: int,
        now: Callable[[], float] = time.monotonic,
    ):
        """Begins to count.

        Args:
            stream: where to write.
            epochs: of the whole training.
            steps_per_epoch: steps of an epoch.
            now: the time in seconds.
        """
        self._stream, self._epochs, self._steps = stream, epochs, steps_per_epoch
        self._now, self._shown = now, now()
        self._rewrites = stream.isatty()
        self._seconds: list[float] = []

    def step(self, epoch: int, step: int) -> None:
        """Is told that a step was made.

        Args:
            epoch: its epoch, from 1.
            step: its place in the epoch, from 1.
        """
        if self._rewrites and self._now() - self._shown >= _INTERVAL_SECONDS:
            self._shown = self._now()
            width = shutil.get_terminal_size().columns - 1
            line = f"epoch {epoch}/{self._epochs}  step {step}/{self._steps}"
            self._stream.write(f"\r\x1b[2K{line[:width]}")
            self._stream.flush()

    def epoch(self, ended: Epoch) -> None:
        """Is told that an epoch has ended.

        Args:
            ended: its figures.
        """
        self._seconds.append(ended.seconds)
        # Where compiling was part of the first epoch, that says little of the others.
        counted = self._seconds[1:] or self._seconds
        left = (self._epochs - ended.epoch) * sum(counted) / len(counted)
        parts = [
            f"epoch {ended.epoch}/{self._epochs}",
            f"loss {ended.loss:.4f}",
            f"accuracy {number(ended.accuracy)} %",
        ]
        if ended.validation_accuracy is not None:
            parts.append(f"validation {number(ended.validation_accuracy)} %")
        parts += [f"rate {ended.learning_rate:.3g}", f"{ended.seconds:.1f} s"]
        if ended.epoch < self._epochs:
            parts.append(f"{duration(left)} left")
        begin = "\r\x1b[2K" if self._rewrites else ""
        print(begin + "  ".join(parts), file=self._stream, flush=True)

    def close(self) -> None:
        """Is told that the training has stopped."""
        if self._rewrites:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()


class ImageProgress:
    """How many images have been measured: rewritten on a terminal, elsewhere a line now and then.

    Use it in a `with` statement, which clears the line at the end.
    """

    def __init__(
        self, stream: TextIO | None, images: int, now: Callable[[], float] = time.monotonic
    ):
        """Begins to count.

        Args:
            stream: where to write; None for nowhere.
            images: how many there are.
            now: the time in seconds.
        """
        self._stream, self._images, self._now = stream, images, now
        self._rewrites = stream is not None and stream.isatty()
        self._first: tuple[float, int] | None = None
        self._shown = now()

    def __enter__(self) -> ImageProgress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None and self._rewrites:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()

    def seen(self, done: int) -> None:
        """Is told how many images have been measured so far."""
        time_now = self._now()
        # Compiling is part of the first batch, which says little of the others.
        self._first = self._first or (time_now, done)
        interval = _INTERVAL_SECONDS if self._rewrites else _LINE_SECONDS
        if self._stream is None or done >= self._images or time_now - self._shown < interval:
            return
        self._shown = time_now
        begun, before = self._first
        rest = ""
        if done > before:
            left = (self._images - done) * (time_now - begun) / (done - before)
            rest = f", {duration(left)} left"
        line = f"{done:,} of {self._images:,} images{rest}"
        if self._rewrites:
            self._stream.write(f"\r\x1b[2K{line[: shutil.get_terminal_size().columns - 1]}")
            self._stream.flush()
        else:
            print(line, file=self._stream, flush=True)
