"""Runs a language model's plan over words in time.

The plan says what happens to one word. What does not depend on a state is computed for all words
at once, before the cell that reads it; what a cell does from word to word is one `lax.scan`; what
only reads a cell, such as the decoder, is computed for all words after it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from blockqnn.networks.operations.recurrent import Recurrent, dropped_kind
from blockqnn.networks.operations.steps import MASK, ROW
from blockqnn.networks.plan import PlacedLayer, Plan
from blockqnn.networks.recurrent.placing import NEXT

Arrays = Mapping[str, jax.Array]
States = dict[str, jax.Array]
"""What one word leaves for the next, by the names of the states: [B, C] each."""


@dataclasses.dataclass(frozen=True)
class Scan:
    """A cell that is scanned over time.

    Attributes:
        layers: positions of what depends on its states and of what its states depend on.
        states: positions of its states.
        kept: positions of what they become, in the same order.
        read: positions of what it reads that is not its own.
    """

    layers: tuple[int, ...]
    states: tuple[int, ...]
    kept: tuple[int, ...]
    read: tuple[int, ...]


Part = int | Scan
"""A layer that is computed for all words at once, by its position, or a cell."""


@functools.lru_cache(maxsize=256)
def parts_of(plan: Plan) -> tuple[Part, ...]:
    """Sees a language model as layers and cells, in an order in which they can be computed."""
    scans = _scans(plan)
    inside = {position for scan in scans for position in (*scan.layers, *scan.states)}
    waiting: list[Part] = [i for i in range(1, len(plan)) if i not in inside]
    waiting += scans
    order: list[Part] = []
    there = {0}
    while waiting:
        part = next(p for p in waiting if set(_reads(plan, p)) <= there)
        waiting.remove(part)
        order.append(part)
        there |= {part} if isinstance(part, int) else {*part.layers, *part.states}
    return tuple(order)


def state_shapes(plan: Plan) -> dict[str, int]:
    """The width of each state, by its name."""
    return {layer.name: layer.shape[-1] for layer in plan if layer.operation is Recurrent.STATE}


def zero_states(plan: Plan, batch: int, dtype: DTypeLike = jnp.float32) -> States:
    """The states before the first word: zeros, [batch, C] each."""
    return {name: jnp.zeros((batch, width), dtype) for name, width in state_shapes(plan).items()}


def mask_shapes(plan: Plan, batch: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The masks that dropout needs.

    Args:
        plan: of the language model.
        batch: sequences beside one another.

    Returns:
        By the name of the mask what it takes away, one of `DROPOUTS`, and its shape: [B, C] for
        vectors, one for all words of a sequence; [V, 1] for words.
    """
    found = {}
    for layer in plan:
        if kind := dropped_kind(layer.operation):
            shape = (batch, *layer.shape) if layer.operation.by_example else (layer.shape[0], 1)
            found[mask_name(layer)] = kind, shape
    return found


def mask_name(layer: PlacedLayer) -> str:
    """By which a dropout's mask is known."""
    return layer.shared_as or layer.name


def run(
    plan: Plan,
    parameters: Sequence[Arrays],
    words: jax.Array,
    states: Mapping[str, jax.Array],
    masks: Mapping[str, jax.Array] | None = None,
    dtype: DTypeLike = jnp.float32,
    rows: Mapping[str, jax.Array] | None = None,
) -> tuple[dict[int, Any], States]:
    """Computes a language model on words in time.

    Args:
        plan: of it.
        parameters: for each layer its trained arrays.
        words: int [T, B], their numbers.
        states: that the words before have left, as `zero_states` gives the first.
        masks: of dropout, as `mask_shapes` names them; None for no dropout.
        dtype: of the computation.
        rows: numbers of choices and mixtures, by the names that layers have them by.

    Returns:
        What each layer that is not inside a cell, or that is read outside of it, has computed for
        all words, [T, B, C], by its position in the plan, scores [T, B, V] being the last; and
        the states after the last word.
    """
    values: dict[int, Any] = {0: words}
    after: States = {}
    arrays_of = [
        _arrays(layer, own, masks, rows, dtype) for layer, own in zip(plan, parameters, strict=True)
    ]
    for part in parts_of(plan):
        if isinstance(part, int):
            arrays = arrays_of[part]
            inputs = [values[i] for i in plan[part].inputs]
            values[part] = plan[part].operation.compute(plan[part], arrays, inputs)
        else:
            found, own = _scanned(plan, part, arrays_of, values, states, dtype)
            values |= found
            after |= own
    return values, after


