"""A policy that can be drawn from, asked and improved: a controller with its weights and Adam."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from blockqnn.agents import controller
from blockqnn.agents.contract import Action, SearchSpace
from blockqnn.agents.controller import DRAW, LIKELIEST, Form, Written
from blockqnn.agents.cpu_device import cpu_device
from blockqnn.agents.decision_tables import DecisionTables
from blockqnn.agents.policy_updates import Batch, Rule, updated
from blockqnn.agents.stored_arrays import as_text, from_text

_LOOKED_AT = 16
"""Sequences of which the entropy is the mean; always of the same draws."""
_REMEMBERED = 4096
"""Drawn episodes at most whose probabilities are kept until the policy changes."""


class Policy:
    """The policy of an agent."""

    def __init__(
        self,
        space: SearchSpace,
        distribution: str,
        network: dict[str, Any],
        scale: float,
        rule: Rule,
        random: np.random.Generator,
    ):
        """Creates a policy that has learned nothing.

        Args:
            space: the decision process.
            distribution: of random actions, from which it begins.
            network: `layers`, `units`, `temperature` and `tanh` of its `Form`.
            scale: its first weights are uniform in [-scale, scale].
            rule: how it learns.
            random: draws its first weights.
        """
        self.tables = DecisionTables(space, distribution)
        self._device = cpu_device()
        self._form = Form(self.tables.sizes, **network)
        self._rule = rule
        self._arrays = controller.on_device(self.tables, self._device)
        weights = controller.first_weights(self._form, scale, random)
        self._weights = jax.device_put(weights, self._device)
        self._optimiser = rule.optimiser.init(self._weights)
        self._drawn: dict[tuple[Action, ...], Written] = {}

    def follow_space(self) -> None:
        """Ends its episodes where the space does now."""
        self._drawn.clear()
        self.tables.ask_for_ends()
        self._arrays = controller.on_device(self.tables, self._device)

    def draw(self, random: np.random.Generator) -> tuple[Any, ...]:
        """Draws an episode.

        Args:
            random: advanced by a number for each decision that the longest episode has.

        Returns:
            Its actions.
        """
        uniforms = random.random(self.tables.sizes.length).astype(np.float32)
        written = self._written(DRAW, uniforms)
        actions = self.tables.episode(written.numbers.tolist())
        if len(self._drawn) == _REMEMBERED:
            self._drawn.clear()
        self._drawn[actions] = written
        return actions

    def score_episode(self, actions: Sequence[Action]) -> Written | None:
        """What the policy says of an episode, without computing it again if it was drawn just now.

        Args:
            actions: of the episode.

        Returns:
            Arrays of NumPy, to be read up to the end of the episode; None for what it cannot write.
        """
        if (drawn := self._drawn.get(tuple(actions))) is not None:
            return drawn
        numbers = self.tables.numbers(actions)
        return None if numbers is None else self.score(numbers)

    def score(self, numbers: np.ndarray) -> Written:
        """What the policy says of an episode.

        Args:
            numbers: int32 [T] of its decisions.

        Returns:
            Arrays of NumPy.
        """
        return self._written(numbers)

    def next(self, prefix: Sequence[Action]) -> np.ndarray:
        """The probabilities of all actions by number after a prefix: float64 [A]."""
        numbers = self.tables.numbers(prefix)
        if numbers is None:
            raise ValueError(f"{tuple(prefix)} is no beginning of an episode")
        found = np.exp(self.score(numbers).distribution[len(prefix)].astype(np.float64))
        return found / found.sum()

    def improve(self, batch: Batch) -> None:
        """Learns from a batch."""
        self._drawn.clear()
        self._weights, self._optimiser = updated(
            self._form, self._rule, self._weights, self._optimiser, self._arrays, batch
        )

    @property
    def entropies(self) -> dict[str, float]:
        """Of a whole episode in nats, by what decisions are about; they add up to its entropy.

        Each is the mean over some episodes, always drawn alike.
        """
        random = np.random.default_rng(0)
        uniforms = random.random((_LOOKED_AT, self.tables.sizes.length)).astype(np.float32)
        rows = [self._written(DRAW, row).entropies for row in uniforms]
        found = [math.fsum(column) / _LOOKED_AT for column in zip(*rows, strict=True)]
        sums: dict[str, float] = {}
        for kind, own in zip(self.tables.kinds, found, strict=True):
            sums[kind] = sums.get(kind, 0.0) + own
        return sums

    @property
    def concentration(self) -> float:
        """The probability of the episode of the likeliest action at each decision."""
        return math.exp(float(self._written(LIKELIEST).log_probabilities.sum()))

    def state(self) -> dict[str, Any]:
        """Weights and the state of Adam, as JSON can hold them."""
        count, *moments = jax.tree.leaves(self._optimiser)
        return {
            "weights": as_text(np.asarray(self._weights)),
            "moments": [as_text(np.asarray(each)) for each in moments],
            "steps": int(count),
        }

    def put(self, state: dict[str, Any]) -> None:
        """Puts the policy where another one stood.

        Args:
            state: that of the other.

        Raises:
            ValueError: if it has another number of weights.
        """
        found = [from_text(text) for text in [state["weights"], *state["moments"]]]
        if any(each.shape != self._weights.shape for each in found) or len(found) != 3:
            raise ValueError(f"a policy of this form has {self._form.weights:,} weights")
        self._drawn.clear()
        weights, *moments = [jax.device_put(each, self._device) for each in found]
        count = jax.device_put(np.int32(state["steps"]), self._device)
        form = jax.tree.structure(self._optimiser)
        self._weights = weights
        self._optimiser = jax.tree.unflatten(form, [count, *moments])

    def _written(self, numbers: np.ndarray | int, uniforms: np.ndarray | float = 0.0) -> Written:
        length = self.tables.sizes.length
        found = controller.write_one(
            self._form,
            self._weights,
            self._arrays,
            np.broadcast_to(np.asarray(numbers, np.int32), length),
            np.broadcast_to(np.asarray(uniforms, np.float32), length),
        )
        return Written(*map(np.asarray, found))
