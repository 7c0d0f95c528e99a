"""What a terminal is found to be able to show, and what is then written."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.terminal import (
    BARS,
    Colours,
    Style,
    Terminal,
    printable,
    readable_on,
    terminal_of,
)


class Screen(io.StringIO):
    """A stream that says that it is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("variables", "colours"),
    [
        ({"TERM": "xterm"}, Colours.BASIC),
        ({"TERM": "xterm-256color"}, Colours.INDEXED),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, Colours.TRUE),
        ({"TERM": "xterm-256color", "COLORTERM": "24bit"}, Colours.TRUE),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, Colours.NONE),
        ({}, Colours.NONE),
        ({"TERM": "xterm", "NO_COLOR": "1"}, Colours.NONE),
        # An empty NO_COLOR is none, says no-color.org.
        ({"TERM": "xterm", "NO_COLOR": ""}, Colours.BASIC),
    ],
)
def test_colours_are_those_of_the_terminal(monkeypatch, variables, colours):
    for name in ("TERM", "COLORTERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "93")
    assert terminal_of(Screen()) == Terminal(93, colours, bars=True)
    assert terminal_of(io.StringIO()) == Terminal(None, Colours.NONE, bars=True)


def test_bars_need_an_encoding_that_has_them():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert terminal_of(stream).sparkline([1.0, 2.0], 0, 10) == ""


def test_a_sparkline_is_a_bar_for_each_value():
    # Eight bars over 0 to 70: one more for each ten.
    line = Terminal().sparkline([0, 10, 20, 30, 40, 50, 60, 70], 0, 70)
    assert line == BARS
    assert Terminal().sparkline([-5, 90, float("nan")], 0, 70) == BARS[0] + BARS[-1] + BARS[0]


def test_text_is_as_it_is_where_there_are_no_colours():
    plain = Terminal()
    assert plain.styled("a", Style.RED) == "a"
    assert plain.filled("a", (1, 2, 3)) == "a"
    assert Terminal(80, Colours.BASIC).filled("a", (1, 2, 3)) == "a"


def test_styles_and_grounds_are_escape_sequences():
    assert Terminal(80, Colours.BASIC).styled("a", Style.BOLD, Style.RED) == "\x1b[1;31ma\x1b[0m"
    dark, bright = (68, 1, 84), (253, 231, 37)
    true = Terminal(80, Colours.TRUE)
    assert true.filled("a", dark) == "\x1b[48;2;68;1;84;38;2;255;255;255ma\x1b[0m"
    assert true.filled("a", bright) == "\x1b[48;2;253;231;37;38;2;0;0;0ma\x1b[0m"
    # 68, 1, 84 lies nearest to levels 1, 0, 1 of six; white is 5, 5, 5.
    assert Terminal(80, Colours.INDEXED).filled("a", dark) == (
        f"\x1b[48;5;{16 + 36 + 1};38;5;{16 + 36 * 5 + 6 * 5 + 5}ma\x1b[0m"
    )


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_text_on_a_ground_has_a_contrast_of_at_least_four_and_a_half(ground):
    def luminance(colour):
        parts = [p / 255 for p in colour]
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted((luminance(ground), luminance(readable_on(ground))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 4.5


@given(st.text() | st.sampled_from(["\x1b[2J", "a\nb", "\x9b31m", "\u202e", "\ud800", "π 🧱"]))
def test_no_text_from_a_store_steers_a_terminal(text):
    shown = printable(text)
    assert shown.isprintable()
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", shown)
    assert printable("conv 3x3, π 🧱") == "conv 3x3, π 🧱"
