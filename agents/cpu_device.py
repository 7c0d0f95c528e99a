"""The device of controllers: the processor, whatever else the machine has."""

from __future__ import annotations

import functools
import sys
from typing import Any

_shared: list[bool] = []


def share_platforms() -> None:
    """Leaves JAX its platforms, because children are trained in this very process."""
    _shared.append(True)


@functools.cache
def cpu_device() -> Any:
    """The device on which a controller computes; to be asked for before it is imported.

    A search trains its children in other processes, and what drives it must leave the
    accelerators to them: a GPU that JAX has so much as looked at is a GPU whose memory is taken.
    So JAX is told of no platform but the CPU, unless this process is not the driver's alone:
    children are trained in it too, or whoever called had imported JAX before.

    Returns:
        The first CPU device; where JAX was forbidden to use any, the first there is.
    """
    foreign = "jax" in sys.modules or bool(_shared)
    import jax

    if not foreign:
        jax.config.update("jax_platforms", "cpu")
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return jax.local_devices()[0]
