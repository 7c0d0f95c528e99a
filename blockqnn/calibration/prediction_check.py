"""How well a model of the rewards would have predicted the blocks of a run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from blockqnn.agents.predictor import PredictorConfig, held_out_predictions
from blockqnn.calibration.rank_correlation import Interval, bootstrap, spearman
from blockqnn.networks.spaces.registry import space_named, space_of
from blockqnn.trial import Status, Trial

MOST_BLOCKS = 1000
"""Fits to more take longer than all else that a report says."""


@dataclasses.dataclass(frozen=True)
class PredictionCheck:
    """Predictions of blocks by what was known earlier.

    Attributes:
        numbers: of the trials that were predicted.
        predicted: rewards in percent.
        deviations: how unsure the model was, in percent.
        rewards: what they were, in percent.
        spearman: rank correlation of predicted and actual rewards; NaN where
            either does not vary.
        within_one: share of the rewards within one deviation; 0.68 if errors
            are normal and the deviations right.
        within_two: within two deviations; 0.95 likewise.
        looked_at: trained blocks that were predicted or fitted to, the first
            `MOST_BLOCKS` at most.
        left_out: trained blocks that came later.
    """

    numbers: tuple[int, ...]
    predicted: tuple[float, ...]
    deviations: tuple[float, ...]
    rewards: tuple[float, ...]
    spearman: Interval
    within_one: float
    within_two: float
    looked_at: int
    left_out: int


def check_predictions(
    trials: Sequence[Trial], after: int = PredictorConfig.after
) -> PredictionCheck | None:
    """Predicts trained blocks of a run from those suggested earlier.

    Most blocks of a run with a predictor are those that it liked, so the
    correlation is one among good blocks.

    Args:
        trials: of a run, in order of number.
        after: trained blocks before the first prediction.

    Returns:
        The check; None where too few blocks have been trained, or designs of
        two spaces.
    """
    trained = [t for t in trials if t.status is Status.COMPLETED and _is_number(t.reward)]
    chosen = trained[:MOST_BLOCKS]
    names = {space_of(trial.code).name for trial in chosen}
    if len(chosen) < after + 3 or len(names) > 1:
        return None
    space = space_named(names.pop())
    rewards = [trial.reward or 0.0 for trial in chosen]
    features = [space.features(trial.code) for trial in chosen]
    config = PredictorConfig(None, after=after)
    places, mean, deviation = held_out_predictions(features, rewards, config)
    if len(places) < 3:
        return None
    actual = np.array(rewards)[places]
    errors = np.abs(actual - mean)
    return PredictionCheck(
        numbers=tuple(chosen[place].number for place in places),
        predicted=tuple(mean.tolist()),
        deviations=tuple(deviation.tolist()),
        rewards=tuple(actual.tolist()),
        spearman=bootstrap(spearman, mean, actual),
        within_one=float(np.mean(errors <= deviation)),
        within_two=float(np.mean(errors <= 2 * deviation)),
        looked_at=len(chosen),
        left_out=len(trained) - len(chosen),
    )


def _is_number(reward: float | None) -> bool:
    # A column of SQLite can hold text whatever its type is called.
    return isinstance(reward, int | float) and abs(reward) < math.inf
