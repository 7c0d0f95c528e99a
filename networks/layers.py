"""What each layer and step computes, as pure functions of JAX arrays in NHWC."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from blockqnn.networks.convolution import convolution, strided_convolution
from blockqnn.networks.normalisation import Arrays, batch_norm
from blockqnn.networks.parts import Step, StepKind
from blockqnn.networks.plan import Operation, PlacedLayer


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
        statistics: running `mean` and `variance` [C] of batch norm, else empty.
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
            y = relu_convolution(inputs, parameters["kernel"], layer.stride)
            return batch_norm(y, parameters, statistics, training)
        case Operation.BATCH_NORM:
            return batch_norm(x, parameters, statistics, training)
        case Operation.ZERO:
            return jnp.zeros_like(x), statistics
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
        case Operation.AVERAGE_DOWNSAMPLING:
            return average_downsampling(x), statistics
        case Operation.RELU:
            return jax.nn.relu(x), statistics
        case Operation.GLOBAL_POOLING:
            return global_pooling(x), statistics
        case Operation.LINEAR:
            return x @ parameters["kernel"] + parameters["bias"][None, :], statistics
    raise ValueError(f"{layer.operation} is given, not computed")


def compute_step(
    step: Step,
    parameters: Arrays,
    statistics: Arrays,
    inputs: Sequence[jax.Array],
    training: bool,
) -> tuple[jax.Array, Arrays]:
    """Computes one step of a plan that was cut into parts.

    Args:
        step: what to compute.
        parameters: its trained arrays, float32: a convolution's or classifier's
            rows of `kernel`, `scale` and `bias` of batch norm, `bias` of the logits.
        statistics: running `mean` and `variance` [C] of batch norm, else empty.
        inputs: the parts that it reads, [B, H, W, C] or [B, C].
        training: as for `compute`.

    Returns:
        The part that it writes, and the statistics after it.
    """
    x = inputs[0]
    match step.kind:
        case StepKind.CONVOLUTION:
            y = convolution(jnp.concatenate(inputs, axis=-1), parameters["kernel"])
        case StepKind.RELU_CONVOLUTION:
            y = relu_convolution(inputs, parameters["kernel"])
        case StepKind.PCC:
            y = relu_convolution(inputs, parameters["kernel"], step.stride)
            return batch_norm(y, parameters, statistics, training)
        case StepKind.BATCH_NORM:
            return batch_norm(sum(inputs[1:], x), parameters, statistics, training)
        case StepKind.MAX_POOLING:
            y = max_pooling(x, step.kernel)
        case StepKind.AVERAGE_POOLING:
            y = average_pooling(x, step.kernel)
        case StepKind.DOWNSAMPLING:
            y = downsampling(x)
        case StepKind.AVERAGE_DOWNSAMPLING:
            y = average_downsampling(x)
        case StepKind.ZERO:
            y = jnp.zeros_like(x)
        case StepKind.SUM:
            y = sum(inputs[1:], x)
        case StepKind.SLICE:
            y = x[..., step.first_channel : step.first_channel + step.shape[-1]]
        case StepKind.RELU_POOLING:
            y = global_pooling(jax.nn.relu(x))
        case StepKind.LOGITS:
            y = jnp.concatenate(inputs, axis=-1) @ parameters["kernel"]
        case StepKind.BIAS:
            y = sum(inputs[1:], x) + parameters["bias"][None, :]
        case _:
            raise ValueError(f"{step.kind} is given, not computed")
    return y, statistics


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
    pairs = even.reshape(batch, height // 2, 2, width // 2, 2, channels)
    # Two steps of two: the gradient is several times faster than that of one reduction.
    tall = jnp.maximum(pairs[:, :, 0], pairs[:, :, 1])
    return jnp.maximum(tall[:, :, :, 0], tall[:, :, :, 1])


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


def relu_convolution(parts: Sequence[jax.Array], kernel: jax.Array, stride: int = 1) -> jax.Array:
    """ReLU of the concatenated parts, then convolution.

    Args:
        parts: [B, H, W, C] each.
        kernel: [K, K, I, O], I the sum of the parts' channels.
        stride: in both directions.

    Returns:
        [B, H, W, O], or one pixel of every `stride` by `stride`.
    """
    x = jax.nn.relu(jnp.concatenate(parts, axis=-1))
    return convolution(x, kernel) if stride == 1 else strided_convolution(x, kernel, stride)


def global_pooling(x: jax.Array) -> jax.Array:
    """Mean over all pixels, in float32.

    Args:
        x: [B, H, W, C].

    Returns:
        [B, C], float32.
    """
    return jnp.mean(x.astype(jnp.float32), axis=(1, 2))


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
