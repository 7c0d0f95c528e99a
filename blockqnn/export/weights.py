"""Weights by the names that they have in the stand-alone network."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from blockqnn.export.architecture import Architecture
from blockqnn.export.forms import Dialect
from blockqnn.networks.initial import Weights

Tree = dict[Any, Any]
"""A nested dict whose leaves are arrays."""


def named_weights(
    parts: Architecture, parameters: Weights, statistics: Weights, dialect: Dialect
) -> dict[str, np.ndarray]:
    """Weights by the names of the stand-alone network's state.

    Args:
        parts: what the network consists of.
        parameters: for each layer of the plan its trained arrays.
        statistics: for each layer of the plan its running statistics.
        dialect: of the framework.

    Returns:
        By attributes joined by dots, such as `stage1.0.conv3.conv.kernel`, float32 arrays.
    """
    found = {}
    for position, place in parts.places.items():
        trained, running = parameters[position], statistics[position]
        if not trained and not running:
            continue
        form = dialect.form(parts.plan[position])
        for name, array in form.weights(trained, running).items():
            found[f"{place}.{name}"] = np.ascontiguousarray(array)
    return found


def as_tree(weights: dict[str, np.ndarray]) -> Tree:
    """Named weights as a nested dict; where a name is a number, so is its key."""
    tree: Tree = {}
    for name, array in weights.items():
        *places, last = name.split(".")
        here = tree
        for place in places:
            here = here.setdefault(int(place) if place.isdecimal() else place, {})
        here[last] = array
    return tree


def write_safetensors(path: pathlib.Path, weights: dict[str, np.ndarray]) -> None:
    """Writes weights as one file, by their names."""
    from safetensors.numpy import save

    path.write_bytes(save(weights))


def write_orbax(path: pathlib.Path, tree: Tree) -> None:
    """Writes weights as an Orbax checkpoint of the nested dict."""
    import orbax.checkpoint as ocp

    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path.absolute(), tree)
