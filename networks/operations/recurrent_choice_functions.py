"""What recurrent cells compute of which many designs are paths, or are mixed.

Vectors are [B, C], a word at a time.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from blockqnn.networks.normalisation import BATCH_NORM_EPSILON
from blockqnn.networks.operations.recurrent_choices import FUNCTIONS
from blockqnn.networks.operations.recurrent_functions import Arrays, Inputs
from blockqnn.networks.operations.steps import ROW, Placed

_COMPUTED = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "identity": lambda vector: vector,
}


def chosen(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """The input whose number is 1, the others' being 0."""
    return _weighed(parameters[ROW], inputs)


def chosen_mean(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Mean of the inputs whose numbers are 1."""
    row = parameters[ROW]
    return _weighed(row, inputs) / jnp.sum(row)


def chosen_node(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """`s + sigmoid(c) (f(g) - s)`, f being the function whose number is 1.

    Reads c and g side by side, and s.
    """
    gate, rest = jnp.split(inputs[0], 2, axis=-1)
    candidate = _weighed(parameters[ROW], [_COMPUTED[name](rest) for name in FUNCTIONS])
    return inputs[1] + jax.nn.sigmoid(gate) * (candidate - inputs[1])


def mixed_node(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """`sum_f p_f (s + sigmoid(c) (f(g) - s))`, p being the softmax of the row.

    Liu, Simonyan, Yang, "Differentiable Architecture Search", ICLR 2019, equation 2 with the
    nodes of section 3.1.2. The first number of the row is that of `none`, which gives zeros.
    """
    gate, rest = jnp.split(inputs[0], 2, axis=-1)
    shares = jax.nn.softmax(parameters[ROW])[1:]
    candidate = _weighed(shares, [_COMPUTED[name](rest) for name in FUNCTIONS])
    kept = jnp.sum(shares) * inputs[1]
    return kept + jax.nn.sigmoid(gate) * (candidate - kept)


def normalised(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Each number less its mean over the batch, over its deviation there.

    Ioffe and Szegedy, "Batch Normalization", ICML 2015, without scale and shift, and always by the
    batch at hand.
    """
    vectors = inputs[0].astype(jnp.float32)
    mean = jnp.mean(vectors, axis=0, keepdims=True)
    variance = jnp.mean(jnp.square(vectors - mean), axis=0, keepdims=True)
    return ((vectors - mean) * jax.lax.rsqrt(variance + BATCH_NORM_EPSILON)).astype(inputs[0].dtype)


def _weighed(row: jax.Array, inputs: Inputs) -> jax.Array:
    parts = [row[place] * each for place, each in enumerate(inputs)]
    return sum(parts[1:], parts[0])
