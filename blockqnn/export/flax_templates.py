"""The parts of which the source code of a network is put together."""

from __future__ import annotations

from blockqnn.export.weights import CONVOLUTION, NORM
from blockqnn.networks.normalisation import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM

HEAD = '''"""{first_line}

{block}

{origin}

This file needs jax, flax, numpy and safetensors, nothing else:

    network = load("weights.safetensors")
    logits = network(normalise(images))  # uint8 {images} -> float32 [B, {classes}]

`Network(rngs=nnx.Rngs(0))` is the same network with new weights, in training mode.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors.numpy import load_file

IMAGE_SHAPE = {shape}
CLASSES = {classes}
CLASS_NAMES: tuple[str, ...] = {class_names}

# Of each channel of the training images, on the scale of 0 to 255.
MEAN = {mean}
DEVIATION = {deviation}

HE_NORMAL = nnx.initializers.variance_scaling(2.0, "fan_in", "normal")


def normalise(images: np.ndarray | jax.Array) -> jax.Array:
    """Turns images of pixels from 0 to 255 into what the network takes, float32."""
    centred = jnp.asarray(images, jnp.float32) - jnp.array(MEAN).reshape(1, 1, 1, -1)
    return centred / jnp.array(DEVIATION).reshape(1, 1, 1, -1)


def load(path: str) -> Network:
    """The network with the weights of a safetensors file, in evaluation mode."""
    network = Network(rngs=nnx.Rngs(0))
    weights = load_file(path)
    state = nnx.state(network, (nnx.Param, nnx.BatchStat))
    for place, variable in nnx.to_flat_state(state):
        name = ".".join(str(word) for word in place)
        value = weights.pop(name)
        if value.shape != variable.shape:
            raise ValueError(f"{{name}} has shape {{value.shape}}, not {{variable.shape}}")
        variable.set_value(jnp.asarray(value))
    if weights:
        raise ValueError(f"The network has no {{', '.join(weights)}}")
    nnx.update(network, state)
    network.eval()
    return network
'''

ADD = '''

def add(x: jax.Array, y: jax.Array) -> jax.Array:
    """Adds two maps; the narrower one gets channels of zeros at its end."""
    channels = max(x.shape[-1], y.shape[-1])
    x, y = (
        jnp.pad(z, ((0, 0), (0, 0), (0, 0), (0, channels - z.shape[-1])))
        for z in (x, y)
    )
    return x + y
'''

CONCATENATE = '''

def concatenate(*maps: jax.Array) -> jax.Array:
    """Joins maps along their channels."""
    return jnp.concatenate(maps, axis=-1)
'''

MAX_POOLING = '''

def max_pooling(x: jax.Array, side: int) -> jax.Array:
    """Max pooling with stride 1; the map keeps its size."""
    return nnx.max_pool(x, (side, side), padding="SAME")
'''

AVERAGE_POOLING = '''

def average_pooling(x: jax.Array, side: int) -> jax.Array:
    """Average pooling with stride 1 over the pixels that exist."""
    return nnx.avg_pool(x, (side, side), padding="SAME", count_include_pad=False)
'''

DOWNSAMPLING = '''

def halve(x: jax.Array) -> jax.Array:
    """Max pooling of 2x2 pixels with stride 2."""
    return nnx.max_pool(x, (2, 2), strides=(2, 2))
'''

AVERAGE_DOWNSAMPLING = '''

def halve_by_average(x: jax.Array) -> jax.Array:
    """Average pooling of 2x2 pixels with stride 2."""
    return nnx.avg_pool(x, (2, 2), strides=(2, 2))
'''

BATCH_NORM = f'''

def normalisation(channels: int, rngs: nnx.Rngs) -> nnx.BatchNorm:
    """A batch normalisation by itself."""
    return nnx.BatchNorm(
        channels,
        momentum={BATCH_NORM_MOMENTUM},
        epsilon={BATCH_NORM_EPSILON},
        rngs=rngs,
    )
'''

CONVOLUTION_TEXT = '''

def convolution(
    inputs: int, outputs: int, side: int, rngs: nnx.Rngs, stride: int = 1
) -> nnx.Conv:
    """A convolution without bias; with stride 1 the map keeps its size."""
    return nnx.Conv(
        inputs,
        outputs,
        kernel_size=(side, side),
        strides=stride,
        padding=side // 2,
        use_bias=False,
        kernel_init=HE_NORMAL,
        rngs=rngs,
    )
'''

PCC = f'''

class PreactivationConvolution(nnx.Module):
    """ReLU, convolution, batch normalisation."""

    def __init__(
        self, inputs: int, outputs: int, side: int, rngs: nnx.Rngs, stride: int = 1
    ):
        self.{CONVOLUTION} = convolution(inputs, outputs, side, rngs, stride)
        self.{NORM} = nnx.BatchNorm(
            outputs,
            momentum={BATCH_NORM_MOMENTUM},
            epsilon={BATCH_NORM_EPSILON},
            rngs=rngs,
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.{NORM}(self.{CONVOLUTION}(nnx.relu(x)))
'''

CLASS = '''

class Network(nnx.Module):
    """From normalised images {images} to logits [B, {classes}]."""

    def __init__(self, rngs: nnx.Rngs):
{layers}

    def __call__(self, image: jax.Array) -> jax.Array:
{calls}
'''
