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
from blockqnn.networks.convolution import convolution, strided_convolution
from blockqnn.networks.normalisation import Arrays
from blockqnn.networks.operations.steps import Placed, Step

Inputs = Sequence[jax.Array]


def image(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Refuses, because nothing computes an image."""
    raise ValueError("An image is given, not computed.")


def convolution_of_parts(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Convolution of the concatenated inputs."""
    return convolved(jnp.concatenate(inputs, axis=-1), parameters["kernel"], placed.stride)


def relu_convolution(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """ReLU of the concatenated inputs, then convolution."""
    x = jax.nn.relu(jnp.concatenate(inputs, axis=-1))
    return convolved(x, parameters["kernel"], placed.stride)


def max_pooling(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Max pooling, stride 1, SAME."""
    return pooling.max_pooling(inputs[0], placed.kernel)


def average_pooling(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Average pooling, stride 1, SAME, over the pixels that exist."""
    return pooling.average_pooling(inputs[0], placed.kernel)


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


def convolved(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Convolution whose padding is always that of stride 1.

    Args:
        x: [B, H, W, I].
        kernel: [K, K, I, O], K odd; used in the dtype of `x`.
        stride: in both directions.

    Returns:
        [B, H, W, O], or one pixel of every `stride` by `stride`.
    """
    return convolution(x, kernel) if stride == 1 else strided_convolution(x, kernel, stride)


def _widen(x: jax.Array, channels: int) -> jax.Array:
    return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, channels - x.shape[-1])))
