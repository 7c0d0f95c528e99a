"""The file in which a driver says how its search and its workers are.

It is replaced as a whole every few seconds, so that whoever sees the run
directory can read it without disturbing anyone; the store could not be read
from another machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import pathlib
import platform
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from blockqnn.runs.driver import clock_difference, has_ended, visible_from
from blockqnn.runs.rounds import FinalsProgress, progress_from_json
from blockqnn.runs.supernet_record import EpochEnded
from blockqnn.settings import NO_BUDGET, Budget
from blockqnn.trial import Status, Trial
from blockqnn.workers.pool import WATCH_SECONDS
from blockqnn.workers.state import ChildState, WorkerState

FILE_NAME = "status.json"
SEARCHING, STOPPED, FINISHED, IN_FINALS = "searching", "stopped", "finished", "finals"
_AT_WORK = (SEARCHING, IN_FINALS)
_MISSED = 5
"""A driver that has not written for so many times its interval is silent."""
_WORDS = {"completed": Status.COMPLETED.value}
"""What earlier versions wrote of a status."""
_LARGEST_BYTES = 64_000_000


@dataclasses.dataclass(frozen=True)
class RunStatus:
    """A search at one moment.

    Attributes:
        state: `searching`, `finals`, `stopped` or `finished`.
        node: machine of the driver.
        process: of the driver, on that machine.
        executor: `local`, `ray` or `inline`.
        begun: when the driver began, in seconds since 1970.
        written: when this was written, in seconds since 1970.
        every: seconds between two writings.
        iteration: of the last trial that finished; 0 before the first.
        iterations: of the whole search; 0 where a budget ends it.
        epsilon: of that trial.
        counts: finished trials by status.
        best: number and reward of the best trained trial.
        workers: all of them.
        budget: that ends the search instead of its iterations.
        blocks: that count against the budget.
        searched_seconds: of the whole run.
        seconds_left: to the end, as it is estimated; None where nothing is known of it.
        seen_from: from where `process` is that of the driver; empty in files of
            earlier versions.
        finals: how far they were when the last process of them wrote; None before any.
        supernet: its last epoch that ended while this driver trained it; None before any.
    """

    state: str
    node: str
    process: int
    executor: str
    begun: float
    written: float
    every: float
    iteration: int
    iterations: int
    epsilon: float
    counts: dict[str, int]
    best: tuple[int, float] | None
    workers: tuple[WorkerState, ...]
    budget: Budget = NO_BUDGET
    blocks: int = 0
    searched_seconds: float = 0.0
    seconds_left: float | None = None
    seen_from: str = ""
    finals: FinalsProgress | None = None
    supernet: EpochEnded | None = None

    @property
    def search_state(self) -> str:
        """The state of the search, which has come to its end or a stop where finals go on."""
        return self.finals.search if self.finals and self.state == IN_FINALS else self.state

    @property
    def gone(self) -> bool:
        """Whether the driver ended without a word, which only its own machine can see."""
        return self.state in _AT_WORK and has_ended(self.process, self.begun, self.seen_from)

    @property
    def ahead(self) -> float:
        """Seconds that the driver's clock is ahead of this machine's; 0 if it may be right."""
        return clock_difference(self.written, time.time())

    @property
    def silent(self) -> bool:
        """Whether the driver ought to have written since, by this machine's clock."""
        # One that trains by itself writes when it begins with a child.
        if self.executor == "inline":
            return False
        late = time.time() - self.written > _MISSED * self.every
        return self.state in _AT_WORK and late

    @property
    def alive(self) -> bool:
        """Whether the driver has written lately, by this machine's clock, and may still live."""
        return self.state in _AT_WORK and not self.silent and not self.gone


class Estimated(Protocol):
    """What knows how far a search is; see `blockqnn.searching.estimate.Estimate`."""

    @property
    def blocks(self) -> int:
        """Blocks that count against the budget."""

    @property
    def searched_seconds(self) -> float:
        """For how long the run has been searched."""

    @property
    def seconds_left(self) -> float | None:
        """Until the end."""


