"""What changes from step to step: learning rate, drop-path, moving average; and the optimiser."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from blockqnn.full_training.settings import COSINE, FullRecipe


def learning_rates(recipe: FullRecipe, steps_per_epoch: int) -> optax.Schedule:
    """The learning rate of each step.

    Args:
        recipe: its schedule, milestones and warm-up.
        steps_per_epoch: steps of an epoch.

    Returns:
        A function from a step, from 0, to its learning rate.
    """
    total, warmup = (
        epochs * steps_per_epoch
        for epochs in (recipe.epochs, min(recipe.warmup_epochs, recipe.epochs))
    )
    if recipe.schedule == COSINE:
        after = optax.cosine_decay_schedule(recipe.learning_rate, max(1, total - warmup))
    else:
        after = optax.piecewise_constant_schedule(
            recipe.learning_rate,
            {
                # A schedule that is joined to a warm-up counts from its end.
                max(0, epoch * steps_per_epoch - warmup): recipe.learning_rate_decay
                for epoch in recipe.milestones
            },
        )
    chosen = after
    if warmup:
        # The first step is not lost: its rate is one part of the way up.
        first = recipe.learning_rate / warmup
        rising = optax.linear_schedule(first, recipe.learning_rate, max(1, warmup - 1))
        chosen = optax.join_schedules([rising, after], [warmup])

    def rate(step: jax.Array) -> jax.Array:
        # optax promotes the step to a float implicitly.
        with jax.numpy_dtype_promotion("standard"):
            return chosen(step)

    return rate


def drop_path_rate(recipe: FullRecipe, step: jax.Array, total_steps: int) -> jax.Array:
    """The probability that a path is dropped: from 0 in the first step up to the last's.

    Args:
        recipe: its `drop_path` is that of the last step.
        step: from 0.
        total_steps: of the training.

    Returns:
        A float32 scalar.
    """
    share = step.astype(jnp.float32) / max(1, total_steps - 1)
    return jnp.float32(recipe.drop_path) * share


def averaging_decay(recipe: FullRecipe, step: jax.Array) -> jax.Array:
    """The decay of the moving average of weights in a step, smaller in the first ones.

    So the initial weights are forgotten early: `min(decay, (1 + step) / (10 + step))`.

    Args:
        recipe: its `ema_decay` is the limit.
        step: from 0.

    Returns:
        A float32 scalar.
    """
    count = step.astype(jnp.float32)
    return jnp.minimum(jnp.float32(recipe.ema_decay), (1 + count) / (10 + count))


def optimiser(recipe: FullRecipe) -> optax.GradientTransformation:
    """SGD's direction: momentum over gradients to which the decaying weights are added.

    Args:
        recipe: its momentum and weight decay, and the norm that gradients may have.

    Returns:
        A transformation of gradients; the learning rate is applied afterwards.
    """

    def decaying(parameters: Any) -> Any:
        return jax.tree.map_with_path(
            lambda path, _: recipe.decay_norm or path[-1].key not in ("scale", "bias"), parameters
        )

    clipping = [optax.clip_by_global_norm(recipe.clip_norm)] if recipe.clip_norm else []
    return optax.chain(
        *clipping,
        optax.add_decayed_weights(recipe.weight_decay, decaying),
        optax.trace(recipe.momentum, recipe.nesterov),
    )
