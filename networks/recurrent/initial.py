"""Initial weights of a language model, made by NumPy so that nothing is compiled."""

from __future__ import annotations

import numpy as np

from blockqnn.networks.initial import Weights
from blockqnn.networks.plan import Plan

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
    return [
        {
            name: random.uniform(-within, within, shape).astype(np.float32)
            if len(shape) > 1
            else np.zeros(shape, np.float32)
            for name, shape in layer.parameter_shapes.items()
        }
        for layer in plan
    ]
