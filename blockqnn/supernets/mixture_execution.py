"""What executes a mixture, whichever way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import jax
import numpy as np

from blockqnn.children.execution import DeviceImages
from blockqnn.children.training import is_whole
from blockqnn.errors import UserError
from blockqnn.mixture_settings import EXACT, SECOND
from blockqnn.networks.plan import Plan
from blockqnn.settings import Recipe
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets.alpha import Alpha, Rows
from blockqnn.supernets.bank import Bank
from blockqnn.supernets.curvature import Product
from blockqnn.supernets.device_group import group_for
from blockqnn.supernets.matching import Gradients
from blockqnn.supernets.mixture_chain import MixtureChain
from blockqnn.supernets.mixture_program import MixtureProgram


class MixtureExecution(Protocol):
    """Holds a mixture's weights, and computes with them and with rows of alpha."""

    plan: Plan

    def train(
        self,
        part: DeviceImages,
        order: np.ndarray,
        judged: np.ndarray,
        rate: float,
        alpha: Alpha,
        trains_alpha: bool,
    ) -> tuple[np.ndarray, Alpha]:
        """Takes steps: of alpha first, then of the weights, on the same images with the new alpha.

        Args:
            part: the images, perhaps changed for this epoch.
            order: int32 [steps, batch], which images of the part the weights are trained on.
            judged: likewise of alpha.
            rate: learning rate of the weights.
            alpha: before.
            trains_alpha: whether alpha is trained too.

        Returns:
            The loss before each step of the weights, float64 [steps], and alpha after them.
        """

    def curvature(self, rows: Rows, indices: np.ndarray) -> Product:
        """The products of the Hessian in alpha of the loss of a batch, the weights as they are.

        Args:
            rows: of alpha.
            indices: int32 [batch], images of the part.

        Returns:
            From a vector to its product, both by the names of the rows.
        """

    def gradients(self, rows: Rows, indices: np.ndarray) -> Gradients:
        """The gradients of the loss of a batch in all weights, which stay as they are.

        Args:
            rows: of alpha.
            indices: int32 [batch], images of the part.

        Returns:
            By the key of a layer and the name of an array.
        """

    def accuracy(self, rows: Rows, part: DeviceImages) -> float:
        """The share of images that are classified correctly, with the statistics of each batch.

        Args:
            rows: of alpha.
            part: the images.

        Returns:
            From 0 to 1.
        """

    def put_back(self) -> None:
        """Makes sure that the bank has what was trained."""


def make_mixture(
    plan: Plan,
    bank: Bank,
    settings: SupernetSettings,
    recipe: Recipe,
    part: DeviceImages,
    devices: Sequence[jax.Device],
) -> MixtureExecution:
    """Compiles a mixture.

    Args:
        plan: of it.
        bank: whose arrays are trained.
        settings: of the supernet, a mixture.
        recipe: says how it is executed.
        part: images that steps are taken on.
        devices: that share each batch.

    Returns:
        What executes it.

    Raises:
        UserError: if it cannot be executed as the settings have it.
    """
    own = settings.mixture
    assert own is not None
    whole = is_whole(recipe)
    if own.bilevel == SECOND and own.hessian == EXACT and not whole:
        raise UserError(
            "--hessian=exact differentiates the whole network at once: --execution=whole; layer by "
            "layer there is --hessian=difference."
        )
    given = plan, bank, own, settings.batch_size, settings.gradient_norm, part
    if whole:
        return MixtureProgram(*given, group_for(devices, settings.batch_size))
    if len(devices) > 1:
        raise UserError(
            f"--devices_per_worker is {len(devices)}, and devices share a batch of the mixture in "
            "one program alone: --execution=whole."
        )
    return MixtureChain(*given)
