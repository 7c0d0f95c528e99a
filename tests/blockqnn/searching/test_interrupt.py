"""One driver a run: a second one is refused, Ctrl-C stops it cleanly, and it can be continued."""

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from blockqnn.runs.run_record import read_run
from tests.blockqnn.searching.test_killed_runs import finished_trials
from tests.blockqnn.small_searches import without_times

SEARCH = (
    "search",
    "--preset=smoke",
    "--evaluator=dry",
    "--epsilon_schedule=1.0:10,0.5:5",
    "--blocks_per_iteration=24",
    "--max_layers=10",
    "--max_parameters=0",
    "--max_flops=0",
)


def children_of(pid):
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


@pytest.fixture(params=["local", "inline"])
def driver(request, blockqnn):
    """A process that drives the run in `run`, has finished some trials and is suspended."""
    arguments = [*SEARCH, "--run_dir=run", f"--executor={request.param}"]
    with subprocess.Popen(
        [sys.executable, "-m", "blockqnn", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A signal for the group, as a terminal sends it, is for this one alone.
        process_group=0,
    ) as process:
        run_dir = blockqnn.directory / "run"
        while process.poll() is None and finished_trials(run_dir) < 10:
            time.sleep(0.005)
        process.send_signal(signal.SIGSTOP)
        yield process
        if process.poll() is None:
            process.kill()


def test_a_driver_keeps_others_out_and_stops_cleanly_and_can_be_continued(blockqnn, driver):
    workers = children_of(driver.pid)
    before = blockqnn.files()
    status, out, err = blockqnn(*SEARCH, "--run_dir=run")
    assert (status, out) == (2, "")
    assert "run is being searched by another process" in err
    assert f"process {driver.pid} " in err
    assert err.count("\n") == 1
    assert {path.name for path in blockqnn.files()} == {path.name for path in before}

    # What a terminal does at Ctrl-C.
    os.killpg(driver.pid, signal.SIGINT)
    driver.send_signal(signal.SIGCONT)
    out, err = driver.communicate()
    assert (driver.returncode, err) == (130, "")
    assert "Stopped" in out
    assert not [pid for pid in workers if pathlib.Path(f"/proc/{pid}/exe").exists()]
    stopped = read_run(pathlib.Path("run")).trials
    (continuation,) = re.findall(r"python -m (blockqnn search --flagfile=\S+)", out)

    status, out, err = blockqnn(*shlex.split(continuation)[1:], "--executor=inline")
    assert (status, err) == (0, "")
    assert f"Continuing run after {len(stopped)} trials" in out
    continued = read_run(pathlib.Path("run")).trials
    assert len(continued) > len(stopped)
    assert all(trial in continued for trial in stopped)
    blockqnn.search(*SEARCH[1:], "--run_dir=whole")
    whole = read_run(pathlib.Path("whole")).trials
    assert without_times(continued) == without_times(whole)


def test_a_lock_whose_holder_is_gone_is_no_lock(blockqnn):
    run_dir = blockqnn.directory / "run"
    run_dir.mkdir()
    (run_dir / "lock").write_text("process 1 on nowhere\n")
    blockqnn.search("--preset=smoke", "--run_dir=run")
    assert "nowhere" not in (run_dir / "lock").read_text()
    blockqnn.search("--preset=smoke", "--run_dir=run")


def test_a_run_can_be_looked_at_while_it_goes_on(blockqnn, driver):
    status, out, err = blockqnn("trials", "run", "--format=json")
    assert (status, err) == (0, "")
    numbers = [json.loads(line)["number"] for line in out.splitlines()]
    assert len(numbers) >= 10
    status, out, err = blockqnn("show", "run#best")
    assert (status, err) == (0, "")
