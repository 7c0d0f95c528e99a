"""What the steps of a language model are made of: sequences, dropout, losses, bounds."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from blockqnn.language_settings import LanguageRecipe
from blockqnn.networks.plan import Plan
from blockqnn.networks.recurrent.sequence import mask_shapes


def streams(words: np.ndarray, batch: int) -> np.ndarray:
    """Cuts a text into equally long sequences side by side.

    Args:
        words: int32 [N].
        batch: how many sequences.

    Returns:
        int32 [N // batch, batch], words in time; what is left over is not read.
    """
    length = len(words) // batch
    return np.ascontiguousarray(words[: length * batch].reshape(batch, length).T)


def word_losses(scores: jax.Array, wanted: jax.Array) -> jax.Array:
    """Negative log-probability of each word, in nats.

    Args:
        scores: [T, B, V].
        wanted: int [T, B].

    Returns:
        float32 [T, B].
    """
    return optax.softmax_cross_entropy_with_integer_labels(scores.astype(jnp.float32), wanted)


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
