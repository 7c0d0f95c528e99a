"""How the search of a method is carried out in a directory of its own, or goes on there."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from blockqnn.agents.cpu_device import share_platforms
from blockqnn.contests import metered
from blockqnn.contests.metered import MeteredExecutor, read_spent
from blockqnn.contests.shared_banks import BankSharingExecutor, bank_digest
from blockqnn.errors import INTERRUPTED, UserError
from blockqnn.evaluation.contract import DRY
from blockqnn.evaluation.recorded import checked_facts, data_as_recorded
from blockqnn.finals.command import FinalsSettings, finals
from blockqnn.measure import measure_of
from blockqnn.runs import run_directory
from blockqnn.runs.rounds import Round
from blockqnn.runs.spending import none_trained
from blockqnn.runs.whole_file import write_whole
from blockqnn.searching.command import run_search
from blockqnn.searching.loop import Search
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.trial import Status, Trial
from blockqnn.workers.choice import banks_of, make_executor
from blockqnn.workers.contract import INLINE, Executor
from blockqnn.workers.state import WorkerState

ENDED = "contest.json"
"""A file that says how far a search was meant to go when it ended."""
BUDGET = "contest_budget"
"""The fact in the store of an agent's run: of how many evaluations; 0 by seconds alone."""
_IDLE_ITERATIONS = 200
"""An agent that suggests nothing new for so long has come to its end."""


@dataclasses.dataclass(frozen=True)
class Goal:
    """How far agents go: until all of it is reached.

    Attributes:
        evaluations: designs that were trained by themselves.
        seconds: of one device, all in all.
    """

    evaluations: int
    seconds: float

    def reached(self, evaluations: int, seconds: float) -> bool:
        """Whether a search has come so far."""
        return evaluations >= self.evaluations and seconds >= self.seconds


def has_ended(run: RunSettings, goal: Goal) -> bool:
    """Whether a search has come to its end in an earlier process.

    Args:
        run: how and where.
        goal: how far it shall go.

    Returns:
        True where nothing is left.
    """
    path = run.run_dir / ENDED
    if not path.exists():
        return False
    before = Goal(**json.loads(path.read_text(encoding="utf-8")))
    return before.evaluations >= goal.evaluations and before.seconds >= goal.seconds


def end(run: RunSettings, goal: Goal) -> None:
    """Writes down that a search has come to its end."""
    write_whole(run.run_dir / ENDED, json.dumps(dataclasses.asdict(goal)).encode())


def play_agent(
    settings: SearchSettings,
    run: RunSettings,
    executor: Executor,
    goal: Goal,
    heard: Callable[[Trial], None] = lambda trial: None,
) -> None:
    """Lets an agent search with children of their own until the goal is reached.

    Args:
        settings: of the search.
        run: how and where.
        executor: evaluates.
        goal: how far.
        heard: is told of each trial that finishes.

    Raises:
        UserError: if the directory belongs to another search, or no design was trained.
    """
    spent = run.run_dir / metered.FILE_NAME
    with run_directory.opened(run) as store:
        before = store.facts()
        settings = dataclasses.replace(settings, data=data_as_recorded(before, settings.data))
        sources = checked_facts(before, settings, f"the run in {run.run_dir}")
        if run.executor == INLINE:
            share_platforms()
        search = Search(settings, settings.make_agent(), store)
        budget = max(goal.evaluations, int(before.get(BUDGET, 0)))
        facts = {"layout": settings.layout.as_json(), "dry": settings.evaluator == DRY, **sources}
        run_directory.record(store, run, {**facts, BUDGET: budget})
        trained = sum(trial.status is Status.COMPLETED for trial in store.trials())
        counting, idle = MeteredExecutor(executor, spent), 0
        while idle < _IDLE_ITERATIONS:
            if goal.reached(trained, sum(each.seconds for each in read_spent(spent))):
                break
            here = 0
            for trial in search.run_iteration(counting):
                heard(trial)
                here += trial.status is Status.COMPLETED
            trained, idle = trained + here, 0 if here else idle + 1
        if not trained:
            raise UserError(f"The run in {run.run_dir} {none_trained(list(store.trials()))}.")


def play_supernet(
    settings: SearchSettings, run: RunSettings, pool: pathlib.Path, stream: TextIO
) -> None:
    """Carries a search by a supernet out, with all that it is made of.

    Args:
        settings: of the search.
        run: how and where.
        pool: of supernets that searches share.
        stream: for what the search says.

    Raises:
        UserError: if it cannot be carried out.
        KeyboardInterrupt: if it was interrupted.
    """

    def make(
        search: SearchSettings, own: RunSettings, watch: Callable[[Sequence[WorkerState]], None]
    ) -> Executor:
        sharing = BankSharingExecutor(
            make_executor(search, own, watch), pool, bank_digest(search), banks_of(own)
        )
        return MeteredExecutor(sharing, own.run_dir / metered.FILE_NAME)

    status = run_search(settings, run, stream, make)
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise UserError(f"The run in {run.run_dir} scored no design.")


def play_finals(
    settings: SearchSettings, run: RunSettings, rounds: tuple[Round, ...], stream: TextIO
) -> None:
    """Plays the finals of a search that has ended, or goes on with them.

    Args:
        settings: of the search.
        run: how and where.
        rounds: of the finals.
        stream: for what they say.

    Raises:
        KeyboardInterrupt: if they were interrupted.
    """
    wanted = FinalsSettings(settings, run, rounds, own_examples=True, after_search=True)
    if finals(wanted, stream) == INTERRUPTED:
        raise KeyboardInterrupt


class Relay:
    """A stream that keeps what a search says in a file, and tells the last line now and then."""

    def __init__(
        self,
        path: pathlib.Path,
        title: str,
        told: TextIO,
        every: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ):
        """Opens the file.

        Args:
            path: of the file, to which is added.
            title: that stands before lines that are told.
            told: stream for these.
            every: seconds between two of them.
            now: the time in seconds.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._title, self._told, self._every, self._now = title, told, every, now
        self._said, self._line = now(), ""

    def write(self, text: str) -> int:
        """Writes to the file, and perhaps tells the last whole line."""
        self._file.write(text)
        *whole, self._line = (self._line + text).split("\n")
        lines = [line.strip() for line in whole if line.strip()]
        if lines and self._now() - self._said >= self._every:
            self._said = self._now()
            print(f"{self._title}: {lines[-1]}", file=self._told, flush=True)
        return len(text)

    def trial(self, trial: Trial) -> None:
        """Writes down a trial that has finished."""
        measure = measure_of(trial.code)
        found = trial.reason or f"{measure.name} {measure.in_words(trial.accuracy)}"
        self.write(f"trial {trial.number} {trial.status}: {found}\n")

    def flush(self) -> None:
        """Writes out what the file holds."""
        self._file.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal; it is none."""
        return False

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    encoding = sys.getdefaultencoding()
