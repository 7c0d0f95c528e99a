"""How far the operations of an edge agree about the weights that they share, by gradients."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from blockqnn.children.execution import DeviceImages
from blockqnn.networks.plan import PlacedLayer
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import design_of, space_of
from blockqnn.supernets.bank import Bank
from blockqnn.supernets.paths import Path, Paths

Gradients = dict[str, np.ndarray]
"""By the key of a bank's entry and the name of an array its gradient, in one axis."""


def gradients(bank: Bank, path: Path, part: DeviceImages, indices: np.ndarray) -> Gradients:
    """The gradient of a design's loss by the arrays of the bank that it uses.

    Args:
        bank: whose arrays, which stay as they are.
        path: the design.
        part: the training part.
        indices: int32 [B], of a batch.

    Returns:
        By key.
    """
    weights = [dataclasses.replace(own) for own in bank.weights(path.plan, path.chain.all_steps)]
    _, found, _ = path.chain.gradients(weights, *path.chain.batch(part, indices))
    steps = path.chain.all_steps
    return by_key((path.plan[steps[number].layer], own) for number, own in found.items())


def by_key(found: Iterable[tuple[PlacedLayer, Any]]) -> Gradients:
    """Gradients by what they belong to.

    Args:
        found: layers with gradients of arrays by name; a layer that was cut into several steps
            comes as often, with an array for each.

    Returns:
        They, in float64.
    """
    keyed: dict[str, list[np.ndarray]] = {}
    for layer, own in found:
        for name, array in jax.device_get(own).items():
            keyed.setdefault(f"{layer.bank_key} {name}", []).append(np.asarray(array, np.float64))
    return {key: np.concatenate([a.ravel() for a in arrays]) for key, arrays in keyed.items()}


def distance(first: Gradients, second: Gradients) -> float:
    """`1 - cos` of the gradients by the weights that both designs use, from 0 to 2.

    Args:
        first: of one design.
        second: of another.

    Returns:
        The distance; 1, that of directions that have nothing to do with each other, where one of
        the gradients is 0 or nothing is shared.
    """
    both = [key for key in first if key in second]
    dot = sum(float(first[key] @ second[key]) for key in both)
    norms = [sum(float(g[key] @ g[key]) for key in both) for g in (first, second)]
    scale = float(np.sqrt(norms[0] * norms[1]))
    return 1.0 - dot / scale if scale > 0 else 1.0


def edge_distances(
    bank: Bank,
    paths: Paths,
    part: DeviceImages,
    designs: Sequence[Code],
    order: np.ndarray,
    edges: Mapping[str, Sequence[str]],
) -> dict[str, np.ndarray]:
    """For each edge how far its operations disagree, the mean over some designs and batches.

    Args:
        bank: that was trained.
        paths: makes networks.
        part: the training part.
        designs: one for each batch, whose operation on the edge is exchanged.
        order: int32 [batches, B], which images.
        edges: with the operations that are compared.

    Returns:
        By edge float64 [O, O], symmetric, 0 on the diagonal.
    """
    sums = {edge: np.zeros((len(each), len(each))) for edge, each in edges.items()}
    for code, indices in zip(designs, order, strict=True):
        space = space_of(code)
        on = dict(space.on_edges(code))
        known: dict[Code, Gradients] = {}
        for edge, operations in edges.items():
            found = []
            for operation in operations:
                forced = space.of_edges(on | {edge: operation})
                # The design itself is one of those of every edge.
                if forced not in known:
                    path = paths.path(design_of(forced))
                    known[forced] = gradients(bank, path, part, indices)
                found.append(known[forced])
            for a in range(len(found)):
                for b in range(a):
                    sums[edge][a, b] += distance(found[a], found[b])
    return {edge: (total + total.T) / len(order) for edge, total in sums.items()}
