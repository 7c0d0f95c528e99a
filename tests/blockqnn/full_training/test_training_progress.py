"""The lines that `train` prints, in a log and on a terminal."""

import io
import subprocess
import sys

import pytest

from blockqnn.full_training.progress import ImageProgress, TrainingProgress
from blockqnn.full_training.trainer import Epoch
from tests.paths import ROOT


class Terminal(io.StringIO):
    def isatty(self):
        return True


def ended(number, seconds=2.0, **changes):
    facts = {
        "epoch": number,
        "loss": 1.23456,
        "accuracy": 81.0,
        "validation_accuracy": None,
        "validation_loss": None,
        "learning_rate": 0.1,
        "seconds": seconds,
    }
    return Epoch(**facts | changes)


@pytest.fixture
def clock():
    return [0.0]


def test_a_log_has_a_line_for_each_epoch_and_none_for_a_step(clock):
    stream = io.StringIO()
    progress = TrainingProgress(stream, 100, 10, lambda: clock[0])
    clock[0] = 5.0
    progress.step(1, 3)
    progress.epoch(ended(1, seconds=50.0))
    progress.epoch(ended(2, validation_accuracy=80.125, learning_rate=0.0001))
    progress.epoch(ended(100))
    progress.close()
    assert stream.getvalue().splitlines() == [
        "epoch 1/100  loss 1.2346  accuracy 81.00 %  rate 0.1  50.0 s  1:22:30 left",
        # The first epoch's seconds, with its compiling, say nothing of the others.
        "epoch 2/100  loss 1.2346  accuracy 81.00 %  validation 80.12 %  rate 0.0001  2.0 s  "
        "3:16 left",
        "epoch 100/100  loss 1.2346  accuracy 81.00 %  rate 0.1  2.0 s",
    ]


def test_a_terminal_shows_steps_in_a_line_that_is_rewritten(clock):
    stream = Terminal()
    progress = TrainingProgress(stream, 3, 10, lambda: clock[0])
    progress.step(1, 1)
    assert stream.getvalue() == "", "too early"
    clock[0] = 1.0
    progress.step(1, 2)
    assert stream.getvalue() == "\r\x1b[2Kepoch 1/3  step 2/10"
    progress.step(1, 3)
    progress.epoch(ended(1))
    text = stream.getvalue()
    assert "step 3" not in text
    assert "\r\x1b[2Kepoch 1/3  loss" in text
    assert text.endswith("0:04 left\n")
    progress.close()
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_images_that_are_measured_are_counted_with_an_estimate_that_leaves_compiling_out():
    stream, clock = io.StringIO(), iter([0.0, 30.0, 32.0, 40.0, 50.0])
    with ImageProgress(stream, 1000, lambda: next(clock)) as progress:
        # The first hundred took 30 seconds, most of it for compiling.
        progress.seen(100)
        progress.seen(200)
        # After ten seconds 400 more: 500 are left, which take 12.5 seconds.
        progress.seen(500)
        progress.seen(1000)
    assert stream.getvalue() == ("100 of 1,000 images\n500 of 1,000 images, 0:12 left\n")


def test_nothing_is_counted_where_nobody_reads_it(capsys):
    with ImageProgress(None, 10) as progress:
        progress.seen(5)
    assert capsys.readouterr() == ("", "")


def test_what_is_said_first_waits_for_no_slow_library():
    modules = ("blockqnn.full_training.command", "blockqnn.full_training.evaluate")
    slow = ("jax", "flax", "orbax", "grain", "tensorflow_datasets", "sklearn", "scipy")
    check = f"import sys, {', '.join(modules)}; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
