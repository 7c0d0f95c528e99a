"""What a person sees while a search goes on."""

from __future__ import annotations

import collections
import dataclasses
import math
import shutil
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from blockqnn.listing import duration, number
from blockqnn.searching.estimate import Estimate
from blockqnn.trial import Status, Trial


class Progress(Protocol):
    """Listens to a search."""

    def history(self, trial: Trial) -> None:
        """Is told of a trial that finished before this process began."""

    def finished(self, trial: Trial) -> None:
        """Is told of a trial that has just finished."""

    def close(self) -> None:
        """Is told that the search has stopped."""


@dataclasses.dataclass
class _Counts:
    """What has happened so far."""

    iteration: int = 0
    epsilon: float = 1.0
    statuses: collections.Counter[Status] = dataclasses.field(default_factory=collections.Counter)
    iteration_rewards: list[float] = dataclasses.field(default_factory=list)
    best: Trial | None = None

    def add(self, trial: Trial) -> None:
        """Counts a trial."""
        if trial.iteration != self.iteration:
            self.iteration, self.iteration_rewards = trial.iteration, []
        self.epsilon = trial.epsilon
        self.statuses[trial.status] += 1
        if trial.status in (Status.COMPLETED, Status.KNOWN) and trial.reward is not None:
            self.iteration_rewards.append(trial.reward)
        if trial.status is Status.COMPLETED and (
            self.best is None or (trial.reward or 0.0) > (self.best.reward or 0.0)
        ):
            self.best = trial


class _Counting:
    """What both ways of showing progress share."""

    def __init__(
        self, stream: TextIO, estimate: Estimate, now: Callable[[], float] = time.monotonic
    ):
        """Begins to count.

        Args:
            stream: where to write.
            estimate: of how much is left; it is told of the same trials.
            now: the time in seconds.
        """
        self._stream, self._estimate = stream, estimate
        self._now = now
        self._start = self._written = now()
        self._unwritten = False
        self._counts = _Counts()

    def history(self, trial: Trial) -> None:
        """See `Progress.history`."""
        self._counts.add(trial)
        self._estimate.history(trial)

    def _add(self, trial: Trial) -> None:
        self._counts.add(trial)
        self._estimate.finished(trial)
        self._unwritten = True

    def _line(self, width: int | None = None) -> str:
        """The state of the search in words; the least important go first if it is too wide."""
        parts = self._parts()
        by_importance = sorted(parts, key=lambda part: part[0], reverse=True)
        for part in by_importance:
            if width is None or len("  ".join(text for _, text in parts)) <= width:
                break
            parts.remove(part)
        return "  ".join(text for _, text in parts)

    def _parts(self) -> list[tuple[int, str]]:
        """What there is to say, each with its rank of importance, 0 the most important."""
        counts = self._counts
        rewards = counts.iteration_rewards
        mean = sum(rewards) / len(rewards) if rewards else None
        elapsed = self._now() - self._start
        parts = [
            (0, self._estimate.place(counts.iteration)),
            (5, f"epsilon {counts.epsilon:g}"),
            (3, f"trained {counts.statuses[Status.COMPLETED]}"),
            (7, f"known {counts.statuses[Status.KNOWN]}"),
            (8, f"infeasible {counts.statuses[Status.INFEASIBLE]}"),
            (6, f"failed {counts.statuses[Status.FAILED]}"),
            (4, f"mean reward {number(mean)}"),
        ]
        if counts.best is not None:
            parts.append((1, f"best {number(counts.best.reward)} (#{counts.best.number})"))
        parts.append((9, f"{duration(elapsed)} so far"))
        left = self._estimate.seconds_left
        if left:
            parts.append((2, f"{duration(left)} left"))
        return parts


class PlainProgress(_Counting):
    """A line for each iteration, and for each minute of long ones, for logs and pipes."""

    _INTERVAL_SECONDS = 60.0

    def say(self, line: str) -> None:
        """Writes a line in between."""
        print(line, file=self._stream, flush=True)

    def finished(self, trial: Trial) -> None:
        """See `Progress.finished`."""
        if self._unwritten and self._counts.iteration != trial.iteration:
            self._write()
        self._add(trial)
        if self._now() - self._written >= self._INTERVAL_SECONDS:
            self._write()

    def close(self) -> None:
        """See `Progress.close`."""
        if self._unwritten:
            self._write()

    def _write(self) -> None:
        self._written, self._unwritten = self._now(), False
        print(self._line(), file=self._stream, flush=True)


class TerminalProgress(_Counting):
    """One line that is rewritten after each trial, and a line for each iteration."""

    _INTERVAL_SECONDS = 0.1
    _shown = -math.inf

    def say(self, line: str) -> None:
        """Writes a line in between, in the place of the one that is rewritten."""
        self._stream.write(f"\r\x1b[2K{line}\n")
        self._shown = -math.inf

    def finished(self, trial: Trial) -> None:
        """See `Progress.finished`."""
        if self._counts.iteration not in (0, trial.iteration):
            self._rewrite("\n")
        self._add(trial)
        now = self._now()
        if now - self._shown >= self._INTERVAL_SECONDS:
            self._shown = now
            self._rewrite("")

    def close(self) -> None:
        """See `Progress.close`."""
        if self._counts.iteration:
            self._rewrite("\n")

    def _rewrite(self, end: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r\x1b[2K" + self._line(width) + end)
        self._stream.flush()


def make_progress(stream: TextIO, estimate: Estimate) -> PlainProgress | TerminalProgress:
    """Chooses the way to show progress that fits a stream.

    Args:
        stream: where to write.
        estimate: of how much is left.

    Returns:
        A listener.
    """
    kind = TerminalProgress if stream.isatty() else PlainProgress
    return kind(stream, estimate)
