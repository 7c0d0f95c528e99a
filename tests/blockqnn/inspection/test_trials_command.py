"""The verb `trials`: every trial of a run, in three formats."""

import csv
import io
import json

import pytest

from blockqnn.listing import DRY_NOTICE
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.trial import Status, Trial

FIELDS = {
    "number",
    "iteration",
    "epsilon",
    "code",
    "hash",
    "status",
    "reason",
    "accuracy",
    "accuracies",
    "reward",
    "parameters",
    "flops",
    "density",
    "seconds",
}
COMMON = {"density": 1.5, "parameters": 2**70, "flops": 20, "block_flops": 10, "depth": 2}
COMPLETED = Trial(
    1,
    1,
    0.5,
    PUBLISHED["inception"],
    "aa",
    7,
    Status.COMPLETED,
    **COMMON,
    accuracies=(10.0, 62.5),
    reward=60.25,
    restarts=1,
    compile_seconds=9.5,
    train_seconds=2.0,
    waiting_seconds=1.5,
    saved_seconds=0.5,
    device="cpu",
    worker=3,
    finished=1e9,
)
KNOWN = Trial(
    2, 1, 0.5, PUBLISHED["inception"], "aa", 7, Status.KNOWN, **COMMON,
    source=1, accuracies=(10.0, 62.5), reward=60.25, finished=1e9,
)  # fmt: skip
FAILED = Trial(
    3, 2, 0.1, PUBLISHED["residual"], "bb", 8, Status.FAILED, **COMMON,
    reason='out of memory, "quoted"; <b>bold</b>', reward=10.0, train_seconds=3.25,
)  # fmt: skip
INFEASIBLE = Trial(
    4, 2, 0.1, PUBLISHED["residual"], "bb", 8, Status.INFEASIBLE, **COMMON,
    reason="no convolution", reward=10.0,
)  # fmt: skip
TRIALS = [COMPLETED, KNOWN, FAILED, INFEASIBLE]


@pytest.fixture(params=[True, False], ids=["dry", "trained"])
def dry(request):
    return request.param


@pytest.fixture
def run(blockqnn, dry):
    """A run with one trial of each status."""
    directory = blockqnn.directory / "run"
    directory.mkdir()
    store = Store.create_or_open(directory / FILE_NAME)
    layout = {"kind": "cifar", "filters": [4], "repeats": 1, "height": 8, "width": 8}
    store.set_facts({"layout": {**layout, "channels": 1, "classes": 10}, "dry": dry})
    for trial in reversed(TRIALS):
        store.add_trial(trial)
    store.close()
    return directory


def listed(blockqnn, *arguments):
    status, out, err = blockqnn("trials", *arguments)
    assert (status, err) == (0, "")
    return out


def test_json_is_one_object_a_line_in_order_of_number(blockqnn, run):
    lines = listed(blockqnn, run, "--format=json").splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2, 3, 4]
    for line in lines:
        assert set(json.loads(line)) >= FIELDS


def test_json_has_the_values_of_the_trial_and_null_where_there_is_none(blockqnn, run, dry):
    completed, known, failed, infeasible = blockqnn.trials(run)
    assert completed | {
        "number": 1, "iteration": 1, "epsilon": 0.5, "hash": "aa", "status": "trained",
        "reason": None, "source": None, "accuracy": 62.5, "accuracies": [10.0, 62.5],
        "reward": 60.25, "parameters": 2**70, "flops": 20, "density": 1.5, "seconds": 3.5,
        "compile_seconds": 9.5, "waiting_seconds": 1.5, "saved_seconds": 0.5,
        "device": "cpu", "worker": 3, "restarts": 1, "seed": 7, "depth": 2, "dry": dry,
    } == completed  # fmt: skip
    assert parse(completed["code"]) == PUBLISHED["inception"]
    assert (known["status"], known["source"], known["seconds"]) == ("known", 1, 0.0)
    assert (known["accuracy"], known["device"]) == (62.5, None)
    assert (failed["status"], failed["reason"]) == ("failed", FAILED.reason)
    assert (failed["accuracy"], failed["accuracies"], failed["reward"]) == (None, None, None)
    assert failed["seconds"] == 3.25
    assert (infeasible["status"], infeasible["reason"]) == ("infeasible", "no convolution")
    assert (infeasible["accuracy"], infeasible["accuracies"]) == (None, None)
    assert infeasible["reward"] is None, "nothing was measured, whatever the agent was told"
    assert infeasible["seconds"] is None


def test_csv_has_a_header_and_the_same_values(blockqnn, run):
    rows = list(csv.DictReader(io.StringIO(listed(blockqnn, run, "--format=csv"))))
    objects = blockqnn.trials(run)
    assert len(rows) == len(objects)
    for row, fields in zip(rows, objects, strict=True):
        assert set(row) == set(fields)
        for name, value in fields.items():
            if name == "accuracies":
                assert [float(a) for a in row[name].split()] == (value or [])
            elif value is None:
                assert row[name] == ""
            else:
                assert type(value)(row[name]) == value or str(value) == row[name]


def test_the_table_has_a_line_for_each_trial(blockqnn, run, dry):
    lines = listed(blockqnn, run).splitlines()
    assert (lines[0] == DRY_NOTICE) == dry
    header, *rows = lines[1:] if dry else lines
    assert header.split()[:4] == ["trial", "iteration", "epsilon", "status"]
    assert [row.split()[:4] for row in rows] == [
        ["1", "1", "0.5", "trained"],
        ["2", "1", "0.5", "known"],
        ["3", "2", "0.1", "failed"],
        ["4", "2", "0.1", "infeasible"],
    ]
    assert "62.50" in rows[0]
    assert "60.25" in rows[0]
    assert "1.18e+21" in rows[0]
    assert rows[3].endswith("no convolution")
    assert listed(blockqnn, run, "--format=table") == "\n".join(lines) + "\n"


def test_the_columns_are_aligned(blockqnn, run, dry):
    lines = listed(blockqnn, run).splitlines()[1 if dry else 0 :]
    for word in ("status", "trained", "known", "failed", "infeasible"):
        assert {line.index(word) + len(word) for line in lines if word in line} == {37}, word


def test_a_run_that_has_not_begun_is_refused(blockqnn):
    directory = blockqnn.directory / "run"
    directory.mkdir()
    Store.create_or_open(directory / FILE_NAME).close()
    status, out, err = blockqnn("trials", directory)
    assert (status, out) == (2, "")
    assert "has not begun" in err


def test_a_real_run_can_be_listed_while_it_is_written(blockqnn, run):
    store = Store.create_or_open(run / FILE_NAME)
    store._connection.execute("BEGIN IMMEDIATE")
    store.add_trial(Trial(5, 2, 0.1, PUBLISHED["residual"], "cc", 1, Status.FAILED, **COMMON))
    assert len(blockqnn.trials(run)) == 4
    store._connection.execute("COMMIT")
    assert len(blockqnn.trials(run)) == 5
    store.close()
