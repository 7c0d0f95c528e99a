"""Batch normalisation and its gradient, as pure functions of JAX arrays in NHWC."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from blockqnn.networks.calls import as_call
from blockqnn.networks.norm_settings import (
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    USUAL_NORMS,
    NormSettings,
)

Arrays = Mapping[str, jax.Array]
"""Arrays by name: of a layer's parameters, statistics or gradients."""


def batch_norm(
    x: jax.Array,
    parameters: Arrays,
    statistics: Arrays,
    training: bool,
    devices: str | None = None,
    settings: NormSettings = USUAL_NORMS,
) -> tuple[jax.Array, Arrays]:
    """Batch normalisation over all axes but the last, computed in float32.

    Args:
        x: [B, H, W, C].
        parameters: of the layer; `scale` and `bias`, [C], or neither of them.
        statistics: running `mean` and `variance`, [C].
        training: whether to normalise by the batch and update the statistics.
        devices: as for `batch_statistics`.
        settings: of training.

    Returns:
        The normalised array in the dtype of `x`, and the statistics after it.
    """
    if not training:
        return normalised(x, parameters, statistics), statistics
    own = {name: parameters[name] for name in ("scale", "bias") if name in parameters}
    y, used = _by_batch_apart(settings.more, devices, x, own)
    return y, running_statistics(statistics, used, settings.momentum)


def batch_statistics(x: jax.Array, devices: str | None = None) -> Arrays:
    """Mean and variance of a batch.

    Args:
        x: [B, H, W, C].
        devices: name of the axis of devices that share the batch in equal parts, of which this
            is one; None where this is all of it.

    Returns:
        `mean` and `variance`, float32 [C].
    """
    wide = x.astype(jnp.float32)
    if jax.default_backend() != "cpu":
        # An accelerator waits for memory: both means of one reading, as Flax takes them.
        means = jnp.mean(wide, axis=(0, 1, 2)), jnp.mean(jnp.square(wide), axis=(0, 1, 2))
        mean, square = (_over(each, devices) for each in means)
        return {"mean": mean, "variance": jnp.maximum(square - jnp.square(mean), 0.0)}
    mean = _over(jnp.mean(wide, axis=(0, 1, 2)), devices)
    variance = _over(jnp.mean(jnp.square(wide - _row(mean)), axis=(0, 1, 2)), devices)
    return {"mean": mean, "variance": variance}


def running_statistics(
    statistics: Arrays, batch: Arrays, keep: float = BATCH_NORM_MOMENTUM
) -> Arrays:
    """The running statistics after one more batch, a share of the old ones being kept."""
    return {name: keep * statistics[name] + (1 - keep) * batch[name] for name in statistics}


def normalised(x: jax.Array, parameters: Arrays, statistics: Arrays) -> jax.Array:
    """Normalises by given statistics, then scales and shifts where there is what to do it by.

    Args:
        x: [B, H, W, C].
        parameters: `scale` and `bias`, [C], or neither.
        statistics: `mean` and `variance`, [C].

    Returns:
        [B, H, W, C] in the dtype of `x`.
    """
    inverse = jax.lax.rsqrt(statistics["variance"] + BATCH_NORM_EPSILON)
    centred = x.astype(jnp.float32) - _row(statistics["mean"])
    if "scale" not in parameters:
        return (centred * _row(inverse)).astype(x.dtype)
    factor = parameters["scale"] * inverse
    return (centred * _row(factor) + _row(parameters["bias"])).astype(x.dtype)


