"""Source code in PyTorch: its operations, helpers and the frame around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from blockqnn.export.forms import (
    Arrays,
    Dialect,
    SourceForm,
    needs_with_unscaled,
    with_unscaled,
)
from blockqnn.export.torch_helpers import HELPERS, UNSCALED_NORM
from blockqnn.networks.plan import Operation


def _norm(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
    names = {"scale": "weight", "bias": "bias"}
    return {
        **{name: trained[own] for own, name in names.items() if own in trained},
        "running_mean": running["mean"],
        "running_var": running["variance"],
        # PyTorch counts steps here, and uses the number only without a momentum.
        "num_batches_tracked": np.zeros((), np.int64),
    }


def _scale_and_bias(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
    return {"weight": trained["scale"], "bias": trained["bias"]}


def _convolution(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
    # HWIO becomes OIHW.
    return {"weight": trained["kernel"].transpose(3, 2, 0, 1)}


def _convolution_and_norm(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
    parts = {"conv": _convolution(trained, running), "norm": _norm(trained, running)}
    return {f"{part}.{name}": a for part, arrays in parts.items() for name, a in arrays.items()}


def _linear(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
    return {"weight": trained["kernel"].T, "bias": trained["bias"]}


def _parts_and_norm(names: Mapping[str, str]) -> Callable[[Arrays, Arrays], dict[str, np.ndarray]]:
    """From the names of kernels to those of a class's convolutions."""

    def weights(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
        # HWIO becomes OIHW.
        kernels = {
            f"{part}.weight": trained[name].transpose(3, 2, 0, 1) for name, part in names.items()
        }
        norm = {f"norm.{name}": array for name, array in _norm(trained, running).items()}
        return kernels | norm

    return weights


def _product(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
    return {"weight": trained["kernel"].T}


_separable_and_norm = _parts_and_norm({"depthwise": "depthwise", "kernel": "pointwise"})
_crossed_and_norm = _parts_and_norm({"kernel": "across", "kernel_down": "down"})
_halves_and_norm = _parts_and_norm({"kernel": "even", "kernel_shifted": "odd"})

FORMS = {
    Operation.CONVOLUTION: SourceForm(
        "{layer}({x})",
        "convolution({inputs}, {outputs}, {kernel}{stride})",
        oblong="window({inputs}, {outputs}, {size}, {strides}, {padding})",
        helpers=("convolution",),
        oblong_helpers=("window",),
        weights=_convolution,
    ),
    Operation.PCC: SourceForm(
        "{layer}({x})",
        "ReluConvNorm({inputs}, {outputs}, {kernel}{stride})",
        helpers=("ReluConvNorm",),
        weights=_convolution_and_norm,
    ),
    Operation.VALID_CONVOLUTION: SourceForm(
        "{layer}({x})",
        "window({inputs}, {outputs}, ({kernel}, {kernel}), ({step}, {step}), (0, 0))",
        helpers=("window",),
        weights=_convolution,
    ),
    Operation.SEPARABLE: SourceForm(
        "{layer}({x})",
        "ReluSeparableNorm({inputs}, {outputs}, {kernel}{stride})",
        helpers=("ReluSeparableNorm",),
        weights=_separable_and_norm,
    ),
    Operation.DILATED_SEPARABLE: SourceForm(
        "{layer}({x})",
        "ReluSeparableNorm({inputs}, {outputs}, {kernel}{stride}, dilation=2)",
        helpers=("ReluSeparableNorm",),
        weights=_separable_and_norm,
    ),
    Operation.DILATED: SourceForm(
        "{layer}({x})",
        "ReluDilatedNorm({inputs}, {outputs}, {kernel}{stride})",
        helpers=("ReluDilatedNorm",),
        weights=_convolution_and_norm,
    ),
    Operation.CROSSED: SourceForm(
        "{layer}({x})",
        "ReluCrossedNorm({inputs}, {outputs}, {kernel}{stride})",
        helpers=("ReluCrossedNorm",),
        weights=_crossed_and_norm,
    ),
    Operation.ROW: SourceForm(
        "{layer}({x})",
        "ReluWindowNorm({inputs}, {outputs}, (1, {kernel}), (1, {step}))",
        helpers=("ReluWindowNorm",),
        weights=_convolution_and_norm,
    ),
    Operation.COLUMN: SourceForm(
        "{layer}({x})",
        "ReluWindowNorm({inputs}, {outputs}, ({kernel}, 1), ({step}, 1))",
        helpers=("ReluWindowNorm",),
        weights=_convolution_and_norm,
    ),
    Operation.FACTORISED_REDUCTION: SourceForm(
        "{layer}({x})",
        "FactorisedReduction({inputs}, {outputs})",
        helpers=("FactorisedReduction",),
        weights=_halves_and_norm,
    ),
    Operation.PLAIN_FACTORISED_REDUCTION: SourceForm(
        "{layer}({x})",
        "PlainFactorisedReduction({inputs}, {outputs})",
        helpers=("PlainFactorisedReduction",),
        weights=_halves_and_norm,
    ),
    Operation.ZEROS_AFTER: SourceForm("zeros_after({inputs})", helpers=("zeros_after",)),
    Operation.ZEROS_AROUND: SourceForm("zeros_around({inputs})", helpers=("zeros_around",)),
    Operation.BATCH_NORM: SourceForm(
        "{layer}({x})", "batch_norm({outputs})", helpers=("batch_norm",), weights=_norm
    ),
    Operation.LAYER_NORM: SourceForm(
        "{layer}({x})", "nn.GroupNorm(1, {outputs})", weights=_scale_and_bias
    ),
    Operation.INSTANCE_NORM: SourceForm(
        "{layer}({x})", "nn.GroupNorm({outputs}, {outputs})", weights=_scale_and_bias
    ),
    Operation.MAX_POOLING: SourceForm("max_pool({x}, {kernel}{stride})", helpers=("max_pool",)),
    Operation.AVERAGE_POOLING: SourceForm(
        "average_pool({x}, {kernel}{stride})", helpers=("average_pool",)
    ),
    Operation.ADD: SourceForm(
        "{x} + {y}", uneven="padded_sum({x}, {y})", uneven_helpers=("padded_sum",)
    ),
    Operation.CONCAT: SourceForm("torch.cat([{inputs}], dim=1)"),
    Operation.ZERO: SourceForm("torch.zeros_like({x})"),
    Operation.DOWNSAMPLING: SourceForm("functional.max_pool2d({x}, 2)"),
    Operation.AVERAGE_DOWNSAMPLING: SourceForm("functional.avg_pool2d({x}, 2)"),
    Operation.RELU: SourceForm("functional.relu({x})"),
    Operation.GLOBAL_POOLING: SourceForm("{x}.mean(dim=(2, 3))"),
    Operation.PRODUCT: SourceForm(
        "{layer}({x})", "product({inputs}, {outputs})", helpers=("product",), weights=_product
    ),
    Operation.LINEAR: SourceForm(
        "{layer}({x})", "linear({inputs}, {outputs})", helpers=("linear",), weights=_linear
    ),
}

HEAD = '''"""{title}

{origin}

It needs torch and safetensors, nothing else:

    network = load("weights.safetensors")
    with torch.no_grad():
        logits = network(normalise(images))  # uint8 {pixels} -> float32 [B, {classes}]

{classes_text}
"""

from __future__ import annotations

import os

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

HEIGHT, WIDTH, CHANNELS = {shape}
CLASSES = {classes}
CLASS_NAMES: tuple[str, ...] = {class_names}

# Of each channel of the training images, on the scale of 0 to 255.
MEAN = {mean}
DEVIATION = {deviation}
'''

READ_IMAGE = '''

def read_image(path: str | os.PathLike[str]) -> torch.Tensor:
    """Reads an image file as pixels, uint8 [1, CHANNELS, HEIGHT, WIDTH].

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
    pixels = torch.frombuffer(bytearray(scaled.tobytes()), dtype=torch.uint8)
    return pixels.reshape(1, HEIGHT, WIDTH, CHANNELS).permute(0, 3, 1, 2)
'''

LOAD = '''

def normalise(images: torch.Tensor) -> torch.Tensor:
    """Turns pixels from 0 to 255, PIXELS, into what the network takes."""
    mean = torch.tensor(MEAN, device=images.device).reshape(1, CHANNELS, 1, 1)
    deviation = torch.tensor(DEVIATION, device=images.device).reshape(1, CHANNELS, 1, 1)
    return (images.float() - mean) / deviation


def load(path: str | os.PathLike[str]) -> Network:
    """The network with the weights of a safetensors file, in evaluation mode."""
    network = Network()
    network.load_state_dict(load_file(path))
    return network.eval()
'''

STAGE = '''

def stage({parameters}, {units}: int) -> nn.Sequential:
    """{Units} in a row; each reads what the one before it writes."""
    row = []
    for _ in range({units}):
        row.append({Unit}({arguments}))
        channels = row[-1].out_channels
    return nn.Sequential(*row)
'''

TORCH = Dialect(
    name="PyTorch",
    forms=FORMS,
    helpers=with_unscaled(HELPERS, UNSCALED_NORM),
    needs=needs_with_unscaled(),
    head=HEAD,
    read_image=READ_IMAGE,
    load=LOAD,
    module="nn.Module",
    array="torch.Tensor",
    forward="forward",
    rngs="",
    rngs_parameter="",
    begin="super().__init__()",
    axes="[B, {channels}, {height}, {width}]",
    stage=STAGE,
    use=("{x} = {stage}({x})",),
)
