"""How much memory a training needs, estimated before it begins."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from blockqnn.errors import UserError
from blockqnn.full_training.settings import RMSPROP, FullRecipe
from blockqnn.networks.cost import Cost

if TYPE_CHECKING:
    import jax

_GIGABYTE = 1e9
_FLOAT = 4
_MAPS = 3
"""Copies of each layer's output that a step holds: itself, its gradient, its normalised or
unfolded form. XLA's own figures for three published blocks are 2.4 to 2.9 on a CPU."""


def training_bytes(cost: Cost, recipe: FullRecipe, devices: int, image_bytes: int) -> int:
    """What one device holds at once.

    Weights, gradients and momentum are on every device, and so are the images
    where they are kept there; outputs of layers are those of its part of a batch.

    Args:
        cost: of the network.
        recipe: how it is trained.
        devices: that share a batch.
        image_bytes: of all images that are kept on each device.

    Returns:
        Bytes, an estimate.
    """
    copies = 3 + bool(recipe.ema_decay) + (recipe.optimiser == RMSPROP)
    weights = copies * _FLOAT * cost.parameters
    number = 2 if recipe.bfloat16 else _FLOAT
    maps = _MAPS * number * cost.activations * recipe.batch_size // devices
    return weights + maps + image_bytes


def check_memory(needed: int, limit_gigabytes: float, devices: Sequence[jax.Device]) -> None:
    """Refuses a training that does not fit.

    Args:
        needed: bytes on each device, an estimate.
        limit_gigabytes: that a device may need; 0 for what it has.
        devices: those that train.

    Raises:
        UserError: if more is needed.
    """
    allowed = limit_gigabytes * _GIGABYTE or device_bytes(devices)
    if allowed and needed > allowed:
        given = (
            f"--memory_gigabytes allows {limit_gigabytes:g} GB"
            if limit_gigabytes
            else f"{_owner(devices)} has {allowed / _GIGABYTE:.3g} GB"
        )
        # Widths multiply: the number may be too large for a float.
        huge = needed > 10**20
        shown = "more than 10^11" if huge else f"{needed / _GIGABYTE:,.3g}"
        fewer = "--devices=1, " if len(devices) > 1 else ""
        raise UserError(
            f"This training needs about {shown} GB on each device, and {given}; take a smaller "
            f"--batch_size, fewer --repeats or --filters, --bfloat16, --data_on_device=no, {fewer}"
            "or a higher --memory_gigabytes if the estimate is wrong."
        )


def _owner(devices: Sequence[jax.Device]) -> str:
    kind = devices[0].device_kind
    shares = devices[0].platform == "cpu" and len(devices) > 1
    return f"each of {len(devices)} parts of the {kind}" if shares else kind


def device_bytes(devices: Sequence[jax.Device]) -> int:
    """The memory of each device, or its share of what of this machine's is free.

    Args:
        devices: of one kind; parts of one processor share its memory.

    Returns:
        Bytes; 0 where it is not known.
    """
    device = devices[0]
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if statistics:
        return int(statistics.get("bytes_limit", 0))
    try:
        lines = pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        facts = dict(line.split(":", 1) for line in lines)
        return int(facts["MemAvailable"].split()[0]) * 1024 // len(devices)
    except (OSError, KeyError, ValueError):
        return 0
