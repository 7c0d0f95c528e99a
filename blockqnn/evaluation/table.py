"""Accuracies that somebody has measured already, by code: a search that costs nothing.

A table is a CSV file, see `TableFile`, with a row for each design. Its column `code` or
`arch_str` holds codes of any search space; the other columns are named by the user. Where the
space is made of a table, columns in the place of codes say what was decided.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import pathlib
from collections.abc import Sequence
from typing import Any, TextIO

from blockqnn.evaluation.table_file import Row, TableFile, percentage, refusal
from blockqnn.evaluation.table_space import designs_of
from blockqnn.listing import counted
from blockqnn.networks.spaces.contract import Code, CodeError, SearchSpace
from blockqnn.networks.spaces.registry import (
    MOST_LAYERS,
    SPACES,
    design_of,
    designs_ever,
    parse,
    space_named,
)
from blockqnn.trial import Job, Outcome

_LARGE_BYTES = 2_000_000
"""Of a file that takes some seconds to read."""

NOT_IN_TABLE = "the table does not have it"
"""Why a design has neither an accuracy nor a reward."""


class AccuracyTable:
    """Some columns of a table, by design."""

    def __init__(self, path: str, columns: Sequence[str], space: str = ""):
        """Reads a table.

        Args:
            path: of the file.
            columns: to keep, which hold accuracies in percent, or as fractions
                if none of a column is above 1.
            space: name of a space that is made of the table; empty for codes of any other.

        Raises:
            UserError: if the file or a column of it cannot be used.
        """
        made = space_named(space) if space else None
        self._made = made if made is not None and made.tabular else None
        self.path, self.columns = path, tuple(columns)
        self.codes: list[Code] = []
        self._rows: list[tuple[float, ...]] = []
        self._by_code: dict[tuple[tuple[int, ...], ...], int] = {}
        self._by_hash: dict[str, int] = {}
        self._lines: list[int] = []
        self._by_space: collections.Counter[str] = collections.Counter()
        self._without, self._repeated = 0, 0
        self._conflicts: dict[str, tuple[int, int]] = {}
        self._in_percent = [False] * len(self.columns)
        file = TableFile(path, tuple(self._made.columns) if self._made else ())
        places = [file.column(column) for column in self.columns]
        for row in file.rows():
            try:
                said = [row.cells[place] for place in file.code_columns]
                self._add(row, said, [row.cells[place] for place in places])
            except (CodeError, ValueError) as error:
                raise refusal(path, f"line {row.line} cannot be read: {error}") from error
        if not self.codes:
            named = " and ".join(map(repr, self.columns))
            why = f"none of its {self._without:,} rows has an accuracy in {named}"
            raise refusal(path, why if self._without else "it has no rows")
        self._refuse_conflicts()
        self._scaled = [self._scale(place) for place in range(len(self.columns))]

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

    def has(self, name: str) -> bool:
        """Whether it has the design of a hash."""
        return name in self._by_hash

    def best(self, column: int) -> float:
        """The highest accuracy in a column, in percent."""
        return max(row[column] for row in self._rows)

    def space(self, named: str = "") -> SearchSpace:
        """The search space that its codes are of.

        Args:
            named: the space that is wanted; empty for the one of the table.

        Returns:
            The space.

        Raises:
            UserError: if the table has no code of the wanted one, or, where
                none is, codes of several.
        """
        if self._made is not None and named in ("", self._made.name):
            return self._made
        if self._by_space[named]:
            return SPACES[named]
        have = " and ".join(_of(SPACES[name], count) for name, count in self._by_space.items())
        if named:
            raise refusal(self.path, f"it has {have}, and the space is {named} (--space)")
        if len(self._by_space) > 1:
            raise refusal(self.path, f"it has {have}; name one of the spaces (--space)")
        return SPACES[next(iter(self._by_space))]

    def count(self, space: SearchSpace) -> int:
        """How many designs of a space it has."""
        return self._by_space[space.name] if self._made is None else len(self.codes)

    def sentences(self, space: SearchSpace) -> list[str]:
        """What to know of it before it is searched.

        Args:
            space: that is searched.

        Returns:
            Sentences: how much of the space it has, and what of its rows and
            columns was not taken as it stands.
        """
        found = [f"Table {self.path}: {self._coverage(space)}"]
        if self._without:
            named = " or ".join(map(repr, self.columns))
            rows = counted(self._without, "row")
            found.append(f"Left out: {rows} without an accuracy in {named}.")
        if self._repeated:
            found.append(f"Left out: {counted(self._repeated, 'row')} like an earlier one.")
        for name, count in self._by_space.items() if self._made is None else ():
            if name != space.name:
                found.append(f"Left out: {_of(SPACES[name], count)}.")
        for place, column in enumerate(self.columns):
            values = [row[place] for row in self._rows]
            if self._scaled[place]:
                found.append(
                    f"All accuracies in {column!r} lie between 0 and 1: they are taken as "
                    "fractions, and multiplied by 100."
                )
            elif small := sum(0 < value <= 1 for value in values):
                found.append(
                    f"{small:,} of the {len(values):,} accuracies in {column!r} are 1 % or less, "
                    f"and the highest is {max(values):g} %: see whether they are fractions."
                )
            if len(values) > 1 and min(values) == max(values):
                found.append(
                    f"All accuracies in {column!r} are {values[0]:g} %: no design is better than "
                    "another."
                )
        return found

    def _coverage(self, space: SearchSpace) -> str:
        count, most = self.count(space), designs_of(space)
        lacking = "suggestions that it lacks are counted and never judged."
        if most is None:
            return f"{_of(space, count)}, of far more that there are; {lacking}"
        if count >= most:
            return f"all {_of(space, most)}."
        return f"{count:,} of the {_of(space, most)}; {lacking}"

    def _add(self, row: Row, said: Sequence[str], cells: Sequence[str]) -> None:
        if not all(said):
            raise ValueError("it has no code")
        code = self._made.of_cells(said) if self._made else parse(said[0], MOST_LAYERS)
        found = [percentage(cell) for cell in cells]
        if any(one is None for one in found):
            self._without += 1
            return
        accuracies = tuple(one[0] for one in found if one is not None)
        for place, one in enumerate(found):
            self._in_percent[place] |= one is not None and one[1]
        design, *former = designs_ever(code)
        if (before := self._by_hash.get(design.hash)) is not None:
            self._repeated += 1
            # What earlier versions took for several designs may have several accuracies.
            same = former == [*designs_ever(self.codes[before])[1:]]
            if same and self._rows[before] != accuracies:
                self._conflicts.setdefault(design.hash, (self._lines[before], row.line))
            return
        self._by_code[code] = self._by_hash[design.hash] = len(self._rows)
        self._rows.append(accuracies)
        self._lines.append(row.line)
        self.codes.append(code)
        self._by_space[design.space] += 1

    def _refuse_conflicts(self) -> None:
        if self._conflicts:
            first, second = next(iter(self._conflicts.values()))
            raise refusal(
                self.path,
                f"it has {counted(len(self._conflicts), 'design')} in more than one row, with "
                f"different accuracies, the first in lines {first:,} and {second:,}; keep one row "
                "of each",
            )

    def _scale(self, place: int) -> bool:
        """Checks a column, and makes percentages of fractions; returns whether they were such."""
        values = [row[place] for row in self._rows]
        wrong = [at for at, value in enumerate(values) if not 0 <= value <= 100]
        if wrong:
            raise refusal(
                self.path,
                f"{len(wrong):,} of the {len(values):,} values in {self.columns[place]!r} cannot "
                f"be accuracies, which lie from 0 to 100 %; the first is {values[wrong[0]]:g}, in "
                f"line {self._lines[wrong[0]]:,}",
            )
        if self._in_percent[place] or not 0 < max(values) <= 1:
            return False
        for at, row in enumerate(self._rows):
            # Decimals that multiplying brings were not in the file.
            scaled = round(100 * row[place], 10)
            self._rows[at] = (*row[:place], scaled, *row[place + 1 :])
        return True


@functools.lru_cache(maxsize=2)
def _read_once(
    path: str, columns: tuple[str, ...], space: str, state: tuple[int, ...]
) -> AccuracyTable:
    return AccuracyTable(path, columns, space)


def read_table(path: str, columns: Sequence[str], space: str = "") -> AccuracyTable:
    """A table, read once by a process as long as the file does not change.

    Args:
        path: of the file.
        columns: see `AccuracyTable`.
        space: likewise.

    Returns:
        The table.

    Raises:
        UserError: if it cannot be used.
    """
    try:
        state = pathlib.Path(path).stat()
    except (OSError, ValueError):
        return AccuracyTable(path, columns, space)
    return _read_once(path, tuple(columns), space, (state.st_mtime_ns, state.st_size, state.st_ino))


def say_what_is_read(path: str, stream: TextIO) -> None:
    """Says that a table is being read, where that takes longer than a glance."""
    with contextlib.suppress(OSError, ValueError):
        size = pathlib.Path(path).stat().st_size
        if size > _LARGE_BYTES:
            print(f"Reading {path} ({size / 1e6:.0f} MB) ...", file=stream, flush=True)


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
            return Outcome(reason=NOT_IN_TABLE)
        return Outcome(accuracies=found[1][:1], device=self.device)


def _of(space: SearchSpace, count: int) -> str:
    return f"{counted(count, space.unit)} of the space {space.name}"
