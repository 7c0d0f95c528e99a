"""What operations compute that only networks of mixed operations have; see `functions`."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from blockqnn.networks import pooling
from blockqnn.networks.normalisation import Arrays
from blockqnn.networks.operations.steps import ROW, Placed

Inputs = Sequence[jax.Array]


def mixture(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Sum of all inputs, each times its share: those that the softmax of a row ends with.

    Liu, Simonyan, Yang, "Differentiable Architecture Search", ICLR 2019, equation 2. What the row
    begins with are operations that give zeros, which nothing computes. The row, `ROW`, is trained
    by whoever mixes: it is no parameter of a layer.
    """
    shares = jax.nn.softmax(parameters[ROW])[-len(inputs) :].astype(inputs[0].dtype)
    terms = [shares[place].reshape(1, 1, 1, 1) * x for place, x in enumerate(inputs)]
    return sum(terms[1:], terms[0])


def first_channels(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """As many of the input's channels as the output has."""
    return inputs[0][..., : placed.shape[-1]]


def beside_the_rest(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """The first input beside the channels of the second that come after as many, shuffled.

    Xu et al., "Partial Channel Connections", ICLR 2020: with a stride the rest goes through max
    pooling of 2x2 pixels (of those that there are, at an odd last row or column), and channels of
    all K groups take turns.
    """
    mixed, x = inputs
    width = mixed.shape[-1]
    rest = x[..., width:]
    if placed.stride > 1:
        odd = [(0, side % 2) for side in rest.shape[1:3]]
        rest = pooling.downsampling(jnp.pad(rest, ((0, 0), *odd, (0, 0)), constant_values=-jnp.inf))
    joined = jnp.concatenate([mixed, rest], axis=-1)
    groups = joined.reshape(*joined.shape[:-1], -1, width)
    return groups.swapaxes(-1, -2).reshape(joined.shape)
