"""Errors and losses of logits, by hand."""

import numpy as np
import pytest

from blockqnn.data.images import Images
from blockqnn.full_training.measuring import Tally, measure
from blockqnn.full_training.splits import ArraySplit, Part


def test_errors_and_loss_as_hand_computed():
    tally = Tally(7)
    logits = np.array(
        [
            [6, 5, 4, 3, 2, 1, 0],  # Right.
            [6, 5, 4, 3, 2, 1, 0],  # Fifth of seven.
            [6, 5, 4, 3, 2, 1, 0],  # Sixth.
        ],
        np.float32,
    )
    tally.add(logits[:2], np.array([0, 4]))
    tally.add(logits[2:], np.array([5]))
    found = tally.measured()
    assert (found.examples, found.error) == (3, pytest.approx(200 / 3))
    assert found.top5_error == pytest.approx(100 / 3)
    total = np.log(np.exp(np.arange(7.0)).sum())
    assert found.loss == pytest.approx(((total - 6) + (total - 2) + (total - 1)) / 3)
    wanted = np.zeros((7, 7), int)
    wanted[0, 0] = wanted[4, 0] = wanted[5, 0] = 1
    assert np.array_equal(found.confusion, wanted)
    assert found.facts() == {
        "examples": 3,
        "error": found.error,
        "top5_error": found.top5_error,
        "loss": found.loss,
    }


def test_ties_go_to_the_lower_class_in_both_errors():
    tally = Tally(8)
    tally.add(np.zeros((2, 8), np.float32), np.array([0, 5]))
    found = tally.measured()
    assert (found.error, found.top5_error) == (50.0, 50.0)


def test_five_classes_have_no_top_five():
    tally = Tally(5)
    tally.add(np.eye(5, dtype=np.float32), np.arange(5))
    assert tally.measured().top5_error is None


def test_large_logits_do_not_overflow():
    tally = Tally(2)
    tally.add(np.array([[1000.0, 0.0]], np.float32), np.array([1]))
    assert tally.measured().loss == pytest.approx(1000.0)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 20])
def test_every_image_is_counted_once_in_batches_of_one_size(batch_size):
    pixels = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    part = Part(ArraySplit(Images(pixels, np.arange(10, dtype=np.int32) % 2)), np.arange(10))
    sizes = []

    def logits(batch):
        sizes.append(len(batch))
        return np.stack([batch[:, 0, 0, 0] < 6, batch[:, 0, 0, 0] >= 6], 1).astype(np.float32)

    found = measure(logits, part, 2, batch_size, readers=2)
    assert set(sizes) == {batch_size}
    assert found.confusion.tolist() == [[3, 2], [3, 2]]
