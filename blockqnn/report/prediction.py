"""How well a predictor knows the blocks of a run before they are trained, for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.agents.predictor import FOREST, PredictorConfig
from blockqnn.calibration.prediction_check import PredictionCheck, check_predictions
from blockqnn.report.columns import short
from blockqnn.trial import Trial


def prediction(trials: Sequence[Trial], flags: Mapping[str, str]) -> dict[str, Any] | None:
    """Held-out predictions of the trained blocks.

    Args:
        trials: of a run, in order of number.
        flags: of the run; they say whether it had a predictor itself.

    Returns:
        `numbers` of the trials, `predicted`, `deviations` and `rewards` in
        percent, and `sentences` about them; None where too few blocks have
        been trained.
    """
    had_one = flags.get("predictor") == FOREST
    found = check_predictions(trials, _after(flags) if had_one else PredictorConfig.after)
    if found is None:
        return None
    return {
        "numbers": list(found.numbers),
        "predicted": [short(value) for value in found.predicted],
        "deviations": [short(value) for value in found.deviations],
        "rewards": [short(value) for value in found.rewards],
        "sentences": _sentences(found, had_one),
    }


def _sentences(found: PredictionCheck, had_one: bool) -> list[str]:
    rank = found.spearman
    ranked = (
        "their predictions or their rewards are all the same"
        if math.isnan(rank.value)
        else "Spearman's correlation of predicted and actual rewards is "
        f"{rank.value:.2f} [{rank.low:.2f}, {rank.high:.2f}]"
    )
    sentences = [
        f"{len(found.numbers):,} blocks were predicted by a random forest that was fitted to "
        f"earlier ones: {ranked}.",
        f"{100 * found.within_one:.0f} % of the rewards are within one of the deviations that the "
        f"forest states, {100 * found.within_two:.0f} % within two; 68 % and 95 % would be right.",
    ]
    if found.left_out:
        sentences.append(
            f"These are of the first {found.looked_at:,} trained; {found.left_out:,} came later."
        )
    sentences.append(
        "The search chose by such predictions, so most of these blocks are ones that it liked."
        if had_one
        else "The search was without it; --predictor=forest puts it in front of the training."
    )
    return sentences


def _after(flags: Mapping[str, str]) -> int:
    """How many designs the run's own predictor waited for."""
    try:
        return max(2, int(flags["predictor_after"]))
    except (KeyError, ValueError, TypeError, OverflowError):
        return PredictorConfig.after
