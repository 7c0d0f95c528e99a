"""Initial weights of a language model, made by NumPy so that nothing is compiled."""

from __future__ import annotations

import numpy as np

from blockqnn.networks.initial import Weights, stream_of
from blockqnn.networks.plan import PlacedLayer, Plan

USUAL_RANGE = 0.04
"""Weights are uniform within it, biases 0: as in the code of Liu, Simonyan, Yang, ICLR 2019."""


def initial_weights(plan: Plan, seed: int, within: float = USUAL_RANGE) -> Weights:
    """Initial values of all that is trained of a language model.

    Args:
        plan: of it.
        seed: the same seed and plan give the same weights.
        within: matrices and vectors of words are uniform from minus to plus this; biases are 0.

    Returns:
        float32 arrays of the shapes that the plan asks for.
    """
    random = np.random.default_rng(seed)
    return [initial_arrays(layer, random, within) for layer in plan]


def shared_arrays(layer: PlacedLayer, seed: int, within: float) -> dict[str, np.ndarray]:
    """Initial values of what designs share: from a stream of random numbers of the key's own.

    Args:
        layer: of any of the designs.
        seed: of all that is shared.
        within: see `initial_weights`.

    Returns:
        The same whichever layers stand around it.
    """
    return initial_arrays(layer, stream_of(layer, seed), within)


def initial_arrays(
    layer: PlacedLayer, random: np.random.Generator, within: float
) -> dict[str, np.ndarray]:
    """Initial values of what is trained of a layer; see `initial_weights`."""
    return {
        name: random.uniform(-within, within, shape).astype(np.float32)
        if len(shape) > 1
        else np.zeros(shape, np.float32)
        for name, shape in layer.parameter_shapes.items()
    }
