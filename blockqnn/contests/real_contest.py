"""One agent against real children: the search loop itself, up to a number of evaluations."""

from __future__ import annotations

import dataclasses
import itertools
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from blockqnn.contests.contestants import Contestant
from blockqnn.errors import UserError
from blockqnn.runs.spending import none_trained
from blockqnn.runs.store import Store
from blockqnn.searching.loop import Search
from blockqnn.settings import SearchSettings
from blockqnn.trial import Status, Trial
from blockqnn.workers.contract import Executor

_IDLE_ITERATIONS = 200
"""An agent that suggests nothing new for so long has come to its end."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A child that was trained.

    Attributes:
        seconds: that it had a device to itself.
        reward: in percent.
        accuracy: in percent.
    """

    seconds: float
    reward: float
    accuracy: float


@dataclasses.dataclass(frozen=True)
class RealRun:
    """What came of a run.

    Attributes:
        contestant: who played, by title.
        budget: evaluations that it was sized to.
        seed: of the agent and of the children.
        evaluations: of different blocks, in the order of suggestion.
    """

    contestant: str
    budget: int
    seed: int
    evaluations: tuple[Evaluation, ...]

    def best_after(self, count: int) -> Evaluation:
        """The one of the highest reward among the first so many."""
        return max(self.evaluations[: max(1, count)], key=lambda e: e.reward)

    def within(self, seconds: float) -> int:
        """How many evaluations end within a number of seconds."""
        return sum(end <= seconds for end in self._ends())

    @property
    def seconds(self) -> float:
        """Of all evaluations."""
        # Not their sum, which newer Pythons round in another way than `within` adds.
        return list(self._ends())[-1]

    def _ends(self) -> Iterator[float]:
        return itertools.accumulate(evaluation.seconds for evaluation in self.evaluations)


def play_real(
    contestant: Contestant,
    settings: SearchSettings,
    budget: int,
    seed: int,
    executor: Executor,
    heard: Callable[[Trial], None] = lambda trial: None,
) -> RealRun:
    """Lets an agent search with real children.

    The iteration in which the budget is reached is finished, and what goes
    beyond it is left out.

    Args:
        contestant: who plays.
        settings: of the search, without agent, seed and schedule.
        budget: evaluations of different blocks that were trained.
        seed: of the agent and of the children, so that agents with one seed
            train one block to the same accuracy.
        executor: evaluates.
        heard: is told of each trial that finishes.

    Returns:
        What came of it.

    Raises:
        UserError: if no block was trained; says why.
    """
    config = contestant.config(budget, settings)
    settings = dataclasses.replace(
        settings, agent=config, seed=seed, schedule=((1.0, 100 * budget),)
    )
    store = Store.create_or_open(pathlib.Path(":memory:"))
    try:
        search = Search(settings, settings.make_agent(), store)
        trained: list[Trial] = []
        idle = 0
        while len(trained) < budget and idle < _IDLE_ITERATIONS:
            found = []
            for trial in search.run_iteration(executor):
                heard(trial)
                if trial.status is Status.COMPLETED:
                    found.append(trial)
            trained += sorted(found, key=lambda trial: trial.number)
            idle = 0 if found else idle + 1
        if not trained:
            raise UserError(
                f"{contestant.title}, seed {seed}, {none_trained(list(store.trials()))}."
            )
    finally:
        store.close()
    return RealRun(
        contestant.title,
        budget,
        seed,
        tuple(
            Evaluation(trial.seconds, trial.reward or 0.0, trial.accuracy or 0.0)
            for trial in trained[:budget]
        ),
    )


def real_run_as_json(run: RealRun) -> dict[str, Any]:
    """A run as JSON can hold it."""
    return dataclasses.asdict(run) | {
        "evaluations": [dataclasses.astuple(e) for e in run.evaluations]
    }


def real_run_from_json(fields: dict[str, Any]) -> RealRun:
    """The run that `real_run_as_json` wrote.

    Args:
        fields: what it wrote.

    Returns:
        The run.

    Raises:
        TypeError: if it did not write it.
        ValueError: likewise.
        KeyError: likewise.
    """
    evaluations = tuple(Evaluation(*map(float, e)) for e in fields["evaluations"])
    if not evaluations:
        raise ValueError("a run without an evaluation")
    if not all(math.isfinite(number) for e in evaluations for number in dataclasses.astuple(e)):
        raise ValueError("a number that is not finite")
    return RealRun(
        str(fields["contestant"]), int(fields["budget"]), int(fields["seed"]), evaluations
    )
