"""The page of an exported folder: what is in it, and code that uses it."""

from __future__ import annotations

import textwrap

from blockqnn.export.architecture import Architecture
from blockqnn.export.readme_templates import BODIES, TOP
from blockqnn.export.source import IMAGE_MODES, example_arguments, wrapped_code
from blockqnn.export.subject import Subject
from blockqnn.export.unit_class import UnitClass
from blockqnn.export.unit_drawing import unit_drawing
from blockqnn.networks.cost import parameters as count_parameters
from blockqnn.networks.spaces.registry import space_of, stacked

OLDEST_JAX = "0.8.2"
"""Oldest version that loads a network which jax 0.10.2 has exported. 0.8.2, 0.8.3 and 0.9.0 do;
0.4.30, 0.4.36, 0.5.0, 0.6.0, 0.7.0, 0.8.0 and 0.8.1 do not. Measured as
`benchmarks/oldest_jax.sh` does."""
OLDEST_FLAX = "0.12.1"
"""Oldest version with which `network.py` gives the same logits, measured likewise;
0.12.0 and 0.11.2 do not load the weights."""


def readme(subject: Subject, parts: Architecture, framework: str) -> str:
    """How an export is loaded and used.

    Args:
        subject: the network.
        parts: what its source code consists of.
        framework: `flax`, `torch` or `onnx`.

    Returns:
        Markdown; its code blocks run in the exported folder.
    """
    layout, design = subject.layout, parts.design
    unit = space_of(subject.code).unit
    body, trained = BODIES[framework]
    number = sum(len(use.units) for use in parts.stages)
    title = f" of {number} {unit}{'s' * (number != 1)}" if number else f" of {stacked(layout)}"
    if parts.whole:
        title = ""
    words = {
        "unit": unit,
        "Unit": design.name,
        "of_units": title,
        "code": "\n".join(wrapped_code(subject.code, 88)),
        "drawing": unit_drawing(design),
        "parameters": _parameters(parts),
        "height": layout.height,
        "width": layout.width,
        "channels": layout.channels,
        "plural": "s" * (layout.channels != 1),
        "classes": layout.classes,
        "origin": _origin(subject),
        "images": (7, *layout.image_shape),
        "arguments": example_arguments(design),
        "begins": _begins(design, unit),
        "flax": OLDEST_FLAX,
        "jax": OLDEST_JAX,
        **_reading(subject, framework),
    }
    if parts.stages:
        stage = parts.stages[-1]
        words |= {
            "stage": stage.attribute,
            "last": "last" if len(parts.stages) > 1 else "only",
            "read": stage.units[0].channels,
            "written": stage.units[0].out_channels,
            "head": parts.parts[-1].attribute,
        }
    words["trained"] = trained.format(**words) if parts.stages else ""
    return (TOP + body).format(**words).rstrip("\n") + "\n"


def _origin(subject: Subject) -> str:
    if subject.training is not None:
        return "Its weights were trained."
    return (
        "**Its weights are initial ones, not\ntrained**; mean and deviation of the pixels are "
        "placeholders."
    )


def _parameters(parts: Architecture) -> str:
    """How many are exported, and how many are counted where layers are left out."""
    counted, here = count_parameters(parts.plan), count_parameters(parts.written)
    if counted == here:
        return f"{here:,} parameters"
    return f"{here:,} parameters ({counted:,} with layers that nothing reads, which are left out)"


def _begins(design: UnitClass, unit: str) -> str:
    if not (design.takes_filters or design.same_width):
        text = (
            f"It writes maps with `out_channels` = {design.out_channels}, perhaps smaller than "
            "those that it reads. All widths within are those of this network."
        )
        return textwrap.fill(text, 100)
    text = (
        f"A {unit} writes maps of the height and width that it reads, with `out_channels` = "
        f"{design.out_channels}. Its convolutions have ReLU before and batch normalisation after "
        "them, so apply ReLU behind the last one, as above."
    )
    return textwrap.fill(text, 100)


def _reading(subject: Subject, framework: str) -> dict[str, str]:
    """Lines that get the pixels of an image."""
    height, width, channels = subject.layout.image_shape
    imports = {"flax": ["from flax import nnx"], "torch": ["import torch"]}.get(framework, [])
    names = ["CLASS_NAMES", "CLASSES", "load", "normalise"]
    if channels in IMAGE_MODES:
        names.append("read_image")
        read = 'pixels = read_image("photo.jpg")'
    elif framework == "torch":
        read = f"pixels = torch.zeros(1, {channels}, {height}, {width})  # of an image"
    else:
        imports.insert(0, "import numpy as np")
        read = f"pixels = np.zeros((1, {height}, {width}, {channels}), np.uint8)  # of an image"
    line = f"from network import {', '.join(names)}"
    return {"read_import": "\n".join([*imports, line, ""]), "read_pixels": read}
