"""Rank correlations: by hand, against SciPy's, and their bootstrap intervals."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.calibration.rank_correlation import bootstrap, kendall, spearman

NUMBERS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=12)


def test_by_hand():
    x, y = np.array([1.0, 2, 3, 4]), np.array([10.0, 30, 20, 40])
    # Rank differences 0, 1, 1, 0: 1 - 6 * 2 / (4 * 15). One of six pairs disagrees.
    assert spearman(x, y) == pytest.approx(0.8)
    assert kendall(x, y) == pytest.approx(4 / 6)
    assert kendall(x, -y) == pytest.approx(-4 / 6)


@given(NUMBERS)
def test_as_scipy_has_it_with_ties(pairs):
    x, y = np.array(pairs, float).T
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert math.isnan(spearman(x, y))
        assert math.isnan(kendall(x, y))
    else:
        assert spearman(x, y) == pytest.approx(scipy.stats.spearmanr(x, y).statistic)
        assert kendall(x, y) == pytest.approx(scipy.stats.kendalltau(x, y).statistic)


def test_many_at_once_are_each_what_they_are_alone():
    x, y = np.random.default_rng(0).normal(size=(2, 5, 9))
    for correlation in (spearman, kendall):
        alone = [correlation(a, b) for a, b in zip(x, y, strict=True)]
        assert correlation(x, y) == pytest.approx(np.array(alone))


@pytest.mark.parametrize("correlation", [spearman, kendall])
def test_the_interval_covers_the_value_and_narrows_with_more_values(correlation):
    random = np.random.default_rng(0)
    widths = []
    for size in (15, 150):
        x = random.normal(size=size)
        found = bootstrap(correlation, x, x + random.normal(size=size), resamples=300)
        assert -1 <= found.low < found.value < found.high <= 1
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


def test_the_interval_does_not_depend_on_how_resamples_are_cut():
    x, y = np.random.default_rng(0).normal(size=(2, 200))
    found = bootstrap(kendall, x, y, resamples=300)
    drawn = np.random.default_rng(0).integers(0, 200, (300, 200))
    values = [kendall(x[row], y[row]) for row in drawn]
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(values, (2.5, 97.5))))


def test_a_constant_has_no_correlation_and_no_interval():
    found = bootstrap(spearman, np.ones(5), np.arange(5.0))
    assert math.isnan(found.value)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
