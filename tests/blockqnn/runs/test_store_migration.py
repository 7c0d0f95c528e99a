"""Stores of older versions are read as they are, and written only after a copy."""

import contextlib
import dataclasses
import sqlite3

import pytest

from blockqnn.errors import UserError
from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.runs.store import SCHEMA_VERSION, Store
from blockqnn.trial import Status, Trial
from tests.blockqnn.runs.test_store import TRIAL


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


def read_only(path):
    return contextlib.closing(Store.open_read_only(path))


VERSION_1 = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE agent (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trials (
    number INTEGER PRIMARY KEY, iteration INTEGER NOT NULL, epsilon REAL NOT NULL,
    code TEXT NOT NULL, hash TEXT NOT NULL, seed INTEGER NOT NULL, status TEXT NOT NULL,
    density REAL NOT NULL, parameters TEXT NOT NULL, flops TEXT NOT NULL,
    block_flops TEXT NOT NULL, depth INTEGER NOT NULL, reason TEXT, source INTEGER,
    accuracies TEXT NOT NULL, reward REAL, restarts INTEGER NOT NULL,
    compile_seconds REAL NOT NULL, train_seconds REAL NOT NULL, device TEXT, worker INTEGER,
    finished REAL
);
INSERT INTO facts VALUES ('iterations', '1');
INSERT INTO agent VALUES ('a', '[1]');
INSERT INTO trials VALUES (
    1, 1, 0.5, '[(1,1,3,0,0),(2,7,0,0,0)]', 'ab', 3, 'completed', 1.5, '10', '20', '30', 2,
    NULL, NULL, '[50.0, 60.0]', 55.0, 1, 2.5, 4.0, 'cpu', 0, 1e9
);
PRAGMA user_version=1;
"""
OF_VERSION_1 = Trial(
    1, 1, 0.5, check([(1, 1, 3, 0, 0)]), "ab", 3, Status.COMPLETED, 1.5, 10, 20, 30, 2,
    None, None, (50.0, 60.0), 55.0, 1, 2.5, 4.0, "cpu", 0, 1e9,
    # Children were not compiled ahead.
    waiting_seconds=2.5, saved_seconds=0.0,
)  # fmt: skip


@pytest.fixture
def old(path):
    """A store as the first version of the program wrote it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1)
    return path


def test_a_store_of_version_1_is_read_and_left_as_it_is(old):
    before = old.read_bytes()
    with read_only(old) as store:
        assert list(store.trials()) == [OF_VERSION_1]
        assert OF_VERSION_1.seconds == 6.5
        assert (store.facts(), store.agent_state()) == ({"iterations": 1}, {"a": [1]})
    assert old.read_bytes() == before


def test_a_store_of_version_1_is_continued(old):
    added = dataclasses.replace(TRIAL, number=2, waiting_seconds=0.5, saved_seconds=8.0)
    for expected in ([OF_VERSION_1], [OF_VERSION_1, added]):
        with contextlib.closing(Store.create_or_open(old)) as store:
            assert list(store.trials()) == expected
            assert (store.facts(), store.agent_state()) == ({"iterations": 1}, {"a": [1]})
            if len(expected) == 1:
                store.add_trial(added)
    with read_only(old) as store:
        assert list(store.trials()) == [OF_VERSION_1, added]


VERSION_2 = (
    VERSION_1.replace(
        "finished REAL\n)",
        """finished REAL,
    waiting_seconds REAL NOT NULL, saved_seconds REAL NOT NULL
)""",
    )
    .replace("1e9\n)", "1e9, 2.5, 0.0\n)")
    .replace("user_version=1", "user_version=2")
)


@pytest.fixture(params=[1, 2])
def older(request, path):
    """A store of each older version, and its number."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript({1: VERSION_1, 2: VERSION_2}[request.param])
    return request.param


def test_a_store_that_is_migrated_leaves_a_copy_of_what_it_was(older, path):
    Store.create_or_open(path).close()
    backup = path.with_name(f"store.sqlite.v{older}")
    assert {p.name for p in path.parent.iterdir()} == {path.name, backup.name}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    for file in (path, backup):
        with read_only(file) as store:
            assert list(store.trials()) == [OF_VERSION_1]
            assert store.running() == []
    with contextlib.closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (older,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_older_copy_is_not_overwritten(older, path):
    backup = path.with_name(f"store.sqlite.v{older}")
    backup.write_text("precious")
    Store.create_or_open(path).close()
    assert backup.read_text() == "precious"


def test_a_migration_that_was_cut_short_begins_again(older, path):
    path.with_name(f"store.sqlite.v{older}.new").write_text("half a copy")
    Store.create_or_open(path).close()
    with read_only(path.with_name(f"store.sqlite.v{older}")) as store:
        assert list(store.trials()) == [OF_VERSION_1]
    assert not path.with_name(f"store.sqlite.v{older}.new").exists()


def test_a_reader_of_version_1_goes_on_while_it_is_upgraded(old):
    with read_only(old) as reader:
        with contextlib.closing(Store.create_or_open(old)) as store:
            store.add_trial(dataclasses.replace(TRIAL, number=2))
        assert [trial.number for trial in reader.trials()] == [1, 2]


def test_a_store_of_version_1_without_trials_is_refused(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE facts (name TEXT); PRAGMA user_version=1;")
    with pytest.raises(UserError, match="not a store"):
        Store.create_or_open(path)
