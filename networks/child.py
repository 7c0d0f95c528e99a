"""The child network as a Flax NNX module, made of Flax's own layers.

Flax's layers hold the weights and normalise. Convolution and pooling are lowered
as `blockqnn.networks.convolution` and `blockqnn.networks.layers` have it: the same values, faster
on a CPU, and with gradients that are the same every time on a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from blockqnn.networks.convolution import convolution, strided_convolution
from blockqnn.networks.drop_path import JOINS, DropPath
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layers import (
    add,
    average_downsampling,
    average_pooling,
    downsampling,
    max_pooling,
)
from blockqnn.networks.layout import Layout
from blockqnn.networks.normalisation import (
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    grouped_batch_norm,
)
from blockqnn.networks.plan import Operation, PlacedLayer, Plan
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import design_of, design_plan


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
                conv_general_dilated=_lowered,
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

    def __call__(self, *inputs: jax.Array, norm_groups: int = 1) -> jax.Array:
        """Computes the layer.

        Args:
            norm_groups: parts of the batch with batch statistics of their own.
            *inputs: [B, H, W, C] each, or [B, C].

        Returns:
            [B, H, W, C] or [B, C].
        """
        x = inputs[0]
        match self.operation:
            case Operation.CONVOLUTION:
                return self.convolution(x)
            case Operation.PCC:
                return self._normalised(self.convolution(nnx.relu(x)), norm_groups)
            case Operation.BATCH_NORM:
                return self._normalised(x, norm_groups)
            case Operation.ZERO:
                return jnp.zeros_like(x)
            case Operation.MAX_POOLING:
                return max_pooling(x, self.kernel)
            case Operation.AVERAGE_POOLING:
                return average_pooling(x, self.kernel)
            case Operation.ADD:
                return add(*inputs)
            case Operation.CONCAT:
                return jnp.concatenate(inputs, axis=-1)
            case Operation.DOWNSAMPLING:
                return downsampling(x)
            case Operation.AVERAGE_DOWNSAMPLING:
                return average_downsampling(x)
            case Operation.RELU:
                return nnx.relu(x)
            case Operation.GLOBAL_POOLING:
                return jnp.mean(x.astype(jnp.float32), axis=(1, 2))
            case Operation.LINEAR:
                return self.linear(x)
        raise ValueError(f"{self.operation} is given, not computed")

    def _normalised(self, x: jax.Array, groups: int) -> jax.Array:
        if groups == 1 or self.norm.use_running_average:
            return self.norm(x)
        parameters = {"scale": _get(self.norm.scale), "bias": _get(self.norm.bias)}
        running = {"mean": _get(self.norm.mean), "variance": _get(self.norm.var)}
        y, after = grouped_batch_norm(x, parameters, running, groups)
        _set(self.norm.mean, after["mean"])
        _set(self.norm.var, after["variance"])
        return y


class ChildNetwork(nnx.Module):
    """A block stacked into a network. `eval()` makes batch norm use running statistics."""

    def __init__(self, plan: Plan, seed: int = 0, dtype: DTypeLike = jnp.float32):
        """Creates the network with He initialisation.

        Args:
            plan: the layers, as `blockqnn.networks.spaces.nsc.stacking.make_plan` returns them.
            seed: of the initial weights.
            dtype: of the computation; weights are float32.
        """
        rngs = nnx.Rngs(seed)
        self.dtype = dtype
        self.inputs = tuple(layer.inputs for layer in plan[1:])
        self.layers = nnx.List([Unit(layer, rngs, dtype) for layer in plan[1:]])
        self.set_weights(initial_parameters(plan, seed), initial_statistics(plan))

    def __call__(
        self, images: jax.Array, drop_path: DropPath | None = None, norm_groups: int = 1
    ) -> jax.Array:
        """Computes the logits.

        Args:
            images: [B, H, W, C], normalised.
            drop_path: which paths to leave out in a training step; None for none.
            norm_groups: parts of the batch that batch norm normalises each by its
                own statistics while training; B is a multiple of it.

        Returns:
            [B, classes], float32.
        """
        outputs = [images.astype(self.dtype)]
        for layer, inputs in zip(self.layers, self.inputs, strict=True):
            read = [outputs[i] for i in inputs]
            if drop_path is not None and layer.operation in JOINS:
                read = drop_path.apply(len(outputs), read)
            outputs.append(layer(*read, norm_groups=norm_groups))
        return outputs[-1]

    def weights(self) -> tuple[list[dict[str, jax.Array]], list[dict[str, jax.Array]]]:
        """All weights, in the form that `set_weights` takes.

        Returns:
            For each layer of the plan its trained arrays, and its running statistics.
        """
        parameters: list[dict[str, jax.Array]] = [{}]
        statistics: list[dict[str, jax.Array]] = [{}]
        for layer in self.layers:
            arrays, running = {}, {}
            if layer.operation in (Operation.CONVOLUTION, Operation.PCC):
                arrays["kernel"] = _get(layer.convolution.kernel)
            if layer.operation is Operation.PCC:
                arrays |= {"scale": _get(layer.norm.scale), "bias": _get(layer.norm.bias)}
                running = {"mean": _get(layer.norm.mean), "variance": _get(layer.norm.var)}
            if layer.operation is Operation.LINEAR:
                arrays["kernel"] = _get(layer.linear.kernel)
                arrays["bias"] = _get(layer.linear.bias)
            parameters.append(arrays)
            statistics.append(running)
        return parameters, statistics

    def set_weights(
        self, parameters: Sequence[Mapping[str, Any]], statistics: Sequence[Mapping[str, Any]]
    ) -> None:
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


def _get(variable: nnx.Variable | None) -> jax.Array:
    assert variable is not None
    return variable.get_value()


def _set(variable: nnx.Variable | None, value: np.ndarray | jax.Array) -> None:
    assert variable is not None
    variable.set_value(jnp.asarray(value))


def _lowered(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], *_: Any, **__: Any
) -> jax.Array:
    """The convolution that Flax asks for, whose padding is always that of stride 1."""
    if strides[0] > 1:
        return strided_convolution(x, kernel, strides[0])
    return convolution(x, kernel)


def child_network(
    code: Code, layout: Layout, seed: int = 0, dtype: DTypeLike = jnp.float32
) -> ChildNetwork:
    """Turns a block and a layout into a network.

    Args:
        code: the block, as `blockqnn.networks.spaces.registry.parse` returns it.
        layout: of the network.
        seed: of the initial weights.
        dtype: of the computation; weights are float32.

    Returns:
        An `nnx.Module` from images [B, H, W, C] to logits [B, classes]. Codes
        with one canonical form give the same network to the last weight.
    """
    return ChildNetwork(design_plan(design_of(code), layout), seed, dtype)