def cell_outputs(plan: Plan, values: Mapping[int, Any]) -> tuple[jax.Array, jax.Array]:
    """What the last cell writes, without and with the dropout of the output: [T, B, C] each."""
    (before,) = plan[-2].inputs
    return values[before], values[len(plan) - 2]


def _scanned(
    plan: Plan,
    scan: Scan,
    arrays: Sequence[Arrays],
    values: Mapping[int, Any],
    states: Mapping[str, jax.Array],
    dtype: DTypeLike,
) -> tuple[dict[int, Any], States]:
    """One cell over all words."""
    read_outside = _read_outside(plan, scan)
    together = _products_of_one_source(plan, scan)
    kernels = {
        group: jnp.concatenate([arrays[i]["kernel"] for i in group], axis=-1)
        for group in together.values()
    }

    def step(carry: tuple[jax.Array, ...], given: list[jax.Array]) -> tuple[Any, Any]:
        """Computes the cell on one word."""
        here: dict[int, Any] = dict(zip(scan.read, given, strict=True))
        here |= dict(zip(scan.states, carry, strict=True))
        for i in scan.layers:
            if i in here:
                continue
            layer = plan[i]
            inputs = [here[source] for source in layer.inputs]
            group = together.get(i)
            if group is None:
                here[i] = layer.operation.compute(layer, arrays[i], inputs)
                continue
            # Products of one vector with several matrices are one product, which is faster.
            ends = [plan[each].shape[-1] for each in group]
            cuts = [sum(ends[: place + 1]) for place in range(len(ends) - 1)]
            here |= dict(zip(group, jnp.split(inputs[0] @ kernels[group], cuts, -1), strict=True))
        return tuple(here[i] for i in scan.kept), [here[i] for i in read_outside]

    first = tuple(states[plan[i].name].astype(dtype) for i in scan.states)
    last, found = jax.lax.scan(step, first, [values[i] for i in scan.read])
    after = {plan[i].name: state for i, state in zip(scan.states, last, strict=True)}
    return dict(zip(read_outside, found, strict=True)), after


def _arrays(
    layer: PlacedLayer,
    parameters: Arrays,
    masks: Mapping[str, jax.Array] | None,
    rows: Mapping[str, jax.Array] | None,
    dtype: DTypeLike,
) -> dict[str, jax.Array]:
    found = {name: array.astype(dtype) for name, array in parameters.items()}
    if layer.mixture:
        assert rows is not None
        found[ROW] = rows[layer.mixture].astype(dtype)
    if masks is not None and mask_name(layer) in masks and dropped_kind(layer.operation):
        found[MASK] = masks[mask_name(layer)]
    return found


def _scans(plan: Plan) -> list[Scan]:
    by_name = {layer.name: i for i, layer in enumerate(plan)}
    cells: dict[str, list[int]] = {}
    for i, layer in enumerate(plan):
        if layer.operation is Recurrent.STATE:
            cells.setdefault(layer.name.rpartition("/")[0], []).append(i)
    found = []
    for states in cells.values():
        kept = tuple(by_name[f"{plan[i].name}{NEXT}"] for i in states)
        behind, before = set(states), set(kept)
        for i, layer in enumerate(plan):
            if behind & set(layer.inputs):
                behind.add(i)
        for i in reversed(range(len(plan))):
            if i in before:
                before |= set(plan[i].inputs)
        layers = tuple(sorted((behind & before) - set(states)))
        read = {source for i in layers for source in plan[i].inputs} - set(layers) - set(states)
        found.append(Scan(layers, tuple(states), kept, tuple(sorted(read))))
    return found


def _reads(plan: Plan, part: Part) -> tuple[int, ...]:
    return plan[part].inputs if isinstance(part, int) else part.read


def _read_outside(plan: Plan, scan: Scan) -> list[int]:
    own = set(scan.layers)
    return sorted({s for i, layer in enumerate(plan) if i not in own for s in layer.inputs} & own)


def _products_of_one_source(plan: Plan, scan: Scan) -> dict[int, tuple[int, ...]]:
    """By their positions, the products of a cell that read one vector, where they are several."""
    by_source: dict[int, list[int]] = {}
    for i in scan.layers:
        if plan[i].operation is Recurrent.PRODUCT:
            by_source.setdefault(plan[i].inputs[0], []).append(i)
    groups = [tuple(group) for group in by_source.values() if len(group) > 1]
    return {i: group for group in groups for i in group}
