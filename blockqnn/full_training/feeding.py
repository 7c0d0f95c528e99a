"""Which images each step takes, and how they come to the devices.

The order of images follows from the seed and the epoch alone. So a training
that keeps all images on the devices and one that streams them take the same
batches, and one that goes on in the middle of an epoch takes the rest of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import grain
import jax
import numpy as np

from blockqnn.data.images import Images, channel_statistics
from blockqnn.full_training.program import Program, State
from blockqnn.full_training.splits import Part

_BATCHES_AHEAD = 8
_MOST_FOR_STATISTICS = 50_000
"""Images that mean and deviation are computed of: all of CIFAR, and enough of any."""


def epoch_order(seed: int, epoch: int, examples: int, batch_size: int) -> np.ndarray:
    """Which images the steps of an epoch take; a rest smaller than a batch is left out.

    Args:
        seed: of the training.
        epoch: from 0.
        examples: images of the training part.
        batch_size: images in a step.

    Returns:
        int32 [steps, batch].
    """
    order = np.random.default_rng((seed, epoch)).permutation(examples)
    steps = examples // batch_size
    return order[: steps * batch_size].reshape(steps, batch_size).astype(np.int32)


def normalisation(part: Part, readers: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each channel of the training part, or of evenly chosen images of it.

    Args:
        part: the training part.
        readers: threads that read and decode.

    Returns:
        Two float32 arrays [C], on the scale of 0 to 255.
    """
    chosen = np.unique(np.linspace(0, len(part) - 1, _MOST_FOR_STATISTICS).astype(int))
    pieces = np.array_split(chosen, max(1, len(chosen) // 500))
    read = [batch.images for batch in batches(part, pieces, readers)]
    return channel_statistics(np.concatenate(read))


def batches(part: Part, indices: list[np.ndarray], readers: int) -> Iterator[Images]:
    """Reads batches ahead, by several threads, in their order.

    Args:
        part: where to read.
        indices: places in the part, for each batch.
        readers: threads that read and decode.

    Yields:
        The batches.
    """
    options = grain.ReadOptions(num_threads=readers, prefetch_buffer_size=_BATCHES_AHEAD)
    yield from grain.MapDataset.source(indices).map(part.read).to_iter_dataset(options)


class Feed(Protocol):
    """Feeds a program with the training part."""

    def advance(self, state: State, epoch: int, first: int) -> Iterator[tuple[State, jax.Array]]:
        """Makes the steps of an epoch from one of them on.

        Args:
            state: before the first of these steps; it is used up.
            epoch: from 0.
            first: step of the epoch to begin with, from 0.

        Yields:
            After each step the state, which the next step uses up, and the loss.
        """


class DeviceFeed:
    """Keeps all images on every device."""

    def __init__(self, program: Program, part: Part, batch_size: int, seed: int):
        """Reads all images and puts them on the devices.

        Args:
            program: to feed.
            part: the training part.
            batch_size: images in a step.
            seed: of the order.
        """
        self._program, self._batch_size, self._seed = program, batch_size, seed
        images = part.read(np.arange(len(part)))
        self._images = jax.device_put(images.images, program.everywhere)
        self._labels = jax.device_put(images.labels, program.everywhere)

    def advance(self, state: State, epoch: int, first: int) -> Iterator[tuple[State, jax.Array]]:
        """See `Feed.advance`."""
        order = epoch_order(self._seed, epoch, len(self._labels), self._batch_size)
        for indices in order[first:]:
            state, loss = self._program.step_of(state, self._images, self._labels, indices)
            yield state, loss


class StreamFeed:
    """Reads each batch when it is needed, a few ahead."""

    def __init__(self, program: Program, part: Part, batch_size: int, seed: int, readers: int):
        """Takes what to read.

        Args:
            program: to feed.
            part: the training part.
            batch_size: images in a step.
            seed: of the order.
            readers: threads that read and decode.
        """
        self._program, self._part, self._batch_size = program, part, batch_size
        self._seed, self._readers = seed, readers

    def advance(self, state: State, epoch: int, first: int) -> Iterator[tuple[State, jax.Array]]:
        """See `Feed.advance`."""
        order = epoch_order(self._seed, epoch, len(self._part), self._batch_size)
        for batch in batches(self._part, list(order[first:]), self._readers):
            images = jax.device_put(batch.images, self._program.in_parts)
            labels = jax.device_put(batch.labels, self._program.in_parts)
            state, loss = self._program.step(state, images, labels)
            yield state, loss
