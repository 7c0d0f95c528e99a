"""What executes paths through a bank, whichever way."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from blockqnn.children.execution import DeviceImages
from blockqnn.networks.spaces.contract import Design
from blockqnn.supernets.bank import Bank

Calibration = tuple[DeviceImages, np.ndarray]
"""Images, and int32 [batches, batch] of them, over which batch norm's statistics are averaged."""


@dataclasses.dataclass(frozen=True)
class UsedPath:
    """A design as a path through a plan of all designs.

    Attributes:
        rows: see `Sharing.path`.
        keys: of the bank's entries that the design has and its output depends on.
    """

    rows: Mapping[str, Sequence[int]]
    keys: frozenset[str]


class PathExecution(Protocol):
    """Trains a bank on paths, and scores designs with it."""

    def train(
        self,
        bank: Bank,
        designs: Sequence[Design],
        part: DeviceImages,
        order: np.ndarray,
        rates: np.ndarray,
    ) -> np.ndarray:
        """Trains a bank, a design a step; what a step's design does not use stays as it is.

        Args:
            bank: that is trained.
            designs: that of each step.
            part: the training part.
            order: int32 [steps, batch], which images each step takes.
            rates: float [steps], learning rates.

        Returns:
            The loss before each step, float64 [steps].
        """

    def accuracy(
        self,
        bank: Bank,
        design: Design,
        part: DeviceImages,
        statistics: str,
        calibration: Calibration | None = None,
        batches: range | None = None,
    ) -> float:
        """The share of images that a design classifies correctly with the bank's arrays.

        The bank stays as it is, so a score does not depend on what was scored before. Nor does it
        depend on the size of batches, unless the statistics are those of the batch.

        Args:
            bank: whose arrays.
            design: that is scored.
            part: images to score on.
            statistics: of batch norm: `recalibrated`, `batch` or `running`.
            calibration: for the first.
            batches: of the part that are looked at; None for all.

        Returns:
            From 0 to 1.
        """
