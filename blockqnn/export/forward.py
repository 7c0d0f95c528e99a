"""The forward pass as StableHLO, in operations that every backend has.

The search and the full training lower convolution and pooling as is fastest
where they run; this is the same function in XLA's own operations, once for
all platforms and for a batch of any size.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from blockqnn.export.subject import Subject
from blockqnn.networks.initial import Weights
from blockqnn.networks.layers import compute
from blockqnn.networks.normalisation import normalised
from blockqnn.networks.operations.functions import DILATION
from blockqnn.networks.operations.steps import strides_of
from blockqnn.networks.operations.table import OperationEntry
from blockqnn.networks.plan import Operation, PlacedLayer, Plan
from blockqnn.networks.separable import grouped

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def export_forward(subject: Subject) -> bytes:
    """Lowers a network with its weights.

    Args:
        subject: the network.

    Returns:
        What `jax.export.deserialize` reads: a function from images, uint8
        [B, H, W, C], to logits, float32 [B, classes], for every B. It normalises
        the images itself.
    """
    plan, (height, width, channels) = subject.plan, subject.layout.image_shape
    mean = np.asarray(subject.mean, np.float32)
    deviation = np.asarray(subject.deviation, np.float32)

    def forward(images: jax.Array) -> jax.Array:
        centred = images.astype(jnp.float32) - mean[None, None, None, :]
        x = centred / deviation[None, None, None, :]
        return compute_logits(plan, subject.parameters, subject.statistics, x)

    shape = jax.export.symbolic_shape(f"b, {height}, {width}, {channels}")
    images = jax.ShapeDtypeStruct(shape, jnp.uint8)
    exported = jax.export.export(jax.jit(forward), platforms=PLATFORMS)(images)
    return bytes(exported.serialize())


def compute_logits(
    plan: Plan, parameters: Weights, statistics: Weights, images: jax.Array
) -> jax.Array:
    """The forward pass of a trained network, in float32.

    Args:
        plan: of the network.
        parameters: for each layer of the plan its trained arrays.
        statistics: for each layer of the plan its running statistics.
        images: float32 [B, H, W, C], normalised.

    Returns:
        float32 [B, classes].
    """
    outputs = [images]
    for layer, arrays, running in zip(plan[1:], parameters[1:], statistics[1:], strict=True):
        inputs = [outputs[i] for i in layer.inputs]
        own, norm = ({name: jnp.asarray(a) for name, a in x.items()} for x in (arrays, running))
        operation = layer.operation.with_scale
        if operation in _IN_XLA:
            outputs.append(_IN_XLA[operation](layer, own | norm, inputs))
        else:
            outputs.append(compute(layer, own, norm, inputs, training=False)[0])
    return outputs[-1]


def _convolution(
    layer: PlacedLayer, weights: dict[str, jax.Array], inputs: Sequence[jax.Array]
) -> jax.Array:
    return _convolved(inputs[0], weights["kernel"], *strides_of(layer))


def _pcc(
    layer: PlacedLayer, weights: dict[str, jax.Array], inputs: Sequence[jax.Array]
) -> jax.Array:
    convolved = _convolved(nnx.relu(inputs[0]), weights["kernel"], *strides_of(layer))
    return normalised(convolved, weights, weights)


def _max_pooling(
    layer: PlacedLayer, weights: dict[str, jax.Array], inputs: Sequence[jax.Array]
) -> jax.Array:
    return nnx.max_pool(inputs[0], *_window(layer))


def _average_pooling(
    layer: PlacedLayer, weights: dict[str, jax.Array], inputs: Sequence[jax.Array]
) -> jax.Array:
    return nnx.avg_pool(inputs[0], *_window(layer), count_include_pad=False)


def _separable(
    layer: PlacedLayer,
    weights: dict[str, jax.Array],
    inputs: Sequence[jax.Array],
    dilation: int = 1,
) -> jax.Array:
    x = grouped(nnx.relu(inputs[0]), weights["depthwise"], layer.stride, dilation)
    return normalised(_convolved(x, weights["kernel"]), weights, weights)


def _window(layer: PlacedLayer) -> tuple[tuple[int, int], tuple[int, int], Any]:
    """Size, strides and padding of a pooling."""
    side, half = layer.kernel, layer.kernel // 2
    return (side, side), (layer.stride, layer.stride), ((half, half), (half, half))


def _downsampling(
    layer: PlacedLayer, weights: dict[str, jax.Array], inputs: Sequence[jax.Array]
) -> jax.Array:
    return nnx.max_pool(inputs[0], (2, 2), strides=(2, 2))


def _convolved(x: jax.Array, kernel: jax.Array, down: int = 1, across: int = 1) -> jax.Array:
    # Padding is always that of stride 1.
    padding = [(side // 2, side // 2) for side in kernel.shape[:2]]
    return jax.lax.conv_general_dilated(
        x, kernel, (down, across), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


_IN_XLA: dict[OperationEntry, Callable[..., jax.Array]] = {
    Operation.CONVOLUTION: _convolution,
    Operation.PCC: _pcc,
    Operation.SEPARABLE: _separable,
    Operation.DILATED_SEPARABLE: functools.partial(_separable, dilation=DILATION),
    Operation.MAX_POOLING: _max_pooling,
    Operation.AVERAGE_POOLING: _average_pooling,
    Operation.DOWNSAMPLING: _downsampling,
}
"""Operations whose functions choose among lowerings by the backend, in XLA's own operations."""
