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

from blockqnn.errors import UserError
from blockqnn.trial import Job, Outcome
from networks.codes import CodeError
from networks.designs import AnyCode, Design, design_of, parse

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
        self.codes: list[AnyCode] = []
        self._rows: dict[AnyCode, tuple[float, ...]] = {}
        self._by_hash: dict[str, AnyCode] = {}
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

    def values(self, code: AnyCode, design: Design | None = None) -> tuple[float, ...] | None:
        """The accuracies of a design, one for each column, in percent.

        Args:
            code: of the design, written in whichever way.
            design: what it means, where that is known.

        Returns:
            The accuracies; None where the table does not have the design.
        """
        found = self._rows.get(code)
        if found is None:
            other = self._by_hash.get((design or design_of(code)).hash)
            found = None if other is None else self._rows[other]
        return found

    def _add(self, text: str, values: list[str]) -> None:
        code = parse(text, _MOST_LAYERS)
        name = design_of(code).hash
        if name in self._by_hash:
            raise ValueError(f"{text} is the same design as a row before")
        accuracies = tuple(float(value) for value in values)
        if not all(math.isfinite(value) and 0 <= value <= 100 for value in accuracies):
            raise ValueError(f"accuracies are percentages from 0 to 100, given {values}")
        self._rows[code] = accuracies
        self._by_hash[name] = code
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
        values = self._table.values(job.code)
        if values is None:
            return Outcome(reason=f"the table {self._table.path} does not have it")
        return Outcome(accuracies=values[:1], device=self.device)


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
