"""Recurrent cells as paths through a bank, by one compiled program for all cells of a size.

Which node a node reads and which function it has are numbers that the program gets; the matrices
are those of the step's design, taken out of the bank before and put back after it. So the program
is as large as one cell, whatever the bank holds, and never sees what a step does not use.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Mapping, Sequence
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
from blockqnn.children.optimiser import Compiled
from blockqnn.language_settings import LanguageRecipe
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import PlacedLayer, Plan
from blockqnn.networks.recurrent.sequence import zero_states
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import design_plan, space_of
from blockqnn.supernets.bank import Bank

_KEPT_PATHS = 20_000


@dataclasses.dataclass(frozen=True)
class _WordPath:
    """A design as a path.

    Attributes:
        size: what designs of one program have in common.
        rows: see `Sharing.path`.
        layers: of the design's own plan, by the position in that of all paths.
    """

    size: tuple[Any, ...]
    rows: Mapping[str, np.ndarray]
    layers: Mapping[int, PlacedLayer]


class LanguagePaths:
    """Trains a bank on paths, and tells the perplexity of designs with it."""

    def __init__(
        self,
        layout: Layout,
        compiled: Compiled,
        language: LanguageRecipe,
        batch_size: int,
        most_norm: float,
        each_its_own: bool = False,
    ):
        """Prepares, without compiling.

        Args:
            layout: of every language model.
            compiled: by which banks are trained.
            language: what language models are trained by besides; `clip_norm` is not looked at.
            batch_size: sequences in a step.
            most_norm: to which the norm of a step's gradients is cut; 0 for no bound.
            each_its_own: whether each design has a program of its own, which is only measured:
                it is compiled for seconds and saves little.
        """
        self._layout, self._compiled, self._language = layout, compiled, language
        self._each_its_own = each_its_own
        self._batch_size, self._most_norm = batch_size, most_norm
        self._programs: dict[tuple[Any, ...], PathWindows] = {}
        self._paths: collections.OrderedDict[str, _WordPath] = collections.OrderedDict()

    def train(
        self,
        bank: Bank,
        designs: Sequence[Design],
        text: np.ndarray,
        rates: np.ndarray,
        seed: tuple[int, int],
    ) -> np.ndarray:
        """Trains a bank for an epoch, a window and a design a step.

        The states go on from window to window, whichever designs have left them. What a step's
        design does not use stays as it is, to the last bit.

        Args:
            bank: that is trained.
            designs: that of each step.
            text: int32 [T, B], see `streams`.
            rates: float [steps], learning rates.
            seed: of dropout, and of the word with which the epoch begins; and the epoch.

        Returns:
            The mean loss of a word before each step, float64 [steps].
        """
        steps = self._language.bptt_steps
        spare = len(text) - len(rates) * steps
        first = int(np.random.default_rng(seed).integers(min(steps, spare)))
        key = jax.random.fold_in(jax.random.key(seed[0]), seed[1])
        words, losses, states = jnp.asarray(text), [], None
        for window, (design, rate) in enumerate(zip(designs, rates, strict=True)):
            path = self._path(design)
            program = self._program(design, path)
            if states is None:
                states = zero_states(program.plan, text.shape[1], self._compiled.dtype)
            entries = {place: bank.entry(layer) for place, layer in path.layers.items()}
            parameters, moments, states, loss = program.step(
                {place: own.parameters for place, own in entries.items()},
                {place: own.moments for place, own in entries.items()},
                states,
                words,
                jnp.int32(first + window * steps),
                jnp.float32(rate),
                jax.random.fold_in(key, window),
                path.rows,
            )
            for place, own in entries.items():
                own.parameters, own.moments = parameters[place], moments[place]
            losses.append(loss)
        return np.asarray(jax.device_get(losses), np.float64)

    def perplexity(
        self, bank: Bank, design: Design, words: np.ndarray, window: int | None = None
    ) -> float:
        """The perplexity of a design with the bank's arrays, which stay as they are.

        Args:
            bank: whose arrays.
            design: that is scored.
            words: int32 [N].
            window: the only one that is read, from states of zeros; None for all in turn.

        Returns:
            See `blockqnn.children.language_loss.perplexity_of`.
        """
        path = self._path(design)
        program = self._program(design, path)
        entries = {place: bank.entry(layer) for place, layer in path.layers.items()}
        own = {place: entry.parameters for place, entry in entries.items()}
        return perplexity_of(
            lambda *given: program.judge(own, *given, path.rows),
            lambda batch: zero_states(program.plan, batch, self._compiled.dtype),
            words,
            self._batch_size,
            self._language.bptt_steps,
            window,
        )

    def _program(self, design: Design, path: _WordPath) -> PathWindows:
        if path.size not in self._programs:
            self._programs[path.size] = PathWindows(
                self._plan(design),
                self._compiled,
                self._language,
                self._batch_size,
                self._most_norm,
            )
        return self._programs[path.size]

    def _plan(self, design: Design) -> Plan:
        if self._each_its_own:
            return design_plan(design, self._layout)
        return space_of(design).paths_plan(design, self._layout)

    def _path(self, design: Design) -> _WordPath:
        if design.hash not in self._paths:
            space = space_of(design)
            named = {layer.name: layer for layer in design_plan(design, self._layout)}
            plan = self._plan(design)
            rows = {name: np.array(row, np.float32) for name, row in space.path(design).items()}
            self._paths[design.hash] = _WordPath(
                (design.hash,) if self._each_its_own else (space.name, *rows),
                rows,
                {
                    place: named[layer.name]
                    for place, layer in enumerate(plan)
                    if layer.parameter_shapes
                },
            )
            while len(self._paths) > _KEPT_PATHS:
                self._paths.popitem(last=False)
        return self._paths[design.hash]


class PathWindows:
    """The compiled programs of one plan: a step on a window, and the loss of one."""

    def __init__(
        self,
        plan: Plan,
        compiled: Compiled,
        language: LanguageRecipe,
        batch_size: int,
        most_norm: float,
    ):
        """Prepares, without compiling.

        Args:
            plan: of all paths, or of a single design, which needs no rows.
            compiled: as for `LanguagePaths`.
            language: likewise.
            batch_size: likewise.
            most_norm: likewise.
        """
        self.plan, self._dtype, self._language = plan, compiled.dtype, language
        self._batch_size, self._most_norm = batch_size, most_norm
        self._optimiser = compiled.optimiser.transformation()
        compiled_with = functools.partial(jax.jit, compiler_options=compiler_options())
        self.step: Any = compiled_with(self._step, donate_argnums=2)
        self.judge: Any = compiled_with(self._judge, donate_argnums=1)

    def _step(
        self,
        parameters: Any,
        moments: Any,
        states: Any,
        text: jax.Array,
        first: jax.Array,
        rate: jax.Array,
        key: jax.Array,
        rows: Any,
    ) -> Any:
        masks = dropout_masks(self.plan, self._language, self._batch_size, key)
        loss_of = functools.partial(
            self._loss, window_of(text, first, self._language.bptt_steps), states, masks, rows
        )
        (_, (loss, after)), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters)
        if self._most_norm:
            gradients = clipped(gradients, self._most_norm)
        moved, kept = {}, {}
        for place, own in parameters.items():
            moved[place], kept[place] = descend(
                self._optimiser, gradients[place], moments[place], own, rate
            )
        return moved, kept, after, loss

    def _loss(self, window: Any, states: Any, masks: Any, rows: Any, parameters: Any) -> Any:
        mean, values, after = window_loss(
            self.plan, self._all(parameters), window, states, masks, self._dtype, rows
        )
        return mean + penalties(self.plan, self._language, values), (mean, after)

    def _judge(
        self,
        parameters: Any,
        states: Any,
        words: jax.Array,
        left: jax.Array,
        rows: Any,
    ) -> Any:
        return summed_loss(self.plan, self._all(parameters), states, words, left, self._dtype, rows)

    def _all(self, parameters: Mapping[int, Any]) -> list[Any]:
        """For each layer its trained arrays."""
        return [parameters.get(place, {}) for place in range(len(self.plan))]
