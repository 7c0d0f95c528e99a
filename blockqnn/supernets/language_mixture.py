"""A mixture of recurrent cells: its weights and alpha are trained on windows of two texts.

Liu, Simonyan, Yang, "Differentiable Architecture Search", ICLR 2019, appendix A.1.2, in the order
of the authors' code: in each step alpha first, on a window of the text that judges, then the
weights, on a window of the training text with the new alpha. Both texts have states that go on
from window to window. Losses that alpha follows have dropout and no penalties; gradients of the
weights are cut, where they are unrolled too.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.compiler_options import compiler_options
from blockqnn.children.execution import descend
from blockqnn.children.language_loss import (
    penalties,
    perplexity_of,
    summed_loss,
    window_loss,
    window_of,
)
from blockqnn.children.language_steps import clipped, dropout_masks
from blockqnn.children.optimiser import Momentum
from blockqnn.language_settings import LanguageRecipe, window_count
from blockqnn.mixture_settings import EITHER, EXACT, JOINT, SECOND, MixtureSettings
from blockqnn.networks.plan import Plan
from blockqnn.networks.recurrent.sequence import zero_states
from blockqnn.supernets import bilevel
from blockqnn.supernets.alpha import Alpha, Rows, adam_step
from blockqnn.supernets.bank import Bank
from blockqnn.supernets.curvature import Product


class LanguageMixture:
    """Holds a mixture's weights, by the keys of their layers, which edges into a node share."""

    def __init__(
        self,
        plan: Plan,
        bank: Bank,
        settings: MixtureSettings,
        language: LanguageRecipe,
        batch_size: int,
        most_norm: float,
    ):
        """Prepares, without compiling.

        Args:
            plan: of the mixture.
            bank: whose arrays are trained.
            settings: of the mixture.
            language: what language models are trained by besides; `clip_norm` is not looked at.
            batch_size: sequences in a step, and where perplexity is measured, since batch norm
                takes what is beside one another.
            most_norm: to which the norm of the weights' gradients is cut; 0 for no bound.
        """
        self._plan, self._settings, self._language = plan, settings, language
        self._batch_size, self._most_norm = batch_size, most_norm
        optimiser = bank.compiled.optimiser
        self._transformation, self._dtype = optimiser.transformation(), bank.compiled.dtype
        self._momentum = self._decay = 0.0
        if isinstance(optimiser, Momentum):
            self._momentum, self._decay = optimiser.momentum, optimiser.decay
        # On processors the exact derivative of a scanned cell takes minutes to compile.
        unnamed = settings.hessian == EITHER and jax.default_backend() != "cpu"
        self._exact = settings.hessian == EXACT or unnamed
        self._keys = [layer.bank_key if layer.parameter_shapes else "" for layer in plan]
        self._entries = {
            layer.bank_key: bank.entry(layer) for layer in plan if layer.parameter_shapes
        }
        self._parameters = {key: entry.parameters for key, entry in self._entries.items()}
        self._moments = {key: entry.moments for key, entry in self._entries.items()}
        compiled_with = functools.partial(jax.jit, compiler_options=compiler_options())
        self._step: Any = compiled_with(self._one_step, static_argnames="trains_alpha")
        self._judge: Any = compiled_with(self._judged, donate_argnums=2)
        self._product: Any = compiled_with(self._curved)

    def train(
        self,
        text: np.ndarray,
        judging: np.ndarray,
        rate: float,
        alpha: Alpha,
        trains_alpha: bool,
        seed: tuple[int, int],
    ) -> tuple[np.ndarray, Alpha]:
        """Trains for an epoch: a step of alpha and one of the weights for each window.

        Args:
            text: int32 [T, B], on which the weights are trained.
            judging: likewise, which alpha follows; it is begun anew where it ends.
            rate: learning rate of the weights.
            alpha: before.
            trains_alpha: whether alpha is trained too.
            seed: of dropout and of the word with which the epoch begins; and the epoch.

        Returns:
            The mean loss of a word before each step of the weights, float64 [steps], and alpha
            after them.
        """
        steps, random = self._language.bptt_steps, np.random.default_rng(seed)
        windows = window_count(len(text), steps)
        first = int(random.integers(min(steps, len(text) - windows * steps)))
        again = max(1, (len(judging) - 1) // steps)
        key = jax.random.fold_in(jax.random.key(seed[0]), seed[1])
        zeros = functools.partial(zero_states, self._plan, self._batch_size, self._dtype)
        weights = self._parameters, self._moments
        placed = map(_placed, (alpha.rows, alpha.first, alpha.second))
        rows: Any = (*placed, jnp.float32(alpha.steps))
        texts, states, losses = (jnp.asarray(text), jnp.asarray(judging)), zeros(), []
        for window in range(windows):
            if window % again == 0:
                judged = zeros()
            places = jnp.int32(first + window * steps), jnp.int32(window % again * steps)
            weights, rows, states, judged, loss = self._step(
                weights,
                rows,
                (states, judged),
                texts,
                places,
                jnp.float32(rate),
                jax.random.fold_in(key, window),
                trains_alpha=trains_alpha,
            )
            losses.append(loss)
        self._parameters, self._moments = weights
        own, moment, square, count = jax.device_get(rows)
        return np.asarray(jax.device_get(losses), np.float64), Alpha(
            own, moment, square, int(count)
        )

    def perplexity(self, rows: Rows, words: np.ndarray) -> float:
        """Perplexity on a text, int32 [N], with rows of alpha."""
        own = _placed(rows)
        return perplexity_of(
            lambda *given: self._judge(self._parameters, own, *given),
            lambda batch: zero_states(self._plan, batch, self._dtype),
            words,
            self._batch_size,
            self._language.bptt_steps,
        )

    def curvature(self, rows: Rows, text: np.ndarray, first: int) -> Product:
        """The products of the Hessian in alpha of the loss of a window, without dropout, exactly.

        Args:
            rows: of alpha.
            text: int32 [T, B].
            first: word with which the window begins, from states of zeros.

        Returns:
            From a vector to its product, both by the names of the rows.
        """
        own, given = _placed(rows), jnp.asarray(text)

        def product(vector: Rows) -> dict[str, np.ndarray]:
            """`H v`."""
            place = jnp.int32(first)
            found = self._product(self._parameters, own, given, place, _placed(vector))
            return dict(jax.device_get(found))

        return product

    def put_back(self) -> None:
        """Makes sure that the bank has what was trained."""
        for key, entry in self._entries.items():
            entry.parameters, entry.moments = self._parameters[key], self._moments[key]

    def _all(self, parameters: Any) -> list[Any]:
        """For each layer its trained arrays; layers of one key have the same."""
        return [parameters[key] if key else {} for key in self._keys]

    def _loss(
        self, text: jax.Array, first: jax.Array, states: Any, key: Any, parameters: Any, rows: Any
    ) -> Any:
        """The loss of a window; and what layers have computed, and the states after it."""
        masks = None
        if key is not None:
            masks = dropout_masks(self._plan, self._language, self._batch_size, key)
        window = window_of(text, first, self._language.bptt_steps)
        loss, values, after = window_loss(
            self._plan, self._all(parameters), window, states, masks, self._dtype, rows
        )
        return loss, (values, after)

    def _one_step(
        self,
        weights: Any,
        rows: Any,
        states: Any,
        texts: Any,
        places: Any,
        rate: jax.Array,
        key: jax.Array,
        trains_alpha: bool,
    ) -> Any:
        parameters, moments = weights
        alpha, joint = Alpha(*rows), self._settings.bilevel == JOINT
        masks, other, unrolled = jax.random.split(key, 3)
        judged = states[1]
        if trains_alpha and not joint:
            gradient, judged = self._of_alpha(
                functools.partial(self._loss, texts[0], places[0], states[0], unrolled),
                functools.partial(self._loss, texts[1], places[1], states[1], other),
                weights,
                alpha.rows,
                rate,
            )
            alpha = adam_step(alpha, gradient, self._settings)

        def punished(parameters: Any, rows: Any) -> Any:
            """What the weights follow; and the plain loss, and the states after it."""
            loss, (values, after) = self._loss(
                texts[0], places[0], states[0], masks, parameters, rows
            )
            return loss + penalties(self._plan, self._language, values), (loss, after)

        (_, (loss, after)), (gradients, gradient) = jax.value_and_grad(
            punished, (0, 1), has_aux=True
        )(parameters, alpha.rows)
        if trains_alpha and joint:
            alpha = adam_step(alpha, gradient, self._settings)
        if self._most_norm:
            gradients = clipped(gradients, self._most_norm)
        moved, kept = {}, {}
        for name, own in parameters.items():
            moved[name], kept[name] = descend(
                self._transformation, gradients[name], moments[name], own, rate
            )
        of_alpha = alpha.rows, alpha.first, alpha.second, alpha.steps
        return (moved, kept), of_alpha, after, judged, loss

    def _of_alpha(
        self, train: Any, judging: Any, weights: Any, rows: Any, rate: jax.Array
    ) -> tuple[Any, Any]:
        """The gradient that alpha follows, and the states after the window that it is of."""
        parameters, moments = weights

        def on_judged(w: Any, a: Any) -> Any:
            """L_val, and the states after it."""
            loss, (_, after) = judging(w, a)
            return loss, after

        if self._settings.bilevel != SECOND:
            gradient: tuple[Any, Any] = jax.grad(on_judged, 1, has_aux=True)(parameters, rows)
            return gradient
        velocity = {
            key: moments[key][1].trace if self._momentum else jax.tree.map(jnp.zeros_like, own)
            for key, own in parameters.items()
        }
        found: tuple[Any, Any] = bilevel.second_order(
            *(lambda w, a: train(w, a)[0], on_judged, parameters, rows, velocity, rate),
            *(self._momentum, self._decay),
            exact=self._exact,
            most_norm=self._most_norm,
            has_aux=True,
        )
        return found

    def _curved(
        self, parameters: Any, rows: Any, text: jax.Array, first: jax.Array, vector: Any
    ) -> Any:
        states = zero_states(self._plan, text.shape[1], self._dtype)

        def loss(w: Any, a: Any) -> jax.Array:
            """L_val without dropout."""
            found: jax.Array = self._loss(text, first, states, None, w, a)[0]
            return found

        return bilevel.curvature(loss, parameters, rows, vector)

    def _judged(
        self,
        parameters: Any,
        rows: Any,
        states: Any,
        words: jax.Array,
        left: jax.Array,
    ) -> Any:
        return summed_loss(
            self._plan, self._all(parameters), states, words, left, self._dtype, rows
        )


def _placed(rows: Rows) -> dict[str, jax.Array]:
    return {name: jnp.asarray(np.asarray(row, np.float32)) for name, row in rows.items()}
