"""The store of a run: one SQLite file, written by the driver alone.

A trial is committed when it finishes, the agent's state when its iteration
ends. In WAL mode a process that is killed at any instant loses nothing that
was committed, and readers never wait.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from blockqnn.errors import UserError
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.registry import parse, write
from blockqnn.runs import store_schema
from blockqnn.runs.final_rows import FinalsTable
from blockqnn.runs.store_schema import (
    RUNNING_SINCE,
    SCHEMA_VERSION,
    has_other_tables,
    has_tables,
    migrate,
    version_of,
)
from blockqnn.runs.suggestion import Suggestion, as_text, from_text
from blockqnn.runs.transaction import Transaction, unwritable
from blockqnn.runs.trial_rows import COLUMNS, INSERT, from_row, to_row, unreadable
from blockqnn.trial import Trial

FILE_NAME = "store.sqlite"

_TIMEOUT_SECONDS = 5.0
_NETWORK_TIMEOUT_SECONDS = 60.0
"""For how long a writer waits for readers; only without a write-ahead log they can hold it up."""

_DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What SQLite raises where a file is damaged; it has names in its messages that are no text."""


class Store:
    """A run's trials, the agent's state and facts about the run."""

    def __init__(self, connection: sqlite3.Connection, path: pathlib.Path):
        """Wraps an open connection; see `create_or_open` and `open_read_only`."""
        self._connection, self._path = connection, path
        self._file = _identity(path)
        store_schema.teach(connection)
        columns = ",".join(store_schema.columns(COLUMNS, version_of(connection)))
        self._query = f"SELECT {columns} FROM trials WHERE number > ? ORDER BY number"

    @classmethod
    def create_or_open(cls, path: pathlib.Path, on_network: bool = False) -> Store:
        """Opens a store to write to, and creates it where there is none.

        One of an older version becomes one of this version; a copy of what it
        was stays beside it.

        Args:
            path: of the file.
            on_network: whether other machines see the file; there SQLite's
                write-ahead log does not work, and readers are waited for.

        Returns:
            The store.

        Raises:
            UserError: if the file is no store, of a newer version, or cannot be written.
        """
        timeout = _NETWORK_TIMEOUT_SECONDS if on_network else _TIMEOUT_SECONDS
        try:
            connection = sqlite3.connect(path, timeout, isolation_level=None)
            if has_other_tables(connection):
                raise _not_a_store(path, "it is a database of something else")
            connection.execute(f"PRAGMA journal_mode={'TRUNCATE' if on_network else 'WAL'}")
            # A commit outlives the process at once; only a power cut can undo the last ones.
            connection.execute("PRAGMA synchronous=NORMAL")
            if not has_tables(connection):
                store_schema.create(connection)
            _check_version(connection, path)
            if version_of(connection) < SCHEMA_VERSION:
                migrate(connection, path)
        except _DAMAGE as error:
            raise unwritable(path, error) or _not_a_store(path, error) from error
        return cls(connection, path)

    @classmethod
    def open_read_only(cls, path: pathlib.Path) -> Store:
        """Opens a store to read from, whether or not a search is writing to it.

        Args:
            path: of the file.

        Returns:
            The store.

        Raises:
            UserError: if there is no such file, or it is no store, or of a newer version.
        """
        try:
            missing = not path.is_file()
        except (OSError, ValueError):  # The name is too long, or holds a null byte.
            missing = True
        if missing:
            raise UserError(f"There is no run in {path.parent}: it has no {path.name}.")
        try:
            connection = _connected_read_only(path)
            if not has_tables(connection):
                raise _not_a_store(
                    path,
                    "it has no trials; where only this file was copied from a run that goes on, "
                    f"they are in {path.name}-wal beside it: copy the whole directory",
                )
            _check_version(connection, path)
            return cls(connection, path)
        except _DAMAGE as error:
            raise _not_a_store(path, error) from error

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def check_there(self) -> None:
        """Makes sure that what is committed can still be found.

        Raises:
            UserError: if the file was deleted or replaced since it was opened.
        """
        if _identity(self._path) != self._file:
            raise UserError(
                f"{self._path} was deleted, moved or replaced while it was in use, so nothing that "
                "is found now could be kept."
            )

    def add_trial(self, trial: Trial, facts: Mapping[str, Any] | None = None) -> None:
        """Commits a finished trial, which runs no longer.

        Args:
            trial: that has finished.
            facts: about the run that have changed with it.
        """
        self.check_there()
        with self._transaction():
            self._put("facts", facts or {})
            self._connection.execute(INSERT, to_row(trial))
            self._connection.execute("DELETE FROM running WHERE number = ?", [trial.number])

    def hand_out(self, suggestion: Suggestion, agent_changes: Mapping[str, Any]) -> None:
        """Commits that a suggestion was made, and the agent's state after it.

        Args:
            suggestion: which runs until its trial is added.
            agent_changes: the parts of the agent's state that changed.
        """
        row = dataclasses.asdict(suggestion) | {"code": write(suggestion.code)}
        row["sampled"] = as_text(suggestion.sampled)
        with self._transaction():
            self._put("agent", agent_changes)
            self._connection.execute(
                "INSERT INTO running (number, epsilon, code, suggested, sampled) "
                "VALUES (:number, :epsilon, :code, :suggested, :sampled)",
                row,
            )

    def running(self) -> list[Suggestion]:
        """What was handed out and has not finished, in order of number."""
        if version_of(self._connection) < RUNNING_SINCE:
            return []
        names = ("number", "epsilon", "code", "suggested", "sampled")
        columns = ",".join(store_schema.columns(names, version_of(self._connection)))
        found = []
        for row in self._rows(f"SELECT {columns} FROM running ORDER BY number"):
            number, epsilon, code, suggested, sampled = row
            try:
                block = parse(code, max_layers=1_000_000)
                known = from_text(sampled)
                found.append(Suggestion(number, float(epsilon), block, float(suggested), known))
            except (CodeError, TypeError, ValueError) as error:
                raise unreadable(number, error) from error
        return found

    def trials(self, after: int = 0) -> Iterator[Trial]:
        """The finished trials with a number above `after`, in order of number."""
        for row in self._rows(self._query, (after,)):
            yield from_row(row)

    @property
    def finals(self) -> FinalsTable:
        """The table of the run's finals."""
        return FinalsTable(self._connection, self._path)

    def end_iteration(self, iteration: int, agent_changes: Mapping[str, Any]) -> None:
        """Commits what the agent learned from an iteration.

        Args:
            iteration: its number, from 1.
            agent_changes: the parts of the agent's state that changed.
        """
        with self._transaction():
            self._put("agent", agent_changes)
            self._put("facts", {"iterations": iteration})

    def end_phase(self, facts: Mapping[str, Any], agent_changes: Mapping[str, Any]) -> None:
        """Commits facts about the run, and what the agent learned with them."""
        with self._transaction():
            self._put("agent", agent_changes)
            self._put("facts", facts)

    def agent_state(self) -> dict[str, Any]:
        """The agent's state at the end of the last iteration that ended."""
        return self._get("agent")

    def facts(self) -> dict[str, Any]:
        """Facts about the run; `iterations` is how many have ended."""
        return self._get("facts")

    def set_facts(self, facts: Mapping[str, Any]) -> None:
        """Commits facts about the run."""
        with self._transaction():
            self._put("facts", facts)

    def _transaction(self) -> Transaction:
        return Transaction(self._connection, self._path)

    def _put(self, table: str, values: Mapping[str, Any]) -> None:
        rows: Iterable[tuple[str, str]] = ((k, json.dumps(v)) for k, v in values.items())
        self._connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows)

    def _get(self, table: str) -> dict[str, Any]:
        found = {}
        for name, value in self._rows(f"SELECT name, value FROM {table}"):
            try:
                found[str(name)] = json.loads(value)
            except (ValueError, TypeError, RecursionError) as error:
                raise _damaged(self._path, f"{name} in {table}: {error}") from error
        return found

    def _rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            # Not `yield from`, which would close the cursor of a reader that has closed already.
            for row in self._connection.execute(query, values):  # noqa: UP028
                yield row
        except _DAMAGE as error:
            raise _damaged(self._path, error) from error


def _identity(path: pathlib.Path) -> tuple[int, int] | None:
    """Which file is at a path; None where there is none."""
    try:
        found = pathlib.Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _connected_read_only(path: pathlib.Path) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True)
    try:
        version_of(connection)
    except sqlite3.OperationalError:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise
        # Where nobody may write there is no place for the index of the write-ahead log; while
        # the log is empty none is needed.
        connection = sqlite3.connect(f"{address}&immutable=1", uri=True)
    return connection


def _check_version(connection: sqlite3.Connection, path: pathlib.Path) -> None:
    version = version_of(connection)
    if not 1 <= version <= SCHEMA_VERSION:
        connection.close()
        raise UserError(
            f"{path} has version {version} of the store; this program reads versions 1 to "
            f"{SCHEMA_VERSION}. Use the version of blockqnn that wrote it."
        )


def _damaged(path: pathlib.Path, why: object) -> UserError:
    return UserError(f"{path} cannot be read: {why}.")


def _not_a_store(path: pathlib.Path, why: object) -> UserError:
    return UserError(f"{path} is not a store of blockqnn ({why}); name another run directory.")
