"""What a training step costs at least, and what a preset's children need."""

from __future__ import annotations

import dataclasses
import math

from blockqnn.networks.cost import flops, parameters
from blockqnn.networks.plan import Plan

_PASSES = 3
"""A training step computes about three times what the forward pass does."""
_ACTIVATION_ACCESSES = 2 + 4
"""Each activation is written and read once forward, and twice as much is moved backward."""
_PARAMETER_ACCESSES = 3 * 2
"""A parameter and Adam's two moments are read and written."""


@dataclasses.dataclass(frozen=True)
class Rates:
    """What a device was measured to do at best.

    Attributes:
        flops_per_second: in a product of large square matrices.
        bytes_per_second: in a copy of a large array, read and written.
    """

    flops_per_second: float
    bytes_per_second: float


@dataclasses.dataclass(frozen=True)
class PresetChildren:
    """How a preset trains a child.

    Attributes:
        preset: its name.
        epochs: of a child.
        training_images: of an epoch.
        validation_images: evaluated after each epoch.
    """

    preset: str
    epochs: int
    training_images: int
    validation_images: int

    def training_seconds(
        self, step_seconds: float, evaluation_seconds: float, batch_size: int
    ) -> float:
        """Seconds in which a child is trained and evaluated, without compiling.

        Args:
            step_seconds: of a step.
            evaluation_seconds: of the evaluation after an epoch.
            batch_size: images in a step.

        Returns:
            The seconds.
        """
        steps = max(1, self.training_images // batch_size)
        return self.epochs * (steps * step_seconds + evaluation_seconds)


def step_flops(plan: Plan, batch_size: int) -> int:
    """FLOPs of a training step: three times those of the forward pass.

    Args:
        plan: of the child network.
        batch_size: images in a step.

    Returns:
        The FLOPs.
    """
    return _PASSES * flops(plan) * batch_size


def step_bytes(plan: Plan, batch_size: int, bytes_per_number: int) -> int:
    """Bytes that a training step moves, by a simple count.

    Each activation is written once and read once forward, and twice that
    backward; parameters and moments, float32, are read and written once.

    Args:
        plan: of the child network.
        batch_size: images in a step.
        bytes_per_number: of an activation.

    Returns:
        The bytes.
    """
    activations = sum(math.prod(layer.shape) for layer in plan) * batch_size
    return (
        _ACTIVATION_ACCESSES * activations * bytes_per_number
        + _PARAMETER_ACCESSES * parameters(plan) * 4
    )


def floor_seconds(plan: Plan, batch_size: int, bytes_per_number: int, rates: Rates) -> float:
    """What a training step takes at least on a device of these rates.

    Args:
        plan: of the child network.
        batch_size: images in a step.
        bytes_per_number: of an activation.
        rates: of the device.

    Returns:
        The longer of computing and of moving. Fused layers move less than is
        counted, so a step may come out below it.
    """
    return max(
        step_flops(plan, batch_size) / rates.flops_per_second,
        step_bytes(plan, batch_size, bytes_per_number) / rates.bytes_per_second,
    )


def cpu_epoch_steps(steps: int) -> int:
    """Steps between two losses that are read, on a CPU.

    Reading a loss waits for all that was begun, which training does once an
    epoch; but steps of large children take seconds, and there are rounds.

    Args:
        steps: that are to be timed.

    Returns:
        From 1 to 4.
    """
    return max(1, min(4, steps // 5))
