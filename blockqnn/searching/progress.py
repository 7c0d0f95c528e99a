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
        self,
        stream: TextIO,
        iterations: int,
        blocks_per_iteration: int,
        now: Callable[[], float] = time.monotonic,
    ):
        """Begins to count.

        Args:
            stream: where to write.
            iterations: of the whole search.
            blocks_per_iteration: trials of an iteration, infeasible ones not counted.
            now: the time in seconds.
        """
        self._stream, self._iterations = stream, iterations
        self._blocks_per_iteration = blocks_per_iteration
        self._now = now
        self._start = now()
        self._counts = _Counts()
        self._before = 0

    def history(self, trial: Trial) -> None:
        """See `Progress.history`."""
        self._counts.add(trial)
        self._before += trial.status is not Status.INFEASIBLE

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
        blocks = sum(counts.statuses.values()) - counts.statuses[Status.INFEASIBLE]
        rewards = counts.iteration_rewards
        mean = sum(rewards) / len(rewards) if rewards else None
        elapsed = self._now() - self._start
        parts = [
            (0, f"iteration {counts.iteration}/{self._iterations}"),
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
        done = blocks - self._before
        left = self._iterations * self._blocks_per_iteration - blocks
        if done > 0 and left > 0:
            parts.append((2, f"{duration(elapsed / done * left)} left"))
        return parts


class PlainProgress(_Counting):
    """A line for each iteration, for logs and pipes."""

    def finished(self, trial: Trial) -> None:
        """See `Progress.finished`."""
        if self._counts.iteration not in (0, trial.iteration):
            self._write()
        self._counts.add(trial)

    def close(self) -> None:
        """See `Progress.close`."""
        if self._counts.iteration:
            self._write()

    def _write(self) -> None:
        print(self._line(), file=self._stream, flush=True)


class TerminalProgress(_Counting):
    """One line that is rewritten after each trial, and a line for each iteration."""

    _INTERVAL_SECONDS = 0.1
    _shown = -math.inf

    def finished(self, trial: Trial) -> None:
        """See `Progress.finished`."""
        if self._counts.iteration not in (0, trial.iteration):
            self._rewrite("\n")
        self._counts.add(trial)
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


def make_progress(stream: TextIO, iterations: int, blocks_per_iteration: int) -> Progress:
    """Chooses the way to show progress that fits a stream.

    Args:
        stream: where to write.
        iterations: of the whole search.
        blocks_per_iteration: trials of an iteration, infeasible ones not counted.

    Returns:
        A listener.
    """
    kind = TerminalProgress if stream.isatty() else PlainProgress
    return kind(stream, iterations, blocks_per_iteration)
