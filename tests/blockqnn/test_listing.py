"""Numbers with units, and tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.listing import about, duration, in_units, number, table, table_with_codes
from blockqnn.terminal import Terminal


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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (5399, "90 min"),
        (5400, "2 h"),
        (200_000, "2 days"),
    ],
)
def test_what_is_left_is_said_roughly(seconds, text):
    assert about(seconds) == text


def test_codes_go_below_their_rows_where_they_do_not_fit():
    code = "[(1,1,3,0,0),(2,7,0,0,0)]"
    arguments = (["rank", "trial"], [["1", "12"], ["2", "3"]], [code, code])
    beside = ["rank  trial  code", f"   1     12  {code}", f"   2      3  {code}"]
    for width in (None, 38):
        assert table_with_codes(*arguments, Terminal(width)).splitlines() == beside
    first, second = "      [(1,1,3,0,0),", "      (2,7,0,0,0)]"
    assert table_with_codes(*arguments, Terminal(30)).splitlines() == [
        *("rank  trial", "   1     12", first, second, "   2      3", first, second)
    ]


def test_a_missing_number_is_a_dash():
    assert (number(None), number(0.0), number(-1.25, 1)) == ("-", "0.00", "-1.2")


def test_a_table_aligns_all_columns_but_the_last_to_the_right():
    lines = table(["a", "bcd", "e"], [["10", "2", "x"], ["3", "4444", "long text"]]).splitlines()
    assert lines == [" a   bcd  e", "10     2  x", " 3  4444  long text"]
