"""Source code in Flax NNX: its operations, helpers and the frame around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from blockqnn.export.flax_helpers import HELPERS, UNSCALED_NORM
from blockqnn.export.forms import (
    Arrays,
    Dialect,
    SourceForm,
    needs_with_unscaled,
    with_unscaled,
)
from blockqnn.networks.plan import Operation


def _norm(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
    own = {name: trained[name] for name in ("scale", "bias") if name in trained}
    return own | {"mean": running["mean"], "var": running["variance"]}


def _convolution_and_norm(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
    norm = {f"norm.{name}": array for name, array in _norm(trained, running).items()}
    return {"conv.kernel": trained["kernel"], **norm}


def _parts_and_norm(names: Mapping[str, str]) -> Callable[[Arrays, Arrays], dict[str, np.ndarray]]:
    """From the names of kernels to those of a class's convolutions."""

    def weights(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
        kernels = {f"{part}.kernel": trained[name] for name, part in names.items()}
        norm = {f"norm.{name}": array for name, array in _norm(trained, running).items()}
        return kernels | norm

    return weights


_separable_and_norm = _parts_and_norm({"depthwise": "depthwise", "kernel": "pointwise"})
_crossed_and_norm = _parts_and_norm({"kernel": "across", "kernel_down": "down"})
_halves_and_norm = _parts_and_norm({"kernel": "even", "kernel_shifted": "odd"})

FORMS = {
    Operation.CONVOLUTION: SourceForm(
        "{layer}({x})",
        "convolution({inputs}, {outputs}, {kernel}{stride}, rngs=rngs)",
        oblong="window({inputs}, {outputs}, {size}, {strides}, {padding}, rngs=rngs)",
        helpers=("convolution",),
        oblong_helpers=("window",),
    ),
    Operation.PCC: SourceForm(
        "{layer}({x})",
        "ReluConvNorm({inputs}, {outputs}, {kernel}{stride}, rngs=rngs)",
        helpers=("ReluConvNorm",),
        weights=_convolution_and_norm,
    ),
    Operation.VALID_CONVOLUTION: SourceForm(
        "{layer}({x})",
        "window({inputs}, {outputs}, ({kernel}, {kernel}), ({step}, {step}), (0, 0), rngs=rngs)",
        helpers=("window",),
    ),
    Operation.SEPARABLE: SourceForm(
        "{layer}({x})",
        "ReluSeparableNorm({inputs}, {outputs}, {kernel}{stride}, rngs=rngs)",
        helpers=("ReluSeparableNorm",),
        weights=_separable_and_norm,
    ),
    Operation.DILATED_SEPARABLE: SourceForm(
        "{layer}({x})",
        "ReluSeparableNorm({inputs}, {outputs}, {kernel}{stride}, dilation=2, rngs=rngs)",
        helpers=("ReluSeparableNorm",),
        weights=_separable_and_norm,
    ),
    Operation.DILATED: SourceForm(
        "{layer}({x})",
        "ReluDilatedNorm({inputs}, {outputs}, {kernel}{stride}, rngs=rngs)",
        helpers=("ReluDilatedNorm",),
        weights=_convolution_and_norm,
    ),
    Operation.CROSSED: SourceForm(
        "{layer}({x})",
        "ReluCrossedNorm({inputs}, {outputs}, {kernel}{stride}, rngs=rngs)",
        helpers=("ReluCrossedNorm",),
        weights=_crossed_and_norm,
    ),
    Operation.ROW: SourceForm(
        "{layer}({x})",
        "ReluWindowNorm({inputs}, {outputs}, (1, {kernel}), (1, {step}), rngs=rngs)",
        helpers=("ReluWindowNorm",),
        weights=_convolution_and_norm,
    ),
    Operation.COLUMN: SourceForm(
        "{layer}({x})",
        "ReluWindowNorm({inputs}, {outputs}, ({kernel}, 1), ({step}, 1), rngs=rngs)",
        helpers=("ReluWindowNorm",),
        weights=_convolution_and_norm,
    ),
    Operation.FACTORISED_REDUCTION: SourceForm(
        "{layer}({x})",
        "FactorisedReduction({inputs}, {outputs}, rngs=rngs)",
        helpers=("FactorisedReduction",),
        weights=_halves_and_norm,
    ),
    Operation.PLAIN_FACTORISED_REDUCTION: SourceForm(
        "{layer}({x})",
        "PlainFactorisedReduction({inputs}, {outputs}, rngs=rngs)",
        helpers=("PlainFactorisedReduction",),
        weights=_halves_and_norm,
    ),
    Operation.ZEROS_AFTER: SourceForm("zeros_after({inputs})", helpers=("zeros_after",)),
    Operation.ZEROS_AROUND: SourceForm("zeros_around({inputs})", helpers=("zeros_around",)),
    Operation.BATCH_NORM: SourceForm(
        "{layer}({x})",
        "batch_norm({outputs}, rngs=rngs)",
        helpers=("batch_norm",),
        weights=_norm,
    ),
    Operation.LAYER_NORM: SourceForm(
        "{layer}({x})", "group_norm({outputs}, 1, rngs=rngs)", helpers=("group_norm",)
    ),
    Operation.INSTANCE_NORM: SourceForm(
        "{layer}({x})", "group_norm({outputs}, {outputs}, rngs=rngs)", helpers=("group_norm",)
    ),
    Operation.MAX_POOLING: SourceForm("max_pool({x}, {kernel}{stride})", helpers=("max_pool",)),
    Operation.AVERAGE_POOLING: SourceForm(
        "average_pool({x}, {kernel}{stride})", helpers=("average_pool",)
    ),
    Operation.ADD: SourceForm(
        "{x} + {y}", uneven="padded_sum({x}, {y})", uneven_helpers=("padded_sum",)
    ),
    Operation.CONCAT: SourceForm("jnp.concatenate([{inputs}], axis=-1)"),
    Operation.ZERO: SourceForm("jnp.zeros_like({x})"),
    Operation.DOWNSAMPLING: SourceForm("nnx.max_pool({x}, (2, 2), strides=(2, 2))"),
    Operation.AVERAGE_DOWNSAMPLING: SourceForm("nnx.avg_pool({x}, (2, 2), strides=(2, 2))"),
    Operation.RELU: SourceForm("nnx.relu({x})"),
    Operation.GLOBAL_POOLING: SourceForm("jnp.mean({x}, axis=(1, 2))"),
    Operation.PRODUCT: SourceForm(
        "{layer}({x})",
        "nnx.Linear({inputs}, {outputs}, use_bias=False, kernel_init=HE_NORMAL, rngs=rngs)",
    ),
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
    helpers=with_unscaled(HELPERS, UNSCALED_NORM),
    needs=needs_with_unscaled(),
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
