"""Shares and how sure one can be of them, since a few best blocks are a small sample."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

_Z = 1.959964
"""Quantile of the normal distribution for 95 % between both ends."""


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """The interval of 95 % for a share, by Wilson, JASA 22, 1927.

    Args:
        count: how often it was so.
        total: of how many, at least one.

    Returns:
        Lower and upper bound of the share, from 0 to 1.
    """
    share = count / total
    spread = _Z * math.sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    middle = share + _Z**2 / (2 * total)
    scale = 1 + _Z**2 / total
    low = 0.0 if count == 0 else max(0.0, (middle - spread) / scale)
    high = 1.0 if count == total else min(1.0, (middle + spread) / scale)
    return low, high


def pooled_t_widths(samples: Sequence[Sequence[float]]) -> list[float | None]:
    """Half the 95 % interval of each mean, by Student's t.

    The deviation is pooled over the samples: of two or three values each, their own
    deviations say next to nothing.

    Args:
        samples: of which the values of each deviate alike.

    Returns:
        Half the interval of each; None where no sample has two values.
    """
    # The distribution itself, in scipy.stats, takes far longer to import.
    from scipy.special import stdtrit

    freedom = sum(len(sample) - 1 for sample in samples)
    if not freedom:
        return [None] * len(samples)
    squares = math.fsum(
        (value - statistics.fmean(sample)) ** 2 for sample in samples for value in sample
    )
    deviation = math.sqrt(squares / freedom)
    quantile = float(stdtrit(freedom, 0.975))
    return [quantile * deviation / math.sqrt(len(sample)) for sample in samples]


def fisher_p_value(count: int, total: int, other_count: int, other_total: int) -> float:
    """Fisher's exact test, two-sided, of whether two shares differ.

    Args:
        count: in the first sample.
        total: of the first sample.
        other_count: in the second sample.
        other_total: of the second sample.

    Returns:
        The probability, were the shares equal, of a table as improbable as
        this one or more so, with the sums of rows and columns as they are.
    """
    successes, everything = count + other_count, total + other_total

    def logarithm(first: int) -> float:
        return (
            _log_choose(successes, first)
            + _log_choose(everything - successes, total - first)
            - _log_choose(everything, total)
        )

    possible = range(max(0, total - (everything - successes)), min(total, successes) + 1)
    here = logarithm(count)
    # Equal probabilities differ in their last digits.
    chances = [math.exp(p) for p in map(logarithm, possible) if p <= here + 1e-9]
    return min(1.0, math.fsum(chances))


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects p-values for their number, by Holm, Scandinavian Journal of Statistics 6, 1979.

    Args:
        p_values: of as many tests.

    Returns:
        The corrected ones, in the same order.
    """
    corrected = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = least
    return corrected


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
