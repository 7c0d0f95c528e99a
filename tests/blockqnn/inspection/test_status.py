"""The file that a driver keeps of its search, and the verb that reads it."""

import dataclasses
import json
import math
import os
import platform
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blockqnn.runs.status_file import SEARCHING, RunStatus, StatusFile, read_status
from blockqnn.workers.state import ChildState, WorkerState
from tests.blockqnn.chaos import search_command
from tests.blockqnn.executing import wait_for
from tests.paths import ROOT

SMOKE = ("--preset=smoke", "--run_dir=run")


def worker(number=0, state="training", heard=0.0, begun=65.0, **changes):
    """A worker that was heard so many seconds ago and has a child for so many."""
    now = time.time()
    fields = {
        "number": number,
        "node": "machine-a",
        "process": 123,
        "device": "H200",
        "state": state,
        "since": now - 30,
        "heard": now - heard,
        "children": (ChildState(17, now - begun), ChildState(18, None)),
    }
    return WorkerState(**fields | changes)


@pytest.fixture
def status_file(blockqnn):
    (blockqnn.directory / "run").mkdir()
    return StatusFile(blockqnn.directory / "run" / "status.json", "ray", 7)


def told(blockqnn, *arguments):
    status, out, err = blockqnn("status", "run", *arguments)
    assert (status, err) == (0, "")
    return out


def test_it_tells_who_does_what_for_how_long_and_who_is_silent(blockqnn, status_file):
    idle = worker(1, "idle", children=(), node="machine-b", process=9)
    waiting = worker(
        3, "waiting for a place", children=(), heard=0.0, node="", process=None, device=""
    )
    silent = worker(2, heard=3700.0)
    status_file.workers([worker(), idle, silent, waiting])
    out = told(blockqnn)
    assert out.startswith("run: searching for 0:00, process ")
    assert f"process {os.getpid()} on {platform.node()}, heard 0:00 ago" in out
    assert "iteration 0/7" in out
    assert "4 workers (ray): 1 idle, 1 silent, 1 training, 1 waiting for a place" in out
    rows = [line.split() for line in out.splitlines()[-4:]]
    assert rows[0] == ["0", "training", "1:05", "0:00", "ago", "#17", "#18", "(next)", "123",
                       "machine-a", "H200"]  # fmt: skip
    assert rows[1] == ["1", "idle", "0:30", "0:00", "ago", "-", "9", "machine-b", "H200"]
    assert rows[2][:5] == ["2", "silent", "1:05", "1:01:40", "ago"]


def test_a_driver_that_does_not_write_any_more_is_told(blockqnn, status_file):
    status_file.workers([worker()])
    path = blockqnn.directory / "run" / "status.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"written": time.time() - 125}))
    out = told(blockqnn)
    assert f"the driver, process {os.getpid()} on {platform.node()}, has been silent" in out
    assert "for 2:05" in out
    assert "The same command continues the search." in out


def test_as_json(blockqnn, status_file):
    status_file.workers([worker()])
    found = json.loads(told(blockqnn, "--format=json"))
    assert found["state"] == SEARCHING
    assert found["workers"][0]["children"][0]["number"] == 17
    assert 0 <= found["silent_seconds"] < 60


def test_a_finished_search_says_what_it_found(blockqnn):
    blockqnn.search(*SMOKE)
    trials = blockqnn.trials("run")
    best = max((t for t in trials if t["status"] == "completed"), key=lambda t: t["reward"])
    out = told(blockqnn)
    assert out.startswith("run: finished 0:0")
    assert f"{len(trials)} trials: " in out
    assert f"best {best['reward']:.2f} (#{best['number']})" in out
    assert "iteration 2/2, epsilon 0.5" in out
    before = blockqnn.files(), (blockqnn.directory / "run" / "status.json").read_bytes()
    told(blockqnn)
    assert before == (blockqnn.files(), (blockqnn.directory / "run" / "status.json").read_bytes())


def test_a_running_and_a_killed_search(blockqnn):
    run_dir = blockqnn.directory / "run"
    command = search_command(run_dir, "--dry_seconds=600", "--workers=2", "--executor=local")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as driver:
        wait_for(
            lambda: (
                (found := read_status(run_dir / "status.json"))
                and all(w.children and w.children[0].begun for w in found.workers)
                and len(found.workers) == 2
            )
        )
        out = told(blockqnn)
        assert f"process {driver.pid} on {platform.node()}" in out
        assert "2 workers (local): 2 training" in out
        driver.send_signal(signal.SIGINT)
        driver.wait()
    assert told(blockqnn).startswith("run: stopped 0:0")


@pytest.mark.parametrize(
    "text", [None, "", "{}", "[]", "null", "7", '{"state": 1}', "[" * 100_000, "\0"]
)
def test_what_is_no_status_is_refused(blockqnn, text):
    (blockqnn.directory / "run").mkdir()
    if text is not None:
        (blockqnn.directory / "run" / "status.json").write_text(text)
    status, out, err = blockqnn("status", "run")
    assert (status, out) == (2, "")
    assert err.startswith("blockqnn: There is no status.json to read in run;")
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["a", "b"], ["run", "--nope"]])
def test_a_wrong_command_line_is_refused(blockqnn, words):
    status, out, err = blockqnn("status", *words)
    assert (status, out) == (2, "")
    assert "blockqnn status --help" in err


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


FIELDS = [field.name for field in dataclasses.fields(RunStatus)]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
@example({"iteration": math.inf})
@example({"written": math.nan})
@example({"best": []})
@example({"workers": {}})
def test_any_change_of_any_field_is_read_or_is_no_status(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("run") / "status.json"
    StatusFile(path, "local", 3).workers([worker()])
    fields = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(fields))
    found = read_status(path)
    assert found is None or isinstance(found.workers, tuple)


def test_what_others_wrote_is_shown_without_control_characters(blockqnn, status_file):
    status_file.workers([worker(node="a\x1b[2Jb\nc", device="\x07d")])
    out = told(blockqnn)
    assert "a?[2Jb?c" in out
    assert "?d" in out


def test_reading_needs_neither_jax_nor_the_store(blockqnn, status_file):
    status_file.workers([worker()])
    program = (
        "import sys, blockqnn.__main__ as m;"
        "status = m.main(['status', 'run']);"
        "assert 'jax' not in sys.modules and 'ray' not in sys.modules;"
        "sys.exit(status)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
