"""Real processes: trainings that are killed, and one on eight devices."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from blockqnn.children.checkpoint import checkpoints, load_checkpoint, verify
from blockqnn.full_training.directory import read_result
from tests.blockqnn.small_trainings import equal, figures
from tests.paths import ROOT

EPOCHS, STEPS = 12, 10


def command(directory, *arguments):
    return [
        sys.executable,
        "-m",
        "blockqnn",
        "train",
        "[(1,1,3,0,0),(2,5,0,0,1)]",
        "--dataset=synthetic:8x8x1:3:100",
        "--filters=4",
        "--repeats=1",
        f"--epochs={EPOCHS}",
        "--batch_size=10",
        "--milestones=6",
        "--drop_path=0.2",
        "--ema_decay=0.9",
        "--checkpoint_epochs=1",
        f"--out_dir={directory}",
        *arguments,
    ]


def environment(devices):
    """That of a process with so many devices: sums over others end in other bits."""
    flags = re.sub(r"(device_count=)\d+", rf"\g<1>{devices}", os.environ["XLA_FLAGS"])
    return os.environ | {"XLA_FLAGS": flags}


def finish(directory, *arguments, devices=1):
    """Trains to the end; returns what was printed."""
    done = subprocess.run(
        command(directory, *arguments),
        cwd=ROOT,
        env=environment(devices),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def state(directory):
    """All that a training has become, seconds left out."""
    found = load_checkpoint(directory)
    result = read_result(directory) | {"seconds": 0}
    return result, figures(directory), [found.parameters, found.statistics]


def same(one, other):
    return one[:2] == other[:2] and equal(one[2], other[2])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that was never disturbed."""
    directory = tmp_path_factory.mktemp("whole") / "run"
    finish(directory)
    return state(directory)


def last_step(directory):
    found = checkpoints(directory)
    return int(found[-1].name[5:]) if found else 0


def unfinished(directory):
    return next((directory / "checkpoints").glob("*.unfinished"), None)


def kill_when(directory, ready):
    """Starts or continues a training and kills it as soon as `ready`; whether it was running."""
    with subprocess.Popen(
        command(directory),
        cwd=ROOT,
        env=environment(1),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        while process.poll() is None and not ready():
            time.sleep(0.0005)
        process.kill()
        process.wait()
        assert process.returncode == -signal.SIGKILL, process.stderr.read().decode()


def test_a_training_that_is_killed_again_and_again_equals_one_that_was_not(tmp_path, whole):
    run = tmp_path / "run"
    dice = random.Random()
    # Twice while a checkpoint is being written, and twice a little after one.
    for within in dice.sample([True, True, False, False], 4):
        before = last_step(run)
        if within:
            kill_when(run, lambda before=before: last_step(run) > before and unfinished(run))
        else:
            until = []

            def later(before=before, until=until):
                if not until and last_step(run) > before:
                    until.append(time.monotonic() + dice.uniform(0.0, 0.05))
                return until and time.monotonic() > until[0]

            kill_when(run, later)
        found = checkpoints(run)
        for path in found:
            verify(path)
        assert last_step(run) > before
        assert last_step(run) % STEPS == 0
        lines = (run / "metrics.jsonl").read_text().splitlines()
        complete = [json.loads(line)["epoch"] for line in lines if line.endswith("}")]
        # At most the epoch after the last checkpoint is lost, and none stands there twice.
        assert complete == list(range(1, len(complete) + 1))
        assert len(complete) * STEPS <= last_step(run)
    assert read_result(run) is None, "the kills were not in the middle of the training"
    before = last_step(run) // STEPS
    out = finish(run)
    assert f"Continuing after epoch {before}." in out
    assert same(state(run), whole)


@pytest.mark.long
def test_eight_devices_reach_what_one_reaches(tmp_path):
    run = tmp_path / "eight"
    finish(run, "--devices=8", "--batch_size=40", "--drop_path=0", devices=8)
    finish(tmp_path / "one", "--batch_size=40", "--drop_path=0", devices=1)
    eight, one = state(run), state(tmp_path / "one")
    for epoch, other in zip(eight[1], one[1], strict=True):
        assert epoch["loss"] == pytest.approx(other["loss"], rel=1e-3)
    for a, b in zip(jax.tree.leaves(eight[2]), jax.tree.leaves(one[2]), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-2, atol=2e-3)
    finish(
        tmp_path / "apart",
        "--devices=8",
        "--nosync_batch_norm",
        "--batch_size=40",
        "--drop_path=0",
        devices=8,
    )
    apart = state(tmp_path / "apart")[1]
    assert abs(apart[0]["loss"] - one[1][0]["loss"]) > 1e-3
