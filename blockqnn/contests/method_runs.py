"""One search of a method in a directory of its own: carried out, continued, read."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

from blockqnn.contests import metered
from blockqnn.contests.metered import Spent, by_kind, read_spent
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import write
from blockqnn.runs.run_record import RunRecord, read_run
from blockqnn.trial import Status, Trial

FINALS = "finals"
"""A kind of cost besides those of `metered`."""


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
        steps: by the number of evaluations, or those of them that were better than all before;
            none for a method that evaluates nothing by itself.
        evaluations: of different designs by themselves.
        last: what it came to, the winner of its finals if it has played any.
        early: what it came to before them.
        costs: seconds by kind.
        compiling: seconds of compilers, which are no part of the cost.
        whole: whether nothing can be said of it before its end.
    """

    title: str
    seed: int
    steps: tuple[Step, ...]
    evaluations: int
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
        title,
        seed,
        steps,
        len(steps),
        _choice(record, last),
        _choice(record, early),
        costs,
        compiling,
        whole,
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
