"""What the steps of a language model's training are made of: dropout, and bounds."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from blockqnn.language_settings import LanguageRecipe
from blockqnn.networks.plan import Plan
from blockqnn.networks.recurrent.sequence import mask_shapes


def clipped(gradients: Any, most: float) -> Any:
    """Gradients scaled down to a norm over all of them, where theirs is larger."""
    norm = jnp.sqrt(sum(jnp.sum(square(gradient)) for gradient in jax.tree.leaves(gradients)))
    factor = jnp.minimum(1.0, most / jnp.maximum(norm, 1e-12))
    return jax.tree.map(lambda gradient: gradient * factor, gradients)


def dropout_masks(
    plan: Plan, language: LanguageRecipe, batch: int, key: jax.Array
) -> dict[str, jax.Array]:
    """Draws the masks of dropout, one for all words of a sequence (Gal and Ghahramani, 2016).

    Args:
        plan: of the language model.
        language: has the share that each kind takes away.
        batch: sequences side by side.
        key: of the draw.

    Returns:
        By the names of `mask_shapes` 0, or 1 over the share that stays; those that take nothing
        away are left out.
    """
    found = {}
    for number, (name, (kind, shape)) in enumerate(sorted(mask_shapes(plan, batch).items())):
        kept = 1.0 - language.dropouts[kind]
        if kept < 1:
            drawn = jax.random.bernoulli(jax.random.fold_in(key, number), kept, shape)
            found[name] = drawn.astype(jnp.float32) / kept
    return found


def square(array: jax.Array) -> jax.Array:
    """The squares of numbers, in float32."""
    return jnp.square(array.astype(jnp.float32))
