"""The reward of a block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from blockqnn.settings import RewardSettings

PERPLEXITY_REWARD = 80.0
"""NAS and ENAS reward a language model by so much over its perplexity, or over its square."""


class RewardTerms(NamedTuple):
    """The three terms of equation 7, in percent; their sum is the reward.

    Attributes:
        accuracy: early-stop validation accuracy; of language models 80 / perplexity.
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
    return RewardTerms(
        uncorrected_reward(accuracy, settings),
        # Of designs without a network nobody knows FLOPs, and mu is 0.
        -settings.mu * math.log(block_flops / 1e6) if settings.mu else 0.0,
        -settings.rho * math.log(density),
    )


def of_perplexity(accuracy: float, power: int) -> float:
    """What the perplexity of a language model earns: `80 / perplexity^power`, in percent.

    Power 2 is that of Zoph and Le, ICLR 2017, section 4.2, power 1 that of Pham et al., ICML 2018,
    section 3.1.

    Args:
        accuracy: 100 / perplexity, as it is stored, in percent.
        power: see above.

    Returns:
        The reward in percent: 0.8 for 80 / 100^2.
    """
    return 100.0 * PERPLEXITY_REWARD * float(accuracy / 100.0) ** power


def uncorrected_reward(accuracy: float, settings: RewardSettings) -> float:
    """The first term of a reward: the accuracy, or what a perplexity earns, in percent."""
    power = settings.perplexity_power
    return of_perplexity(accuracy, power) if power else accuracy


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


def guessing_reward(classes: int, settings: RewardSettings) -> float:
    """What failure earns: as much as guessing among classes, or words, uncorrected."""
    return uncorrected_reward(guessing_accuracy(classes), settings)