def batch_norm_gradients(
    x: jax.Array,
    parameters: Arrays,
    batch: Arrays,
    gradient: jax.Array,
    devices: str | None = None,
) -> tuple[Arrays, jax.Array]:
    """The gradients of batch norm in training.

    With x' the normalised input before scale and bias, and means over the
    batch (Ioffe and Szegedy, Batch Normalization, ICML 2015, section 3):

        dx = scale / sqrt(variance + epsilon) * (g - mean(g) - x' mean(g x'))

    Args:
        x: the input, [B, H, W, C].
        parameters: `scale` and `bias`, [C], or neither.
        batch: what `batch_statistics` gives for `x`.
        gradient: g, for the output, [B, H, W, C].
        devices: as for `batch_statistics`.

    Returns:
        The gradients for `scale` and `bias` where there are these, and that for `x`.
    """
    inverse = jax.lax.rsqrt(batch["variance"] + BATCH_NORM_EPSILON)
    unit = (x.astype(jnp.float32) - _row(batch["mean"])) * _row(inverse)
    wide = gradient.astype(jnp.float32)
    bias, scale = _over_pixels(wide), _over_pixels(wide * unit)
    pixels = x.size // x.shape[-1]
    if devices is not None:
        bias, scale = jax.lax.psum((bias, scale), devices)
        pixels *= jax.lax.axis_size(devices)
    centred = wide - _row(bias / pixels) - unit * _row(scale / pixels)
    if "scale" not in parameters:
        return {}, (_row(inverse) * centred).astype(x.dtype)
    dx = (_row(parameters["scale"] * inverse) * centred).astype(x.dtype)
    return {"scale": scale, "bias": bias}, dx


def _over_pixels(x: jax.Array) -> jax.Array:
    """The sums of all axes but the last."""
    if jax.default_backend() != "cpu":
        return jnp.sum(x, axis=(0, 1, 2))
    # As a product, which the CPU sums up twice as fast as by a reduction.
    return jnp.einsum("bhw,bhwc->c", jnp.ones(x.shape[:3], jnp.float32), x)


def _by_batch(
    more: float, devices: str | None, x: jax.Array, parameters: Arrays
) -> tuple[jax.Array, Arrays]:
    """What is normalised by the batch, and the mean and variance by which it is."""
    used = batch_statistics(x, devices)
    if more:
        used = {**used, "variance": used["variance"] + more}
    return normalised(x, parameters, used), used


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _by_batch_apart(
    more: float, devices: str | None, x: jax.Array, parameters: Arrays
) -> tuple[jax.Array, Arrays]:
    """The same, and its gradient, each computed once within a larger program."""
    return _forward_call(more, devices)(x, parameters)


def _forward_apart(
    more: float, devices: str | None, x: jax.Array, parameters: Arrays
) -> tuple[Any, Any]:
    y, used = _forward_call(more, devices)(x, parameters)
    return (y, used), (x, parameters, used)


def _backward_apart(
    more: float, devices: str | None, saved: Any, gradients: tuple[jax.Array, Arrays]
) -> tuple[jax.Array, Arrays]:
    # Nobody learns from the statistics, which have no gradient.
    return _backward_call(devices)(*saved, gradients[0])


_by_batch_apart.defvjp(_forward_apart, _backward_apart)


@functools.cache
def _forward_call(more: float, devices: str | None) -> Callable[..., Any]:
    return as_call(functools.partial(_by_batch, more, devices))


@functools.cache
def _backward_call(devices: str | None) -> Callable[..., Any]:
    def of_input_and_own(
        x: jax.Array, parameters: Arrays, used: Arrays, gradient: jax.Array
    ) -> tuple[jax.Array, Arrays]:
        """The gradients of batch norm in the order of what it takes."""
        own, passed = batch_norm_gradients(x, parameters, used, gradient, devices)
        if devices is not None:
            # Each device gets its share, as JAX derives it, and not the sum.
            own = {name: array / jax.lax.axis_size(devices) for name, array in own.items()}
        return passed, own

    return as_call(of_input_and_own)


def _row(x: jax.Array) -> jax.Array:
    return x[None, None, None, :]


def _over(mean: jax.Array, devices: str | None) -> jax.Array:
    """The mean over devices of what each has of its part."""
    return mean if devices is None else jax.lax.pmean(mean, devices)
