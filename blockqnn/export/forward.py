"""The forward pass as StableHLO, in operations that every backend has.

The search and the full training lower convolution and pooling as is fastest
where they run; this is the same function in XLA's own operations, once for
all platforms and for a batch of any size.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from blockqnn.export.subject import Subject
from blockqnn.networks.initial import Weights
from blockqnn.networks.layers import add
from blockqnn.networks.normalisation import normalised
from blockqnn.networks.plan import Operation, PlacedLayer, Plan

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
        weights = {name: jnp.asarray(array) for name, array in (arrays | running).items()}
        outputs.append(_compute(layer, weights, inputs))
    return outputs[-1]


def _compute(
    layer: PlacedLayer, weights: dict[str, jax.Array], inputs: list[jax.Array]
) -> jax.Array:
    x, window = inputs[0], (layer.kernel, layer.kernel)
    match layer.operation:
        case Operation.CONVOLUTION:
            return _convolution(x, weights["kernel"])
        case Operation.PCC:
            y = _convolution(nnx.relu(x), weights["kernel"])
            return normalised(y, weights, weights)
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
        case Operation.RELU:
            return nnx.relu(x)
        case Operation.GLOBAL_POOLING:
            return jnp.mean(x, axis=(1, 2))
        case Operation.LINEAR:
            return x @ weights["kernel"] + weights["bias"][None, :]
    raise ValueError(f"{layer.operation} is given, not computed")


def _convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
