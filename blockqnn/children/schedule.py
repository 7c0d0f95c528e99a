"""How the learning rate of a child changes while it is trained."""

from __future__ import annotations

import numpy as np

from blockqnn.settings import COSINE, STEPS, Recipe

RISE = 0.25
"""Share of a cycle in which the learning rate rises."""
_LOWEST = 0.1
"""Where it rises from, as a share of the highest."""
CHANGES = 8
"""At most so often the learning rate changes in an epoch: a change costs some small copies."""


def relative_rates(recipe: Recipe, epoch: int, steps: int) -> np.ndarray:
    """The learning rates of an epoch's steps.

    Steps: `decay ** floor(epoch / decay_epochs)`, section 4.2 of the paper. Cosine, with `p` the
    share of the training that is done: `(1 + cos(pi p)) / 2`. One cycle: `0.1 + 0.9 p / 0.25` up
    to a quarter, then `(1 + cos(pi (p - 0.25) / 0.75)) / 2`. Both end at zero. A child that is
    trained for few epochs at a constant rate is judged where it happens to stand, and its
    accuracy changes by several percent from epoch to epoch; a rate that ends at zero takes most
    of that away.

    Args:
        recipe: how the child is trained.
        epoch: from 0.
        steps: of an epoch.

    Returns:
        Factors on `recipe.learning_rate`, float64 [steps].
    """
    if recipe.schedule == STEPS:
        factor = recipe.learning_rate_decay ** (epoch // recipe.decay_epochs)
        return np.full(steps, factor)
    pieces = min(CHANGES, steps)
    piece = np.arange(steps) * pieces // steps
    # The middle of a piece stands for all of it.
    share = (epoch + (piece + 0.5) / pieces) / recipe.epochs
    if recipe.schedule == COSINE:
        return (1 + np.cos(np.pi * share)) / 2
    rising = _LOWEST + (1 - _LOWEST) * share / RISE
    falling = (1 + np.cos(np.pi * (share - RISE) / (1 - RISE))) / 2
    return np.where(share < RISE, rising, falling)
