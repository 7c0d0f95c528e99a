"""The bank: arrays that designs share, by where a layer stands and what it is.

A layer of a plan names its entry (`PlacedLayer.bank_key`). Each entry has initial values from a
stream of random numbers of its own, made when it is first asked for, so what a bank holds does
not depend on which designs came before. Arrays never change in place: a copy of a bank costs
nothing, and what a design does not use stays as it was to the last bit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from blockqnn.children.chain import Held, held
from blockqnn.children.optimiser import Adam, Compiled, Momentum
from blockqnn.networks.initial import shared_arrays
from blockqnn.networks.parts import Step
from blockqnn.networks.plan import PlacedLayer, Plan
from blockqnn.supernet_settings import ADAM, SupernetSettings

FirstArrays = Callable[[PlacedLayer, int], dict[str, np.ndarray]]


def compiled_for(settings: SupernetSettings, bfloat16: bool = False) -> Compiled:
    """What the programs of a supernet depend on.

    Args:
        settings: of the supernet.
        bfloat16: compute in it; weights stay float32.

    Returns:
        The optimiser and the type of activations.
    """
    if settings.optimiser == ADAM:
        return Compiled(Adam(), bfloat16)
    nesterov = settings.mixture is None
    return Compiled(Momentum(settings.momentum, nesterov, settings.weight_decay), bfloat16)


class Bank:
    """Arrays by key."""

    def __init__(
        self,
        compiled: Compiled,
        seed: int,
        entries: dict[str, Held] | None = None,
        first: FirstArrays = shared_arrays,
    ):
        """Makes a bank.

        Args:
            compiled: by which its arrays are trained.
            seed: of the streams of random numbers.
            entries: that it has already.
            first: the initial values of a layer's arrays, from the layer and the seed.
        """
        self.compiled, self.seed, self.first = compiled, seed, first
        self.entries = entries or {}

    def copy(self) -> Bank:
        """A bank of the same arrays, which each trains on for itself."""
        entries = {key: dataclasses.replace(entry) for key, entry in self.entries.items()}
        return Bank(self.compiled, self.seed, entries, self.first)

    def without_moments(self) -> Bank:
        """A copy whose optimiser begins anew."""
        entries = {
            key: held(self.compiled, entry.parameters, entry.statistics, entry.copies)
            for key, entry in self.entries.items()
        }
        return Bank(self.compiled, self.seed, entries, self.first)

    def entry(self, layer: PlacedLayer) -> Held:
        """What the bank holds for a layer, made if no design has had it before."""
        key = layer.bank_key
        if key not in self.entries:
            parameters = self.first(layer, self.seed)
            statistics = {}
            if layer.normalises:
                width = layer.shape[-1:]
                statistics = {
                    "mean": np.zeros(width, np.float32),
                    "variance": np.ones(width, np.float32),
                }
            copies = {name: _copies(layer, name, array) for name, array in parameters.items()}
            self.entries[key] = held(self.compiled, parameters, statistics, copies)
        return self.entries[key]

    def weights(self, plan: Plan, steps: Sequence[Step]) -> list[Held]:
        """What the steps of a design work on.

        Args:
            plan: of the design's network.
            steps: `cut_into_layers(plan)`, the image first.

        Returns:
            Entries of the bank itself, and nothing for steps without arrays.
        """
        return [
            self.entry(plan[step.layer]) if step.parameter_shapes or step.normalises else Held()
            for step in steps
        ]

    @property
    def numbers(self) -> int:
        """How many trained numbers it holds by now."""
        return sum(
            int(np.size(array))
            for entry in self.entries.values()
            for array in entry.parameters.values()
        )


def _copies(layer: PlacedLayer, name: str, array: np.ndarray) -> np.ndarray:
    """Every number stands for itself, in the shape that programs of the layer take."""
    if name == "kernel" and layer.operation.by_rows:
        return np.ones((array.shape[-2], 1), np.float32)
    return np.ones((), np.float32)
