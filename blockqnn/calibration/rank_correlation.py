"""How well one ranking agrees with another, and how sure that is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata

Correlation = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From two arrays [..., N] to their correlation [...]; NaN where one is constant."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """A correlation with its bootstrap interval.

    Attributes:
        value: of all pairs of values; NaN where it is not defined.
        low: 2.5th percentile over the resamples.
        high: 97.5th percentile over the resamples.
    """

    value: float
    low: float
    high: float


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's rho: Pearson's correlation of the ranks, ties at their mean rank.

    Args:
        x: [..., N].
        y: [..., N].

    Returns:
        [...], NaN where either is constant.
    """
    a, b = (rankdata(values, axis=-1) for values in (x, y))
    a, b = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (a, b))
    return _ratio((a * b).sum(axis=-1), (a * a).sum(axis=-1), (b * b).sum(axis=-1))


def kendall(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Kendall's tau-b: agreeing pairs less disagreeing ones, corrected for ties.

    Args:
        x: [..., N]; time and memory grow with the square of N.
        y: [..., N].

    Returns:
        [...], NaN where either is constant.
    """
    a, b = (np.sign(v[..., :, None] - v[..., None, :]).astype(np.int8) for v in (x, y))
    axes = (-2, -1)

    def total(products: np.ndarray) -> np.ndarray:
        return products.sum(axis=axes, dtype=np.float64)

    return _ratio(total(a * b), total(a * a), total(b * b))


def bootstrap(
    correlation: Correlation,
    x: np.ndarray,
    y: np.ndarray,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """A correlation with a 95 % interval by the percentile bootstrap over pairs.

    Args:
        correlation: `spearman` or `kendall`.
        x: [N].
        y: [N].
        resamples: how often N pairs are drawn with replacement.
        seed: of the draws.

    Returns:
        The correlation; resamples for which it is not defined are left out.
    """
    drawn = np.random.default_rng(seed).integers(0, len(x), (resamples, len(x)))
    # In pieces: the pairs of pairs of all resamples may not fit into memory.
    pieces = np.array_split(drawn, max(1, drawn.size * len(x) // 10_000_000))
    values = np.concatenate([correlation(x[piece], y[piece]) for piece in pieces])
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, (2.5, 97.5)) if len(values) else (np.nan, np.nan)
    return Interval(float(correlation(x, y)), float(low), float(high))


def _ratio(both: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    defined = (first > 0) & (second > 0)
    return np.where(defined, both / np.sqrt(np.where(defined, first * second, 1.0)), np.nan)
