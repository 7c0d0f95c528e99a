"""What a chain runs besides the programs of its steps: batches, losses, sums."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.device_mesh import PARTS, first_devices
from blockqnn.children.execution import (
    DeviceImages,
    count_correct,
    mean_cross_entropy,
    take_batch,
)

_MOST_SUMMANDS = 4


def total(arrays: list[jax.Array]) -> jax.Array:
    """The sum, by few programs: each number of summands is one."""
    while len(arrays) > 1:
        arrays = [_sum_few(*arrays[:_MOST_SUMMANDS]), *arrays[_MOST_SUMMANDS:]]
    return arrays[0]


def sum_zeros(devices: int, shape: tuple[int, ...], dtype: jnp.dtype, count: int) -> jax.Array:
    """Compiles the sum of so many arrays of a shape, for devices that have parts of each."""
    return total([first_devices(devices).put(np.zeros(shape, dtype), PARTS)] * count)


def first_channels(gradient: jax.Array, channels: int) -> jax.Array:
    """What of the gradient for a sum belongs to a summand of so many channels."""
    return gradient if gradient.shape[-1] == channels else _first_channels(gradient, channels)


def narrow_zeros(
    devices: int, shape: tuple[int, ...], dtype: jnp.dtype, channels: int
) -> jax.Array:
    """Compiles `first_channels` of a map of a shape."""
    return first_channels(first_devices(devices).put(np.zeros(shape, dtype), PARTS), channels)


def normalise_zeros(
    devices: int, batch_size: int, shape: tuple[int, ...], dtype: jnp.dtype
) -> object:
    """Compiles what makes batches of images of a shape."""
    images = jax.device_put(np.zeros((batch_size, *shape), np.uint8))
    channels = jax.device_put(np.ones(shape[-1:], np.float32))
    labels = jax.device_put(np.zeros(batch_size, np.int32))
    part = DeviceImages(images, labels, channels, channels)
    return batch_of(part, np.arange(batch_size), dtype, devices)


def lose_zeros(devices: int, batch_size: int, classes: int) -> object:
    """Compiles the loss and what counts correct answers."""
    put = first_devices(devices).put
    logits = put(np.zeros((batch_size, classes), np.float32), PARTS)
    labels = put(np.zeros(batch_size, np.int32), PARTS)
    correct = count_correct_of(logits, labels, jax.device_put(np.zeros(batch_size, bool)))
    return loss_and_gradient(logits, labels), correct


def batch_of(
    part: DeviceImages, indices: np.ndarray, dtype: jnp.dtype, devices: int = 1
) -> tuple[jax.Array, jax.Array]:
    """As `take_batch`; on the CPU, XLA takes a millisecond to gather what NumPy has at once.

    Args:
        part: where to take images from.
        indices: int32 [B].
        dtype: of the images returned.
        devices: of a CPU that get a part of the batch each.

    Returns:
        Images [B, H, W, C] and labels int32 [B].
    """
    if jax.default_backend() != "cpu":
        return _take_batch(part, jnp.asarray(indices), dtype)
    chosen = DeviceImages(
        np.asarray(part.images)[indices],
        np.asarray(part.labels)[indices],
        part.mean,
        part.deviation,
    )
    if devices > 1:
        images, labels = first_devices(devices).put((chosen.images, chosen.labels), PARTS)
        chosen = DeviceImages(images, labels, part.mean, part.deviation)
    return _take_batch(chosen, None, dtype)


def norm_factor(square: jax.Array, most: jax.Array | float) -> jax.Array:
    """By which gradients are multiplied, so that their norm is at most `most`."""
    return jnp.minimum(1.0, most / (jnp.sqrt(square) + 1e-6))


_take_batch = jax.jit(take_batch, static_argnames="dtype")
count_correct_of = jax.jit(count_correct)
clipping_factor = jax.jit(norm_factor)
loss_and_gradient = jax.jit(jax.value_and_grad(mean_cross_entropy))
_first_channels = jax.jit(lambda gradient, n: gradient[..., :n], static_argnums=1)
_sum_few = jax.jit(lambda *arrays: sum(arrays[1:], arrays[0]))
