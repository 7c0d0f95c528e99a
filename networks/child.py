"""The child network as a Flax NNX module, made of Flax's own layers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from networks.canonical import canonical_form
from networks.codes import Code
from networks.initial import Weights, initial_parameters, initial_statistics
from networks.layers import add
from networks.layout import Layout
from networks.normalisation import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM
from networks.plan import Operation, PlacedLayer, Plan, make_plan


class Unit(nnx.Module):
    """One placed layer."""

    def __init__(self, layer: PlacedLayer, rngs: nnx.Rngs, dtype: DTypeLike):
        """Creates the layer.

        Args:
            layer: what to compute.
            rngs: source of initial weights, which `ChildNetwork` overwrites.
            dtype: of the computation; weights are float32.
        """
        self.operation = layer.operation
        self.kernel = layer.kernel
        operation = layer.operation
        if operation in (Operation.CONVOLUTION, Operation.PCC):
            self.convolution = nnx.Conv(
                layer.input_shapes[0][-1],
                layer.shape[-1],
                (layer.kernel, layer.kernel),
                strides=layer.stride,
                padding=layer.kernel // 2,
                use_bias=False,
                dtype=dtype,
                kernel_init=nnx.initializers.zeros,
                rngs=rngs,
            )
        if layer.normalises:
            self.norm = nnx.BatchNorm(
                layer.shape[-1],
                momentum=BATCH_NORM_MOMENTUM,
                epsilon=BATCH_NORM_EPSILON,
                dtype=dtype,
                rngs=rngs,
            )
        if operation is Operation.LINEAR:
            self.linear = nnx.Linear(
                layer.input_shapes[0][-1],
                layer.shape[-1],
                kernel_init=nnx.initializers.zeros,
                rngs=rngs,
            )

    def __call__(self, *inputs: jax.Array) -> jax.Array:
        """Computes the layer.

        Args:
            *inputs: [B, H, W, C] each, or [B, C].

        Returns:
            [B, H, W, C] or [B, C].
        """
        x = inputs[0]
        window = (self.kernel, self.kernel)
        match self.operation:
            case Operation.CONVOLUTION:
                return self.convolution(x)
            case Operation.PCC:
                return self.norm(self.convolution(nnx.relu(x)))
            case Operation.BATCH_NORM:
                return self.norm(x)
            case Operation.ZERO:
                return jnp.zeros_like(x)
            case Operation.MAX_POOLING:
                return nnx.max_pool(x, window, padding="SAME")
            case Operation.AVERAGE_POOLING:
                return nnx.avg_pool(x, window, padding="SAME", count_include_pad=False)
            case Operation.ADD:
                return add(*inputs)
            case Operation.CONCAT:
                return jnp.concatenate(inputs, axis=-1)
            case Operation.DOWNSAMPLING:
                return nnx.max_pool(x, window, strides=window)
            case Operation.AVERAGE_DOWNSAMPLING:
                return nnx.avg_pool(x, window, strides=window)
            case Operation.RELU:
                return nnx.relu(x)
            case Operation.GLOBAL_POOLING:
                return jnp.mean(x.astype(jnp.float32), axis=(1, 2))
            case Operation.LINEAR:
                return self.linear(x)
        raise ValueError(f"{self.operation} is given, not computed")


class ChildNetwork(nnx.Module):
    """A block stacked into a network. `eval()` makes batch norm use running statistics."""

    def __init__(self, plan: Plan, seed: int = 0, dtype: DTypeLike = jnp.float32):
        """Creates the network with He initialisation.

        Args:
            plan: the layers, as `networks.plan.make_plan` returns them.
            seed: of the initial weights.
            dtype: of the computation; weights are float32.
        """
        rngs = nnx.Rngs(seed)
        self.dtype = dtype
        self.inputs = tuple(layer.inputs for layer in plan[1:])
        self.layers = nnx.List([Unit(layer, rngs, dtype) for layer in plan[1:]])
        self.set_weights(initial_parameters(plan, seed), initial_statistics(plan))

    def __call__(self, images: jax.Array) -> jax.Array:
        """Computes the logits.

        Args:
            images: [B, H, W, C], normalised.

        Returns:
            [B, classes], float32.
        """
        outputs = [images.astype(self.dtype)]
        for layer, inputs in zip(self.layers, self.inputs, strict=True):
            outputs.append(layer(*(outputs[i] for i in inputs)))
        return outputs[-1]

    def set_weights(self, parameters: Weights, statistics: Weights) -> None:
        """Replaces all weights, for instance by those of a trained child.

        Args:
            parameters: for each layer of the plan its trained arrays.
            statistics: for each layer of the plan its running statistics.
        """
        for layer, arrays, running in zip(self.layers, parameters[1:], statistics[1:], strict=True):
            if layer.operation in (Operation.CONVOLUTION, Operation.PCC):
                _set(layer.convolution.kernel, arrays["kernel"])
            if running:
                _set(layer.norm.scale, arrays["scale"])
                _set(layer.norm.bias, arrays["bias"])
                _set(layer.norm.mean, running["mean"])
                _set(layer.norm.var, running["variance"])
            if layer.operation is Operation.LINEAR:
                _set(layer.linear.kernel, arrays["kernel"])
                _set(layer.linear.bias, arrays["bias"])


def _set(variable: nnx.Variable | None, value: np.ndarray) -> None:
    assert variable is not None
    variable.set_value(jnp.asarray(value))


def child_network(
    code: Code, layout: Layout, seed: int = 0, dtype: DTypeLike = jnp.float32
) -> ChildNetwork:
    """Turns a block and a layout into a network.

    Args:
        code: the block, as `networks.codes.parse` returns it.
        layout: of the network.
        seed: of the initial weights.
        dtype: of the computation; weights are float32.

    Returns:
        An `nnx.Module` from images [B, H, W, C] to logits [B, classes]. Codes
        with one canonical form give the same network to the last weight.
    """
    return ChildNetwork(make_plan(canonical_form(code), layout), seed, dtype)
