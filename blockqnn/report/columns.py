"""Trials as columns, in a form that a page of thousands can carry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from blockqnn.networks.spaces.registry import write
from blockqnn.trial import Status, Trial

_WORDS = {Status.COMPLETED: "trained"}
STATUSES = tuple(_WORDS.get(status, status.value) for status in Status)
"""What trials are called, in the order of their kinds."""
_HASH_LETTERS = 12
_PLACES = {status: place for place, status in enumerate(Status)}


def columns(trials: Sequence[Trial]) -> dict[str, list[Any]]:
    """Trials as lists of equal length.

    Args:
        trials: in the order in which the page shall have them.

    Returns:
        By name the values, None where there is none: `status` as an index into
        `STATUSES`, `code` as text, `design`, which is the same for equal ones,
        `accuracies` by epoch of trained blocks alone, since known ones repeat
        them, `filters` as text, and the fields of `Trial`.
    """
    return {
        "number": [trial.number for trial in trials],
        "iteration": [trial.iteration for trial in trials],
        "epsilon": [short(trial.epsilon) for trial in trials],
        "status": [_PLACES[trial.status] for trial in trials],
        "code": [write(trial.code) for trial in trials],
        "design": [trial.hash[:_HASH_LETTERS] for trial in trials],
        "accuracy": [short(trial.accuracy) for trial in trials],
        "reward": [short(trial.measured_reward) for trial in trials],
        "parameters": [short(trial.parameters) for trial in trials],
        "flops": [short(trial.flops) for trial in trials],
        "depth": [trial.depth for trial in trials],
        "density": [short(trial.density) for trial in trials],
        "filters": [trial.filters_text for trial in trials],
        "seconds": [
            short(trial.seconds) if trial.status in (Status.COMPLETED, Status.FAILED) else None
            for trial in trials
        ],
        "reason": [trial.reason for trial in trials],
        "source": [trial.source for trial in trials],
        "accuracies": [
            [short(accuracy) for accuracy in trial.accuracies]
            if trial.status is not Status.KNOWN
            else []
            for trial in trials
        ],
    }


def short(value: float | None) -> float | None:
    """A number as JSON can hold it, with at most six digits; None where it is not finite."""
    # A column of SQLite can hold text whatever its type is called.
    if not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    try:
        number = float(value)
    except OverflowError:  # Widths multiply: counts may be too large for a float.
        return None
    return float(f"{number:.6g}") if math.isfinite(number) else None
