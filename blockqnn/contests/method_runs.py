"""One search of a method in a directory of its own: carried out, continued, read."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TextIO

from blockqnn.agents.cpu_device import share_platforms
from blockqnn.contests import metered
from blockqnn.contests.metered import MeteredExecutor, Spent, by_kind, read_spent
from blockqnn.contests.shared_banks import BankSharingExecutor, bank_digest
from blockqnn.errors import INTERRUPTED, UserError
from blockqnn.evaluation.contract import DRY
from blockqnn.evaluation.recorded import checked_facts, data_as_recorded
from blockqnn.finals.command import FinalsSettings, finals
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import write
from blockqnn.runs import run_directory
from blockqnn.runs.rounds import Round
from blockqnn.runs.run_record import RunRecord, read_run
from blockqnn.runs.spending import none_trained
from blockqnn.runs.whole_file import write_whole
from blockqnn.searching.command import run_search
from blockqnn.searching.loop import Search
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.trial import Status, Trial
from blockqnn.workers.choice import banks_of, make_executor
from blockqnn.workers.contract import INLINE, Executor
from blockqnn.workers.state import WorkerState

FINALS = "finals"
"""A kind of cost besides those of `metered`."""
ENDED = "contest.json"
"""A file that says how far a search was meant to go when it ended."""
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


@dataclasses.dataclass(frozen=True)
class Choice:
    """A design that a method would take, and by what.

    Attributes:
        code: as text.
        validation: accuracy in percent, or score by shared weights, on validation images.
        reference: of its trial, as RUN_DIR#NUMBER; empty for a design of no run.
        judged: its accuracy in percent by a judge; None where that is not known yet.
    """

    code: str
    validation: float
    reference: str = ""
    judged: float | None = None


@dataclasses.dataclass(frozen=True)
class Step:
    """A design that was evaluated by itself.

    Attributes:
        evaluations: up to and with it.
        seconds: of a device until its end, all in all.
        reward: by which the method chooses.
        choice: the design.
        parameters: of its network; 0 where nobody knows.
    """

    evaluations: int
    seconds: float
    reward: float
    choice: Choice
    parameters: int = 0


@dataclasses.dataclass(frozen=True)
class MethodRun:
    """A search that has come to its end.

    Attributes:
        title: of the method.
        seed: of the search.
        steps: by the number of evaluations; none for a method that evaluates nothing by itself.
        last: what it came to, the winner of its finals if it has played any.
        early: what it came to before them.
        costs: seconds by kind.
        compiling: seconds of compilers, which are no part of the cost.
        whole: whether nothing can be said of it before its end.
    """

    title: str
    seed: int
    steps: tuple[Step, ...]
    last: Choice
    early: Choice
    costs: Mapping[str, float]
    compiling: float
    whole: bool

    @property
    def seconds(self) -> float:
        """Of one device, all in all."""
        return math.fsum(self.costs.values())

    @property
    def searched_seconds(self) -> float:
        """The same without the finals."""
        return self.seconds - self.costs.get(FINALS, 0.0)

    def after_evaluations(self, count: int) -> Choice | None:
        """What it had chosen after a number of evaluations; None without any."""
        return _best(step for step in self.steps if step.evaluations <= count)

    def after_seconds(self, seconds: float) -> Choice | None:
        """What it had chosen, before finals, after seconds of a device; None if nothing yet."""
        if self.whole:
            return self.early if self.searched_seconds <= seconds else None
        return _best(step for step in self.steps if step.seconds <= seconds)


def _best(steps: Iterator[Step]) -> Choice | None:
    found = max(steps, key=lambda step: (step.reward, -step.evaluations), default=None)
    return found.choice if found else None


def directory_of(out_dir: pathlib.Path, title: str, seed: int) -> pathlib.Path:
    """Where the search of a method is."""
    return out_dir / "runs" / f"{re.sub(r'[^A-Za-z0-9_.=-]+', '-', title)}-{seed}"


def has_ended(run: RunSettings, goal: Goal) -> bool:
    """Whether a search has come to its end in an earlier process.

    Args:
        run: how and where.
        goal: how far it shall go.

    Returns:
        True where nothing is left.

    Raises:
        UserError: if the directory has a search by other flags.
    """
    path = run.run_dir / ENDED
    if not path.exists():
        return False
    record = read_run(run.run_dir)
    facts = {"data": record.data, "table": record.table}
    known = run_directory.known_by_content(facts)
    now = {name: v for name, v in run.flag_values.items() if name not in known}
    run_directory.check_same_search(record.flags, now, run.run_dir)
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
        facts = {"layout": settings.layout.as_json(), "dry": settings.evaluator == DRY, **sources}
        run_directory.record(store, run, facts)
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


def read_method_run(title: str, seed: int, run_dir: pathlib.Path, whole: bool) -> MethodRun:
    """What came of a search.

    Args:
        title: of the method.
        seed: of the search.
        run_dir: where it is.
        whole: whether it is one by a supernet.

    Returns:
        The search.

    Raises:
        UserError: if it cannot be read.
    """
    record = read_run(run_dir)
    spent = read_spent(run_dir / metered.FILE_NAME)
    costs = dict(by_kind(spent))
    if record.finals is not None:
        costs[FINALS] = math.fsum(t.train_seconds for t in record.finals.trainings)
    steps = () if whole else _steps(record, spent)
    last, early = record.best(1)[0], record.by_reward[0]
    compiling = math.fsum(each.compiling for each in spent)
    return MethodRun(
        title, seed, steps, _choice(record, last), _choice(record, early), costs, compiling, whole
    )


def _choice(record: RunRecord, trial: Trial) -> Choice:
    code: Code = trial.code
    return Choice(write(code), trial.accuracy or 0.0, f"{record.path}#{trial.number}")


def _steps(record: RunRecord, spent: Sequence[Spent]) -> tuple[Step, ...]:
    ends: dict[int, float] = {}
    so_far = 0.0
    for each in spent:
        so_far += each.seconds
        if each.kind == metered.CHILD:
            ends[each.number] = so_far
    trained = [trial for trial in record.trials if trial.status is Status.COMPLETED]
    return tuple(
        Step(
            place,
            ends.get(trial.number, so_far),
            trial.reward or 0.0,
            _choice(record, trial),
            trial.parameters,
        )
        for place, trial in enumerate(trained, start=1)
    )


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
        found = trial.reason or f"accuracy {trial.accuracy} %"
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
