"""The reward of a block."""

from __future__ import annotations

import math

from blockqnn.settings import RewardSettings


def corrected_reward(
    accuracy: float, block_flops: float, density: float, settings: RewardSettings
) -> float:
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
        The reward in percent.
    """
    return accuracy - settings.mu * math.log(block_flops / 1e6) - settings.rho * math.log(density)


def guessing_accuracy(classes: int) -> float:
    """Accuracy of guessing in percent, which is what failure earns."""
    return 100.0 / classes
