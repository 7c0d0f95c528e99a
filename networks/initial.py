"""Initial weights of a child network, made by NumPy so that nothing is compiled."""

from __future__ import annotations

import hashlib
import math

import numpy as np

from blockqnn.networks.plan import PlacedLayer, Plan

Weights = list[dict[str, np.ndarray]]
"""For each layer of a plan its arrays by name, empty where it has none."""


def initial_parameters(plan: Plan, seed: int) -> Weights:
    """Initial values of all that is trained.

    Kernels follow He et al., "Delving Deep into Rectifiers", ICCV 2015,
    equation 10: normal with variance `2 / fan_in`. Biases are 0, scales 1.

    Args:
        plan: of the child network.
        seed: the same seed and plan give the same weights.

    Returns:
        float32 arrays of the shapes that the plan asks for.
    """
    random = np.random.default_rng(seed)
    return [initial_arrays(layer, random) for layer in plan]


def shared_arrays(layer: PlacedLayer, seed: int) -> dict[str, np.ndarray]:
    """Initial values of what designs share: from a stream of random numbers of the key's own.

    Args:
        layer: of any of the designs.
        seed: of all that is shared.

    Returns:
        The same whichever layers stand around it; see `initial_parameters`.
    """
    return initial_arrays(layer, stream_of(layer, seed))


def stream_of(layer: PlacedLayer, seed: int) -> np.random.Generator:
    """The stream of random numbers from which the shared arrays of a layer begin."""
    digest = hashlib.sha256(f"{seed} {layer.bank_key}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def initial_arrays(layer: PlacedLayer, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Initial values of what is trained of a layer; see `initial_parameters`."""
    arrays = {}
    for name, shape in layer.parameter_shapes.items():
        if len(shape) > 1:
            deviation = math.sqrt(2 / math.prod(shape[:-1]))
            arrays[name] = random.standard_normal(shape, np.float32) * np.float32(deviation)
        else:
            arrays[name] = np.full(shape, float(name == "scale"), np.float32)
    return arrays


def initial_statistics(plan: Plan) -> Weights:
    """Running statistics of batch normalisation before the first step.

    Args:
        plan: of the child network.

    Returns:
        For each batch norm `mean` 0 and `variance` 1, float32 [C]; empty for other layers.
    """
    return [
        {
            "mean": np.zeros(layer.shape[-1:], np.float32),
            "variance": np.ones(layer.shape[-1:], np.float32),
        }
        if layer.normalises
        else {}
        for layer in plan
    ]
