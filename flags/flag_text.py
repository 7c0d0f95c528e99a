"""The values of flags as text: read from a command line, and written as one would type them."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

from absl import flags

from blockqnn.evaluation.table_space import is_space
from blockqnn.networks.sizing import FIGURES, Match


class RefusedError(ValueError):
    """A value that is refused, in words that are for the user."""


class Parser(flags.ArgumentParser):
    """Turns text into a value, or says what is allowed."""

    def __init__(self, parse: Callable[[str], Any], allowed: str):
        """Creates a parser.

        Args:
            parse: turns text into a value, or raises ValueError.
            allowed: what the text may be, for the message.
        """
        self._parse = parse
        self._allowed = allowed

    def parse(self, argument: Any) -> Any:
        """The value of a flag that is given as text; a default is one already."""
        if not isinstance(argument, str):
            return argument
        try:
            return self._parse(argument)
        except RefusedError:
            raise
        except (ValueError, OverflowError):
            raise ValueError(f"allowed: {self._allowed}") from None


class Serializer(flags.ArgumentSerializer):
    """Writes a value as one would type it."""

    def serialize(self, value: Any) -> str:
        """The text of a value."""
        return as_text(value)


def as_text(value: Any) -> str:
    """A flag's value as one would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(
            ":".join(as_text(part) for part in item) if isinstance(item, tuple) else as_text(item)
            for item in value
        )
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)


def expanded_path(text: str) -> str:
    """A path with `~` or `~user` at its beginning replaced by that home directory.

    Raises:
        ValueError: if there is no such home.
    """
    home, slash, rest = text.partition("/")
    # Without a ~ at its beginning a path stays as it was typed.
    if not home.startswith("~") or pathlib.Path(text).exists():
        return text
    try:
        return f"{pathlib.Path(home).expanduser()}{slash}{rest}"
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def parse_filters(text: str) -> tuple[int, ...]:
    """Reads `--filters`: positive integers with commas between them."""
    filters = tuple(int(part) for part in text.split(","))
    if min(filters) < 1 or max(filters) > 1_000_000:
        raise ValueError
    return filters


FILTERS_ALLOWED = "positive integers with commas between them, one a stage, as in 32,64,128"


_UNITS = {"k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


def parse_match(text: str) -> Match | None:
    """Reads `--match`: a figure and a number, which may end in k, M or G."""
    if not text:
        return None
    figure, number = text.split(":")
    unit = _UNITS.get(number[-1:], 1)
    target = round(float(number[:-1] if unit > 1 else number.replace("_", "")) * unit)
    if figure not in FIGURES or not 1 <= target < 2**63:
        raise ValueError
    return Match(figure, target)


MATCH_ALLOWED = f"{' or '.join(FIGURES)} with a number, as in parameters:75k or flops:10M"


def parse_schedule(text: str) -> tuple[tuple[float, int], ...]:
    """Reads `--epsilon_schedule`: pairs of epsilon and iterations."""
    schedule = []
    for part in text.split(","):
        epsilon, count = part.split(":")
        schedule.append((float(epsilon), int(count)))
        if not 0 <= schedule[-1][0] <= 1 or schedule[-1][1] < 1:
            raise ValueError
    return tuple(schedule)


SCHEDULE_ALLOWED = (
    "EPSILON:ITERATIONS pairs with commas between them, epsilon from 0 to 1, as in 1.0:95,0.9:7"
)


def named_space(text: str) -> str:
    """A space by its name, perhaps with the columns of a table that make it; else ValueError."""
    if not is_space(text):
        raise ValueError
    return text
