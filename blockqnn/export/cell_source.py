"""A recurrent cell and a language model of it as plain Flax source code."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from blockqnn.networks.layout import Layout
from blockqnn.networks.operations.recurrent import (
    ACTIVATIONS,
    HIGHWAYS,
    Recurrent,
    dropped_kind,
)
from blockqnn.networks.operations.recurrent_functions import FORGET_BIAS
from blockqnn.networks.plan import PlacedLayer, Plan
from blockqnn.networks.recurrent.placing import NEXT
from blockqnn.networks.recurrent.sequence import state_shapes

_WIDTH = 100
_FUNCTIONS = {
    "tanh": "jnp.tanh",
    "sigmoid": "nnx.sigmoid",
    "relu": "nnx.relu",
    "identity": "identity",
}

_HELPERS = {
    "identity(": "def identity(x):\n    return x\n",
    "highway(": (
        "def highway(gate_and_rest, source, function):\n"
        "    gate, rest = jnp.split(gate_and_rest, 2, axis=-1)\n"
        "    return source + nnx.sigmoid(gate) * (function(rest) - source)\n"
    ),
    "lstm_memory(": (
        "def lstm_memory(gates, memory):\n"
        "    enter, forget, rest, _ = jnp.split(gates, 4, axis=-1)\n"
        f"    kept = nnx.sigmoid(forget + {FORGET_BIAS}) * memory\n"
        "    return kept + nnx.sigmoid(enter) * jnp.tanh(rest)\n"
    ),
    "lstm_output(": (
        "def lstm_output(gates, memory):\n"
        "    leave = jnp.split(gates, 4, axis=-1)[3]\n"
        "    return nnx.sigmoid(leave) * jnp.tanh(memory)\n"
    ),
    "gru_state(": (
        "def gru_state(of_input, of_state, state):\n"
        "    reset_x, update_x, new_x = jnp.split(of_input, 3, axis=-1)\n"
        "    reset_h, update_h, new_h = jnp.split(of_state, 3, axis=-1)\n"
        "    update = nnx.sigmoid(update_x + update_h)\n"
        "    new = jnp.tanh(new_x + nnx.sigmoid(reset_x + reset_h) * new_h)\n"
        "    return new + update * (state - new)\n"
    ),
}

_HEAD = '''"""A language model of {cells} in Flax.

{code}

`Cell(read, width, rngs=nnx.Rngs(0))` is the cell alone: from a vector and its state to a vector
and its next state. `LanguageModel(rngs=nnx.Rngs(0))` is the whole model with new weights, and
`load()` the one with the weights beside this file.
"""

import pathlib

import jax
import jax.numpy as jnp
from flax import nnx

WORDS = {words}
"""How many words it knows; vocabulary.txt has them by number, if they are known."""
'''

_LOAD = '''

def load(folder=pathlib.Path(__file__).parent):
    """The model with the weights in a folder."""
    from safetensors.numpy import load_file

    model = LanguageModel(rngs=nnx.Rngs(0))
    for name, array in load_file(pathlib.Path(folder) / "weights.safetensors").items():
        here = model
        *places, last = name.split(".")
        for place in places:
            here = here[int(place)] if place.isdecimal() else getattr(here, place)
        getattr(here, last).set_value(jnp.asarray(array))
    return model
'''

_MODEL = '''

class LanguageModel(nnx.Module):
    """Words in, a score for each next word out."""

    def __init__(self, *, rngs):
        self.embedding = nnx.Embed(WORDS, {embedding}, rngs=rngs)
        self.cells = nnx.List([{cells}])
{decoder}

    def initial_state(self, batch):
        """The states before the first word."""
        return [cell.initial_state(batch) for cell in self.cells]

    def __call__(self, words, states=None):
        """Reads words, int [B, T]; returns scores [B, T, WORDS] and the states after them."""
        states = self.initial_state(words.shape[0]) if states is None else states
        x, after = jnp.swapaxes(self.embedding(words), 0, 1), []
        for cell, state in zip(self.cells, states):

            def step(state, x, cell=cell):
                y, state = cell(x, state)
                return state, y

            state, x = jax.lax.scan(step, state, x)
            after.append(state)
        scores = {scores}
        return jnp.swapaxes(scores, 0, 1), after
'''


def cell_source(plan: Plan, layout: Layout, code: str) -> str:
    """Writes a language model as a Python file.

    Args:
        plan: of the model.
        layout: of the model.
        code: the cell, as text.

    Returns:
        The source: helpers, the class `Cell`, the class `LanguageModel`, and `load`.
    """
    cell = _cell_class(plan)
    helpers = [text for call, text in _HELPERS.items() if call.rstrip("(") in cell]
    widths = [width for width in layout.filters for _ in range(layout.repeats)]
    read = [layout.filters[-1], *widths[:-1]]
    cells = ", ".join(f"Cell({r}, {w}, rngs=rngs)" for r, w in zip(read, widths, strict=True))
    decoder = "        self.bias = nnx.Param(jnp.zeros(WORDS))"
    scores = "x @ self.embedding.embedding[...].T + self.bias[None, None, :]"
    if layout.untied:
        decoder = f"        self.decoder = nnx.Linear({widths[-1]}, WORDS, rngs=rngs)"
        scores = "self.decoder(x)"
    count = f"{len(widths)} recurrent cell{'s' * (len(widths) > 1)}"
    head = _HEAD.format(cells=count, code=textwrap.fill(code, 96), words=layout.classes)
    model = _MODEL.format(embedding=layout.filters[-1], cells=cells, decoder=decoder, scores=scores)
    return head + "".join(f"\n\n{helper}" for helper in helpers) + cell + model + _LOAD


def weight_names(plan: Plan) -> dict[tuple[int, str], str]:
    """By position in the plan and name of an array its name in the source's state."""
    found = {}
    for position, layer in enumerate(plan):
        for name in layer.parameter_shapes:
            if layer.operation is Recurrent.TABLE:
                found[position, name] = "embedding.embedding"
            elif layer.operation is Recurrent.TIED:
                found[position, name] = "bias"
            elif layer.name == "decoder":
                found[position, name] = f"decoder.{name}"
            else:
                number, _, rest = layer.name.partition("/cell/")
                place = int(number.removeprefix("layer")) - 1
                found[position, name] = f"cells.{place}.{_attribute(rest)}.{name}"
    return found


