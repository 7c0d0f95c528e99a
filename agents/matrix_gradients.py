"""The gradient of a controller's weights, its large matrices in one product each.

A matrix W that is multiplied by x_t in each decision t has the gradient `sum_t x_t^T g_t`, g_t
being that by the product. Differentiating a loop adds an array as large as W up once for each
decision, and is bound by memory. So zeros are added to the products; the gradient by these zeros is
g, and over all decisions and children the sum is one product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from blockqnn.agents.controller import Form, Tables, Written, named, scored_with_offsets


def gradient(
    form: Form,
    weights: jax.Array,
    tables: Tables,
    numbers: jax.Array,
    of: Callable[[Written], jax.Array],
) -> jax.Array:
    """The gradient of what is made of some sequences.

    Args:
        form: of the controller.
        weights: [N].
        tables: of the space.
        numbers: int32 [S, T], the decisions of the sequences.
        of: makes a number of what the controller says of them, [S, ...].

    Returns:
        [N], by the weights.
    """

    def found(w: jax.Array, offsets: dict[str, jax.Array]) -> tuple[jax.Array, Any]:
        score = jax.vmap(lambda n, o: scored_with_offsets(form, w, tables, n, o))
        written, inputs = score(numbers, offsets)
        return of(written), inputs

    both = jax.grad(found, argnums=(0, 1), has_aux=True)
    (others, by_offset), inputs = both(weights, _zeros(form, len(numbers)))
    sums = named(form, others)
    for name, g in by_offset.items():
        sums[name] = sums[name] + jnp.einsum("str,stc->rc", inputs[name], g)
    return jnp.concatenate([sums[name].ravel() for name in form.shapes])


def _zeros(form: Form, sequences: int) -> dict[str, jax.Array]:
    """What is added to the product with each large matrix: [S, T, its columns]."""
    names = [f"lstm {layer}" for layer in range(form.layers)]
    names += ["attention previous", "attention current"]
    shape = sequences, form.sizes.length
    return {name: jnp.zeros((*shape, form.shapes[name][1]), jnp.float32) for name in names}
