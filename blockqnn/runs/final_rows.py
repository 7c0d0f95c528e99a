"""The table of a store that holds the trainings of finals."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sqlite3
from collections.abc import Mapping
from typing import Any

from blockqnn.errors import UserError
from blockqnn.runs.finals import FINALS, FinalsPlan, FinalTraining
from blockqnn.runs.store_schema import FINALS_SINCE, FINALS_TABLE, version_of
from blockqnn.runs.transaction import Transaction

_COLUMNS = [field.name for field in dataclasses.fields(FinalTraining)]
_INSERT = (
    f"INSERT OR REPLACE INTO finals ({','.join(_COLUMNS)}) VALUES ({','.join('?' * len(_COLUMNS))})"
)
_KINDS: Mapping[str, Any] = (
    dict.fromkeys(["round", "trial", "seed_index", "seed", "epochs", "restarts"], int)
    | dict.fromkeys([name for name in _COLUMNS if name.endswith("_seconds")], float)
    | {"accuracies": str, "finished": float, "worker": int | None}
    | dict.fromkeys(["reason", "device"], str | None)
)
"""What SQLite must return for each column; it does not mind what is written there."""


class FinalsTable:
    """The trainings of a run's finals, and their plan."""

    def __init__(self, connection: sqlite3.Connection, path: pathlib.Path):
        """Looks at a store.

        Args:
            connection: to it.
            path: of its file.
        """
        self._connection, self._path = connection, path

    def trainings(self) -> list[FinalTraining]:
        """The trainings that have ended, by round, trial and seed; none in older stores.

        Raises:
            UserError: if one of them cannot be read.
        """
        if version_of(self._connection) < FINALS_SINCE:
            return []
        query = f"SELECT {','.join(_COLUMNS)} FROM finals ORDER BY round, trial, seed_index"
        try:
            return [_from_row(row) for row in self._connection.execute(query)]
        except (sqlite3.DatabaseError, ValueError, TypeError, RecursionError) as error:
            raise UserError(f"The finals in {self._path} cannot be read: {error}.") from error

    def begin(self, plan: FinalsPlan, anew: bool = False) -> None:
        """Commits what is going to be trained.

        Args:
            plan: of the finals.
            anew: drop what earlier finals have trained.
        """
        with Transaction(self._connection, self._path):
            # The first stores of this version had no such table.
            self._connection.execute(FINALS_TABLE)
            if anew:
                self._connection.execute("DELETE FROM finals")
            row = (FINALS, json.dumps(plan.as_fact()))
            self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", row)

    def add(self, training: FinalTraining) -> None:
        """Commits a training that has ended."""
        values = dataclasses.asdict(training) | {"accuracies": json.dumps(training.accuracies)}
        with Transaction(self._connection, self._path):
            self._connection.execute(_INSERT, list(values.values()))


def _from_row(row: tuple[Any, ...]) -> FinalTraining:
    values = dict(zip(_COLUMNS, row, strict=True))
    for name, kinds in _KINDS.items():
        if not isinstance(values[name], kinds):
            raise ValueError(f"{name} is {values[name]!r}")
    values["accuracies"] = tuple(map(float, json.loads(values["accuracies"])))
    # JSON may hold numbers that are infinite or none at all; a rounded percentage may exceed 100.
    if not all(0 <= accuracy < 101 for accuracy in values["accuracies"]):
        raise ValueError(f"accuracies are {values['accuracies']}")
    if not (values["accuracies"] or values["reason"]):
        raise ValueError("a training has neither an accuracy nor a reason for it")
    return FinalTraining(**values)
