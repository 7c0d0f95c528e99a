"""What each layer computes, as pure functions of JAX arrays in NHWC.

A convolution has several lowerings with one meaning; which is fastest depends
on backend and shape, and on the CPU the plain one is ten times slower than
the others for some shapes (`benchmarks/convolutions.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from networks.plan import Operation, PlacedLayer

BATCH_NORM_MOMENTUM = 0.9
"""Share of the old running statistics that a training step keeps."""
BATCH_NORM_EPSILON = 1e-5

Arrays = Mapping[str, jax.Array]


def compute(
    layer: PlacedLayer,
    parameters: Arrays,
    statistics: Arrays,
    inputs: Sequence[jax.Array],
    training: bool,
) -> tuple[jax.Array, Arrays]:
    """Computes one placed layer.

    Args:
        layer: what to compute.
        parameters: its trained arrays, float32, as `layer.parameter_shapes`.
        statistics: running `mean` and `variance` [C] of a PCC, else empty.
        inputs: its inputs, [B, H, W, C] or [B, C], of the compute dtype.
        training: whether batch norm uses the batch's statistics and updates
            the running ones, or uses the running ones.

    Returns:
        The output, and the statistics after it.
    """
    x = inputs[0]
    match layer.operation:
        case Operation.CONVOLUTION:
            return convolution(x, parameters["kernel"]), statistics
        case Operation.PCC:
            y = convolution(jax.nn.relu(x), parameters["kernel"])
            return batch_norm(y, parameters, statistics, training)
        case Operation.MAX_POOLING:
            return max_pooling(x, layer.kernel), statistics
        case Operation.AVERAGE_POOLING:
            return average_pooling(x, layer.kernel), statistics
        case Operation.ADD:
            return add(*inputs), statistics
        case Operation.CONCAT:
            return jnp.concatenate(inputs, axis=-1), statistics
        case Operation.DOWNSAMPLING:
            return downsampling(x), statistics
        case Operation.RELU:
            return jax.nn.relu(x), statistics
        case Operation.GLOBAL_POOLING:
            return jnp.mean(x.astype(jnp.float32), axis=(1, 2)), statistics
        case Operation.LINEAR:
            return x @ parameters["kernel"] + parameters["bias"][None, :], statistics
    raise ValueError(f"{layer.operation} is given, not computed")


def convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with stride 1 and SAME padding, in the cheapest lowering.

    Args:
        x: [B, H, W, I].
        kernel: [K, K, I, O], K odd; converted to the dtype of `x`.

    Returns:
        [B, H, W, O].
    """
    kernel = kernel.astype(x.dtype)
    side = kernel.shape[0]
    if side == 1:
        return pointwise_convolution(x, kernel)
    if jax.default_backend() == "cpu" and side > min(x.shape[1:3]):
        return unfolded_convolution(x, kernel)
    return plain_convolution(x, kernel)


def plain_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolution` as XLA's own operation."""
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def pointwise_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolution` with a 1x1 kernel, as a matrix product."""
    return jnp.einsum("bhwi,io->bhwo", x, kernel[0, 0])


def unfolded_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolution` as one matrix product over unfolded windows (im2col)."""
    side, height, width = kernel.shape[0], x.shape[1], x.shape[2]
    padded = _pad(x, side, 0.0)
    windows = [
        padded[:, row : row + height, column : column + width]
        for row in range(side)
        for column in range(side)
    ]
    unfolded = jnp.concatenate(windows, axis=-1)
    return jnp.einsum("bhwi,io->bhwo", unfolded, kernel.reshape(-1, kernel.shape[-1]))


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
    wide = x.astype(jnp.float32)
    mean, variance = statistics["mean"], statistics["variance"]
    if training:
        mean = jnp.mean(wide, axis=(0, 1, 2))
        variance = jnp.mean(jnp.square(wide - _row(mean)), axis=(0, 1, 2))
        keep = BATCH_NORM_MOMENTUM
        statistics = {
            "mean": keep * statistics["mean"] + (1 - keep) * mean,
            "variance": keep * statistics["variance"] + (1 - keep) * variance,
        }
    factor = parameters["scale"] * jax.lax.rsqrt(variance + BATCH_NORM_EPSILON)
    y = (wide - _row(mean)) * _row(factor) + _row(parameters["bias"])
    return y.astype(x.dtype), statistics


def max_pooling(x: jax.Array, side: int) -> jax.Array:
    """Max pooling, stride 1, SAME.

    The maximum of shifted copies, first down and then across: on the CPU this
    is faster than `reduce_window`, and unlike that one's gradient, its own is
    deterministic on a GPU. Where values tie, the gradient is shared.

    Args:
        x: [B, H, W, C].
        side: of the window, odd.

    Returns:
        [B, H, W, C].
    """
    height, width = x.shape[1:3]
    padded = _pad(x, side, -jnp.inf)
    tall = padded[:, :height]
    for row in range(1, side):
        tall = jnp.maximum(tall, padded[:, row : row + height])
    y = tall[:, :, :width]
    for column in range(1, side):
        y = jnp.maximum(y, tall[:, :, column : column + width])
    return y


def average_pooling(x: jax.Array, side: int) -> jax.Array:
    """Average pooling, stride 1, SAME, over the pixels that exist.

    Args:
        x: [B, H, W, C].
        side: of the window, odd.

    Returns:
        [B, H, W, C].
    """
    ones = jnp.ones((1, *x.shape[1:3], 1), x.dtype)
    return _window_sum(x, side) / _window_sum(ones, side)


def downsampling(x: jax.Array) -> jax.Array:
    """Max pooling of 2x2 pixels with stride 2; an odd last row or column is left out.

    Args:
        x: [B, H, W, C].

    Returns:
        [B, H // 2, W // 2, C].
    """
    batch, height, width, channels = x.shape
    even = x[:, : height // 2 * 2, : width // 2 * 2]
    return jnp.max(even.reshape(batch, height // 2, 2, width // 2, 2, channels), axis=(2, 4))


def add(x: jax.Array, y: jax.Array) -> jax.Array:
    """Sum of two maps; the narrower is padded with zero channels at the end.

    Args:
        x: [B, H, W, C].
        y: [B, H, W, D].

    Returns:
        [B, H, W, max(C, D)].
    """
    channels = max(x.shape[-1], y.shape[-1])
    return _widen(x, channels) + _widen(y, channels)


def _row(x: jax.Array) -> jax.Array:
    return x[None, None, None, :]


def _widen(x: jax.Array, channels: int) -> jax.Array:
    return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, channels - x.shape[-1])))


def _pad(x: jax.Array, side: int, value: float) -> jax.Array:
    half = side // 2
    return jnp.pad(x, ((0, 0), (half, half), (half, half), (0, 0)), constant_values=value)


def _window_sum(x: jax.Array, side: int) -> jax.Array:
    height, width = x.shape[1:3]
    padded = _pad(x, side, 0.0)
    tall = sum((padded[:, row : row + height] for row in range(1, side)), padded[:, :height])
    return sum(
        (tall[:, :, column : column + width] for column in range(1, side)), tall[:, :, :width]
    )
