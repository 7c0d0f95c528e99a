"""The text of a table of accuracies: its encoding, its separators, its header, its cells.

It knows nothing of designs, but for how to tell a column of codes from others.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import dataclasses
import gzip
import io
import math
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from blockqnn.errors import UserError
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.registry import MOST_LAYERS, is_code, parse

CODE_COLUMNS = ("code", "arch_str")
MISSING = ("", "nan", "na", "n/a", "null", "none", "-")
"""How people and programs write that there is no value, in lower case."""

_SEPARATORS = ",;\t"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # That of UTF-16 is the beginning of this one.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_TEXT = {b"PK\x03\x04": "a workbook or an archive", b"PAR1": "a Parquet file"}
_LOOKED_AT = 400
"""Bytes at the beginning that tell an encoding."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        line: of the file where it ends, from 1.
        cells: without blanks around them, as many as the header has.
    """

    line: int
    cells: Sequence[str]


class TableFile:
    """A file of comma-separated values, however it is written."""

    def __init__(self, path: str, decisions: Sequence[str] = ()):
        """Reads the file, and finds its header.

        Args:
            path: of a CSV file, perhaps compressed by gzip: in UTF-8 or UTF-16,
                with commas, semicolons or tabs, perhaps with lines before the
                header that begin with #.
            decisions: columns that say what a design is, in the place of its code.

        Raises:
            UserError: if it is none, or has neither a column of codes nor these.
        """
        self.path = path
        self._text, skipped = _after_comments(_read(path))
        self._first_line = 1 + skipped
        self._separator, self.names, self.code_columns = self._find_header(decisions)

    def column(self, name: str) -> int:
        """The place of a column by its name, from 0.

        Args:
            name: as in the header; in other letters, large or small, where that is but one.

        Returns:
            The place.

        Raises:
            UserError: if there is none of that name, or several.
        """
        places = [place for place, own in enumerate(self.names) if own == name]
        if not places:
            folded = name.casefold()
            places = [p for p, own in enumerate(self.names) if own.casefold() == folded]
        if not places:
            raise refusal(self.path, f"it has no column {name!r}, {self._have()}")
        if len(places) > 1:
            raise refusal(self.path, f"it has {len(places)} columns {name!r}")
        return places[0]

    def rows(self) -> Iterator[Row]:
        """The rows after the header, empty ones left out.

        Yields:
            Each in order.

        Raises:
            UserError: if one has more cells than the header.
        """
        reader = self._reader(self._separator)
        next(reader)
        width = len(self.names)
        try:
            for cells in reader:
                own = [cell.strip() for cell in cells]
                line = reader.line_num + self._first_line - 1
                if not any(own):
                    continue
                if any(own[width:]):
                    raise refusal(
                        self.path,
                        f"line {line} has {len(own)} cells and the header has {width}; codes "
                        "that contain commas must stand in quotes",
                    )
                yield Row(line, (own + [""] * width)[:width])
        except csv.Error as error:
            raise refusal(
                self.path, f"line {reader.line_num + self._first_line - 1} cannot be read: {error}"
            ) from error

    def _find_header(self, decisions: Sequence[str]) -> tuple[str, list[str], list[int]]:
        """The separator, the names and the places of what says a design."""
        beginnings = {separator: self._beginning(separator) for separator in _SEPARATORS}
        if decisions:
            most = max(beginnings, key=lambda separator: len(beginnings[separator][0]))
            self.names = beginnings[most][0]
            return most, self.names, [self.column(name) for name in decisions if name]
        for find in (_named, _written):
            for separator, (names, row) in beginnings.items():
                place = find(names, row)
                if place is not None:
                    return separator, names, [place]
        self.names = max((names for names, _ in beginnings.values()), key=len)
        if any(is_code(cell) for cell in self.names):
            raise refusal(
                self.path,
                "its first row is a design already; before it must stand the names of the columns, "
                f"one of them {' or '.join(CODE_COLUMNS)}",
            )
        raise refusal(self.path, f"it has no column {' or '.join(CODE_COLUMNS)}, {self._have()}")

    def _beginning(self, separator: str) -> tuple[list[str], list[str]]:
        """The header and the first row."""
        lines: list[list[str]] = []
        with contextlib.suppress(csv.Error):
            for cells in self._reader(separator):
                own = [cell.strip() for cell in cells]
                if any(own):
                    lines.append(own)
                if len(lines) == 2:
                    break
        lines += [[], []]
        return lines[0], lines[1]

    def _reader(self, separator: str) -> Any:
        text = io.StringIO(self._text, newline="")
        return csv.reader(text, delimiter=separator, skipinitialspace=True)

    def _have(self) -> str:
        return f"but {', '.join(self.names[:12])}" if any(self.names) else "and no header at all"


def percentage(text: str) -> tuple[float, bool] | None:
    """Reads a cell of accuracies.

    Args:
        text: a number with a point or a comma for its decimals, perhaps with %.

    Returns:
        The number, not yet sure to be a percentage, and whether a % stood
        there; None where the cell says that there is no value.

    Raises:
        ValueError: if it is neither.
    """
    if text.lower() in MISSING:
        return None
    number = text.removesuffix("%").strip()
    if number.count(",") == 1 and "." not in number:
        number = number.replace(",", ".")
    if "_" in number:
        raise ValueError(f"{text!r} is no number")
    try:
        value = float(number)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no number") from None
    return None if math.isnan(value) else (value, number != text)


def refusal(path: str, why: str) -> UserError:
    """What to say of a table that cannot be used."""
    return UserError(f"--table {path}: {why.rstrip('.')}.")


def _named(names: list[str], row: list[str]) -> int | None:
    """The place of the codes by their column's name."""
    folded = [name.casefold() for name in names]
    return next((folded.index(name) for name in CODE_COLUMNS if name in folded), None)


