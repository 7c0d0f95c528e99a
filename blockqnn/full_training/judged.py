"""What a finished training was judged on, and how it did there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from blockqnn.full_training.settings import TEST
from blockqnn.measure import ACCURACY, PERPLEXITY, Measure


@dataclasses.dataclass(frozen=True)
class Judged:
    """How a training did.

    Attributes:
        on: `test`, `validation` or `held_out`.
        kept: the number that judges, as trials keep it; see `blockqnn.measure`.
        measure: how that is written.
    """

    on: str
    kept: float
    measure: Measure


def judged(result: Mapping[str, Any]) -> Judged | None:
    """What a training was judged on.

    Args:
        result: the object in its `result.json`, of images or of words.

    Returns:
        How it did there; None where it was measured on nothing.
    """
    # Trainings of words and of earlier versions do not say: the test alone judged them.
    on = str(result.get("judged_on", TEST))
    figures = result.get(on)
    if not figures:
        return None
    if "perplexity" in figures:
        return Judged(on, 100 / float(figures["perplexity"]), PERPLEXITY)
    return Judged(on, 100 - float(figures["error"]), ACCURACY)
