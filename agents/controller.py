"""A controller: an LSTM that writes the decisions of any search space one after the other.

After Zoph and Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017, section 3,
and Pham et al., "Efficient Neural Architecture Search via Parameter Sharing", ICML 2018. At each
decision the state h of the last layer scores the legal actions. A field with a vector w scores
`w h + b_t`, where b_t is the decision's own; a field that points to an earlier decision j scores

    v . tanh(W_prev h_j + W_curr h)

(section 3.3 of NAS), h_j being the state in which that decision was made. An action's score u is
the sum over its fields, and its probability is that of a softmax of `c tanh(u / T)` above the
logarithm of what it has at random. So with all weights at 0 the policy draws as random search does.

All weights are one vector, and each function here is compiled once for a form, whichever agent or
seed asks.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.agents.decision_tables import DecisionTables, Sizes

DRAW, LIKELIEST = -1, -2
"""In the place of a decision: it is drawn, or it is the likeliest."""
_BELOW_ONE = 1.0 - 2.0**-23
"""A draw that is rounded up to 1 must not fall behind the last action."""


@dataclasses.dataclass(frozen=True)
class Form:
    """What is compiled anew where it differs.

    Attributes:
        sizes: of the space.
        layers: of the LSTM.
        units: of each layer, and numbers of each learned vector.
        temperature: T, by which scores are divided.
        tanh: c, the largest logit either way; 0 for no bound.
    """

    sizes: Sizes
    layers: int
    units: int
    temperature: float
    tanh: float

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each weight, by name, in the order of the vector of all."""
        sizes, units = self.sizes, self.units
        lstm: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            lstm |= {f"lstm {layer}": (2 * units, 4 * units), f"lstm bias {layer}": (4 * units,)}
        return {
            "first input": (units,),
            "positions": (sizes.length, units),
            "values": (sizes.values, units),
            "given": (sizes.given, units),
            **lstm,
            "scores": (sizes.values, units),
            "score biases": (sizes.length, sizes.values),
            "attention previous": (units, units),
            "attention current": (units, units),
            "attention": (units,),
        }

    @property
    def weights(self) -> int:
        """How many there are."""
        return sum(map(math.prod, self.shapes.values()))


class Tables(NamedTuple):
    """`DecisionTables` as arrays of a device, the same names."""

    prior: Any
    ends: Any
    says: Any
    skips: Any


class Written(NamedTuple):
    """What a controller says of a sequence; beyond its end all is 0.

    Attributes:
        numbers: int32 [T], the decisions.
        log_probabilities: float32 [T], of each decision.
        entropies: float32 [T], of the distribution that each is drawn from, in nats.
        alive: float32 [T], 1 up to the end of the episode and 0 behind it.
        distribution: float32 [T, A], logarithms of the probabilities of all actions.
    """

    numbers: Any
    log_probabilities: Any
    entropies: Any
    alive: Any
    distribution: Any


class _State(NamedTuple):
    """Between two decisions.

    Hidden states and cells [L, U], states so far [G + T, U] and `W_prev h_j` of each, the next
    input [U], the number of the last decision, and 1 until the episode ends.
    """

    hidden: Any
    cells: Any
    memory: Any
    keys: Any
    inputs: Any
    before: Any
    alive: Any


def on_device(tables: DecisionTables, device: Any) -> Tables:
    """The arrays of a space where the controller computes."""
    arrays = tables.prior, tables.ends.astype(np.float32), tables.says, tables.skips
    return Tables(*(jax.device_put(array, device) for array in arrays))


def first_weights(form: Form, scale: float, random: np.random.Generator) -> np.ndarray:
    """Weights that have learned nothing, uniform in [-scale, scale]: float32 [N]."""
    return random.uniform(-scale, scale, form.weights).astype(np.float32)


def named(form: Form, weights: jax.Array) -> dict[str, jax.Array]:
    """The weights as arrays by name."""
    sizes = [math.prod(shape) for shape in form.shapes.values()]
    parts = jnp.split(weights, list(itertools.accumulate(sizes))[:-1])
    return {
        name: part.reshape(shape)
        for (name, shape), part in zip(form.shapes.items(), parts, strict=True)
    }


class _Products:
    """The products of one decision with the large matrices, and what a gradient needs of them."""

    def __init__(self, w: dict[str, jax.Array], offsets: dict[str, Any]):
        self._w, self._offsets = w, offsets
        self.inputs: dict[str, jax.Array] = {}

    def __call__(self, name: str, vector: jax.Array) -> jax.Array:
        self.inputs[name] = vector
        found = vector @ self._w[name]
        return found + self._offsets[name] if self._offsets else found


def _advance(
    form: Form, w: dict[str, jax.Array], state: _State, product: _Products
) -> tuple[jax.Array, jax.Array]:
    """One step of the LSTM: new hidden states and cells, [L, U] each."""
    below, hidden, cells = state.inputs, [], []
    for layer in range(form.layers):
        joined = jnp.concatenate([below, state.hidden[layer]])
        gates = product(f"lstm {layer}", joined) + w[f"lstm bias {layer}"]
        entry, forget, new, out = jnp.split(gates, 4)
        cell = jax.nn.sigmoid(forget) * state.cells[layer]
        cell += jax.nn.sigmoid(entry) * jnp.tanh(new)
        below = jax.nn.sigmoid(out) * jnp.tanh(cell)
        hidden.append(below)
        cells.append(cell)
    return jnp.stack(hidden), jnp.stack(cells)


