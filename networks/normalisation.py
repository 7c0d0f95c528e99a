"""Batch normalisation and its gradient, as pure functions of JAX arrays in NHWC."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

BATCH_NORM_MOMENTUM = 0.9
"""Share of the old running statistics that a training step keeps."""
BATCH_NORM_EPSILON = 1e-5

Arrays = Mapping[str, jax.Array]
"""Arrays by name: of a layer's parameters, statistics or gradients."""


def batch_norm(
    x: jax.Array, parameters: Arrays, statistics: Arrays, training: bool
) -> tuple[jax.Array, Arrays]:
    """Batch normalisation over all axes but the last, computed in float32.

    Args:
        x: [B, H, W, C].
        parameters: `scale` and `bias`, [C].
        statistics: running `mean` and `variance`, [C].
        training: whether to normalise by the batch and update the statistics.

    Returns:
        The normalised array in the dtype of `x`, and the statistics after it.
    """
    used = batch_statistics(x) if training else statistics
    after = running_statistics(statistics, used) if training else statistics
    return normalised(x, parameters, used), after


def grouped_batch_norm(
    x: jax.Array, parameters: Arrays, statistics: Arrays, groups: int
) -> tuple[jax.Array, Arrays]:
    """Batch normalisation in training where each part of the batch is normalised by itself.

    With a group on each device, no device waits for the others' statistics.

    Args:
        x: [B, H, W, C]; B is a multiple of `groups`.
        parameters: `scale` and `bias`, [C].
        statistics: running `mean` and `variance`, [C].
        groups: parts of consecutive images.

    Returns:
        The normalised array in the dtype of `x`, and the statistics after it,
        which follow the mean over the groups.
    """
    parts = x.reshape(groups, x.shape[0] // groups, *x.shape[1:])
    own = jax.vmap(batch_statistics)(parts)
    normal = jax.vmap(normalised, in_axes=(0, None, 0))(parts, parameters, own)
    mean = {name: jnp.mean(values, axis=0) for name, values in own.items()}
    return normal.reshape(x.shape), running_statistics(statistics, mean)


def batch_statistics(x: jax.Array) -> Arrays:
    """Mean and variance of a batch.

    Args:
        x: [B, H, W, C].

    Returns:
        `mean` and `variance`, float32 [C].
    """
    wide = x.astype(jnp.float32)
    mean = jnp.mean(wide, axis=(0, 1, 2))
    return {"mean": mean, "variance": jnp.mean(jnp.square(wide - _row(mean)), axis=(0, 1, 2))}


def running_statistics(statistics: Arrays, batch: Arrays) -> Arrays:
    """The running statistics after one more batch."""
    keep = BATCH_NORM_MOMENTUM
    return {name: keep * statistics[name] + (1 - keep) * batch[name] for name in statistics}


def normalised(x: jax.Array, parameters: Arrays, statistics: Arrays) -> jax.Array:
    """Normalises by given statistics, then scales and shifts.

    Args:
        x: [B, H, W, C].
        parameters: `scale` and `bias`, [C].
        statistics: `mean` and `variance`, [C].

    Returns:
        [B, H, W, C] in the dtype of `x`.
    """
    factor = parameters["scale"] * jax.lax.rsqrt(statistics["variance"] + BATCH_NORM_EPSILON)
    centred = x.astype(jnp.float32) - _row(statistics["mean"])
    return (centred * _row(factor) + _row(parameters["bias"])).astype(x.dtype)


def batch_norm_gradients(
    x: jax.Array, parameters: Arrays, batch: Arrays, gradient: jax.Array
) -> tuple[Arrays, jax.Array]:
    """The gradients of batch norm in training.

    With x' the normalised input before scale and bias, and means over the
    batch (Ioffe and Szegedy, Batch Normalization, ICML 2015, section 3):

        dx = scale / sqrt(variance + epsilon) * (g - mean(g) - x' mean(g x'))

    Args:
        x: the input, [B, H, W, C].
        parameters: `scale` and `bias`, [C].
        batch: what `batch_statistics` gives for `x`.
        gradient: g, for the output, [B, H, W, C].

    Returns:
        The gradients for `scale` and `bias`, and that for `x`.
    """
    inverse = jax.lax.rsqrt(batch["variance"] + BATCH_NORM_EPSILON)
    unit = (x.astype(jnp.float32) - _row(batch["mean"])) * _row(inverse)
    wide = gradient.astype(jnp.float32)
    # As products, which the CPU sums up twice as fast as by a reduction.
    ones = jnp.ones(x.shape[:3], jnp.float32)
    bias = jnp.einsum("bhw,bhwc->c", ones, wide)
    scale = jnp.einsum("bhw,bhwc->c", ones, wide * unit)
    pixels = x.size // x.shape[-1]
    centred = wide - _row(bias / pixels) - unit * _row(scale / pixels)
    dx = (_row(parameters["scale"] * inverse) * centred).astype(x.dtype)
    return {"scale": scale, "bias": bias}, dx


def _row(x: jax.Array) -> jax.Array:
    return x[None, None, None, :]
