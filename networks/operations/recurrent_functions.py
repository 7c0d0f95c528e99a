"""What recurrent cells and language models compute, a word at a time or many words at once.

Vectors are [..., C] with any axes before: inside a cell [B, C], around it [T, B, C].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from blockqnn.networks.operations.steps import MASK, Placed

Arrays = Mapping[str, jax.Array]
Inputs = Sequence[jax.Array]

FORGET_BIAS = 1.0
"""Added to what an LSTM's forget gate is computed of, so that it begins open (Jozefowicz et al.,
"An Empirical Exploration of Recurrent Network Architectures", ICML 2015)."""


def given(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Refuses, because words and states are given, not computed."""
    raise ValueError("Words and states are given, not computed.")


def table(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """The vectors of all words, [V, C]."""
    return parameters["table"]


def embedding(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """The vectors of words [...] out of a table [V, C]."""
    words, vectors = inputs
    return jnp.take(vectors, words, axis=0)


def masked(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """The input times the mask of its dropout; the input itself where there is none."""
    if MASK not in parameters:
        return inputs[0]
    return inputs[0] * _spread(parameters[MASK].astype(inputs[0].dtype), inputs[0])


def product(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Product with a matrix."""
    return inputs[0] @ parameters["kernel"].astype(inputs[0].dtype)


def affine(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Product with a matrix, and a bias."""
    found = product(placed, parameters, inputs)
    return found + _spread(parameters["bias"].astype(found.dtype), found)


def tied(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Product with the vectors of all words, and a bias."""
    found = inputs[0] @ inputs[1].astype(inputs[0].dtype).T
    return found + _spread(parameters["bias"].astype(found.dtype), found)


def first_input(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """The input."""
    return inputs[0]


def added(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Sum of two vectors."""
    return inputs[0] + inputs[1]


def multiplied(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Product of two vectors, number by number."""
    return inputs[0] * inputs[1]


def mean(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Mean of all inputs."""
    return sum(inputs[1:], inputs[0]) / len(inputs)


def tanh(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Hyperbolic tangent."""
    return jnp.tanh(inputs[0])


def sigmoid(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Logistic sigmoid."""
    return jax.nn.sigmoid(inputs[0])


def relu(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """The input where it is positive, else 0."""
    return jax.nn.relu(inputs[0])


def _highway(inputs: Inputs, candidate: jax.Array, gate: jax.Array) -> jax.Array:
    """`s + sigmoid(c) (f(g) - s)`, Liu, Simonyan, Yang, ICLR 2019, section 3.1.2."""
    return inputs[1] + jax.nn.sigmoid(gate) * (candidate - inputs[1])


def _gate_and_rest(inputs: Inputs) -> tuple[jax.Array, jax.Array]:
    gate, rest = jnp.split(inputs[0], 2, axis=-1)
    return gate, rest


def highway_tanh(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Node of a cell whose function is tanh: reads c and g side by side, and its source s."""
    gate, rest = _gate_and_rest(inputs)
    return _highway(inputs, jnp.tanh(rest), gate)


def highway_relu(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Node of a cell whose function is ReLU; see `highway_tanh`."""
    gate, rest = _gate_and_rest(inputs)
    return _highway(inputs, jax.nn.relu(rest), gate)


def highway_sigmoid(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Node of a cell whose function is the sigmoid; see `highway_tanh`."""
    gate, rest = _gate_and_rest(inputs)
    return _highway(inputs, jax.nn.sigmoid(rest), gate)


def highway_identity(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """Node of a cell without a function; see `highway_tanh`."""
    gate, rest = _gate_and_rest(inputs)
    return _highway(inputs, rest, gate)


def lstm_memory(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """`c' = f c + i g` of Hochreiter and Schmidhuber's LSTM with forget gates (Gers et al., 2000).

    Reads i, f, g and o before their functions, side by side, and c.
    """
    gates, memory = inputs
    enter, forget, rest, _ = jnp.split(gates, 4, axis=-1)
    kept = jax.nn.sigmoid(forget + FORGET_BIAS) * memory
    return kept + jax.nn.sigmoid(enter) * jnp.tanh(rest)


def lstm_output(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """`h' = o tanh(c')`; reads the same gates, and c'."""
    leave = jnp.split(inputs[0], 4, axis=-1)[3]
    return jax.nn.sigmoid(leave) * jnp.tanh(inputs[1])


def gru_state(placed: Placed, parameters: Arrays, inputs: Inputs) -> jax.Array:
    """`h' = (1 - z) tanh(n_x + r n_h) + z h`, Cho et al., 2014, the reset after the product.

    Reads r, z and n of the input side by side, the same of the state, and h.
    """
    of_input, of_state, state = inputs
    reset_x, update_x, new_x = jnp.split(of_input, 3, axis=-1)
    reset_h, update_h, new_h = jnp.split(of_state, 3, axis=-1)
    update = jax.nn.sigmoid(update_x + update_h)
    new = jnp.tanh(new_x + jax.nn.sigmoid(reset_x + reset_h) * new_h)
    return new + update * (state - new)


def _spread(array: jax.Array, like: jax.Array) -> jax.Array:
    """An array with as many axes as another, new ones first."""
    return array.reshape((1,) * (like.ndim - array.ndim) + array.shape)
