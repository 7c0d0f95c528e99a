"""Searches whose workers and whose drivers are killed at random moments."""

import contextlib
import dataclasses
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

from blockqnn.runs.run_record import read_run
from blockqnn.runs.status_file import read_status
from blockqnn.runs.store import FILE_NAME, Store
from tests.blockqnn.executing import is_alive
from tests.blockqnn.small_searches import without_times
from tests.paths import ROOT

SCHEDULE = "1.0:4,0.5:3,0.1:3"
BLOCKS = 20
"""At least 200 blocks, infeasible ones not counted."""

MOST_SECONDS = 240.0


def search_command(run_dir, *arguments):
    """A search of dry children."""
    return [
        sys.executable,
        "-m",
        "blockqnn",
        "search",
        "--preset=digits",
        "--evaluator=dry",
        f"--epsilon_schedule={SCHEDULE}",
        f"--blocks_per_iteration={BLOCKS}",
        "--max_layers=8",
        "--seed=3",
        f"--run_dir={run_dir}",
        *arguments,
    ]


def run_to_the_end(run_dir, *arguments, environment=None):
    """Runs a search that must end well; returns what it printed."""
    ended = subprocess.run(
        search_command(run_dir, *arguments),
        cwd=ROOT,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def result_of(run_dir):
    """Trials without times and places, the agent's state and the number of iterations."""
    with contextlib.closing(Store.open_read_only(run_dir / FILE_NAME)) as store:
        state, iterations = store.agent_state(), store.facts()["iterations"]
        assert store.running() == []
    trials = [dataclasses.replace(t, device=None) for t in read_run(run_dir).trials]
    return without_times(trials), state, iterations


def working(run_dir):
    """The processes of the workers that have a child now, as their driver says."""
    status = read_status(run_dir / "status.json")
    if status is None or status.state != "searching":
        return []
    return [w.process for w in status.workers if w.children and w.process is not None]


def is_worker(pid):
    """Whether a process is a worker, and not another that has got its number since."""
    with contextlib.suppress(OSError):
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        return words.startswith(b"ray::") or b"blockqnn.workers.worker" in words
    return False


def run_under_fire(run_dir, *arguments, worker_kills, driver_kills, environment=None):
    """Runs a search while it is shot at; returns how many workers and drivers were killed."""
    dice, killed = random.Random(), {"worker": 0, "driver": 0}
    begun = time.monotonic()
    while True:
        with subprocess.Popen(
            search_command(run_dir, "--child_retries=1000", *arguments),
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as driver:
            shots = dice.randint(1, 3)
            while driver.poll() is None:
                if time.monotonic() - begun > MOST_SECONDS:
                    driver.kill()
                    raise AssertionError("it does not come to an end")
                time.sleep(dice.uniform(0.1, 0.6))
                victims = [pid for pid in working(run_dir) if is_alive(pid) and is_worker(pid)]
                if not victims:
                    continue
                if shots and killed["worker"] < worker_kills:
                    shots -= 1
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(dice.choice(victims), signal.SIGKILL)
                        killed["worker"] += 1
                elif killed["driver"] < driver_kills:
                    driver.kill()
                    killed["driver"] += 1
                    break
            _, err = driver.communicate()
        if driver.returncode == 0:
            return killed
        assert driver.returncode == -signal.SIGKILL, err
