"""What a terminal can show: its width, its colours, and small bars of text."""

from __future__ import annotations

import dataclasses
import enum
import os
import shutil
from collections.abc import Sequence
from typing import TextIO

BARS = "▁▂▃▄▅▆▇█"
Rgb = tuple[int, int, int]


class Colours(enum.IntEnum):
    """How many colours a terminal has."""

    NONE = 0
    BASIC = 1
    INDEXED = 2
    TRUE = 3


class Style(enum.StrEnum):
    """Parameters of the escape sequence that sets a style."""

    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"


@dataclasses.dataclass(frozen=True)
class Terminal:
    """What a stream can show.

    Attributes:
        width: columns; None where lines may be of any length.
        colours: how many it has.
        bars: whether its encoding has the characters of `BARS`.
    """

    width: int | None = None
    colours: Colours = Colours.NONE
    bars: bool = True

    def styled(self, text: str, *styles: Style) -> str:
        """Text in some styles; as it is where there are no colours."""
        if self.colours is Colours.NONE or not styles or not text:
            return text
        return f"\x1b[{';'.join(styles)}m{text}\x1b[0m"

    def filled(self, text: str, ground: Rgb) -> str:
        """Text on a ground of a colour, black or white, whichever is easier to read.

        Args:
            text: without escape sequences.
            ground: red, green and blue from 0 to 255.

        Returns:
            The text; as it is where the terminal has fewer than 256 colours.
        """
        if self.colours < Colours.INDEXED:
            return text
        ink = self._code(38, readable_on(ground))
        return f"\x1b[{self._code(48, ground)};{ink}m{text}\x1b[0m"

    def sparkline(self, values: Sequence[float], low: float, high: float) -> str:
        """A bar for each value.

        Args:
            values: to show.
            low: value of the lowest bar.
            high: value of the highest bar, above `low`.

        Returns:
            As many characters as there are values; none where the encoding lacks them.
        """
        if not self.bars:
            return ""
        steps = [(value - low) / (high - low) * (len(BARS) - 1) for value in values]
        return "".join(BARS[round(max(0, min(step, len(BARS) - 1)))] for step in steps)

    def _code(self, kind: int, colour: Rgb) -> str:
        if self.colours is Colours.TRUE:
            return f"{kind};2;{colour[0]};{colour[1]};{colour[2]}"
        red, green, blue = (_nearest_level(part) for part in colour)
        return f"{kind};5;{16 + 36 * red + 6 * green + blue}"


def terminal_of(stream: TextIO) -> Terminal:
    """What a stream can show.

    Args:
        stream: a terminal, a pipe or a file.

    Returns:
        Colours for a terminal alone, and none where NO_COLOR is set (no-color.org).
    """
    encoding = stream.encoding or "utf-8"
    try:
        BARS.encode(encoding)
        bars = True
    except UnicodeEncodeError:
        bars = False
    if not stream.isatty():
        return Terminal(None, Colours.NONE, bars)
    return Terminal(shutil.get_terminal_size().columns, _colours(), bars)


def readable_on(ground: Rgb) -> Rgb:
    """Black or white, whichever has the higher contrast with a ground."""
    # Contrast is (lighter + 0.05) / (darker + 0.05): equal for both at this luminance.
    return (0, 0, 0) if _luminance(ground) > 0.179 else (255, 255, 255)


def printable(text: str) -> str:
    """Text from a store, with what could steer a terminal written as an escape of Python."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def _colours() -> Colours:
    name = os.environ.get("TERM", "")
    if os.environ.get("NO_COLOR") or name in ("", "dumb"):
        return Colours.NONE
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return Colours.TRUE
    return Colours.INDEXED if "256color" in name else Colours.BASIC


# The six levels of each of the three colours in the palette of 256.
_LEVELS = (0, 95, 135, 175, 215, 255)


def _nearest_level(part: int) -> int:
    return min(range(len(_LEVELS)), key=lambda level: abs(_LEVELS[level] - part))


def _luminance(colour: Rgb) -> float:
    """Relative luminance, from 0 for black to 1 for white (WCAG 2)."""
    linear = [
        part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in colour
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
