"""Intervals and tests of shares, by tables that others have worked out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.report.statistics import fisher_p_value, holm, wilson_interval


def test_wilson_intervals():
    # Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_fishers_tea():
    # Of eight cups, four with milk first: three of the four that were named are right.
    assert fisher_p_value(3, 4, 1, 4) == pytest.approx(34 / 70)
    assert fisher_p_value(4, 4, 0, 4) == pytest.approx(2 / 70)
    assert fisher_p_value(2, 4, 2, 4) == pytest.approx(1)


def test_fishers_test_where_nothing_can_differ():
    assert fisher_p_value(0, 20, 0, 100) == pytest.approx(1)
    assert fisher_p_value(20, 20, 100, 100) == pytest.approx(1)


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.integers(1, 60), st.integers(1, 400), st.data())
def test_properties(total, other_total, data):
    count = data.draw(st.integers(0, total))
    other = data.draw(st.integers(0, other_total))
    low, high = wilson_interval(count, total)
    assert 0 <= low <= count / total <= high <= 1
    p_value = fisher_p_value(count, total, other, other_total)
    assert 0 < p_value <= 1
    assert p_value == pytest.approx(fisher_p_value(other, other_total, count, total), rel=1e-6)
    mirrored = fisher_p_value(total - count, total, other_total - other, other_total)
    assert p_value == pytest.approx(mirrored, rel=1e-6)
