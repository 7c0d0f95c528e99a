"""What a store keeps of a mixture that is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blockqnn.runs.supernet_record import WHOLE

EPOCHS = "mixture_epochs"
"""The fact with what each epoch has found."""
DECISIONS = "mixture_decisions"
"""The fact with the choices of a selection by perturbation."""
CHOSEN = "mixture_chosen"
"""The fact with the trial that is the result, and why the training was stopped before its end; of a
mixture that was split also `results`, the last trial of each of its last parts, best first."""
SPLITS = "mixture_splits"
"""The fact with the edge along which a mixture or a part was split by gradients, and its groups, by
the name of what was split."""


def part_of(record: Mapping[str, Any]) -> str:
    """The name of the part, or of the whole, whose epoch a record is of."""
    return str(record.get("part", WHOLE))
