"""How well a model of the rewards would have predicted the blocks of a run."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from agents.predictor import PredictorConfig, held_out_predictions
from blockqnn.run_record import RunRecord
from blockqnn.trial import Status
from networks.designs import NSC, make_space


@dataclasses.dataclass(frozen=True)
class PredictionCheck:
    """Predictions of blocks by what was known before each of them.

    Attributes:
        numbers: of the trials that were predicted.
        predicted: rewards in percent.
        deviations: how unsure the model was, in percent.
        rewards: what they were, in percent.
        spearman: rank correlation of predicted and actual rewards; None where
            either does not vary.
        within_one: share of the rewards within one deviation; 0.68 if errors
            are normal and the deviations right.
        within_two: within two deviations; 0.95 likewise.
    """

    numbers: tuple[int, ...]
    predicted: tuple[float, ...]
    deviations: tuple[float, ...]
    rewards: tuple[float, ...]
    spearman: float | None
    within_one: float
    within_two: float


def check_predictions(run: RunRecord) -> PredictionCheck | None:
    """Predicts each trained block of a run from those before it.

    The blocks of a run with a predictor are those that it liked, so the
    correlation is one among good blocks.

    Args:
        run: whose predictor settings are taken, or else the defaults.

    Returns:
        The check; None where too few blocks have been trained.
    """
    from scipy import stats

    flags = run.flags
    config = PredictorConfig(
        None,
        pool=int(flags.get("predictor_pool", PredictorConfig.pool)),
        after=int(flags.get("predictor_after", PredictorConfig.after)),
    )
    trained = [trial for trial in run.trials if trial.status is Status.COMPLETED]
    space: Any = make_space(flags.get("space", NSC))
    rewards = [trial.reward or 0.0 for trial in trained]
    features = [space.features(trial.code) for trial in trained]
    places, mean, deviation = held_out_predictions(features, rewards, config)
    if len(places) < 3:
        return None
    actual = np.array(rewards)[places]
    varies = np.ptp(actual) > 0 and np.ptp(mean) > 0
    errors = np.abs(actual - mean)
    return PredictionCheck(
        numbers=tuple(trained[place].number for place in places),
        predicted=tuple(mean.tolist()),
        deviations=tuple(deviation.tolist()),
        rewards=tuple(actual.tolist()),
        spearman=float(stats.spearmanr(mean, actual).statistic) if varies else None,
        within_one=float(np.mean(errors <= deviation)),
        within_two=float(np.mean(errors <= 2 * deviation)),
    )