def squashed(scores: jax.Array, temperature: float, tanh: float) -> jax.Array:
    """Logits: `c tanh(u / T)`, or `u / T` where c is 0 (Pham et al., and Bello et al., 2017)."""
    divided = scores / temperature
    return tanh * jnp.tanh(divided) if tanh else divided


def _decide(
    form: Form,
    w: dict[str, jax.Array],
    tables: Tables,
    state: _State,
    t: Any,
    choose: Any,
    product: _Products,
) -> tuple[_State, Written]:
    """One decision: scores, the choice, and what the next decision reads."""
    hidden, cells = _advance(form, w, state, product)
    now = hidden[-1]
    attention = state.keys + product("attention current", now)[None, :]
    pointed = jnp.tanh(attention) @ w["attention"]
    values = w["scores"] @ now + w["score biases"][t]
    says = tables.says[t, state.before if tables.says.shape[1] > 1 else 0]
    scores = says @ jnp.concatenate([values, pointed])
    logits = squashed(scores, form.temperature, form.tanh) + tables.prior[t]
    distribution = jax.nn.log_softmax(logits)
    number = choose(distribution, t)
    entropy = -(jnp.exp(distribution) * distribution).sum()
    taken = jax.nn.one_hot(number, form.sizes.actions, dtype=jnp.float32)
    written = Written(
        number,
        (taken * distribution).sum() * state.alive,
        entropy * state.alive,
        state.alive,
        distribution,
    )
    # The decision is read as the sum of its fields: their vectors, and the states pointed to.
    rows = jnp.concatenate([w["values"], state.memory])
    following = w["positions"][t] + (taken @ says) @ rows
    place = jax.nn.one_hot(form.sizes.given + t, len(state.memory), dtype=jnp.float32)
    memory = state.memory + place[:, None] * now[None, :]
    keys = state.keys + place[:, None] * product("attention previous", now)[None, :]
    alive = state.alive * (1.0 - (taken * tables.ends[t]).sum())
    return _State(hidden, cells, memory, keys, following, number, alive), written


def _write(
    form: Form, weights: jax.Array, tables: Tables, choose: Any, offsets: dict[str, Any]
) -> tuple[Written, dict[str, jax.Array]]:
    w = named(form, weights)
    sizes = form.sizes
    still = jnp.zeros((form.layers, form.units), jnp.float32)
    later = jnp.zeros((sizes.length, form.units), jnp.float32)
    memory = jnp.concatenate([w["given"], later])
    keys = jnp.concatenate([w["given"] @ w["attention previous"], later])
    start = _State(still, still, memory, keys, w["first input"], jnp.int32(0), jnp.float32(1.0))
    held = {name: jax.lax.stop_gradient(w[name]) for name in offsets}

    def step(state: _State, given: Any) -> tuple[_State, tuple[Written, dict[str, jax.Array]]]:
        t, offset = given
        product = _Products(w | held, offset)
        state, written = _decide(form, w, tables, state, t, choose, product)
        return state, (written, product.inputs)

    return jax.lax.scan(step, start, (jnp.arange(sizes.length, dtype=jnp.int32), offsets))[1]


def written_with(
    form: Form, weights: jax.Array, tables: Tables, numbers: jax.Array, uniforms: jax.Array
) -> Written:
    """A sequence of which some decisions are given, and the others are drawn.

    Args:
        form: of the controller.
        weights: [N].
        tables: of the space.
        numbers: int32 [T], a decision, `DRAW` or `LIKELIEST`; behind the end anything.
        uniforms: float32 [T] in [0, 1), one for each decision that is drawn.

    Returns:
        The sequence.
    """

    def choose(distribution: jax.Array, t: Any) -> jax.Array:
        up_to = jnp.cumsum(jnp.exp(distribution))
        drawn = jnp.argmax(up_to > uniforms[t] * up_to[-1] * _BELOW_ONE)
        found = jnp.where(numbers[t] == DRAW, drawn, jnp.argmax(distribution))
        return jnp.where(numbers[t] >= 0, numbers[t], found.astype(jnp.int32))

    return _write(form, weights, tables, choose, {})[0]


def scored(form: Form, weights: jax.Array, tables: Tables, numbers: jax.Array) -> Written:
    """What the controller says of a stored sequence; can be differentiated.

    Args:
        form: of the controller.
        weights: [N].
        tables: of the space.
        numbers: int32 [T], its decisions, anything behind its end.

    Returns:
        The same as when it was drawn with these weights.
    """
    return _write(form, weights, tables, lambda distribution, t: numbers[t], {})[0]


def scored_with_offsets(
    form: Form, weights: jax.Array, tables: Tables, numbers: jax.Array, offsets: dict[str, Any]
) -> tuple[Written, dict[str, jax.Array]]:
    """As `scored`, for `matrix_gradients.gradient`: decisions take the large matrices as constants.

    Args:
        form: see `scored`.
        weights: likewise.
        tables: likewise.
        numbers: likewise.
        offsets: by name of a large matrix [T, columns], added to its product in each decision.

    Returns:
        The sequence; and by name what the matrix was multiplied by in each decision, [T, rows].
    """
    return _write(form, weights, tables, lambda distribution, t: numbers[t], offsets)


# One at a time, as a batch is rounded otherwise; one program draws and scores, so both agree.
write_one = jax.jit(written_with, static_argnums=0)
