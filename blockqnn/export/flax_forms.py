"""Source code in Flax NNX: its operations, helpers and the frame around them."""

from __future__ import annotations

import numpy as np

from blockqnn.export.forms import Arrays, Dialect, SourceForm
from blockqnn.networks.normalisation import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM
from blockqnn.networks.plan import Operation


def _norm(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
    return {
        "scale": trained["scale"],
        "bias": trained["bias"],
        "mean": running["mean"],
        "var": running["variance"],
    }


def _convolution_and_norm(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
    norm = {f"norm.{name}": array for name, array in _norm(trained, running).items()}
    return {"conv.kernel": trained["kernel"], **norm}


FORMS = {
    Operation.CONVOLUTION: SourceForm(
        "{layer}({x})",
        "convolution({inputs}, {outputs}, {kernel}{stride}, rngs=rngs)",
        helpers=("convolution",),
    ),
    Operation.PCC: SourceForm(
        "{layer}({x})",
        "ReluConvNorm({inputs}, {outputs}, {kernel}{stride}, rngs=rngs)",
        helpers=("ReluConvNorm",),
        weights=_convolution_and_norm,
    ),
    Operation.BATCH_NORM: SourceForm(
        "{layer}({x})",
        "batch_norm({outputs}, rngs=rngs)",
        helpers=("batch_norm",),
        weights=_norm,
    ),
    Operation.MAX_POOLING: SourceForm("max_pool({x}, {kernel})", helpers=("max_pool",)),
    Operation.AVERAGE_POOLING: SourceForm("average_pool({x}, {kernel})", helpers=("average_pool",)),
    Operation.ADD: SourceForm(
        "{x} + {y}", uneven="padded_sum({x}, {y})", uneven_helpers=("padded_sum",)
    ),
    Operation.CONCAT: SourceForm("jnp.concatenate([{inputs}], axis=-1)"),
    Operation.ZERO: SourceForm("jnp.zeros_like({x})"),
    Operation.DOWNSAMPLING: SourceForm("nnx.max_pool({x}, (2, 2), strides=(2, 2))"),
    Operation.AVERAGE_DOWNSAMPLING: SourceForm("nnx.avg_pool({x}, (2, 2), strides=(2, 2))"),
    Operation.RELU: SourceForm("nnx.relu({x})"),
    Operation.GLOBAL_POOLING: SourceForm("jnp.mean({x}, axis=(1, 2))"),
    Operation.LINEAR: SourceForm(
        "{layer}({x})", "nnx.Linear({inputs}, {outputs}, kernel_init=HE_NORMAL, rngs=rngs)"
    ),
}

HEAD = '''"""{title}

{origin}

It needs jax, flax, numpy and safetensors, nothing else:

    network = load("weights.safetensors")
    logits = network(normalise(images))  # uint8 {pixels} -> float32 [B, {classes}]

{classes_text}
"""

from __future__ import annotations

import os

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors.numpy import load_file

HEIGHT, WIDTH, CHANNELS = {shape}
CLASSES = {classes}
CLASS_NAMES: tuple[str, ...] = {class_names}

# Of each channel of the training images, on the scale of 0 to 255.
MEAN = {mean}
DEVIATION = {deviation}

HE_NORMAL = nnx.initializers.variance_scaling(2.0, "fan_in", "normal")
'''

READ_IMAGE = '''

def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads an image file as pixels, uint8 [1, HEIGHT, WIDTH, CHANNELS].

    It is turned upright, put on a background where it is transparent, and scaled.
    What is then too long is cut alike at both ends.
    """
    from PIL import Image, ImageOps  # Pillow is needed here alone.

    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
    if image.has_transparency_data:
        background = Image.new("RGBA", image.size, {background})
        image = Image.alpha_composite(background, image.convert("RGBA"))
    image = image.convert("{mode}")
    scaled = ImageOps.fit(image, (WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    return np.asarray(scaled, np.uint8).reshape(1, HEIGHT, WIDTH, CHANNELS)
'''

LOAD = '''

def normalise(images: np.ndarray | jax.Array) -> jax.Array:
    """Turns pixels from 0 to 255, PIXELS, into what the network takes."""
    mean = jnp.array(MEAN).reshape(1, 1, 1, CHANNELS)
    deviation = jnp.array(DEVIATION).reshape(1, 1, 1, CHANNELS)
    return (jnp.asarray(images, jnp.float32) - mean) / deviation


def load(path: str | os.PathLike[str]) -> Network:
    """The network with the weights of a safetensors file, in evaluation mode."""
    # Shapes alone: initial weights would be drawn only to be replaced.
    network = nnx.eval_shape(lambda: Network(rngs=nnx.Rngs(0)))
    weights = load_file(path)
    state = nnx.state(network, (nnx.Param, nnx.BatchStat))
    for place, variable in nnx.to_flat_state(state):
        name = ".".join(map(str, place))
        value = weights.pop(name)
        if value.shape != variable.shape:
            raise ValueError(f"{name} has shape {value.shape}, not {variable.shape}")
        variable.set_value(jnp.asarray(value))
    if weights:
        raise ValueError(f"The network has no {', '.join(weights)}")
    nnx.update(network, state)
    network.eval()
    return network
'''

HELPERS = {
    "convolution": '''

def convolution(
    inputs: int, outputs: int, side: int, stride: int = 1, *, rngs: nnx.Rngs
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
''',
    "batch_norm": f'''

def batch_norm(channels: int, *, rngs: nnx.Rngs) -> nnx.BatchNorm:
    """A batch normalisation."""
    return nnx.BatchNorm(
        channels,
        momentum={BATCH_NORM_MOMENTUM},
        epsilon={BATCH_NORM_EPSILON},
        rngs=rngs,
    )
''',
    "ReluConvNorm": '''

class ReluConvNorm(nnx.Module):
    """ReLU, convolution, batch normalisation."""

    def __init__(
        self, inputs: int, outputs: int, side: int, stride: int = 1, *, rngs: nnx.Rngs
    ):
        self.conv = convolution(inputs, outputs, side, stride, rngs=rngs)
        self.norm = batch_norm(outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(self.conv(nnx.relu(x)))
''',
    "max_pool": '''

def max_pool(x: jax.Array, side: int) -> jax.Array:
    """Max pooling with stride 1; the map keeps its size."""
    return nnx.max_pool(x, (side, side), padding="SAME")
''',
    "average_pool": '''

def average_pool(x: jax.Array, side: int) -> jax.Array:
    """Average pooling with stride 1 over pixels that exist; the map keeps its size."""
    return nnx.avg_pool(x, (side, side), padding="SAME", count_include_pad=False)
''',
    "padded_sum": '''

def padded_sum(x: jax.Array, y: jax.Array) -> jax.Array:
    """Adds two maps; the narrower one gets channels of zeros at its end."""
    channels = max(x.shape[-1], y.shape[-1])
    x, y = (
        jnp.pad(z, ((0, 0), (0, 0), (0, 0), (0, channels - z.shape[-1])))
        for z in (x, y)
    )
    return x + y
''',
}

STAGE = '''

def stage({parameters}, {units}: int, *, rngs: nnx.Rngs) -> nnx.List:
    """{Units} in a row; each reads what the one before it writes."""
    row = []
    for _ in range({units}):
        row.append({Unit}({arguments}, rngs=rngs))
        channels = row[-1].out_channels
    return nnx.List(row)
'''

FLAX = Dialect(
    name="Flax",
    forms=FORMS,
    helpers=HELPERS,
    needs={"ReluConvNorm": ("convolution", "batch_norm")},
    head=HEAD,
    read_image=READ_IMAGE,
    load=LOAD,
    module="nnx.Module",
    array="jax.Array",
    forward="__call__",
    rngs="rngs=rngs",
    rngs_parameter="*, rngs: nnx.Rngs",
    begin="",
    axes="[B, {height}, {width}, {channels}]",
    stage=STAGE,
    use=("for {unit} in {stage}:", "    {x} = {unit}({x})"),
)
