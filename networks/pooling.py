"""Pooling, as pure functions of JAX arrays in NHWC."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from blockqnn.networks.pooling_gradients import downsampling_gradient, max_pooling_gradient

_LARGE = 7
"""Side of the smallest window whose maxima are doubled. Smaller ones gain less, and where values
tie they share a gradient otherwise than by doubling, as in all trainings so far."""


def max_pooling(x: jax.Array, side: int, stride: int = 1) -> jax.Array:
    """Max pooling; padding is always that of stride 1.

    The maximum of shifted copies, first down and then across: on the CPU this
    is faster than `reduce_window`, and unlike that one's gradient, its own is
    deterministic on a GPU. Where values tie, the gradient is shared. Of large
    windows, the maxima of 2, 4 and so on pixels in a row are taken one from
    another, with which 7x7 takes a third of the time (docs/speed.md).

    Args:
        x: [B, H, W, C].
        side: of the window, odd.
        stride: in both directions.

    Returns:
        [B, ceil(H / stride), ceil(W / stride), C].
    """
    if stride == 1 and side < _LARGE and jax.default_backend() == "cpu":
        return _max_pooling_on_cpu(x, side)
    return _apart(plain_max_pooling(_apart(x), side, stride))


def plain_max_pooling(x: jax.Array, side: int, stride: int = 1) -> jax.Array:
    """`max_pooling` with the gradient that JAX derives."""
    height, width = x.shape[1:3]
    padded = _pad(x, side, -jnp.inf)
    if side >= _LARGE:
        tall = _doubled_maxima(padded, side, 1)[:, :height:stride]
        return _doubled_maxima(tall, side, 2)[:, :, :width:stride]
    tall = padded[:, :height:stride]
    for row in range(1, side):
        tall = jnp.maximum(tall, padded[:, row : row + height : stride])
    y = tall[:, :, :width:stride]
    for column in range(1, side):
        y = jnp.maximum(y, tall[:, :, column : column + width : stride])
    return y


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_pooling_on_cpu(x: jax.Array, side: int) -> jax.Array:
    return plain_max_pooling(x, side)


_max_pooling_on_cpu.defvjp(
    lambda x, side: (plain_max_pooling(x, side), x),
    lambda side, x, gradient: (max_pooling_gradient(x, gradient, side),),
)


def _doubled_maxima(x: jax.Array, side: int, axis: int) -> jax.Array:
    """The maximum of every `side` neighbours along an axis, which becomes shorter by `side - 1`."""
    covered = 1
    while covered < side:
        step = min(covered, side - covered)
        length = x.shape[axis] - step
        x = jnp.maximum(*(jax.lax.slice_in_dim(x, s, s + length, axis=axis) for s in (0, step)))
        covered += step
    return x


def average_pooling(x: jax.Array, side: int, stride: int = 1) -> jax.Array:
    """Average pooling over the pixels that exist; padding is always that of stride 1.

    Args:
        x: [B, H, W, C].
        side: of the window, odd.
        stride: in both directions.

    Returns:
        [B, ceil(H / stride), ceil(W / stride), C].
    """
    ones = jnp.ones((1, *x.shape[1:3], 1), x.dtype)
    return _apart(_window_sum(_apart(x), side, stride) / _window_sum(ones, side, stride))


def average_pooling_within(x: jax.Array, side: int, stride: int) -> jax.Array:
    """Average pooling where the whole window lies within the map.

    Args:
        x: [B, H, W, C].
        side: of the window, at most H and W.
        stride: in both directions.

    Returns:
        [B, (H - side) // stride + 1, (W - side) // stride + 1, C].
    """
    height, width = ((length - side) // stride * stride + 1 for length in x.shape[1:3])
    rows = [x[:, row : row + height : stride] for row in range(side)]
    tall = sum(rows[1:], rows[0])
    columns = [tall[:, :, column : column + width : stride] for column in range(side)]
    return sum(columns[1:], columns[0]) / (side * side)


def downsampling(x: jax.Array) -> jax.Array:
    """Max pooling of 2x2 pixels with stride 2; an odd last row or column is left out.

    Args:
        x: [B, H, W, C].

    Returns:
        [B, H // 2, W // 2, C].
    """
    if jax.default_backend() == "cpu":
        return _downsampling_on_cpu(x)
    return plain_downsampling(x)


def plain_downsampling(x: jax.Array) -> jax.Array:
    """`downsampling` with the gradient that JAX derives."""
    batch, height, width, channels = x.shape
    even = x[:, : height // 2 * 2, : width // 2 * 2]
    pairs = even.reshape(batch, height // 2, 2, width // 2, 2, channels)
    # Two steps of two: the gradient is several times faster than that of one reduction.
    tall = jnp.maximum(pairs[:, :, 0], pairs[:, :, 1])
    return jnp.maximum(tall[:, :, :, 0], tall[:, :, :, 1])


@jax.custom_vjp
def _downsampling_on_cpu(x: jax.Array) -> jax.Array:
    return plain_downsampling(x)


_downsampling_on_cpu.defvjp(
    lambda x: (plain_downsampling(x), x),
    lambda x, gradient: (downsampling_gradient(x, gradient),),
)


def average_downsampling(x: jax.Array) -> jax.Array:
    """Average pooling of 2x2 pixels with stride 2; an odd last row or column is left out.

    Args:
        x: [B, H, W, C].

    Returns:
        [B, H // 2, W // 2, C].
    """
    batch, height, width, channels = x.shape
    even = x[:, : height // 2 * 2, : width // 2 * 2]
    return even.reshape(batch, height // 2, 2, width // 2, 2, channels).mean((2, 4))


def global_pooling(x: jax.Array) -> jax.Array:
    """Mean over all pixels, in float32.

    Args:
        x: [B, H, W, C].

    Returns:
        [B, C], float32.
    """
    return jnp.mean(x.astype(jnp.float32), axis=(1, 2))


def _apart(x: jax.Array) -> jax.Array:
    """The same array, at which a GPU's compiler ends one kernel and begins another.

    Fused, poolings of poolings compute the inner ones anew for each window, nine times nine slices
    for two of 3x3 and so on: a random child with three in a block ended the compiler of an H100.
    """
    return _barrier(x) if jax.default_backend() == "gpu" else x


@jax.custom_vjp
def _barrier(x: jax.Array) -> jax.Array:
    return jax.lax.optimization_barrier(x)


_barrier.defvjp(
    lambda x: (jax.lax.optimization_barrier(x), None),
    lambda _, gradient: (jax.lax.optimization_barrier(gradient),),
)


def _pad(x: jax.Array, side: int, value: float) -> jax.Array:
    half = side // 2
    return jnp.pad(x, ((0, 0), (half, half), (half, half), (0, 0)), constant_values=value)


def _window_sum(x: jax.Array, side: int, stride: int) -> jax.Array:
    height, width = x.shape[1:3]
    padded = _pad(x, side, 0.0)
    rows = [padded[:, row : row + height : stride] for row in range(side)]
    tall = sum(rows[1:], rows[0])
    columns = [tall[:, :, column : column + width : stride] for column in range(side)]
    return sum(columns[1:], columns[0])
