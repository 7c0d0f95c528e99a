"""What TensorBoard is told of the epochs of a mixture, by tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blockqnn.runs.mixtures import part_of
from blockqnn.runs.supernet_record import WHOLE

_FIGURES = ("loss", "accuracy", "derived_accuracy", "eigenvalue", "none")
_PREFIX = "mixture/"


def epoch_scalars(record: Mapping[str, Any]) -> dict[str, float]:
    """What is plotted of an epoch.

    Args:
        record: what the epoch found, as the store has it.

    Returns:
        Value by tag: loss and accuracies of the mixture and of the derived cell with its weights,
        the eigenvalue, on how many edges `none` is first, the mean entropy of an edge's shares in
        nats, and how many skip connections, pools and convolutions each kind of cell has. Tags of
        a part have its name.
    """
    part = part_of(record)
    prefix = _PREFIX if part == WHOLE else f"{_PREFIX}{part}/"
    found = {
        f"{prefix}{name}": float(record[name]) for name in _FIGURES if record.get(name) is not None
    }
    entropies = list(record.get("entropy", {}).values())
    if entropies:
        found[f"{prefix}entropy"] = sum(entropies) / len(entropies)
    for cell, counts in record.get("tally", {}).items():
        for what, count in counts.items():
            found[f"{prefix}{cell}/{what}"] = float(count)
    return found
