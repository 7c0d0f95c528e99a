"""Accuracies that somebody has measured already, by code: a search that costs nothing.

A table is a CSV file, perhaps compressed by gzip, with a row for each design.
Its column `code` or `arch_str` holds Network Structure Codes or cells of
NAS-Bench-201; the other columns are named by the user.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import pathlib
from typing import Any

from blockqnn.errors import UserError
from blockqnn.networks.spaces.contract import Code, CodeError
from blockqnn.networks.spaces.registry import design_of, parse
from blockqnn.trial import Job, Outcome

CODE_COLUMNS = ("code", "arch_str")
_MOST_LAYERS = 1_000_000


class AccuracyTable:
    """Some columns of a table, by design."""

    def __init__(self, path: str, columns: tuple[str, ...]):
        """Reads a table.

        Args:
            path: of the file.
            columns: to keep, which hold accuracies in percent.

        Raises:
            UserError: if the file or a column of it cannot be read.
        """
        self.path, self.columns = path, columns
        self.codes: list[Code] = []
        self._rows: list[tuple[float, ...]] = []
        self._by_code: dict[tuple[tuple[int, ...], ...], int] = {}
        self._by_hash: dict[str, int] = {}
        text = _read(path)
        reader = csv.DictReader(io.StringIO(text, newline=""))
        names = list(reader.fieldnames or ())
        code_column = next((name for name in CODE_COLUMNS if name in names), None)
        if code_column is None:
            raise _refusal(path, f"it has no column {' or '.join(CODE_COLUMNS)}, {_have(names)}")
        for column in columns:
            if column not in names:
                raise _refusal(path, f"it has no column {column!r}, {_have(names)}")
        try:
            for row in reader:
                self._add(row[code_column], [row[column] for column in columns])
        except (CodeError, ValueError, TypeError, csv.Error) as error:
            raise _refusal(path, f"line {reader.line_num} cannot be read: {error}") from error
        if not self.codes:
            raise _refusal(path, "it has no rows")

    def find(self, actions: tuple[tuple[int, ...], ...]) -> tuple[int, tuple[float, ...]] | None:
        """Looks a design up.

        Args:
            actions: its code, written in whichever way.

        Returns:
            The number of its row, from 0, and its accuracies in percent, one
            for each column; None where the table does not have it.
        """
        position = self._by_code.get(actions)
        if position is None:
            code: Any = actions
            position = self._by_hash.get(design_of(code).hash)
        return None if position is None else (position, self._rows[position])

    def best(self, column: int) -> float:
        """The highest accuracy in a column, in percent."""
        return max(row[column] for row in self._rows)

    def _add(self, text: str, values: list[str]) -> None:
        code = parse(text, _MOST_LAYERS)
        name = design_of(code).hash
        if name in self._by_hash:
            raise ValueError(f"{text} is the same design as a row before")
        accuracies = tuple(float(value) for value in values)
        if not all(math.isfinite(value) and 0 <= value <= 100 for value in accuracies):
            raise ValueError(f"accuracies are percentages from 0 to 100, given {values}")
        self._by_code[code] = self._by_hash[name] = len(self._rows)
        self._rows.append(accuracies)
        self.codes.append(code)


class TableEvaluator:
    """Looks accuracies up."""

    device = "table"
    slots = 1
    ahead = 0

    def __init__(self, table: AccuracyTable):
        """Creates the evaluator.

        Args:
            table: whose first column is answered.
        """
        self._table = table

    def prepare(self, job: Job, slot: int) -> None:
        """See `Evaluator.prepare`."""

    def evaluate(self, job: Job, slot: int) -> Outcome:
        """See `Evaluator.evaluate`."""
        found = self._table.find(job.code)
        if found is None:
            return Outcome(reason=f"the table {self._table.path} does not have it")
        return Outcome(accuracies=found[1][:1], device=self.device)


def _read(path: str) -> str:
    try:
        data = pathlib.Path(path).read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except (OSError, EOFError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise _refusal(path, f"it cannot be read ({why})") from error


def _refusal(path: str, why: str) -> UserError:
    return UserError(f"--table {path}: {why.rstrip('.')}.")


def _have(names: list[str]) -> str:
    return f"but {', '.join(names[:12])}" if names else "and no header at all"
