"""Longer trainings in real processes, really killed."""

import json
import subprocess
import sys
import time

import pytest

from tests.blockqnn.searching.test_killed_runs import finished_trials
from tests.paths import ROOT

BLOCKS = 120


def calibrate(directory, *arguments):
    """The command; so many epochs that made-up accuracies take a while to be handed over."""
    return [
        sys.executable,
        "-m",
        "blockqnn",
        "calibrate",
        directory / "run",
        f"--blocks={BLOCKS}",
        "--epochs=4000",
        "--executor=local",
        "--workers=1",
        "--format=json",
        *arguments,
    ]


def finished(command):
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout) | {"seconds": None}


@pytest.mark.long
def test_a_calibration_that_is_killed_twice_equals_one_that_was_not(blockqnn):
    blockqnn.search("--preset=digits", "--epsilon_schedule=1.0:20", "--run_dir=run")
    wanted = finished(
        calibrate(blockqnn.directory, f"--calibration_dir={blockqnn.directory / 'w'}")
    )
    place = blockqnn.directory / "run-calibration"
    for target in (BLOCKS // 4, BLOCKS // 2):
        with subprocess.Popen(
            calibrate(blockqnn.directory), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            while process.poll() is None and finished_trials(place) < target:
                time.sleep(0.001)
            assert process.poll() is None, process.stderr.read().decode()
            process.kill()
    before = finished_trials(place)
    assert BLOCKS // 2 <= before < BLOCKS, "the kills were in the middle"
    assert finished(calibrate(blockqnn.directory)) == wanted
    assert finished_trials(place) == BLOCKS
