"""Children that have earned their rewards, and what a policy learns of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from blockqnn.agents.stored_arrays import as_text, from_text

if TYPE_CHECKING:
    from blockqnn.agents.policy_updates import Batch


@dataclasses.dataclass(frozen=True)
class Rewarded:
    """A child that waits for the update that it is part of.

    Attributes:
        numbers: int32 [T], its decisions.
        old: float32 [T], the logarithms of their probabilities when they were drawn.
        update: how often the policy had been updated then.
        reward: R.
    """

    numbers: np.ndarray
    old: np.ndarray
    update: int
    reward: float

    def as_state(self) -> list[Any]:
        """It as JSON can hold it."""
        return [self.numbers.tolist(), as_text(self.old), self.update, self.reward]

    @classmethod
    def of_state(cls, numbers: list[int], old: str, update: int, reward: float) -> Rewarded:
        """The child that `as_state` wrote."""
        return cls(np.array(numbers, np.int32), from_text(old), int(update), float(reward))


def moving_average(baseline: float, rewards: Sequence[float], decay: float) -> float:
    """The baseline after some rewards: `b <- d b + (1 - d) R` for each.

    Args:
        baseline: b before them.
        rewards: R, in order.
        decay: d.

    Returns:
        b after them.
    """
    for reward in rewards:
        baseline = decay * baseline + (1.0 - decay) * reward
    return baseline


def powered(reward: float, exponent: float) -> float:
    """R of a reward: a power of it, with its sign."""
    return math.copysign(abs(reward) ** exponent, reward)


def batch_of(
    children: Sequence[Rewarded], advantages: Sequence[float], parts: Sequence[Sequence[int]]
) -> Batch:
    """Children as an update takes them.

    Args:
        children: of the update.
        advantages: of each, how far its reward is above the baseline.
        parts: which of them each step learns from.

    Returns:
        The batch.
    """
    from blockqnn.agents.policy_updates import Batch

    longest = max(map(len, parts))
    padded = np.zeros((len(parts), longest), np.int32)
    shares = np.zeros((len(parts), longest), np.float32)
    for row, part in enumerate(parts):
        padded[row, : len(part)] = part
        shares[row, : len(part)] = 1.0
    return Batch(
        np.stack([child.numbers for child in children]),
        np.stack([child.old for child in children]),
        np.array(advantages, np.float32),
        padded,
        shares,
    )
