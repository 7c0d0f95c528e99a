"""A language model as compiled steps: truncated back-propagation through time, and perplexity."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.execution import compute_dtype, descend, initial_moments
from blockqnn.children.language_loss import (
    penalties,
    perplexity_of,
    summed_loss,
    window_loss,
)
from blockqnn.children.language_steps import clipped, dropout_masks
from blockqnn.children.optimiser import compiled_by
from blockqnn.networks.initial import Weights
from blockqnn.networks.plan import Plan
from blockqnn.networks.recurrent.sequence import zero_states
from blockqnn.settings import Recipe


@dataclasses.dataclass(frozen=True)
class ProgramState:
    """All that training goes on with.

    Attributes:
        parameters: for each layer its trained arrays.
        moments: arrays of the optimiser, in its order.
        average: of the weights; None where descent has not turned to it.
        averaged: windows that it is the mean of.
    """

    parameters: Weights
    moments: list[np.ndarray]
    average: Weights | None
    averaged: int


class LanguageProgram:
    """A language model that can be trained and judged.

    One window of words is a compiled step, in whose middle a cell is scanned. Its state goes on
    from window to window and its gradient does not. The learning rate is an argument.
    """

    def __init__(self, plan: Plan, recipe: Recipe):
        """Prepares, without compiling.

        Args:
            plan: of the language model.
            recipe: how to train it.
        """
        assert recipe.language is not None
        self._plan, self._language = plan, recipe.language
        self._batch = recipe.batch_size
        self._dtype = compute_dtype(recipe)
        self._optimiser = compiled_by(recipe).optimiser.transformation()
        self._state: Any = None
        self._average: Any = None
        self._averaged = 0
        self._step: Any = jax.jit(self._train_window, donate_argnums=(0, 1))
        self._judge: Any = jax.jit(self._judge_window, donate_argnums=1)
        self._mean: Any = jax.jit(_running_mean, donate_argnums=0)

    @property
    def averages(self) -> bool:
        """Whether descent has turned to the average of its weights."""
        return self._average is not None

    def compile(self) -> None:
        """Compiles the two steps, by running them once on nothing."""
        plan, steps = self._plan, self._language.bptt_steps
        parameters = [
            {name: np.zeros(shape, np.float32) for name, shape in layer.parameter_shapes.items()}
            for layer in plan
        ]
        self.start(parameters)
        nothing = np.zeros((2 * steps + 1, self._batch), np.int32)
        self.train_epoch(nothing, np.zeros(1), seed=0, epoch=0)
        self.perplexity(np.zeros((steps + 1) * self._language.judging_batch, np.int32))

    def start(self, parameters: Weights) -> None:
        """Takes initial weights and forgets all training.

        Args:
            parameters: for each layer its trained arrays.
        """
        moments = initial_moments(self._optimiser, parameters)
        self._state = jax.device_put((parameters, moments))
        self._average, self._averaged = None, 0

    def state(self) -> ProgramState:
        """What training goes on with."""
        parameters, moments = jax.device_get(self._state)
        average = None if self._average is None else jax.device_get(self._average)
        return ProgramState(parameters, jax.tree.leaves(moments), average, self._averaged)

    def resume(self, state: ProgramState) -> None:
        """Goes on with what `state` returned."""
        self.start(state.parameters)
        structure = jax.tree.structure(self._state[1])
        moments = jax.tree.unflatten(structure, state.moments)
        self._state = jax.device_put((state.parameters, moments))
        if state.average is not None:
            self._average, self._averaged = jax.device_put(state.average), state.averaged

    def begin_average(self) -> None:
        """From here on the weights are the mean of all that follow."""
        self._average, self._averaged = jax.tree.map(jnp.copy, self._state[0]), 0

    def train_epoch(self, text: np.ndarray, rates: np.ndarray, seed: int, epoch: int) -> float:
        """Trains for one epoch.

        Args:
            text: int32 [T, B], see `streams`.
            rates: the learning rate of each window, float [windows].
            seed: of dropout, and of the word with which the epoch begins.
            epoch: from 0.

        Returns:
            The mean loss of a word, in nats; not finite if any window's was not.
        """
        steps = self._language.bptt_steps
        random = np.random.default_rng((seed, epoch))
        first = int(random.integers(min(steps, len(text) - len(rates) * steps)))
        key = jax.random.fold_in(jax.random.key(seed), epoch)
        states = zero_states(self._plan, self._batch, self._dtype)
        losses = []
        for window, rate in enumerate(rates):
            self._state, states, loss = self._step(
                self._state,
                states,
                _window(text, first + window * steps, steps),
                jnp.float32(rate),
                jax.random.fold_in(key, window),
            )
            losses.append(loss)
            if self._average is not None:
                self._averaged += 1
                self._average = self._mean(
                    self._average, self._state[0], jnp.float32(1 / self._averaged)
                )
        return float(np.mean(jax.device_get(losses)))

    def perplexity(self, words: np.ndarray) -> float:
        """Perplexity on a text, of the averaged weights where there are some.

        Args:
            words: int32 [N]; it is cut into `judging_batch` sequences, or fewer if it is short.

        Returns:
            e to the power of the mean negative log-probability of a word.
        """
        return perplexity_of(
            lambda *given: self._judge(self._weights(), *given),
            lambda batch: zero_states(self._plan, batch, self._dtype),
            words,
            self._language.judging_batch,
            self._language.bptt_steps,
        )

    def weights(self) -> Weights:
        """Trained arrays, layer by layer; the averaged ones where there are some."""
        found: Weights = jax.device_get(self._weights())
        return found

    def _weights(self) -> Any:
        return self._state[0] if self._average is None else self._average

    def _train_window(
        self,
        state: Any,
        states: Any,
        own: jax.Array,
        rate: jax.Array,
        key: jax.Array,
    ) -> tuple[Any, Any, jax.Array]:
        parameters, moments = state
        window = own[:-1], own[1:]
        masks = dropout_masks(self._plan, self._language, self._batch, key)

        def loss_of(parameters: Any) -> tuple[jax.Array, tuple[jax.Array, Any]]:
            mean, values, after = window_loss(
                self._plan, parameters, window, states, masks, self._dtype
            )
            return mean + penalties(self._plan, self._language, values), (mean, after)

        (_, (loss, after)), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters)
        if self._language.clip_norm:
            gradients = clipped(gradients, self._language.clip_norm)
        parameters, moments = descend(self._optimiser, gradients, moments, parameters, rate)
        return (parameters, moments), after, loss

    def _judge_window(
        self, parameters: Any, states: Any, own: jax.Array, left: jax.Array
    ) -> tuple[Any, jax.Array]:
        return summed_loss(self._plan, parameters, states, own, left, self._dtype)


def _window(text: np.ndarray, first: int, steps: int) -> jax.Array:
    """The words of a window and the one behind it, [steps + 1, B].

    Programs are given windows and not the text, whose length would be compiled into them.
    """
    return jnp.asarray(text[first : first + steps + 1])


def _running_mean(mean: Any, new: Any, share: jax.Array) -> Any:
    return jax.tree.map(lambda m, n: m + share * (n - m), mean, new)
