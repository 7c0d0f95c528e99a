"""A mixture of all operations, trained as a child is that is measured."""

from __future__ import annotations

import jax
import numpy as np

from blockqnn.children.devices import local_devices
from blockqnn.children.execution import DeviceImages
from blockqnn.mixture_settings import JOINT, MixtureSettings
from blockqnn.networks.plan import Plan
from blockqnn.settings import Recipe
from blockqnn.supernet_settings import ADAM, SupernetSettings
from blockqnn.supernets.alpha import begun
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.mixture_execution import make_mixture


class MixtureChild:
    """Weights and alpha learn at once, so that a step is one pass forward and one back."""

    def __init__(self, plan: Plan, recipe: Recipe, batch_size: int, part: DeviceImages):
        """Compiles, or says what will be compiled at the first step.

        Args:
            plan: of the mixture.
            recipe: how it is executed.
            batch_size: images in a step.
            part: images that steps are taken on.
        """
        own = SupernetSettings(
            mixture=MixtureSettings(bilevel=JOINT),
            optimiser=ADAM,
            batch_size=batch_size,
            gradient_norm=0.0,
        )
        self._bank = Bank(compiled_for(own, recipe.bfloat16), 0)
        devices = local_devices()[:1]
        self._execution = make_mixture(plan, self._bank, own, recipe, part, devices)
        choices = {layer.mixture: layer.choices for layer in plan if layer.mixture}
        self._alpha = begun({row: np.zeros(count, np.float32) for row, count in choices.items()})

    def train_epoch(self, part: DeviceImages, order: np.ndarray, rate: float) -> None:
        """Takes steps.

        Args:
            part: the images.
            order: int32 [steps, B], which of them.
            rate: learning rate of the weights.
        """
        _, self._alpha = self._execution.train(part, order, order, rate, self._alpha, True)

    def weights(self) -> None:
        """Waits until all steps have ended."""
        self._execution.put_back()
        jax.block_until_ready([entry.parameters for entry in self._bank.entries.values()])
