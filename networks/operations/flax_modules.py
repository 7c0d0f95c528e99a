"""Operations as modules of Flax NNX: Flax's own layers, or a function with its arrays.

Flax's layers hold the weights. Convolution is lowered as
`blockqnn.networks.convolution` has it: the same values, faster on a CPU, and
with gradients that are the same every time on a GPU.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from blockqnn.networks.operations.functions import convolved
from blockqnn.networks.operations.steps import padding_of, strides_of, window_of

if TYPE_CHECKING:
    from blockqnn.networks.plan import PlacedLayer


class OwnArrays(nnx.Module):
    """The function of an operation with its trained arrays, if it has any."""

    def __init__(self, layer: PlacedLayer, dtype: DTypeLike, rngs: nnx.Rngs):
        """Creates the arrays, whose values `ChildNetwork` sets.

        Args:
            layer: what to compute.
            dtype: not used: the inputs have it.
            rngs: not used.
        """
        # Layers that differ in nothing but their places are one to `nnx.jit`.
        self.placed = dataclasses.replace(layer, name="", inputs=(), path=0.0)
        for name, shape in layer.operation.arrays(layer).items():
            setattr(self, name, nnx.Param(jnp.zeros(shape)))

    def __call__(self, *inputs: jax.Array) -> jax.Array:
        """Computes the operation of inputs [B, H, W, C] or [B, C]."""
        operation = self.placed.operation
        arrays = {name: getattr(self, name)[...] for name in operation.arrays(self.placed)}
        return operation.compute(self.placed, arrays, inputs)


class Convolution(nnx.Conv):
    """A convolution without bias."""

    def __init__(self, layer: PlacedLayer, dtype: DTypeLike, rngs: nnx.Rngs):
        """Creates the layer.

        Args:
            layer: what to compute.
            dtype: of the computation; the kernel is float32.
            rngs: source of initial weights.
        """
        super().__init__(
            layer.input_shapes[0][-1],
            layer.shape[-1],
            window_of(layer),
            strides=strides_of(layer),
            padding=[(half, half) for half in padding_of(layer)],
            use_bias=False,
            dtype=dtype,
            kernel_init=nnx.initializers.zeros,
            conv_general_dilated=_lowered,
            rngs=rngs,
        )


class ReluConvolution(Convolution):
    """ReLU, then a convolution without bias."""

    def __call__(self, inputs: jax.Array, *args: Any, **kwargs: Any) -> jax.Array:
        """From [B, H, W, I] to [B, H, W, O]."""
        return super().__call__(nnx.relu(inputs), *args, **kwargs)


class Linear(nnx.Linear):
    """A product with a matrix, and a bias, in float32."""

    def __init__(self, layer: PlacedLayer, dtype: DTypeLike, rngs: nnx.Rngs):
        """Creates the layer.

        Args:
            layer: what to compute.
            dtype: not used: pooled features are float32.
            rngs: source of initial weights.
        """
        super().__init__(
            layer.input_shapes[0][-1],
            layer.shape[-1],
            kernel_init=nnx.initializers.zeros,
            rngs=rngs,
        )


def _lowered(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], *_: Any, **__: Any
) -> jax.Array:
    """The convolution that Flax asks for, whose padding is always that of stride 1."""
    return convolved(x, kernel, *strides)