def _cell_class(plan: Plan) -> str:
    prefix = "layer1/cell/"
    layers = [layer for layer in plan if layer.name.startswith(prefix)]
    states = [name.removeprefix(prefix) for name in state_shapes(plan) if name.startswith(prefix)]
    width = next(layer for layer in layers if layer.operation is Recurrent.STATE).shape[-1]
    names: dict[str, str] = {}
    made: list[str] = []
    body: list[str] = []
    kept: dict[str, str] = {}
    for layer in layers:
        own = layer.name.removeprefix(prefix)
        read = [names.get(plan[i].name, "x") for i in layer.inputs]
        if layer.operation is Recurrent.STATE:
            names[layer.name] = own
        elif layer.operation is Recurrent.KEPT:
            kept[own.removesuffix(NEXT)] = read[0]
        elif dropped_kind(layer.operation):
            names[layer.name] = read[0]
        else:
            variable = _attribute(own)
            if layer.operation in (Recurrent.PRODUCT, Recurrent.AFFINE):
                made.append(_made(variable, layer, layer.inputs, plan, width))
            names[layer.name] = f"{variable}_value"
            body += _assigned(f"{variable}_value", _expression(layer, variable, read))
    lines = [
        "\n\nclass Cell(nnx.Module):",
        '    """The recurrent cell: from a vector to a vector, with a state beside it."""',
        "",
        "    def __init__(self, read, width, *, rngs):",
        "        self.width = width",
        *made,
        "",
        "    def initial_state(self, batch):",
        '        """Zeros: what the cell knows before the first vector."""',
        f"        return ({' '.join('jnp.zeros((batch, self.width)),' for _ in states)})",
        "",
        "    def __call__(self, x, state):",
        '        """From x [B, read] and the state, [B, width] each, to both of the next."""',
        f"        ({', '.join(states)},) = state",
        *body,
        f"        return {kept['h']}, ({' '.join(f'{kept[name]},' for name in states)})",
        "",
    ]
    return "\n".join(lines)


def _made(variable: str, layer: PlacedLayer, inputs: Sequence[int], plan: Plan, width: int) -> str:
    times = layer.shape[-1] // width
    source = plan[inputs[0]]
    read = "read" if source.name == "layer1/cell/input" else "width"
    wide = "width" if times == 1 else f"{times} * width"
    bias = "" if layer.operation is Recurrent.AFFINE else ", use_bias=False"
    return f"        self.{variable} = nnx.Linear({read}, {wide}{bias}, rngs=rngs)"


def _assigned(name: str, expression: str) -> list[str]:
    """A statement, in several lines where one is too long; only sums are."""
    line = f"        {name} = {expression}"
    if len(line) <= _WIDTH:
        return [line]
    terms, _, rest = expression.partition(") / ")
    wrapped = textwrap.wrap(terms.removeprefix("("), _WIDTH - 12)
    return [
        f"        {name} = (",
        *(f"            {each}" for each in wrapped),
        f"        ) / {rest}",
    ]


def _expression(layer: PlacedLayer, variable: str, read: list[str]) -> str:
    operation = layer.operation
    if operation in (Recurrent.PRODUCT, Recurrent.AFFINE):
        return f"self.{variable}({read[0]})"
    for name, entry in HIGHWAYS.items():
        if operation is entry:
            return f"highway({read[0]}, {read[1]}, {_FUNCTIONS[name]})"
    for name, entry in ACTIVATIONS.items():
        if operation is entry:
            return read[0] if name == "identity" else f"{_FUNCTIONS[name]}({read[0]})"
    return _OTHERS[operation.name](read)


_OTHERS: dict[str, Callable[[list[str]], str]] = {
    Recurrent.ADD.name: " + ".join,
    Recurrent.MULTIPLY.name: " * ".join,
    Recurrent.MEAN.name: lambda v: v[0] if len(v) == 1 else f"({' + '.join(v)}) / {len(v)}",
    Recurrent.LSTM_MEMORY.name: lambda v: f"lstm_memory({', '.join(v)})",
    Recurrent.LSTM_OUTPUT.name: lambda v: f"lstm_output({', '.join(v)})",
    Recurrent.GRU_STATE.name: lambda v: f"gru_state({', '.join(v)})",
}


def _attribute(name: str) -> str:
    return name.replace("/", "_")
