"""The devices that JAX has for this process, or why it has none."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from blockqnn.errors import UserError

if TYPE_CHECKING:
    import jax


def local_devices() -> list[jax.Device]:
    """The devices of this process, of the platform that JAX chooses or was told to take.

    Returns:
        At least one device.

    Raises:
        UserError: if the platform cannot be used, such as a GPU that is not there.
    """
    import jax

    try:
        return jax.local_devices()
    # JAX finds out when it is first asked to compute. Where a plugin is missing altogether, it
    # fails at an assertion of its own.
    except (RuntimeError, AssertionError) as error:
        raise UserError(_refusal(error, os.environ.get("JAX_PLATFORMS", ""))) from error


def worker_devices(count: int) -> list[jax.Device]:
    """The devices that a worker computes on.

    Args:
        count: how many; 0 for all of a TPU and for one elsewhere.

    Returns:
        They.

    Raises:
        UserError: if there are not as many, or none can be used.
    """
    found = local_devices()
    if count > len(found):
        raise UserError(
            f"--devices_per_worker is {count}, but a worker sees {len(found)} "
            f"device{'s' if len(found) > 1 else ''} here."
        )
    # Each GPU has a worker of its own; the cores of a TPU can only be owned by one.
    automatic = len(found) if found[0].platform == "tpu" else 1
    return found[: count or automatic]


def divide_processor(parts: int) -> None:
    """Makes the processor several devices, if JAX has not begun yet and nobody has said otherwise.

    XLA's convolutions hardly gain from a second core, so devices that share a batch are faster.

    Args:
        parts: how many devices. XLA_FLAGS and JAX_NUM_CPU_DEVICES have the last word.
    """
    import jax

    said = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if said or "JAX_NUM_CPU_DEVICES" in os.environ:
        return
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", parts)


_LEAST_IMAGES = 32
"""Of a step, for a part of a processor, so that a large machine is not cut to pieces."""


_LEAST_PIXELS = 32 * 16 * 16
"""Of a step of a chain, whose many programs each end on all devices before the next begins: on
smaller parts that takes longer than another core saves (docs/speed.md)."""


def parts_of_chain(batch_size: int, image_shape: tuple[int, ...], cores: int) -> int:
    """Into how many parts a batch is cut where the cores of a processor share a chain.

    Args:
        batch_size: images in it.
        image_shape: of an image, [H, W, C].
        cores: that there are.

    Returns:
        As `parts_of_batch`, but one of small images.
    """
    pixels = batch_size * image_shape[0] * image_shape[1]
    return parts_of_batch(batch_size, min(cores, pixels // _LEAST_PIXELS))


def parts_of_batch(batch_size: int, cores: int) -> int:
    """Into how many parts a batch is cut that the cores of a processor share.

    Args:
        batch_size: images in it.
        cores: that there are.

    Returns:
        The most that there are cores for, that are equal, and that have enough images each.
    """
    possible = range(1, min(cores, batch_size // _LEAST_IMAGES) + 1)
    return max((parts for parts in possible if batch_size % parts == 0), default=1)


def _refusal(error: Exception, platforms: str) -> str:
    """One sentence of what JAX says in several lines."""
    # What JAX advises in brackets is for programmers.
    said = " ".join(str(error).partition(" (set JAX_PLATFORMS")[0].split()).rstrip(".")
    why = said[:300] or "no such device was found"
    asked = f"JAX_PLATFORMS is {platforms}, but JAX" if platforms else "JAX"
    return (
        f"{asked} cannot start there: {why}. Set JAX_PLATFORMS=cpu to compute on the processor, or "
        "install the JAX of that device."
    )
