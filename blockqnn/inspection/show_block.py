"""A block in words and figures."""

from __future__ import annotations

import textwrap
from typing import Any

from blockqnn.errors import UserError
from blockqnn.listing import in_units
from blockqnn.networks.cost import Cost, cost
from blockqnn.networks.layout import CIFAR, IMAGENET, NASBENCH201, Layout
from blockqnn.networks.spaces.nsc.canonical import CanonicalBlock
from blockqnn.networks.spaces.nsc.codes import Code, LayerType, as_lists, describe, write
from blockqnn.networks.spaces.registry import Design

_MOST_BITS = 10_000
"""Numbers of more bits Python refuses to write in decimal."""
_LAYOUTS = {CIFAR: "CIFAR", IMAGENET: "ImageNet", NASBENCH201: "NAS-Bench-201"}


def writable_cost(design: Design, layout: Layout) -> Cost:
    """The cost of a child network whose figures can be written.

    Args:
        design: a block in canonical form, or a cell.
        layout: of the child network.

    Returns:
        Its cost.

    Raises:
        UserError: if it is too large.
    """
    spent = cost(design, layout)
    if spent.parameters.bit_length() > _MOST_BITS:
        raise UserError(
            "The child network is too large for its figures to be written; fewer --repeats."
        )
    return spent


def block_facts(code: Code, block: CanonicalBlock, spent: Cost) -> dict[str, Any]:
    """A block as JSON.

    Args:
        code: as it was written.
        block: its canonical form.
        spent: cost of its child network.

    Returns:
        Text form, canonical form and figures; FLOPs in units.
    """
    return {
        "code": write(code),
        "layers": as_lists(code),
        "canonical": {
            "layers": [
                {"type": int(layer.type), "kernel": layer.kernel, "inputs": list(layer.inputs)}
                for layer in block.layers
            ],
            "edges": [
                [source, node]
                for node, layer in enumerate(block.layers, start=1)
                for source in layer.inputs
            ],
            "outputs": list(block.outputs),
        },
        "hash": block.hash,
        "nodes": block.nodes,
        "edges": block.edges,
        "density": block.density,
        "leaves": block.leaves,
        "depth": spent.depth,
        "parameters": spent.parameters,
        "flops": spent.flops,
        "block_flops": spent.block_flops,
    }


def in_words(
    title: str, code: Code, block: CanonicalBlock, layout: Layout, spent: Cost
) -> list[str]:
    """A block for people.

    Args:
        title: how to call it.
        code: as it was written.
        block: its canonical form.
        layout: of its child network.
        spent: cost of its child network.

    Returns:
        Lines: its layers, its canonical form and its figures.
    """
    lines = [f"{title}: {write(code)}", ""]
    used = {p for layer in code for p in layer.predecessors}
    for layer in code[:-1]:
        leaf = "" if layer.index in used else "  -> output"
        lines.append(f"  {layer.index:2}  {describe(layer)}{leaf}")
    canonical = f"canonical form {block.hash}: {_canonical_in_words(block)}"
    lines += ["", textwrap.fill(canonical, 88, subsequent_indent="  "), ""]
    lines += [
        f"nodes {block.nodes}, edges {block.edges}, density {block.density:.3f}, "
        f"leaves {block.leaves}",
        f"in a child network: {layout_in_words(layout)}",
        f"  depth        {spent.depth} convolutions",
        f"  parameters   {spent.parameters:,}",
        f"  FLOPs        {in_units(spent.flops)}  (2 x multiply-accumulate, one image, forward)",
        f"  block FLOPs  {in_units(spent.block_flops)}  (one block at the first stage)",
    ]
    return lines


def layout_in_words(layout: Layout) -> str:
    """A layout in one phrase."""
    stages = ",".join(map(str, layout.filters))
    unit = "cells" if layout.kind == NASBENCH201 else "blocks"
    return (
        f"{_LAYOUTS[layout.kind]} layout, filters {stages}, {layout.repeats} {unit} a stage, "
        f"images {layout.height}x{layout.width}x{layout.channels}, {layout.classes} classes"
    )


def layer_name(kind: int, kernel: int) -> str:
    """A short name of what a layer computes, such as conv3x3."""
    name = LayerType(kind).name.lower().replace("_pooling", "").replace("volution", "v")
    return f"{name}{kernel}x{kernel}" if kernel else name


def _canonical_in_words(block: CanonicalBlock) -> str:
    names = ["input"]
    for node, layer in enumerate(block.layers, start=1):
        inputs = ", ".join("input" if i == 0 else f"n{i}" for i in layer.inputs)
        names.append(f"n{node} = {layer_name(layer.type, layer.kernel)}({inputs})")
    outputs = ", ".join("input" if o == 0 else f"n{o}" for o in block.outputs)
    return "; ".join([*names[1:], f"output = {outputs}"])
