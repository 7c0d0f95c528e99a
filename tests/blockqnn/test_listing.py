"""Numbers with units, and tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.listing import duration, in_units, number, table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (1000, "1 k"),
        (6_125_802, "6.13 M"),
        (999_499, "999 k"),
        (999_999, "1 M"),
        (1_250_000_000, "1.25 G"),
        (10**12, "1 T"),
        (2 * 10**15, "2 P"),
        (10**20, "1e+20"),
    ],
)
def test_large_numbers_have_a_suffix(value, text):
    assert in_units(value) == text


@given(st.integers(0, 2**4000))
def test_any_count_can_be_written_shortly(value):
    assert len(in_units(value)) <= 12


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (61, "1:01"), (3599, "59:59"), (3600, "1:00:00")],
)
def test_durations_are_in_hours_minutes_and_seconds(seconds, text):
    assert duration(seconds) == text


def test_a_missing_number_is_a_dash():
    assert (number(None), number(0.0), number(-1.25, 1)) == ("-", "0.00", "-1.2")


def test_a_table_aligns_all_columns_but_the_last_to_the_right():
    lines = table(["a", "bcd", "e"], [["10", "2", "x"], ["3", "4444", "long text"]]).splitlines()
    assert lines == [" a   bcd  e", "10     2  x", " 3  4444  long text"]
