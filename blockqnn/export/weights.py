"""Weights by the names that they have in the stand-alone network."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from blockqnn.networks.initial import Weights
from blockqnn.networks.plan import Plan

CONVOLUTION, NORM = "convolution", "norm"
"""Attributes of a layer of ReLU, convolution and batch normalisation."""

Tree = dict[str, Any]
"""A nested dict whose leaves are arrays."""


def attribute(layer_name: str) -> str:
    """What a layer is called in the stand-alone network, such as `stage1_block2_layer3`."""
    return layer_name.replace("/", "_")


def as_tree(plan: Plan, parameters: Weights, statistics: Weights) -> Tree:
    """Weights as the nested dict of the stand-alone network's state.

    Args:
        plan: of the network.
        parameters: for each layer of the plan its trained arrays.
        statistics: for each layer of the plan its running statistics.

    Returns:
        By attribute of the network, then of the layer, float32 arrays.
    """
    tree: Tree = {}
    for layer, arrays, running in zip(plan, parameters, statistics, strict=True):
        if layer.normalises:
            norm = {
                "scale": arrays["scale"],
                "bias": arrays["bias"],
                "mean": running["mean"],
                "var": running["variance"],
            }
            own = {name: arrays[name] for name in layer.operation.arrays(layer)}
            # A batch normalisation by itself is the layer.
            tree[attribute(layer.name)] = {CONVOLUTION: own, NORM: norm} if own else norm
        elif arrays:
            tree[attribute(layer.name)] = dict(arrays)
    return tree


def write_safetensors(path: pathlib.Path, tree: Tree) -> None:
    """Writes weights as one file; names are joined by dots, as in `head_linear.bias`."""
    from safetensors.numpy import save

    path.write_bytes(save(_flat(tree)))


def write_orbax(path: pathlib.Path, tree: Tree) -> None:
    """Writes weights as an Orbax checkpoint of the nested dict."""
    import orbax.checkpoint as ocp

    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path.absolute(), tree)


def _flat(tree: Tree, prefix: str = "") -> dict[str, np.ndarray]:
    flat: dict[str, np.ndarray] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = np.ascontiguousarray(value)
    return flat
