"""The reward of a block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from blockqnn.settings import RewardSettings


class RewardTerms(NamedTuple):
    """The three terms of equation 7, in percent; their sum is the reward.

    Attributes:
        accuracy: early-stop validation accuracy.
        flops: `-mu log(FLOPs)`.
        density: `-rho log(Density)`.
    """

    accuracy: float
    flops: float
    density: float


def reward_terms(
    accuracy: float, block_flops: float, density: float, settings: RewardSettings
) -> RewardTerms:
    """Equation 7: `ACC_EarlyStop - mu log(FLOPs) - rho log(Density)`.

    The paper gives neither the unit of FLOPs nor the base of the logarithm nor
    the scale of accuracy; percent is the only scale on which its coefficients
    do not swamp the accuracy. The logarithms are natural.

    Args:
        accuracy: early-stop validation accuracy in percent.
        block_flops: of one block at the first stage, forward, for one image, in
            units; the equation takes them in millions.
        density: edges over nodes of the block's graph.
        settings: mu and rho.

    Returns:
        The terms.
    """
    # Of designs without a network nobody knows FLOPs, and mu is 0.
    flops = -settings.mu * math.log(block_flops / 1e6) if settings.mu else 0.0
    return RewardTerms(accuracy, flops, -settings.rho * math.log(density))


def corrected_reward(
    accuracy: float, block_flops: float, density: float, settings: RewardSettings
) -> float:
    """The reward of a block; see `reward_terms`.

    Args:
        accuracy: early-stop validation accuracy in percent.
        block_flops: of one block at the first stage, forward, for one image, in units.
        density: edges over nodes of the block's graph.
        settings: mu and rho.

    Returns:
        The reward in percent.
    """
    terms = reward_terms(accuracy, block_flops, density, settings)
    return terms.accuracy + terms.flops + terms.density


def rewarded_accuracy(accuracies: Sequence[float], settings: RewardSettings) -> float:
    """The accuracy that a reward is made of.

    Args:
        accuracies: validation accuracy after each epoch, in percent.
        settings: how many of the last count; NAS takes five.

    Returns:
        The highest of these.
    """
    return max(accuracies[-settings.last_epochs :])


def guessing_accuracy(classes: int) -> float:
    """Accuracy of guessing in percent, which is what failure earns."""
    return 100.0 / classes
