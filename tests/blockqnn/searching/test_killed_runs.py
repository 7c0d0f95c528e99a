"""Real processes, really killed: a run that goes on ends like one that was never killed."""

import contextlib
import dataclasses
import math
import random
import sqlite3
import subprocess
import sys
import time

from blockqnn.runs.run_record import read_run
from blockqnn.runs.store import FILE_NAME, Store
from tests.blockqnn.small_searches import without_times
from tests.paths import ROOT

KILLS = 20


def command(run_dir, *arguments):
    return [
        sys.executable,
        "-m",
        "blockqnn",
        "search",
        "--preset=digits",
        "--evaluator=dry",
        "--workers=1",
        "--epsilon_schedule=1.0:5,0.5:5,0.1:5",
        "--blocks_per_iteration=30",
        "--max_layers=8",
        "--seed=5",
        f"--run_dir={run_dir}",
        *arguments,
    ]


def finished_trials(run_dir):
    """How many trials are in the store, which may not exist yet."""
    path = f"file:{run_dir / FILE_NAME}?mode=ro"
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(path, uri=True)) as connection,
    ):
        return connection.execute("SELECT count(*) FROM trials").fetchone()[0]
    return 0


def result_of(run_dir):
    """Trials without times and workers, Q-table and random state."""
    with contextlib.closing(Store.open_read_only(run_dir / FILE_NAME)) as store:
        state, facts = store.agent_state(), store.facts()
    trials = [dataclasses.replace(trial, device=None) for trial in read_run(run_dir).trials]
    return without_times(trials), state, facts


def test_a_run_that_is_killed_twenty_times_equals_one_that_was_never_killed(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(whole), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    wanted = result_of(whole)
    total = len(wanted[0])
    dice = random.Random()
    # Most kills wait for a trial, drawn over nearly the whole run; the others come while the
    # process starts, opens the store or puts the agent where it stood.
    targets = sorted(dice.sample(range(1, total * 8 // 10), KILLS - 6))
    progress = []
    for at_start in dice.sample([True] * 6 + [False] * len(targets), KILLS):
        before = finished_trials(killed)
        with subprocess.Popen(
            command(killed), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            # At the start the first new trial ends the wait, or a quick machine would be done.
            target = before + 1 if at_start else targets.pop(0)
            patience = dice.uniform(0.0, 0.6) if at_start else math.inf
            begun = time.monotonic()
            while (
                process.poll() is None
                and finished_trials(killed) < target
                and time.monotonic() - begun < patience
            ):
                time.sleep(0.001)
            if not at_start:
                time.sleep(dice.uniform(0.0, 0.01))
            assert process.poll() is None, process.stderr.read().decode()
            process.kill()
        progress.append(finished_trials(killed))
    assert progress == sorted(progress)
    assert 0 < progress[-1] < total, "the kills were not in the middle of the run"
    subprocess.run(command(killed), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    trials, state, facts = result_of(killed)
    assert trials == wanted[0]
    assert state == wanted[1]
    assert facts == wanted[2]
    assert facts["iterations"] == 15
