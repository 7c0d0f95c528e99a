"""Many contests at once: agents x budgets x seeds, in processes, on a file that continues."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import multiprocessing
import os
import pathlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, Protocol, TypeVar

from blockqnn.contests.contest import Played, play
from blockqnn.contests.contestants import Contestant, parse_contestant
from blockqnn.errors import UserError
from blockqnn.evaluation.table import AccuracyTable
from blockqnn.runs.run_directory import flag_then

FILE_NAME = "contests.jsonl"
_SEEDS_OF_A_TASK = 10

Key = tuple[str, int, int]
"""Contestant by title, budget, seed."""


def wanted_runs(contestants: Sequence[Contestant], budgets: Sequence[int], seeds: int) -> list[Key]:
    """The runs that a tournament consists of.

    Args:
        contestants: who plays.
        budgets: evaluations.
        seeds: how many runs of each.

    Returns:
        A run for each budget where the settings depend on it; else one of the
        largest, from which the smaller ones are read off.
    """
    return [
        (contestant.title, budget, seed)
        for contestant in contestants
        for budget in (sorted(budgets) if contestant.is_sized else [max(budgets)])
        for seed in range(seeds)
    ]


class Run(Protocol):
    """Whatever came of a run."""

    @property
    def contestant(self) -> str:
        """Who played, by title."""

    @property
    def budget(self) -> int:
        """Evaluations that it was sized to."""

    @property
    def seed(self) -> int:
        """Of the agent."""


R = TypeVar("R", bound=Run)


class Results(Generic[R]):
    """The runs that have ended, in a file with a line for each."""

    def __init__(
        self,
        directory: pathlib.Path,
        identity: dict[str, Any],
        encode: Callable[[R], dict[str, Any]],
        decode: Callable[[dict[str, Any]], R],
    ):
        """Opens the file of a tournament, and creates it if need be.

        Args:
            directory: which holds it.
            identity: what all its runs have in common, by flag.
            encode: makes JSON of a run.
            decode: makes a run of that; raises TypeError, ValueError or
                KeyError if it is none.

        Raises:
            UserError: if it cannot be used, or belongs to another tournament.
        """
        self._path = directory / FILE_NAME
        self._encode, self._decode = encode, decode
        self._is_new = False
        self.runs: dict[Key, R] = {}
        self._made = [part for part in (directory, *directory.parents) if not part.exists()]
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            _remove_empty(self._made)
            raise UserError(f"--out_dir {directory} cannot be used: {error.strerror}.") from error
        try:
            self._read(identity)
        except BaseException:
            self.close()
            raise

    def add(self, runs: Sequence[R]) -> None:
        """Keeps runs that have ended."""
        for run in runs:
            self.runs[run.contestant, run.budget, run.seed] = run
            self._file.write(json.dumps(self._encode(run)) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file; one that holds no run is removed, and so is a directory made for it."""
        self._file.close()
        if not self.runs and self._is_new:
            self._path.unlink(missing_ok=True)
            # Logs of workers that had nothing to say; what they did say is kept.
            for log in self._path.parent.glob("worker-*.log"):
                if self._made and not log.stat().st_size:
                    log.unlink()
            _remove_empty(self._made)

    def _read(self, identity: dict[str, Any]) -> None:
        self._file.seek(0)
        text = self._file.read()
        whole, separator, torn = text.rpartition("\n")
        if torn:
            # A process that was killed as it wrote leaves half a line, which is run again.
            self._file.truncate(len((whole + separator).encode()))
        lines = whole.split("\n") if whole else []
        if not lines:
            self._is_new = True
            self._file.write(json.dumps(identity) + "\n")
            self._file.flush()
            return
        try:
            before = dict(json.loads(lines[0]))
            found = [self._decode(json.loads(line)) for line in lines[1:]]
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{self._path} is no file of contests; name another --out_dir.") from (
                error
            )
        for name, value in identity.items():
            old = flag_then(before, name, default=None)
            if old != value:
                raise UserError(
                    f"{self._path} was begun with --{name}={old}; given is --{name}={value}. Give "
                    "the old value, or another --out_dir."
                )
        self.runs = {(run.contestant, run.budget, run.seed): run for run in found}


def _remove_empty(directories: Sequence[pathlib.Path]) -> None:
    """Removes directories, the innermost first, up to one that holds anything."""
    for directory in directories:
        try:
            directory.rmdir()
        except OSError:
            return


def carry_out(
    missing: Sequence[Key],
    space: str,
    path: str,
    columns: tuple[str, str],
    workers: int,
) -> Iterator[list[Played]]:
    """Plays runs in processes.

    Args:
        missing: the runs.
        space: name of the search space.
        path: of the table.
        columns: of the search and of the judge.
        workers: processes.

    Yields:
        Runs that have ended, some at a time, in any order.
    """
    groups: dict[tuple[str, int], list[int]] = {}
    for title, budget, seed in missing:
        groups.setdefault((title, budget), []).append(seed)
    tasks = [
        (title, budget, seeds[start : start + _SEEDS_OF_A_TASK])
        for (title, budget), seeds in groups.items()
        for start in range(0, len(seeds), _SEEDS_OF_A_TASK)
    ]
    with concurrent.futures.ProcessPoolExecutor(
        max(1, min(workers, len(tasks))),
        # What was forked would share the lock of whatever the parent was doing.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(space, path, columns),
    ) as pool:
        futures = [pool.submit(_play, *task) for task in tasks]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise UserError(
                "A process of the contest was ended from outside; the same command continues."
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def table_digest(path: str) -> str:
    """Sixteen hexadecimal digits that tell one table from another."""
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()[:16]


_shared: dict[str, Any] = {}
"""What all tasks of a process use."""


def _begin(space: str, path: str, columns: tuple[str, str]) -> None:
    # Ctrl-C is for the parent, which ends its processes; and none outlives a parent that is killed.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _shared.update(space=space, table=AccuracyTable(path, columns, space))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "this runs in a process of the pool"
    parent.join()
    os._exit(1)


def _play(title: str, budget: int, seeds: list[int]) -> list[Played]:
    contestant = parse_contestant(title)
    return [play(contestant, _shared["space"], _shared["table"], budget, seed) for seed in seeds]
