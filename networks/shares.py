"""The shares that a mixture gives its operations, in float64 and without JAX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Rows = Mapping[str, Any]
"""Arrays by the name of a row."""


def softmax(row: Any) -> np.ndarray:
    """`exp(a_i) / sum_j exp(a_j)`, equation 2 of Liu, Simonyan, Yang, ICLR 2019; float64."""
    numbers = np.asarray(row, np.float64)
    powers = np.exp(numbers - numbers.max())
    return np.asarray(powers / powers.sum())


def shares_of(rows: Rows) -> dict[str, list[float]]:
    """The softmax of each row."""
    return {name: softmax(row).tolist() for name, row in rows.items()}


def entropy(shares: Sequence[float]) -> float:
    """`-sum p ln p` of the shares of a row, in nats."""
    return float(-sum(p * np.log(p) for p in shares if p > 0))
