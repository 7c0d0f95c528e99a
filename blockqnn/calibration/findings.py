"""What longer trainings say about early stopping and the reward."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from blockqnn.calibration.rank_correlation import Interval, bootstrap, kendall, spearman
from blockqnn.calibration.reward_fit import LEAST_BLOCKS, fit_reward, held_out_rewards
from blockqnn.reward import corrected_reward
from blockqnn.settings import RewardSettings
from blockqnn.trial import Trial

EARLY, FLOPS, PAPER, OWN, FITTED = (
    "early accuracy",
    "log FLOPs alone",
    "the paper's reward",
    "the run's reward",
    "fitted reward, held out",
)


@dataclasses.dataclass(frozen=True)
class Score:
    """Something to rank blocks by, and how well it does.

    Attributes:
        name: what it is.
        values: [N] for each block, in percent but for log FLOPs.
        spearman: with the final accuracy.
        kendall: with the final accuracy.
    """

    name: str
    values: np.ndarray
    spearman: Interval
    kendall: Interval


@dataclasses.dataclass(frozen=True)
class Findings:
    """What is learned from blocks that were trained for longer.

    Attributes:
        trials: [N] of the search, as it trained them.
        final: [N] validation accuracy after the longer training, in percent.
        scores: by which blocks can be ranked; the fitted reward of each block comes
            from a fit without that block.
        fit: the coefficients that rank all of the blocks best.
    """

    trials: list[Trial]
    final: np.ndarray
    scores: list[Score]
    fit: RewardSettings

    def score(self, name: str) -> Score:
        """The score of that name."""
        return next(score for score in self.scores if score.name == name)


def analyse(trials: Sequence[Trial], final: Sequence[float], own: RewardSettings) -> Findings:
    """Correlates what is known early with what is found late, and fits the reward.

    Args:
        trials: of the search, as it trained them.
        final: for each its validation accuracy after longer training, in percent.
        own: the coefficients of the search.

    Returns:
        The findings.

    Raises:
        ValueError: if there are too few blocks, or all end alike.
    """
    if len(trials) < LEAST_BLOCKS:
        raise ValueError(f"needed are {LEAST_BLOCKS} blocks or more, given are {len(trials)}")
    ends = np.array(final)
    early = np.array([trial.accuracies[-1] for trial in trials])
    log_flops = np.array([math.log(trial.block_flops / 1e6) for trial in trials])
    log_density = np.array([math.log(trial.density) for trial in trials])
    features = (early, log_flops, log_density, ends)
    fit = fit_reward(*features)
    paper = RewardSettings()
    values = {EARLY: early, FLOPS: log_flops, PAPER: _rewards(trials, paper)}
    if own != paper:
        values[OWN] = _rewards(trials, own)
    values[FITTED] = held_out_rewards(*features)
    scores = [
        Score(name, these, bootstrap(spearman, these, ends), bootstrap(kendall, these, ends))
        for name, these in values.items()
    ]
    return Findings(list(trials), ends, scores, fit)


def _rewards(trials: Sequence[Trial], reward: RewardSettings) -> np.ndarray:
    return np.array(
        [
            corrected_reward(trial.accuracies[-1], trial.block_flops, trial.density, reward)
            for trial in trials
        ]
    )
