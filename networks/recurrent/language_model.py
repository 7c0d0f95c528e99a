"""A language model as a Flax NNX module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from blockqnn.networks.plan import Plan
from blockqnn.networks.recurrent.initial import USUAL_RANGE, initial_weights
from blockqnn.networks.recurrent.sequence import States, run, zero_states


class LanguageModel(nnx.Module):
    """Words in, a score for each next word out, without dropout.

    The states are the caller's, so that a text may be cut where one likes.
    """

    def __init__(
        self,
        plan: Plan,
        seed: int = 0,
        dtype: DTypeLike = jnp.float32,
        within: float = USUAL_RANGE,
    ):
        """Creates the model with initial weights.

        Args:
            plan: of a language model.
            seed: of the weights.
            dtype: of the computation; weights are float32.
            within: range of the initial weights.
        """
        self.plan, self.dtype = plan, dtype
        self.layers = nnx.List(
            nnx.Dict({name: nnx.Param(jnp.asarray(array)) for name, array in arrays.items()})
            for arrays in initial_weights(plan, seed, within)
        )

    def __call__(
        self, words: jax.Array, states: Mapping[str, jax.Array] | None = None
    ) -> tuple[jax.Array, States]:
        """Reads words.

        Args:
            words: int [B, T], their numbers.
            states: that the words before have left; None at the beginning of a text.

        Returns:
            Scores of each next word, [B, T, V], and the states after the last word.
        """
        before = self.initial_states(len(words)) if states is None else states
        values, after = run(self.plan, self.weights(), words.T, before, dtype=self.dtype)
        return jnp.swapaxes(values[len(self.plan) - 1], 0, 1), after

    def initial_states(self, batch: int) -> States:
        """The states before the first word, [batch, C] each."""
        return zero_states(self.plan, batch, self.dtype)

    def weights(self) -> list[dict[str, jax.Array]]:
        """For each layer of the plan its trained arrays."""
        return [
            {name: variable[...] for name, variable in arrays.items()} for arrays in self.layers
        ]

    def set_weights(self, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Replaces all weights; see `weights`."""
        for own, arrays in zip(self.layers, parameters, strict=True):
            for name, array in arrays.items():
                own[name].set_value(jnp.asarray(array))
