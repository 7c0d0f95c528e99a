"""The finals of a run: which blocks were trained longer, in which rounds, and who won."""

from __future__ import annotations

import dataclasses
import functools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from blockqnn.listing import counted
from blockqnn.runs.rounds import Round, parse_rounds, write_rounds

FINALS = "finals"
"""The fact in a store: the plan of its finals."""


@dataclasses.dataclass(frozen=True)
class FinalTraining:
    """One training of a block in finals.

    Attributes:
        round: from 1.
        trial: number of the trial that suggested the block.
        seed_index: which of the round's trainings of the block, from 1.
        seed: of its weights and of the order of its images.
        epochs: that it was to have.
        accuracies: validation accuracy after each epoch, in percent.
        reason: why it failed; None if it did not.
        restarts: how often training started again with a lower learning rate.
        compile_seconds: spent on lowering and compiling, perhaps while others trained.
        waiting_seconds: that a device waited for the compiled child.
        train_seconds: spent on all else, evaluation included.
        device: what trained it.
        worker: number of the worker that trained it, from 0.
        finished: when it ended, in seconds since 1970.
    """

    round: int
    trial: int
    seed_index: int
    seed: int
    epochs: int
    accuracies: tuple[float, ...] = ()
    reason: str | None = None
    restarts: int = 0
    compile_seconds: float = 0.0
    waiting_seconds: float = 0.0
    train_seconds: float = 0.0
    device: str | None = None
    worker: int | None = None
    finished: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds that it had a device to itself."""
        return self.waiting_seconds + self.train_seconds


@dataclasses.dataclass(frozen=True)
class FinalsPlan:
    """What finals train.

    Attributes:
        rounds: in order.
        trials: numbers of those that enter, the highest reward first.
        trained: blocks that the search had trained when these were chosen.
        train_examples: most images to train on; 0 for all that are not held out.
        recipe: flags in which their trainings differ from those of the search.
    """

    rounds: tuple[Round, ...]
    trials: tuple[int, ...]
    trained: int
    train_examples: int
    recipe: tuple[str, ...] = ()

    def as_fact(self) -> dict[str, Any]:
        """What a store keeps of it."""
        fact = {
            "rounds": write_rounds(self.rounds),
            "trials": list(self.trials),
            "trained": self.trained,
            "train_examples": self.train_examples,
        }
        return fact | ({"recipe": list(self.recipe)} if self.recipe else {})

    def same_as(self, other: FinalsPlan) -> bool:
        """Whether the same is done with the best blocks, whichever they are."""
        mine, others = (dataclasses.replace(p, trials=(), trained=0) for p in (self, other))
        return mine == others


def plan_from_fact(fact: Mapping[str, Any]) -> FinalsPlan:
    """A plan that a store has.

    Args:
        fact: as `FinalsPlan.as_fact` made it.

    Returns:
        The plan.

    Raises:
        TypeError, KeyError, ValueError: if it is none.
    """
    plan = FinalsPlan(
        parse_rounds(str(fact["rounds"])),
        tuple(map(int, fact["trials"])),
        int(fact["trained"]),
        int(fact["train_examples"]),
        tuple(map(str, fact.get("recipe", ()))),
    )
    if not plan.rounds or not plan.trials:
        raise ValueError("finals without rounds or blocks")
    return plan


@dataclasses.dataclass(frozen=True)
class Result:
    """How a block did in a round.

    Attributes:
        round: from 1.
        trainings: of the block in it, by seed, as many as have ended.
        guessing: accuracy in percent of a network that guesses.
    """

    round: int
    trainings: tuple[FinalTraining, ...]
    guessing: float

    @property
    def accuracies(self) -> list[float]:
        """Validation accuracy after the last epoch of each training; guessing of what failed."""
        return [self.guessing if t.reason else t.accuracies[-1] for t in self.trainings]

    @property
    def mean(self) -> float:
        """What the block is judged by, in percent."""
        return statistics.fmean(self.accuracies)

    @property
    def deviation(self) -> float | None:
        """Standard deviation over the seeds, in points; None of one."""
        return statistics.stdev(self.accuracies) if len(self.trainings) > 1 else None

    @property
    def reasons(self) -> list[str]:
        """Why trainings of it failed."""
        return [training.reason for training in self.trainings if training.reason]


class Finals:
    """A plan, and what has become of it."""

    def __init__(self, plan: FinalsPlan, trainings: Iterable[FinalTraining], guessing: float):
        """Sorts the trainings into rounds.

        Args:
            plan: of the finals.
            trainings: that have ended; those of another plan are left out.
            guessing: accuracy in percent of a network that guesses.
        """
        self.plan, self._guessing = plan, guessing
        self.trainings = list(trainings)
        self._ended = {(t.round, t.trial, t.seed_index): t for t in self.trainings}

    def with_training(self, ended: FinalTraining) -> Finals:
        """The same with one more training."""
        return Finals(self.plan, [*self.trainings, ended], self._guessing)

    @property
    def kept(self) -> int:
        """Trainings of the first round that have ended."""
        return sum(len(self.result(1, trial).trainings) for trial in self.plan.trials)

    def ended_training(self, place: int, trial: int, seed_index: int) -> FinalTraining | None:
        """A training that has ended; None where it has not.

        Args:
            place: of the round, from 1.
            trial: number of the block's trial.
            seed_index: from 1.

        Returns:
            The training, where it had the epochs that the plan has.
        """
        found = self._ended.get((place, trial, seed_index))
        return found if found and found.epochs == self.plan.rounds[place - 1].epochs else None

    def result(self, place: int, trial: int) -> Result:
        """How a block did in a round, as far as it has come."""
        seeds = range(1, self.plan.rounds[place - 1].seeds + 1)
        found = (self.ended_training(place, trial, index) for index in seeds)
        return Result(place, tuple(filter(None, found)), self._guessing)

    def _is_complete(self, place: int, trial: int) -> bool:
        return len(self.result(place, trial).trainings) == self.plan.rounds[place - 1].seeds

    @functools.cached_property
    def orders(self) -> list[list[int]]:
        """Of each round that has ended, its blocks by their trials' numbers, the best first.

        They are ordered by mean accuracy, equals as in the round before.
        """
        found: list[list[int]] = []
        before = list(self.plan.trials)
        for place, one in enumerate(self.plan.rounds, start=1):
            entered = before[: one.blocks]
            if not all(self._is_complete(place, trial) for trial in entered):
                break
            means = {trial: self.result(place, trial).mean for trial in entered}
            before = sorted(entered, key=lambda trial: -means[trial])
            found.append(before)
        return found

    def entered(self, place: int) -> list[int]:
        """The blocks of a round, the best of the round before first.

        Args:
            place: of the round, from 1; the one before has ended.

        Returns:
            Numbers of trials.
        """
        before = self.orders[place - 2] if place > 1 else list(self.plan.trials)
        return before[: self.plan.rounds[place - 1].blocks]

    @property
    def ended(self) -> bool:
        """Whether all rounds have."""
        return len(self.orders) == len(self.plan.rounds)

    @property
    def under_way(self) -> int:
        """The round that has not ended, from 1; the number of rounds where all have."""
        return min(len(self.orders) + 1, len(self.plan.rounds))

    @functools.cached_property
    def ranking(self) -> list[int]:
        """Numbers of the trials, the winner first; empty before the finals have ended.

        Who came into a later round stands before who did not.
        """
        if not self.ended:
            return []
        found: list[int] = []
        for order in reversed(self.orders):
            found += [trial for trial in order if trial not in found]
        return found

    def last_result(self, trial: int) -> Result | None:
        """How a block did in the last ended round that it was in; None where it was in none."""
        for place, order in reversed(list(enumerate(self.orders, start=1))):
            if trial in order:
                return self.result(place, trial)
        return None

    def results(self, trial: int) -> list[Result]:
        """How a block did in each ended round that it was in."""
        places = [place for place, order in enumerate(self.orders, start=1) if trial in order]
        return [self.result(place, trial) for place in places]

    def early_rank(self, trial: int) -> int:
        """The rank by reward with which a block entered, from 1."""
        return self.plan.trials.index(trial) + 1


def stale_words(finals: Finals | None, trained: int) -> str:
    """What to say where blocks were trained after finals.

    Args:
        finals: of a run, or None.
        trained: blocks that the run has trained by now.

    Returns:
        A sentence; empty where there is nothing to say.
    """
    if finals is None or not finals.ended or trained <= finals.plan.trained:
        return ""
    return (
        f"The finals were of {counted(finals.plan.trained, 'block')}; "
        f"{trained - finals.plan.trained:,} more were trained since."
    )


def entrants(ranked: Sequence[tuple[int, str]], most: int) -> tuple[int, ...]:
    """Who enters finals.

    Args:
        ranked: number and hash of each trained trial, the highest reward first.
        most: how many at most.

    Returns:
        Numbers of trials; of those that are one network the first.
    """
    first: dict[str, int] = {}
    for number, design in ranked:
        first.setdefault(design, number)
    return tuple(first.values())[:most]
