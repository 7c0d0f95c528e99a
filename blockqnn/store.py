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
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from blockqnn.errors import UserError
from blockqnn.trial import Status, Trial
from networks.codes import CodeError
from networks.designs import parse, write

SCHEMA_VERSION = 2
FILE_NAME = "store.sqlite"

_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE agent (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trials (
    number INTEGER PRIMARY KEY,
    iteration INTEGER NOT NULL,
    epsilon REAL NOT NULL,
    code TEXT NOT NULL,
    hash TEXT NOT NULL,
    seed INTEGER NOT NULL,
    status TEXT NOT NULL,
    density REAL NOT NULL,
    parameters TEXT NOT NULL,
    flops TEXT NOT NULL,
    block_flops TEXT NOT NULL,
    depth INTEGER NOT NULL,
    reason TEXT,
    source INTEGER,
    accuracies TEXT NOT NULL,
    reward REAL,
    restarts INTEGER NOT NULL,
    compile_seconds REAL NOT NULL,
    train_seconds REAL NOT NULL,
    device TEXT,
    worker INTEGER,
    finished REAL,
    waiting_seconds REAL NOT NULL,
    saved_seconds REAL NOT NULL
);
"""
# In version 1 a device always waited while its child was compiled, and nothing was saved.
_ADDED_IN_2 = {"waiting_seconds": "compile_seconds", "saved_seconds": "0.0"}
_UPGRADE = f"""
BEGIN IMMEDIATE;
ALTER TABLE trials ADD COLUMN waiting_seconds REAL NOT NULL DEFAULT 0.0;
ALTER TABLE trials ADD COLUMN saved_seconds REAL NOT NULL DEFAULT 0.0;
UPDATE trials SET waiting_seconds = {_ADDED_IN_2["waiting_seconds"]};
PRAGMA user_version={SCHEMA_VERSION};
COMMIT;
"""
_COLUMNS = [field.name for field in dataclasses.fields(Trial)]
_INSERT = f"INSERT INTO trials ({','.join(_COLUMNS)}) VALUES ({','.join('?' * len(_COLUMNS))})"
# Costs of blocks whose widths multiply exceed SQLite's 64 bits, so they are text.
_BIG = ("parameters", "flops", "block_flops")


class Store:
    """A run's trials, the agent's state and facts about the run."""

    def __init__(self, connection: sqlite3.Connection):
        """Wraps an open connection; see `create_or_open` and `open_read_only`."""
        self._connection = connection
        columns = _COLUMNS
        if _version(connection) == 1:
            columns = [_ADDED_IN_2.get(name, name) for name in columns]
        self._query = f"SELECT {','.join(columns)} FROM trials WHERE number > ? ORDER BY number"

    @classmethod
    def create_or_open(cls, path: pathlib.Path) -> Store:
        """Opens a store to write to, and creates it where there is none.

        One of version 1 becomes one of this version.

        Args:
            path: of the file.

        Returns:
            The store.

        Raises:
            UserError: if the file is no store or of a newer version.
        """
        try:
            connection = sqlite3.connect(path, isolation_level=None)
            if _has_other_tables(connection):
                raise _not_a_store(path, "it is a database of something else")
            connection.execute("PRAGMA journal_mode=WAL")
            # A commit outlives the process at once; only a power cut can undo the last ones.
            connection.execute("PRAGMA synchronous=NORMAL")
            if not _has_tables(connection):
                connection.executescript(
                    f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
                )
        except sqlite3.DatabaseError as error:
            raise _not_a_store(path, error) from error
        _check_version(connection, path)
        try:
            if _version(connection) == 1:
                connection.executescript(_UPGRADE)
        except sqlite3.DatabaseError as error:
            raise _not_a_store(path, error) from error
        return cls(connection)

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
            connection, has_tables = _connected(path, "mode=ro")
        except sqlite3.OperationalError as error:
            # Where nobody may write, SQLite cannot make the files that readers share with a
            # writer. Where the log is empty, the file can be read as it is.
            log = path.with_name(f"{path.name}-wal")
            if log.exists() and log.stat().st_size:
                raise _not_a_store(path, error) from error
            try:
                connection, has_tables = _connected(path, "immutable=1")
            except sqlite3.DatabaseError as second:
                raise _not_a_store(path, second) from second
        except sqlite3.DatabaseError as error:
            raise _not_a_store(path, error) from error
        if not has_tables:
            raise _not_a_store(path, "it has no trials")
        _check_version(connection, path)
        return cls(connection)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def add_trial(self, trial: Trial) -> None:
        """Commits a finished trial."""
        self._connection.execute(_INSERT, _to_row(trial))

    def trials(self, after: int = 0) -> Iterator[Trial]:
        """The finished trials with a number above `after`, in order of number."""
        for row in self._connection.execute(self._query, (after,)):
            yield _from_row(row)

    def end_iteration(self, iteration: int, agent_changes: Mapping[str, Any]) -> None:
        """Commits what the agent learned from an iteration.

        Args:
            iteration: its number, from 1.
            agent_changes: the parts of the agent's state that changed.
        """
        with self._transaction():
            self._put("agent", agent_changes)
            self._put("facts", {"iterations": iteration})

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

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection)

    def _put(self, table: str, values: Mapping[str, Any]) -> None:
        rows: Iterable[tuple[str, str]] = ((k, json.dumps(v)) for k, v in values.items())
        self._connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows)

    def _get(self, table: str) -> dict[str, Any]:
        rows = self._connection.execute(f"SELECT name, value FROM {table}")
        try:
            return {name: json.loads(value) for name, value in rows}
        except ValueError as error:
            raise UserError(f"Table {table} of the store cannot be read: {error}.") from error


class _Transaction:
    """All of it or nothing."""

    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, error_type: object, *_: object) -> None:
        self._connection.execute("ROLLBACK" if error_type else "COMMIT")


def _to_row(trial: Trial) -> list[Any]:
    values = {name: getattr(trial, name) for name in _COLUMNS}
    values |= {name: str(values[name]) for name in _BIG}
    values["code"] = write(trial.code)
    values["status"] = trial.status.value
    values["accuracies"] = json.dumps(trial.accuracies)
    return list(values.values())


def _from_row(row: tuple[Any, ...]) -> Trial:
    values = dict(zip(_COLUMNS, row, strict=True))
    try:
        values |= {name: int(values[name]) for name in _BIG}
        values["code"] = parse(values["code"], max_layers=1_000_000)
        values["status"] = Status(values["status"])
        values["accuracies"] = tuple(json.loads(values["accuracies"]))
    except (CodeError, ValueError, TypeError) as error:
        raise UserError(f"Trial {values['number']} in the store cannot be read: {error}") from error
    return Trial(**values)


def _connected(path: pathlib.Path, how: str) -> tuple[sqlite3.Connection, bool]:
    """A connection that writes nothing, and whether it finds a store's tables."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True)
    try:
        return connection, _has_tables(connection)
    except sqlite3.DatabaseError:
        connection.close()
        raise


def _has_tables(connection: sqlite3.Connection) -> bool:
    query = "SELECT count(*) FROM sqlite_master WHERE name IN ('facts', 'agent', 'trials')"
    return bool(connection.execute(query).fetchone()[0])


def _has_other_tables(connection: sqlite3.Connection) -> bool:
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table'"
    return bool(connection.execute(query).fetchone()[0]) and not _has_tables(connection)


def _check_version(connection: sqlite3.Connection, path: pathlib.Path) -> None:
    version = _version(connection)
    if version not in (1, SCHEMA_VERSION):
        connection.close()
        raise UserError(
            f"{path} has version {version} of the store; this program reads versions 1 and "
            f"{SCHEMA_VERSION}. Use the version of blockqnn that wrote it."
        )


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _not_a_store(path: pathlib.Path, why: object) -> UserError:
    return UserError(f"{path} is not a store of blockqnn ({why}); name another run directory.")
