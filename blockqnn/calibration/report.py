"""Findings as text and as JSON."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from blockqnn.calibration.findings import EARLY, FITTED, Findings
from blockqnn.calibration.rank_correlation import Interval
from blockqnn.listing import number, table
from blockqnn.measure import ACCURACY, measure_of
from blockqnn.networks.spaces.registry import write
from blockqnn.settings import RewardSettings


def in_words(findings: Findings) -> str:
    """The findings for people.

    Args:
        findings: what was found.

    Returns:
        A table of correlations, and the flags to use.
    """
    measure = measure_of(findings.trials[0].code)
    rows = [
        [
            _interval(score.spearman),
            _interval(score.kendall),
            score.name.replace(ACCURACY.name, measure.name),
        ]
        for score in findings.scores
    ]
    lines = [
        f"Rank correlation with the validation {measure.name} after longer training, "
        f"{len(findings.final)} blocks, 95 % bootstrap intervals:",
        table(["Spearman", "Kendall", "of"], rows),
        "",
        f"Flags to use: {as_flags(recommended(findings))}",
    ]
    if not helps(findings):
        lines.append(
            f"Fitted were {as_flags(findings.fit)}, which on blocks that the fit has not seen rank "
            f"no better than the {measure.name} alone."
        )
    return "\n".join(lines)


def as_flags(reward: RewardSettings) -> str:
    """Coefficients as one types them."""
    return f"--mu={reward.mu:.3g} --rho={reward.rho:.3g}"


def recommended(findings: Findings) -> RewardSettings:
    """The fitted coefficients, or none where they do not help."""
    return findings.fit if helps(findings) else RewardSettings(0.0, 0.0)


def helps(findings: Findings) -> bool:
    """Whether the fitted reward ranks blocks that it has not seen better than accuracy does."""
    fitted, early = (findings.score(name).spearman.value for name in (FITTED, EARLY))
    # Where all early accuracies are alike, nothing is worse.
    return fitted > early or math.isnan(early)


def as_json(findings: Findings) -> dict[str, Any]:
    """The findings for programs.

    Args:
        findings: what was found.

    Returns:
        Coefficients, correlations with their intervals, and what is known of each
        block, accuracies and rewards in percent.
    """
    return {
        "mu": findings.fit.mu,
        "rho": findings.fit.rho,
        "helps": helps(findings),
        "recommended": dataclasses.asdict(recommended(findings)),
        "correlations": [
            {
                "score": score.name,
                "spearman": _facts(score.spearman),
                "kendall": _facts(score.kendall),
            }
            for score in findings.scores
        ],
        "blocks": [
            {
                "number": trial.number,
                "code": write(trial.code),
                "final_accuracy": float(final),
                "block_flops": trial.block_flops,
                "density": trial.density,
                "scores": {score.name: float(score.values[place]) for score in findings.scores},
            }
            for place, (trial, final) in enumerate(
                zip(findings.trials, findings.final, strict=True)
            )
        ],
    }


def _interval(found: Interval) -> str:
    if math.isnan(found.value):
        return "-"
    return f"{number(found.value, 3)} [{number(found.low, 2)}, {number(found.high, 2)}]"


def _facts(found: Interval) -> dict[str, float | None]:
    values = {"value": found.value, "low": found.low, "high": found.high}
    return {name: None if math.isnan(value) else value for name, value in values.items()}
