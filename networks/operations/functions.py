"""What each operation and each kind of step computes, as pure functions of JAX arrays in NHWC.

All have one form, which `blockqnn.networks.operations.steps.Computation`
describes, and serve the Flax module, the program of a whole child and its
steps. Where batch norm follows, they compute what it gets.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from blockqnn.networks import pooling
from blockqnn.networks.convolution import (
    convolution,
    padded_convolution,
    pointwise_convolution,
    strided_convolution,
)
from blockqnn.networks.norm_settings import BATCH_NORM_EPSILON
from blockqnn.networks.normalisation import Arrays
from blockqnn.networks.operations.steps import Placed, Step, strides_of
from blockqnn.networks.separable import separable_convolution

DILATION = 2
"""Of every dilated operation of the published spaces."""

Inputs = Sequence[jax.Array]


def image(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Refuses, because nothing computes an image."""
    raise ValueError("An image is given, not computed.")


def convolution_of_parts(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Convolution of the concatenated inputs."""
    return convolved(jnp.concatenate(inputs, axis=-1), parameters["kernel"], *strides_of(placed))


def relu_convolution(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """ReLU of the concatenated inputs, then convolution."""
    x = jax.nn.relu(jnp.concatenate(inputs, axis=-1))
    return convolved(x, parameters["kernel"], *strides_of(placed))


def valid_convolution(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Convolution of the concatenated inputs, where the whole window lies within the map."""
    x = jnp.concatenate(inputs, axis=-1)
    return jax.lax.conv_general_dilated(
        x,
        parameters["kernel"].astype(x.dtype),
        (placed.stride, placed.stride),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def whole_convolution(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Convolution by a window as large as the map, at the one place where it fits."""
    x = inputs[0]
    flat = parameters["kernel"].astype(x.dtype).reshape(-1, placed.shape[-1])
    return (x.reshape(x.shape[0], -1) @ flat)[:, None, None, :]


def whole_padded_convolution(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Convolution by a window as large as the map, at as many places as it has pixels.

    Of the padding that an even window needs, one pixel more is at the bottom and the right.
    """
    x = inputs[0]
    return jax.lax.conv_general_dilated(
        x,
        parameters["kernel"].astype(x.dtype),
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def average_pooling_within(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Average pooling where the whole window lies within the map."""
    return pooling.average_pooling_within(inputs[0], placed.kernel, placed.stride)


def max_pooling(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Max pooling; padding is always that of stride 1."""
    return pooling.max_pooling(inputs[0], placed.kernel, placed.stride)


def average_pooling(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Average pooling over the pixels that exist; padding is always that of stride 1."""
    return pooling.average_pooling(inputs[0], placed.kernel, placed.stride)


def relu_separable_convolution(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """ReLU of the concatenated inputs, then a depthwise and a pointwise convolution."""
    x = jax.nn.relu(jnp.concatenate(inputs, axis=-1))
    return separable_convolution(x, parameters["depthwise"], parameters["kernel"], placed.stride)


def relu_dilated_separable_convolution(
    placed: Placed, parameters: Arrays, inputs: Inputs
) -> jax.Array:
    """The same with every second pixel under the window of the depthwise convolution."""
    x = jax.nn.relu(jnp.concatenate(inputs, axis=-1))
    return separable_convolution(
        x, parameters["depthwise"], parameters["kernel"], placed.stride, DILATION
    )


def relu_dilated_convolution(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """ReLU of the concatenated inputs, then a convolution of every second pixel."""
    x = jax.nn.relu(jnp.concatenate(inputs, axis=-1))
    return padded_convolution(x, parameters["kernel"], (placed.stride, placed.stride), DILATION)


def relu_crossed_convolutions(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """ReLU of the concatenated inputs, then convolutions of 1xK and of Kx1 pixels."""
    x = jax.nn.relu(jnp.concatenate(inputs, axis=-1))
    across = padded_convolution(x, parameters["kernel"], (1, placed.stride))
    return padded_convolution(across, parameters["kernel_down"], (placed.stride, 1))


def relu_row_convolution(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """ReLU of the concatenated inputs, then a convolution of 1xK pixels."""
    x = jax.nn.relu(jnp.concatenate(inputs, axis=-1))
    return padded_convolution(x, parameters["kernel"], (1, placed.stride))


def relu_column_convolution(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """ReLU of the concatenated inputs, then a convolution of Kx1 pixels."""
    x = jax.nn.relu(jnp.concatenate(inputs, axis=-1))
    return padded_convolution(x, parameters["kernel"], (placed.stride, 1))


def factorised_reduction(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """ReLU of the concatenated inputs, then 1x1 convolutions of two of every four pixels.

    The first reads the pixels of even rows and columns, the second those of odd ones; each
    writes half of the channels. Beyond an odd last row or column there are zeros.
    """
    return _halves(jax.nn.relu(jnp.concatenate(inputs, axis=-1)), parameters)


def _halves(x: jax.Array, parameters: Arrays) -> jax.Array:
    shifted = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, 1:, 1:]
    halves = (x, parameters["kernel"]), (shifted, parameters["kernel_shifted"])
    return jnp.concatenate(
        [pointwise_convolution(half[:, ::2, ::2], k.astype(x.dtype)) for half, k in halves],
        axis=-1,
    )


def plain_factorised_reduction(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """The same as `factorised_reduction` without the ReLU."""
    return _halves(jnp.concatenate(inputs, axis=-1), parameters)


def zeros_after(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """The first map with zeros below and to the right, up to the output's size."""
    down, across = _missing(placed)
    return jnp.pad(inputs[0], ((0, 0), (0, down), (0, across), (0, 0)))


def zeros_around(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """The first map with zeros around it; an odd row or column of them is at the end."""
    down, across = ((n // 2, n - n // 2) for n in _missing(placed))
    return jnp.pad(inputs[0], ((0, 0), down, across, (0, 0)))


def _missing(placed: Placed) -> tuple[int, int]:
    (height, width, _), shape = placed.input_shapes[0], placed.shape
    return shape[0] - height, shape[1] - width


def downsampling(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Max pooling of 2x2 pixels with stride 2."""
    return pooling.downsampling(inputs[0])


def average_downsampling(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Average pooling of 2x2 pixels with stride 2."""
    return pooling.average_downsampling(inputs[0])


def add(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Sum of two maps; the narrower is padded with zero channels at the end."""
    x, y = inputs
    channels = max(x.shape[-1], y.shape[-1])
    return _widen(x, channels) + _widen(y, channels)


def concat(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """All inputs side by side, along the channels."""
    return jnp.concatenate(inputs, axis=-1)


def zero(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Zeros of the shape of the input."""
    return jnp.zeros_like(inputs[0])


def identity(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """The input."""
    return inputs[0]


def relu(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """The input where it is positive, else 0."""
    return jax.nn.relu(inputs[0])


def layer_norm(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Each image by the mean and variance of all its numbers; scale and shift by channel.

    Ba, Kiros, Hinton, "Layer Normalization", arXiv 1607.06450, equation 4.
    """
    return _normalised(inputs[0], parameters, (1, 2, 3))


def instance_norm(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Each channel of each image by its mean and variance; scale and shift by channel.

    Ulyanov, Vedaldi, Lempitsky, "Instance Normalization", arXiv 1607.08022, equation 4.
    """
    return _normalised(inputs[0], parameters, (1, 2))


def _normalised(x: jax.Array, parameters: Arrays, axes: tuple[int, ...]) -> jax.Array:
    wide = x.astype(jnp.float32)
    centred = wide - jnp.mean(wide, axis=axes, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=axes, keepdims=True)
    unit = centred * jax.lax.rsqrt(variance + BATCH_NORM_EPSILON)
    scale, bias = (parameters[name][None, None, None, :] for name in ("scale", "bias"))
    return (unit * scale + bias).astype(x.dtype)


def global_pooling(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Mean over all pixels, in float32."""
    return pooling.global_pooling(inputs[0])


def relu_pooling(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Mean over all pixels of the ReLU, in float32."""
    return pooling.global_pooling(jax.nn.relu(inputs[0]))


def linear(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Product with a matrix, and a bias."""
    return inputs[0] @ parameters["kernel"] + parameters["bias"][None, :]


def total(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Sum of all inputs, which have one shape."""
    return sum(inputs[1:], inputs[0])


def biased_total(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Sum of all inputs [B, C], and a bias."""
    return total(placed, parameters, inputs) + parameters["bias"][None, :]


def product(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Product of the concatenated inputs [B, C] with a matrix."""
    return jnp.concatenate(inputs, axis=-1) @ parameters["kernel"]


def slice_of_channels(placed: Step, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """As many channels as the output has, from the step's first one on."""
    return inputs[0][..., placed.first_channel : placed.first_channel + placed.shape[-1]]


def convolved(x: jax.Array, kernel: jax.Array, stride: int, across: int) -> jax.Array:
    """Convolution whose padding is always that of stride 1.

    Args:
        x: [B, H, W, I].
        kernel: [K, L, I, O], K and L odd; used in the dtype of `x`.
        stride: from row to row.
        across: the same from column to column.

    Returns:
        [B, H, W, O], or one pixel of every `stride` rows and `across` columns.
    """
    if kernel.shape[0] != kernel.shape[1] or across != stride:
        return padded_convolution(x, kernel, (stride, across))
    return convolution(x, kernel) if stride == 1 else strided_convolution(x, kernel, stride)


def _widen(x: jax.Array, channels: int) -> jax.Array:
    return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, channels - x.shape[-1])))
