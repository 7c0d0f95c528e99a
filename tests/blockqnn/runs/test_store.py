"""What every store promises: what was committed is read again, while it is written and after."""

import contextlib
import dataclasses
import sqlite3
import subprocess
import sys

import pytest

from blockqnn.agents.contract import Episode
from blockqnn.agents.q_learning import QLearning, QLearningConfig
from blockqnn.errors import UserError
from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.networks.spaces.nsc.space import BlockSpace
from blockqnn.runs.store import SCHEMA_VERSION, Store, Suggestion
from blockqnn.trial import Status, Trial

TRIAL = Trial(
    1, 1, 0.5, PUBLISHED["inception"], "ab", 3, Status.COMPLETED, 1.5, 10, 2**70, 30, 2, reward=5.0
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path):
    with contextlib.closing(Store.create_or_open(path)) as store:
        yield store


def read_only(path):
    return contextlib.closing(Store.open_read_only(path))


def test_a_q_table_goes_through_the_store(store):
    agent = QLearning(BlockSpace(4), QLearningConfig(learning_rate=0.3), seed=1)
    episodes = []
    for iteration in range(1, 5):
        new = [Episode(code, len(code) / 7) for code in agent.suggest(5)]
        agent.update(new)
        episodes += new
        store.end_iteration(iteration, agent.get_state(changed_only=True))
    other = QLearning(BlockSpace(4), QLearningConfig(learning_rate=0.3), seed=9)
    other.set_state(store.agent_state(), episodes)
    assert other.get_state() == agent.get_state()
    assert other.suggest(5) == agent.suggest(5)


def test_what_was_committed_is_there_when_the_store_is_opened_again(path):
    for number in (1, 2, 3):
        with contextlib.closing(Store.create_or_open(path)) as store:
            assert len(list(store.trials())) == number - 1
            store.add_trial(dataclasses.replace(TRIAL, number=number))
            store.set_facts({str(number): number})
    with read_only(path) as store:
        assert [trial.number for trial in store.trials()] == [1, 2, 3]
        assert store.facts() == {"1": 1, "2": 2, "3": 3}


def test_a_number_is_given_once(store):
    store.add_trial(TRIAL)
    with pytest.raises(sqlite3.IntegrityError):
        store.add_trial(dataclasses.replace(TRIAL, reward=6.0))
    assert list(store.trials()) == [TRIAL]


def test_an_iteration_ends_whole_or_not_at_all(store):
    store.end_iteration(1, {"a": 1, "b": 2})
    with pytest.raises(TypeError):
        store.end_iteration(2, {"a": 5, "b": object()})
    assert store.agent_state() == {"a": 1, "b": 2}
    assert store.facts() == {"iterations": 1}
    store.end_iteration(2, {"a": 5})
    assert store.agent_state() == {"a": 5, "b": 2}


def test_the_store_is_in_wal_mode(store, path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_reader_sees_what_is_committed_and_does_not_stop_the_writer(store, path):
    store.add_trial(TRIAL)
    with read_only(path) as reader:
        reading = reader.trials()
        assert next(reading) == TRIAL
        store.add_trial(dataclasses.replace(TRIAL, number=2))
        store.end_iteration(1, {"a": 1})
        assert [trial.number for trial in reader.trials()] == [1, 2]
        assert reader.agent_state() == {"a": 1}


def test_a_reader_can_open_while_a_transaction_is_under_way(store, path):
    store.add_trial(TRIAL)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM trials")
        with read_only(path) as reader:
            assert list(reader.trials()) == [TRIAL]
        writer.execute("ROLLBACK")


def test_a_reader_cannot_write(store, path):
    with read_only(path) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.set_facts({"a": 1})


def test_reading_creates_nothing(tmp_path):
    with pytest.raises(UserError, match="no run in"):
        Store.open_read_only(tmp_path / "nothing" / "store.sqlite")
    assert not list(tmp_path.iterdir())


def test_a_commit_outlives_a_killed_process(path):
    program = (
        "import os, pathlib, sys\n"
        "from blockqnn.runs.store import Store\n"
        "store = Store.create_or_open(pathlib.Path(sys.argv[1]))\n"
        "store.set_facts({'kept': 1})\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    with read_only(path) as store:
        assert store.facts() == {"kept": 1}


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99])
def test_a_store_of_a_newer_version_is_refused(path, version):
    Store.create_or_open(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version={version}")
    for opening in (Store.create_or_open, Store.open_read_only):
        with pytest.raises(UserError, match=f"version {version} of the store"):
            opening(path)


def foreign_text(path):
    path.write_text("<html>no store</html>" * 200)


def foreign_database(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photographs (name TEXT)")


def directory(path):
    path.mkdir()


@pytest.mark.parametrize("make", [foreign_text, foreign_database, directory])
def test_what_is_no_store_is_refused_and_left_alone(path, make):
    make(path)
    before = path.read_bytes() if path.is_file() else None
    for opening in (Store.open_read_only, Store.create_or_open):
        with pytest.raises(UserError) as refusal:
            opening(path)
        assert str(path.parent) in str(refusal.value)
    assert before == (path.read_bytes() if path.is_file() else None)


def test_an_empty_file_is_no_store_to_read_and_becomes_one_to_write(path):
    path.touch()
    with pytest.raises(UserError):
        Store.open_read_only(path)
    Store.create_or_open(path).close()
    with read_only(path) as store:
        assert list(store.trials()) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("code", "[(1,9,0,0,0)]"),
        ("status", "odd"),
        ("parameters", "x"),
        ("accuracies", "["),
        ("sampled", "[1]"),
    ],
)
def test_a_trial_that_cannot_be_read_is_named(store, path, column, value):
    store.add_trial(TRIAL)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE trials SET {column} = ?", [value])
    with pytest.raises(UserError, match="Trial 1 in the store"):
        list(store.trials())


SUGGESTION = Suggestion(2, 0.25, check([(1, 1, 5, 0, 0)]), 1e9)


def test_a_suggestion_runs_until_its_trial_is_added(store):
    store.add_trial(TRIAL)
    store.hand_out(SUGGESTION, {"random": 5})
    assert store.running() == [SUGGESTION]
    assert store.agent_state() == {"random": 5}
    assert list(store.trials()) == [TRIAL]
    store.add_trial(dataclasses.replace(TRIAL, number=2))
    assert store.running() == []


def test_a_suggestion_and_the_agents_state_are_one(store):
    store.hand_out(SUGGESTION, {"random": 5})
    with pytest.raises(sqlite3.IntegrityError):
        store.hand_out(SUGGESTION, {"random": 6})
    assert store.agent_state() == {"random": 5}


def test_a_suggestion_that_cannot_be_read_is_named(store, path):
    store.hand_out(SUGGESTION, {})
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE running SET code = '[(1,9,0,0,0)]'")
    with pytest.raises(UserError, match="Trial 2 in the store"):
        store.running()


def test_on_a_network_file_system_there_is_no_write_ahead_log(path):
    with contextlib.closing(Store.create_or_open(path, on_network=True)) as store:
        store.add_trial(TRIAL)
        assert {p.name for p in path.parent.iterdir()} <= {path.name, f"{path.name}-journal"}
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() != ("wal",)
    # And back again.
    with contextlib.closing(Store.create_or_open(path)) as store:
        assert list(store.trials()) == [TRIAL]
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