def _written(names: list[str], row: list[str]) -> int | None:
    """The place of the only column that has a code in the first row."""
    pairs = enumerate(zip(names, row, strict=False))
    places = [place for place, (name, cell) in pairs if _is_whole_code(cell) and not is_code(name)]
    return places[0] if len(places) == 1 else None


def _is_whole_code(text: str) -> bool:
    try:
        return is_code(text) and bool(parse(text, MOST_LAYERS))
    except CodeError:
        return False


def _read(path: str) -> str:
    try:
        data = pathlib.Path(path).read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise refusal(path, f"it cannot be read ({why})") from error
    for mark, what in _NO_TEXT.items():
        if data.startswith(mark):
            raise refusal(path, f"it is {what}; save the table as CSV")
    try:
        text = data.decode(_encoding(data))
    except ValueError as error:
        raise refusal(
            path, f"it cannot be read as text in UTF-8 ({error}); save it as CSV in UTF-8"
        ) from error
    if "\0" in text:
        raise refusal(path, "it cannot be read: it is no text; save the table as CSV")
    return text


def _encoding(data: bytes) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    beginning = data[:_LOOKED_AT]
    # Headers and codes are ASCII, of which UTF-16 makes every other byte zero.
    if len(beginning) > 1 and not any(beginning[1::2]):
        return "utf-16-le"
    if len(beginning) > 1 and not any(beginning[::2]):
        return "utf-16-be"
    return "utf-8"


def _after_comments(text: str) -> tuple[str, int]:
    """The text from its header on, and how many lines stood before it."""
    skipped = 0
    while text:
        line, end, rest = text.partition("\n")
        if not end and "\r" in line:
            line, end, rest = text.partition("\r")
        said = line.strip().strip('"')
        # Spreadsheets write down which separator they take.
        if said and not said.startswith("#") and not said.lower().startswith("sep="):
            break
        text, skipped = rest, skipped + 1
    return text, skipped
