"""The tables of a store, and how one of an older version becomes one of this version."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import sqlite3
from collections.abc import Sequence
from typing import Any

from blockqnn.networks.spaces.contract import CodeError, Design
from blockqnn.networks.spaces.registry import MOST_LAYERS, designs_ever, parse

SCHEMA_VERSION = 5
RUNNING_SINCE = 3
"""The version that brought the table `running`."""
FINALS_SINCE = 4
"""The version that brought the table `finals`."""
SAMPLED_SINCE = 5
"""The version that brought what policies knew of their suggestions."""

FINALS_TABLE = """
CREATE TABLE IF NOT EXISTS finals (
    round INTEGER NOT NULL,
    trial INTEGER NOT NULL,
    seed_index INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    epochs INTEGER NOT NULL,
    accuracies TEXT NOT NULL,
    reason TEXT,
    restarts INTEGER NOT NULL,
    compile_seconds REAL NOT NULL,
    waiting_seconds REAL NOT NULL,
    train_seconds REAL NOT NULL,
    device TEXT,
    worker INTEGER,
    finished REAL NOT NULL,
    PRIMARY KEY (round, trial, seed_index)
) WITHOUT ROWID;
"""

SCHEMA = f"""
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
    saved_seconds REAL NOT NULL,
    filters TEXT NOT NULL,
    sampled TEXT NOT NULL
);
CREATE TABLE running (
    number INTEGER PRIMARY KEY,
    epsilon REAL NOT NULL,
    code TEXT NOT NULL,
    suggested REAL NOT NULL,
    sampled TEXT NOT NULL
);
{FINALS_TABLE}"""
# In version 1 a device always waited while its child was compiled, and nothing was saved.
_ADDED_IN_2 = {"waiting_seconds": "compile_seconds", "saved_seconds": "0.0"}
_ADDED_IN_4 = {"filters": "''"}
_ADDED_IN_5 = {"sampled": "''"}
# Before version 4 each Concat was a layer, so that some networks had several hashes.
_OTHER_IN_4 = {"hash": "hash_today(code, hash)", "density": "density_today(code, hash, density)"}
RENAMED_UNTIL = "renamed_until"
"""Fact of a store some of whose trials had another hash before version 4: the last of then."""
_UPGRADES = {
    1: f"""
ALTER TABLE trials ADD COLUMN waiting_seconds REAL NOT NULL DEFAULT 0.0;
ALTER TABLE trials ADD COLUMN saved_seconds REAL NOT NULL DEFAULT 0.0;
UPDATE trials SET waiting_seconds = {_ADDED_IN_2["waiting_seconds"]};
""",
    2: """
CREATE TABLE running (
    number INTEGER PRIMARY KEY, epsilon REAL NOT NULL, code TEXT NOT NULL, suggested REAL NOT NULL
);
""",
    3: f"""
ALTER TABLE trials ADD COLUMN filters TEXT NOT NULL DEFAULT '';
INSERT OR REPLACE INTO facts SELECT '{RENAMED_UNTIL}', max(number) FROM trials
    HAVING sum(hash != {_OTHER_IN_4["hash"]}) > 0;
UPDATE trials SET hash = {_OTHER_IN_4["hash"]}, density = {_OTHER_IN_4["density"]};
{FINALS_TABLE}""",
    4: """
ALTER TABLE trials ADD COLUMN sampled TEXT NOT NULL DEFAULT '';
ALTER TABLE running ADD COLUMN sampled TEXT NOT NULL DEFAULT '';
""",
}
"""What makes a store of one version one of the next."""


def columns(names: Sequence[str], version: int) -> list[str]:
    """What to read from the trials of a store, as terms of SQL.

    Args:
        names: of columns of today.
        version: of the store, whose connection has learned what `teach` teaches.

    Returns:
        A term for each, which gives what it would hold if the store were migrated.
    """
    earlier = (_ADDED_IN_2 if version < 2 else {}) | (
        _ADDED_IN_4 | _OTHER_IN_4 if version < 4 else {}
    )
    earlier |= _ADDED_IN_5 if version < SAMPLED_SINCE else {}
    return [earlier.get(name, name) for name in names]


def teach(connection: sqlite3.Connection) -> None:
    """Gives a connection the functions that tell what a code of an earlier version is called now.

    Args:
        connection: that shall know `hash_today` and `density_today`.
    """

    def hash_today(code: object, name: Any) -> Any:
        found = _renamed(code, name)
        return name if found is None else found.hash

    def density_today(code: object, name: object, density: Any) -> Any:
        found = _renamed(code, name)
        return density if found is None else found.density

    connection.create_function("hash_today", 2, hash_today, deterministic=True)
    connection.create_function("density_today", 3, density_today, deterministic=True)


@functools.lru_cache(4096)
def _renamed(text: object, name: object) -> Design | None:
    """What a code means, where a hash is of what an earlier version took it for."""
    if not isinstance(text, str):
        return None
    try:
        today, *former = designs_ever(parse(text, MOST_LAYERS))
    except (CodeError, ValueError, RecursionError):  # Said of the trial when it is read.
        return None
    return today if name != today.hash and name in [each.hash for each in former] else None


def create(connection: sqlite3.Connection) -> None:
    """Makes the tables, in a transaction.

    Args:
        connection: to an empty database.
    """
    connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")


def migrate(connection: sqlite3.Connection, path: pathlib.Path) -> None:
    """Makes a store of an older version one of this version, and keeps a copy beside it.

    Args:
        connection: to the store.
        path: of its file; the copy is called like it, with `.v` and the older version.
    """
    teach(connection)
    version = version_of(connection)
    backup = path.with_name(f"{path.name}.v{version}")
    if not backup.exists():
        unfinished = backup.with_name(backup.name + ".new")
        unfinished.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(unfinished)) as copy:
            connection.backup(copy)
            # One file, whatever the mode of the original.
            copy.execute("PRAGMA journal_mode=DELETE")
        unfinished.replace(backup)
    scripts = "".join(_UPGRADES[step] for step in range(version, SCHEMA_VERSION))
    connection.executescript(
        f"BEGIN IMMEDIATE; {scripts} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
    )


def has_tables(connection: sqlite3.Connection) -> bool:
    """Whether there are tables of a store."""
    query = "SELECT count(*) FROM sqlite_master WHERE name IN ('facts', 'agent', 'trials')"
    return bool(connection.execute(query).fetchone()[0])


def has_other_tables(connection: sqlite3.Connection) -> bool:
    """Whether there are tables, and none of a store."""
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table'"
    return bool(connection.execute(query).fetchone()[0]) and not has_tables(connection)


def version_of(connection: sqlite3.Connection) -> int:
    """The version of its tables, 0 if none was set."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