class StatusFile:
    """Listens to a search and its executor, and writes what there is to say."""

    def __init__(
        self,
        path: pathlib.Path,
        executor: str,
        iterations: int,
        now: Callable[[], float] = time.time,
        budget: Budget = NO_BUDGET,
    ):
        """Begins to listen.

        Args:
            path: of the file.
            executor: what evaluates.
            iterations: of the whole search; 0 where a budget ends it.
            now: the time in seconds since 1970.
            budget: that ends the search instead.
        """
        self._path, self._now = path, now
        self.estimate: Estimated | None = None
        self.state_at_close = STOPPED
        self._status = RunStatus(
            state=SEARCHING,
            node=platform.node(),
            process=os.getpid(),
            executor=executor,
            begun=now(),
            written=now(),
            every=WATCH_SECONDS,
            iteration=0,
            iterations=iterations,
            epsilon=1.0,
            counts={status.value: 0 for status in Status if status is not Status.RUNNING},
            best=None,
            workers=(),
            budget=budget,
            seen_from=visible_from(),
        )

    def history(self, trial: Trial) -> None:
        """See `blockqnn.searching.progress.Progress.history`."""
        status = self._status
        status.counts[trial.status.value] += 1
        best = status.best
        reward = trial.reward if trial.status is Status.COMPLETED else None
        if reward is not None and (best is None or reward > best[1]):
            best = (trial.number, reward)
        self._status = dataclasses.replace(
            status, iteration=trial.iteration, epsilon=trial.epsilon, best=best
        )

    def finished(self, trial: Trial) -> None:
        """See `blockqnn.searching.progress.Progress.finished`."""
        self.history(trial)

    def epoch_ended(self, epoch: EpochEnded) -> None:
        """Writes how far the training of the supernet is."""
        self._status = dataclasses.replace(self._status, supernet=epoch)
        self._write()

    def workers(self, states: Sequence[WorkerState]) -> None:
        """Writes how the workers are; see `blockqnn.workers.state.Watcher`."""
        self._status = dataclasses.replace(self._status, workers=tuple(states))
        self._write()

    def close(self) -> None:
        """Writes that the driver has ended."""
        self._status = dataclasses.replace(self._status, state=self.state_at_close, workers=())
        self._write()

    def _write(self) -> None:
        if self.estimate is not None:
            self._status = dataclasses.replace(
                self._status,
                blocks=self.estimate.blocks,
                searched_seconds=self.estimate.searched_seconds,
                seconds_left=self.estimate.seconds_left,
            )
        fields = dataclasses.asdict(self._status) | {"written": self._now()}
        unfinished = self._path.with_name(self._path.name + ".new")
        # A full disk stops the search where it matters, at the store.
        with contextlib.suppress(OSError):
            unfinished.write_text(json.dumps(fields), encoding="utf-8")
            unfinished.replace(self._path)


def read_status(path: pathlib.Path) -> RunStatus | None:
    """Reads the file of a run.

    Args:
        path: of the file.

    Returns:
        What it says, or None where there is none that can be understood.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            return None
        return _from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, ArithmeticError, TypeError, LookupError, AttributeError):
        return None
    except RecursionError:
        return None


def _from_json(fields: dict[str, Any]) -> RunStatus:
    best = fields["best"]
    # Older versions had no budget.
    budget = fields.get("budget", {})
    return RunStatus(
        state=str(fields["state"]),
        node=str(fields["node"]),
        process=int(fields["process"]),
        executor=str(fields["executor"]),
        begun=_seconds(fields["begun"]),
        written=_seconds(fields["written"]),
        every=_seconds(fields["every"]),
        iteration=int(fields["iteration"]),
        iterations=int(fields["iterations"]),
        epsilon=_seconds(fields["epsilon"]),
        counts={_WORDS.get(name, str(name)): int(n) for name, n in fields["counts"].items()},
        best=None if best is None else (int(best[0]), _seconds(best[1])),
        workers=tuple(_worker(worker) for worker in fields["workers"]),
        budget=Budget(int(budget.get("max_blocks", 0)), _seconds(budget.get("max_hours", 0.0))),
        blocks=int(fields.get("blocks", 0)),
        searched_seconds=_seconds(fields.get("searched_seconds", 0.0)),
        seconds_left=_optional(_seconds, fields.get("seconds_left")),
        seen_from=str(fields.get("seen_from", "")),
        finals=_optional(progress_from_json, fields.get("finals")),
        supernet=_optional(EpochEnded.from_json, fields.get("supernet")),
    )


def _worker(fields: dict[str, Any]) -> WorkerState:
    return WorkerState(
        number=int(fields["number"]),
        node=str(fields["node"]),
        process=_optional(int, fields["process"]),
        device=str(fields["device"]),
        state=str(fields["state"]),
        since=_seconds(fields["since"]),
        heard=_optional(_seconds, fields["heard"]),
        children=tuple(
            ChildState(int(child["number"]), _optional(_seconds, child["begun"]))
            for child in fields["children"]
        ),
    )


def _optional(kind: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else kind(value)


def _seconds(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is no finite number")
    return number
