"""What a step of a chain works on: arrays on the device, whoever owns them."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from blockqnn.children.device_mesh import DeviceMesh, first_devices
from blockqnn.children.execution import initial_moments
from blockqnn.children.optimiser import Compiled


@dataclasses.dataclass
class Held:
    """What a step works on: arrays on the device.

    Attributes:
        parameters: that are trained, by name.
        statistics: running mean and variance of a batch norm; empty without one.
        moments: of the optimiser.
        copies: how many of its layer's numbers each number stands for, see `copies`.
        rates: by how much each array follows its direction, as of the last `follow`.
        mesh: the devices that it is on; None for the default one.
    """

    parameters: Any = dataclasses.field(default_factory=dict)
    statistics: Any = dataclasses.field(default_factory=dict)
    moments: Any = ()
    copies: Any = dataclasses.field(default_factory=dict)
    rates: Any = dataclasses.field(default_factory=dict)
    mesh: DeviceMesh | None = None
    _rate: np.float32 | None = None

    def follow(self, rate: np.float32) -> None:
        """Makes a learning rate that of every array."""
        if rate != self._rate:
            self._rate = rate
            put = jax.device_put if self.mesh is None else self.mesh.put
            self.rates = put({name: rate * n for name, n in self.copies.items()})


def held(
    compiled: Compiled,
    parameters: dict[str, np.ndarray],
    statistics: dict[str, np.ndarray],
    copies: dict[str, np.ndarray],
) -> Held:
    """What a step works on before its first update.

    Args:
        compiled: by which the step is updated.
        parameters: its trained arrays.
        statistics: of its batch norm; empty without one.
        copies: see `Held`.

    Returns:
        All of it, on the default device or on those that share a batch.
    """
    optimiser, mesh = compiled.optimiser.transformation(), first_devices(compiled.devices)
    return Held(
        mesh.put(parameters),
        mesh.put(statistics),
        mesh.put(initial_moments(optimiser, parameters)) if parameters else (),
        copies,
        mesh=mesh,
    )
