"""The training of a run's supernet, as its store and its status file keep it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

EPOCHS = "supernet"
"""The fact in a store: the epochs that have ended, in order."""
PLAN = "supernet_plan"
"""The fact in a store: by the name of each bank the epochs that it shall have."""
SPLITS = "supernet_splits"
"""The fact in a store: by the name of a bank the edge that it was split along, and its groups."""
WHOLE, CONTROL = "whole", "control"
"""Names of banks: that of all designs, and the one that is trained on without a split for as long
as all parts together."""
CHECK = "shared_check"
"""The fact in a store: for the number of each trial what its own training came to."""


@dataclasses.dataclass(frozen=True)
class EpochEnded:
    """An epoch of a bank, as whoever watches is told of it.

    Attributes:
        part: name of the bank.
        epoch: from 1.
        epochs: of its training.
        loss: mean over its steps.
        seconds: that a worker took.
        images: that were trained on; or words.
        done: epochs of all banks that have ended.
        total: that all banks will have.
        all_seconds: of all these epochs.
        all_images: likewise.
        reward: mean of the scores from which the agent learned after it, of 1; None without.
        agent: the agent's statistics then, by name.
        examples: what images are, in a word.
    """

    part: str
    epoch: int
    epochs: int
    loss: float
    seconds: float
    images: int
    done: int
    total: int
    all_seconds: float = 0.0
    all_images: int = 0
    reward: float | None = None
    agent: Mapping[str, float] = dataclasses.field(default_factory=dict)
    examples: str = "images"

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> EpochEnded:
        """The epoch that JSON holds.

        Raises:
            ValueError, TypeError, LookupError: if it holds none.
        """
        reward = fields["reward"]
        return cls(
            part=str(fields["part"]),
            epoch=int(fields["epoch"]),
            epochs=int(fields["epochs"]),
            loss=_finite(fields["loss"]),
            seconds=_finite(fields["seconds"]),
            images=int(fields["images"]),
            done=int(fields["done"]),
            total=int(fields["total"]),
            all_seconds=_finite(fields["all_seconds"]),
            all_images=int(fields["all_images"]),
            reward=None if reward is None else _finite(reward),
            examples=str(fields.get("examples", "images")),
        )


@dataclasses.dataclass(frozen=True)
class Epoch:
    """An epoch of a bank in the store; see `EpochEnded`.

    Attributes:
        part: name of the bank.
        loss: mean over its steps.
        seconds: that a worker took.
        images: that were trained on.
        reward: mean of the scores from which the agent learned after it, of 1; None without.
        agent: the agent's statistics then, by name.
    """

    part: str
    loss: float
    seconds: float
    images: int
    reward: float | None
    agent: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class SupernetRecord:
    """How the supernet of a run was trained.

    Attributes:
        epochs: that have ended, in order.
        plan: by the name of each bank the epochs that it shall have; empty in stores of
            earlier versions.
        splits: by the name of a bank that was split by gradients the edge, and its operations in
            groups.
        own: by the number of a trial the accuracy in percent of the same design with weights of
            its own, where that was trained to check the scores; None where it failed.
    """

    epochs: Sequence[Epoch]
    plan: Mapping[str, int]
    splits: Mapping[str, tuple[str, tuple[tuple[str, ...], ...]]]
    own: Mapping[int, float | None]

    @property
    def parts(self) -> list[str]:
        """The names of the banks, in the order in which they were begun or are planned."""
        return list(dict.fromkeys([*self.plan, *(epoch.part for epoch in self.epochs)]))

    @property
    def total(self) -> int:
        """Epochs of all banks, as far as that is known."""
        return max(sum(self.plan.values()), len(self.epochs))

    @property
    def seconds(self) -> float:
        """Of workers, in all."""
        return math.fsum(epoch.seconds for epoch in self.epochs)

    @property
    def images(self) -> int:
        """That were trained on, in all."""
        return sum(epoch.images for epoch in self.epochs)

    def of(self, part: str) -> list[Epoch]:
        """The epochs of a bank that have ended."""
        return [epoch for epoch in self.epochs if epoch.part == part]


def supernet_from_facts(facts: Mapping[str, Any]) -> SupernetRecord | None:
    """The supernet of a run, from what its store says.

    Args:
        facts: of the store.

    Returns:
        It; None where none was begun.

    Raises:
        TypeError, KeyError, ValueError: if the facts are none.
    """
    if EPOCHS not in facts and PLAN not in facts:
        return None
    epochs = [
        Epoch(
            str(each["part"]),
            _finite(each["loss"]),
            _finite(each["seconds"]),
            int(each["images"]),
            None if each.get("reward") is None else _finite(each["reward"]),
            {str(name): float(value) for name, value in each.get("agent", {}).items()},
        )
        for each in facts.get(EPOCHS, [])
    ]
    plan = {str(part): int(count) for part, count in facts.get(PLAN, {}).items()}
    own = {
        int(number): None if each["accuracy"] is None else _finite(each["accuracy"])
        for number, each in facts.get(CHECK, {}).items()
    }
    splits = {
        str(name): (str(each["edge"]), tuple(tuple(map(str, group)) for group in each["groups"]))
        for name, each in facts.get(SPLITS, {}).items()
    }
    return SupernetRecord(epochs, plan, splits, own)


def split_words(name: str, edge: str, groups: Sequence[Sequence[str]]) -> str:
    """How a bank was split by gradients, as a sentence."""
    listed = " and ".join(f"({', '.join(group)})" for group in groups)
    return f"By gradients {name} was split along {edge} into {listed}."


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is no finite number")
    return number
