"""Order of images, and feeding from the device and as a stream."""

import jax
import numpy as np
import pytest

from blockqnn.data.images import channel_statistics
from blockqnn.errors import UserError
from blockqnn.full_training.feeding import (
    DeviceFeed,
    StreamFeed,
    batches,
    epoch_order,
    normalisation,
)
from blockqnn.full_training.splits import Part
from tests.blockqnn.small_trainings import equal, images, part, program


def test_an_epoch_takes_every_image_at_most_once_in_another_order_each_time():
    order = epoch_order(0, 0, 50, 8)
    assert (order.shape, order.dtype) == ((6, 8), np.int32)
    assert len(np.unique(order)) == 48
    assert order.min() >= 0
    assert order.max() < 50
    assert np.array_equal(order, epoch_order(0, 0, 50, 8))
    others = [epoch_order(0, 1, 50, 8), epoch_order(1, 0, 50, 8)]
    assert not any(np.array_equal(order, other) for other in others)


@pytest.mark.parametrize("readers", [1, 5])
def test_batches_come_in_their_order_whatever_reads_them(readers):
    whole = part(40)
    pieces = [np.array([i, 39 - i, 7]) for i in range(30)]
    found = list(batches(whole, pieces, readers))
    assert len(found) == 30
    for piece, batch in zip(pieces, found, strict=True):
        assert np.array_equal(batch.images, images(40).images[piece])
        assert np.array_equal(batch.labels, images(40).labels[piece])


class Recorder:
    """Stands in for a program; its state is the list of batches that it was fed."""

    everywhere = in_parts = jax.local_devices()[0]

    def step(self, state, pixels, labels):
        return [*state, (np.asarray(pixels), np.asarray(labels))], None

    def step_of(self, state, pixels, labels, indices):
        return self.step(state, np.asarray(pixels)[indices], np.asarray(labels)[indices])


def fed(feed, epoch=0, first=0):
    """The batches of an epoch from one of them on."""
    return [state for state, _ in feed.advance([], epoch, first)][-1]


def feeds(whole, seed=0):
    return (
        DeviceFeed(Recorder(), whole, 8, seed),
        StreamFeed(Recorder(), whole, 8, seed, readers=3),
    )


def test_a_stream_and_the_device_feed_the_same_batches():
    one, other = (fed(feed, epoch=2) for feed in feeds(part(50), seed=4))
    assert len(one) == 6
    assert equal(one, other)
    assert not equal(one, fed(feeds(part(50), seed=4)[0], epoch=3))
    order = epoch_order(4, 2, 50, 8)
    assert np.array_equal(one[5][0], images(50).images[order[5]])
    assert np.array_equal(one[5][1], images(50).labels[order[5]])


def test_both_reach_the_same_weights_on_two_devices():
    made, whole = program(2), part(50)
    reached = []
    for feed in (DeviceFeed(made, whole, 8, 4), StreamFeed(made, whole, 8, 4, readers=3)):
        for state, _ in feed.advance(made.start(), 0, 0):
            after = state
        reached.append(jax.device_get(after))
    assert equal(*reached)


@pytest.mark.parametrize("kind", [0, 1])
def test_an_epoch_can_be_entered_in_its_middle(kind):
    feed = feeds(part(50))[kind]
    assert equal(fed(feed, first=4), fed(feed)[4:])


def test_a_part_of_a_split_is_all_that_is_fed():
    split = part(50).split
    some = Part(split, np.arange(10, 26))
    (batch,) = fed(DeviceFeed(Recorder(), some, 16, 0))
    assert {i.tobytes() for i in batch[0]} == {i.tobytes() for i in images(50).images[10:26]}
    read = next(batches(some, [np.arange(16)], 1))
    assert np.array_equal(read.images, images(50).images[10:26])


def test_statistics_are_those_of_the_training_part(monkeypatch):
    whole = part(1300)
    found = normalisation(whole, 2)
    for one, other in zip(found, channel_statistics(images(1300).images), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    monkeypatch.setattr("blockqnn.full_training.feeding._MOST_FOR_STATISTICS", 3)
    few = channel_statistics(images(1300).images[[0, 649, 1299]])
    np.testing.assert_allclose(normalisation(whole, 2)[0], few[0], rtol=1e-6)


def test_what_is_wrong_with_an_image_is_said_by_the_thread_that_met_it():
    class Broken:
        def read(self, indices):
            raise UserError("This image cannot be read.")

    with pytest.raises(UserError, match=r"^This image cannot be read"):
        list(batches(Broken(), [np.arange(2)] * 3, readers=2))
