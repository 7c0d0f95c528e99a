"""Gradients of maxima over windows, as a CPU computes them fast.

What JAX derives puts the gradient of each slice back into a padded map, pixel by pixel and
with a condition for each. Here a pixel gathers its shares from the windows that it is in,
which are slices of maps padded once. The shares are those of JAX: where values tie, each
maximum of two halves the gradient.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp


def max_pooling_gradient(x: jax.Array, gradient: jax.Array, side: int) -> jax.Array:
    """The gradient of max pooling with stride 1 for its input.

    Args:
        x: the input, [B, H, W, C].
        gradient: for the output, [B, H, W, C].
        side: of the window, odd.

    Returns:
        [B, H, W, C].
    """
    half, height = side // 2, x.shape[1]
    # As many pixels more as windows reach beyond windows: what is padded once, by its first
    # reader, need not be padded again.
    wide = jnp.pad(x, _on_the_map(2 * half), constant_values=-jnp.inf)
    around = jnp.pad(gradient, _on_the_map(half))
    rows = height + 2 * half

    def maxima(wide: jax.Array) -> jax.Array:
        return functools.reduce(jnp.maximum, [wide[:, row : row + rows] for row in range(side)])

    tall = _unfused(maxima, wide)
    of_tall = _unfused(functools.partial(_gathered, side=side, axis=2), tall, around)
    return _gathered(wide[:, :, 2 * half : -2 * half], of_tall, side=side, axis=1)


def downsampling_gradient(x: jax.Array, gradient: jax.Array) -> jax.Array:
    """The gradient of max pooling of 2x2 pixels with stride 2 for its input.

    Args:
        x: the input, [B, H, W, C].
        gradient: for the output, [B, H // 2, W // 2, C].

    Returns:
        [B, H, W, C]; an odd last row or column gets 0.
    """
    batch, height, width, channels = x.shape
    down, across = height // 2, width // 2
    even = x[:, : down * 2, : across * 2]
    pairs = even.reshape(batch, down, 2, across, 2, channels)
    tall = jnp.maximum(pairs[:, :, 0], pairs[:, :, 1])
    of_tall = gradient[:, :, :, None] * _share(tall, jnp.flip(tall, 3))
    of_pairs = of_tall[:, :, None] * _share(pairs, jnp.flip(pairs, 2))
    rest = ((0, 0), (0, height % 2), (0, width % 2), (0, 0))
    return jnp.pad(of_pairs.reshape(even.shape), rest)


def _gathered(x: jax.Array, gradient: jax.Array, side: int, axis: int) -> jax.Array:
    """The gradient of maxima of `side` neighbours along an axis.

    Args:
        x: the input, which reaches beyond the pixels that are wanted by `side - 1` on both ends.
        gradient: for the output, which reaches beyond them by half as many.
        side: of the window.
        axis: 1 or 2.

    Returns:
        The gradient for the pixels that are wanted.
    """
    wanted = gradient.shape[axis] - (side - 1)

    def slices(array: jax.Array, start: int) -> jax.Array:
        return jax.lax.slice_in_dim(array, start, start + wanted, axis=axis)

    parts = []
    for place in range(side):
        # The window in which a pixel has this place begins so many pixels before it.
        begins = side - 1 - place
        window = [slices(x, begins + step) for step in range(side)]
        parts.append(slices(gradient, begins) * _share_in(window, place))
    return functools.reduce(jnp.add, parts)


def _share_in(window: Sequence[jax.Array], place: int) -> jax.Array:
    """What one of several gets of the gradient of their maximum, taken one after another."""
    largest, shares = window[0], []
    for number, value in enumerate(window[1:], 1):
        if number == place:
            shares = [_share(value, largest)]
        elif number > place:
            shares.append(_share(largest, value))
        largest = jnp.maximum(largest, value)
    return functools.reduce(jnp.multiply, shares)


def _share(one: jax.Array, other: jax.Array) -> jax.Array:
    """What one of two gets of the gradient of their maximum."""
    whole, half, none = (jnp.asarray(share, one.dtype) for share in (1, 0.5, 0))
    return jnp.where(one > other, whole, jnp.where(one == other, half, none))


def _unfused(function: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """A function computed once, where XLA would compute it anew for each slice that is read.

    XLA does not look into branches, and cannot know that the condition always holds.
    """
    first = arrays[0].ravel()[0]
    always = (first <= jnp.inf) | (first != first)
    empty = jax.eval_shape(function, *arrays)
    return jax.lax.cond(always, function, lambda *_: jnp.zeros(empty.shape, empty.dtype), *arrays)


def _on_the_map(pixels: int) -> tuple[tuple[int, int], ...]:
    return ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0))
