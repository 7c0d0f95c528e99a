"""What a trial has earned."""

from __future__ import annotations

from blockqnn.reward import corrected_reward, rewarded_accuracy
from blockqnn.settings import RewardSettings
from blockqnn.trial import Outcome, Status, Trial


def reward_of(
    trial: Trial, outcome: Outcome, settings: RewardSettings, failed: float | None
) -> float | None:
    """The reward of a trial that was evaluated.

    Args:
        trial: what was evaluated.
        outcome: of it.
        settings: coefficients of equation 7, which corrects accuracies and not scores.
        failed: what failure earns.

    Returns:
        The score, or the accuracy that counts, corrected, in percent.
    """
    if outcome.score is not None:
        return outcome.score
    if outcome.status is not Status.COMPLETED:
        return failed
    accuracy = rewarded_accuracy(outcome.accuracies, settings)
    return corrected_reward(accuracy, trial.block_flops, trial.density, settings)
