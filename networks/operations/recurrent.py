"""The table of what recurrent cells and language models compute.

A second table beside `blockqnn.networks.operations.table`: its operations read and write vectors,
and stand in plans of language models alone. Nothing here imports JAX.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from blockqnn.networks.operations.shapes import (
    ShapeRule,
    is_given,
    same_shape,
    second_shape,
    vector_of_filters,
)
from blockqnn.networks.operations.steps import (
    Computation,
    Placed,
    Shape,
    bias_of_channels,
    matrix_kernel,
)
from blockqnn.networks.operations.table import OperationEntry

_FUNCTIONS = "blockqnn.networks.operations.recurrent_functions:"

WORDS, EMBEDDING, INPUT, HIDDEN, OUTPUT = "words", "embedding", "input", "hidden", "output"
DROPOUTS = (WORDS, EMBEDDING, INPUT, HIDDEN, OUTPUT)
"""What dropout may take away: whole words, their vectors, what a cell reads, what its nodes read
of its state, and what the decoder reads."""


def _kernel_and_bias(placed: Placed) -> dict[str, Shape]:
    return matrix_kernel(placed) | bias_of_channels(placed)


def _vector(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """The vector of a word out of the table that is read second."""
    return inputs[1][-1:]


def _last(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    return inputs[-1]


def _all_words(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """A number for each word of the table that is read second."""
    return inputs[1][:1]


def _of_kernel(placed: Placed) -> int:
    return math.prod(placed.parameter_shapes["kernel"])


def _of_table(placed: Placed) -> int:
    return math.prod(placed.input_shapes[1])


def _product(
    name: str, function: str, arrays: Callable[[Placed], dict[str, Shape]]
) -> OperationEntry:
    return OperationEntry(
        name,
        _FUNCTIONS + function,
        arrays,
        shape=vector_of_filters,
        multiply_accumulates=_of_kernel,
        convolves=True,
    )


def _plain(name: str, function: str, shape: ShapeRule = same_shape) -> OperationEntry:
    return OperationEntry(name, _FUNCTIONS + function, shape=shape)


class Recurrent:
    """What a placed layer of a language model may compute."""

    WORD = _plain("word", "given", is_given)
    STATE = _plain("state of the word before", "given", is_given)
    KEPT = _plain("state for the next word", "first_input")
    TABLE = OperationEntry(
        "vectors of words",
        _FUNCTIONS + "table",
        lambda placed: {"table": placed.shape},
        shape=is_given,
        by_example=False,
    )
    EMBEDDING = _plain("embedding", "embedding", _vector)
    PRODUCT = _product("product", "product", matrix_kernel)
    AFFINE = _product("product and bias", "affine", _kernel_and_bias)
    TIED = OperationEntry(
        "decoder by the embedding",
        _FUNCTIONS + "tied",
        bias_of_channels,
        shape=_all_words,
        multiply_accumulates=_of_table,
        convolves=True,
    )
    ADD = _plain("sum of vectors", "added")
    MULTIPLY = _plain("product of vectors", "multiplied")
    MEAN = _plain("mean of vectors", "mean")
    LSTM_MEMORY = _plain("memory of an LSTM", "lstm_memory", second_shape)
    LSTM_OUTPUT = _plain("output of an LSTM", "lstm_output", second_shape)
    GRU_STATE = _plain("state of a GRU", "gru_state", _last)


ACTIVATIONS: Mapping[str, OperationEntry] = MappingProxyType(
    {
        "identity": _plain("identity of vectors", "first_input"),
        "tanh": _plain("tanh", "tanh"),
        "sigmoid": _plain("sigmoid", "sigmoid"),
        "relu": _plain("relu of vectors", "relu"),
    }
)
"""Functions of one vector, by name."""

HIGHWAYS: Mapping[str, OperationEntry] = MappingProxyType(
    {
        name: _plain(f"highway of {name}", f"highway_{name}", second_shape)
        for name in ("tanh", "relu", "sigmoid", "identity")
    }
)
"""Nodes with a gate, `s + sigmoid(c) (f(g) - s)`, by the name of f."""

COMBINATIONS: Mapping[str, OperationEntry] = MappingProxyType(
    {"add": Recurrent.ADD, "mul": Recurrent.MULTIPLY}
)
"""How two vectors become one, by name."""

DROPPED: Mapping[str, OperationEntry] = MappingProxyType(
    {
        kind: OperationEntry(
            f"dropout of {kind}", _FUNCTIONS + "masked", shape=same_shape, by_example=kind != WORDS
        )
        for kind in DROPOUTS
    }
)
"""Where dropout acts in training, by what it takes away."""


def dropped_kind(operation: Computation) -> str:
    """What an operation's dropout takes away; empty where it is none."""
    return next((kind for kind, entry in DROPPED.items() if entry is operation), "")


def recurrent_operations() -> dict[str, OperationEntry]:
    """Every operation of the table, by its name."""
    entries = [entry for entry in vars(Recurrent).values() if isinstance(entry, OperationEntry)]
    for table in (ACTIVATIONS, HIGHWAYS, DROPPED):
        entries += table.values()
    return {entry.name: entry for entry in entries}
