"""What language models lose on windows of words: pure functions of weights and states."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from blockqnn.children.language_steps import square, streams, word_losses
from blockqnn.language_settings import LanguageRecipe
from blockqnn.networks.plan import Plan
from blockqnn.networks.recurrent.sequence import States, cell_outputs, run

Rows = Mapping[str, jax.Array]


def window_of(text: jax.Array, first: jax.Array, steps: int) -> tuple[jax.Array, jax.Array]:
    """What is read from a word on and what comes next, [steps, B] each."""
    own = jax.lax.dynamic_slice_in_dim(text, first, steps + 1)
    return own[:-1], own[1:]


def window_loss(
    plan: Plan,
    parameters: Sequence[Any],
    window: tuple[jax.Array, jax.Array],
    states: Mapping[str, jax.Array],
    masks: Mapping[str, jax.Array] | None,
    dtype: DTypeLike,
    rows: Rows | None = None,
) -> tuple[jax.Array, Mapping[int, Any], States]:
    """The mean loss of a word of a window.

    Args:
        plan: of the language model.
        parameters: for each layer its trained arrays.
        window: what is read and what comes next, see `window_of`.
        states: that the words before have left.
        masks: of dropout; None for none.
        dtype: of the computation.
        rows: of choices and mixtures, see `run`.

    Returns:
        The loss in nats, what layers have computed, see `run`, and the states after the window.
    """
    read, wanted = window
    values, after = run(plan, parameters, read, states, masks, dtype, rows)
    return jnp.mean(word_losses(values[len(plan) - 1], wanted)), values, after


def penalties(plan: Plan, language: LanguageRecipe, values: Mapping[int, Any]) -> jax.Array:
    """What is added to the loss of a window in training.

    Merity, Keskar, Socher, "Regularizing and Optimizing LSTM Language Models", section 4.7. The
    activations are those behind dropout, their changes those before it.
    """
    found = jnp.float32(0)
    plain, dropped = cell_outputs(plan, values)
    if language.activation_penalty:
        found += language.activation_penalty * jnp.mean(square(dropped))
    if language.temporal_penalty:
        found += language.temporal_penalty * jnp.mean(square(plain[1:] - plain[:-1]))
    return found


def summed_loss(
    plan: Plan,
    parameters: Sequence[Any],
    states: Mapping[str, jax.Array],
    words: jax.Array,
    left: jax.Array,
    dtype: DTypeLike,
    rows: Rows | None = None,
) -> tuple[States, jax.Array]:
    """The loss of all words of a window that are real, without dropout.

    Args:
        plan: of the language model.
        parameters: for each layer its trained arrays.
        states: that the words before have left.
        words: int [steps + 1, B], of the window and the one behind it.
        left: how many of a sequence are to be told and real; all behind is not counted.
        dtype: of the computation.
        rows: of choices and mixtures, see `run`.

    Returns:
        The states after the window, and the sum in nats.
    """
    read, wanted = words[:-1], words[1:]
    values, after = run(plan, parameters, read, states, dtype=dtype, rows=rows)
    real = jnp.arange(len(read), dtype=jnp.int32) < left
    losses = word_losses(values[len(plan) - 1], wanted)
    return after, jnp.sum(jnp.where(real[:, None], losses, 0.0))


def perplexity_of(
    judge: Callable[[Any, jax.Array, jax.Array], tuple[Any, jax.Array]],
    states: Callable[[int], Any],
    words: np.ndarray,
    sequences: int,
    steps: int,
    window: int | None = None,
) -> float:
    """Perplexity on a text.

    Args:
        judge: from states, the words of a window with the one behind it, and how many words are
            left to be told, to the states after it and its loss, see `summed_loss`. It is given
            windows and not the text, whose length would be compiled into its program.
        states: before the first word, of so many sequences.
        words: int32 [N].
        sequences: side by side, into which it is cut; fewer if it is short.
        steps: words of a window.
        window: which one alone is read, from 0, as if it were a text; None for all in turn.

    Returns:
        e to the power of the mean negative log-probability of a word.
    """
    text = streams(words, min(sequences, max(1, len(words) // 2)))
    length, batch = text.shape
    windows = -(-(length - 1) // steps)
    padded = np.zeros((windows * steps + 1, batch), np.int32)
    padded[:length] = text
    here, total = states(batch), []
    chosen = range(windows) if window is None else (window % windows,)
    for number in chosen:
        first = number * steps
        own = jnp.asarray(padded[first : first + steps + 1])
        here, loss = judge(here, own, jnp.int32(length - 1 - first))
        total.append(loss)
    seen = length - 1 if window is None else min(steps, length - 1 - chosen[0] * steps)
    mean = float(np.sum(jax.device_get(total), dtype=np.float64)) / (seen * batch)
    return math.exp(min(mean, 700.0)) if math.isfinite(mean) else math.inf
