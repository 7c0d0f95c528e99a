"""What changes from step to step: learning rate, drop-path, moving average; and the optimiser."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from blockqnn.full_training.root_mean_square import root_mean_square
from blockqnn.full_training.settings import (
    CELL_AND_STEP,
    COSINE,
    COSINE_BY_EPOCH,
    EPOCH,
    EXPONENTIAL,
    JOINS,
    RESTARTS,
    RMSPROP,
    STEP,
    FullRecipe,
)


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
    after = _after_warmup(recipe, total - warmup, warmup, steps_per_epoch)
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


def _after_warmup(
    recipe: FullRecipe, total: int, warmup: int, steps_per_epoch: int
) -> optax.Schedule:
    """The learning rate from the end of the warm-up on, from which a step counts.

    Args:
        recipe: its schedule.
        total: steps.
        warmup: steps before.
        steps_per_epoch: steps of an epoch.

    Returns:
        A function from a step, from 0, to its learning rate.
    """
    highest, least = recipe.learning_rate, recipe.least_learning_rate
    if recipe.schedule == COSINE:
        return optax.cosine_decay_schedule(highest, max(1, total), least / highest)
    if recipe.schedule == EXPONENTIAL:
        between = max(1, round(recipe.decay_epochs * steps_per_epoch))
        return lambda step: highest * recipe.learning_rate_decay ** (step // between)
    if recipe.schedule in (COSINE_BY_EPOCH, RESTARTS):
        epochs = max(1, total // steps_per_epoch)
        starts, lengths = [0], [epochs]
        if recipe.schedule == RESTARTS:
            starts, lengths = restarts(epochs, recipe.first_period, recipe.period_factor)
        begun, long = jnp.asarray(starts), jnp.asarray(lengths)

        def rate(step: jax.Array) -> jax.Array:
            epoch = step // steps_per_epoch
            period = jnp.sum(epoch >= begun) - 1
            share = (epoch - begun[period]) / long[period]
            return least + (highest - least) * (1 + jnp.cos(jnp.pi * share)) / 2

        return rate
    return optax.piecewise_constant_schedule(
        highest,
        {
            # A schedule that is joined to a warm-up counts from its end.
            max(0, epoch * steps_per_epoch - warmup): recipe.learning_rate_decay
            for epoch in recipe.milestones
        },
    )


def restarts(epochs: int, first: int, factor: int) -> tuple[list[int], list[int]]:
    """The periods of a learning rate with warm restarts (Loshchilov and Hutter, ICLR 2017).

    Args:
        epochs: of the whole training.
        first: length of the first period in epochs.
        factor: by which each is longer than the one before.

    Returns:
        The epochs with which periods begin, and their lengths.
    """
    starts, lengths = [0], [first]
    while starts[-1] + lengths[-1] < epochs:
        starts.append(starts[-1] + lengths[-1])
        lengths.append(lengths[-1] * factor)
    return starts, lengths


def drop_path_rate(recipe: FullRecipe, step: jax.Array, total_steps: int) -> jax.Array:
    """The probability that a path is dropped, of the last cell where cells differ.

    With the probability q of the flag, the step t of T and the epoch e of E: q t / (T - 1) for
    joins, q min(1, t / T) by step (Zoph et al., 2018), q e / E by epoch (Liu et al., 2019), and
    else q.

    Args:
        recipe: its `drop_path` and `drop_path_by`.
        step: from 0.
        total_steps: of the training.

    Returns:
        A float32 scalar.
    """
    now = step.astype(jnp.float32)
    share = jnp.float32(1)
    if recipe.drop_path_by == JOINS:
        share = now / max(1, total_steps - 1)
    elif recipe.drop_path_by in (CELL_AND_STEP, STEP):
        share = jnp.minimum(1, now / total_steps)
    elif recipe.drop_path_by == EPOCH:
        epoch = step // max(1, total_steps // recipe.epochs)
        share = epoch.astype(jnp.float32) / recipe.epochs
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

    With RMSProp, over these gradients by the root of their mean square.

    Args:
        recipe: its momentum and weight decay, the norm that gradients may have, and its
            optimiser.

    Returns:
        A transformation of gradients; the learning rate is applied afterwards.
    """

    def decaying(parameters: Any) -> Any:
        return jax.tree.map_with_path(
            lambda path, _: recipe.decay_norm or path[-1].key not in ("scale", "bias"), parameters
        )

    clipping = [optax.clip_by_global_norm(recipe.clip_norm)] if recipe.clip_norm else []
    scaling = []
    if recipe.optimiser == RMSPROP:
        scaling = [root_mean_square(recipe.rms_decay, recipe.rms_epsilon)]
    return optax.chain(
        *clipping,
        optax.add_decayed_weights(recipe.weight_decay, decaying),
        *scaling,
        optax.trace(recipe.momentum, recipe.nesterov),
    )
