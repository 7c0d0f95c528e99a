"""Initial weights of a child network, made by NumPy so that nothing is compiled."""

from __future__ import annotations

import math

import numpy as np

from blockqnn.networks.plan import Plan

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
    weights: Weights = []
    for layer in plan:
        arrays = {}
        for name, shape in layer.parameter_shapes.items():
            if len(shape) > 1:
                deviation = math.sqrt(2 / math.prod(shape[:-1]))
                arrays[name] = random.standard_normal(shape, np.float32) * np.float32(deviation)
            else:
                arrays[name] = np.full(shape, float(name == "scale"), np.float32)
        weights.append(arrays)
    return weights


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
