"""The lines that `train` prints, in a log and on a terminal."""

import io

import pytest

from blockqnn.full_training.progress import TrainingProgress
from blockqnn.full_training.trainer import Epoch


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
