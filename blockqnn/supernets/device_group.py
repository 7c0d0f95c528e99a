"""Devices that share each batch: every one has all weights, and its own part of the images.

Each computes what its part teaches; statistics and gradients are averaged over all, so that the
same update follows on each. The outcome is what one device would compute of the whole batch.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from blockqnn.children.device_mesh import PARTS as PARTS
from blockqnn.children.device_mesh import WHOLE as WHOLE
from blockqnn.children.device_mesh import DeviceMesh
from blockqnn.children.execution import DeviceImages
from blockqnn.errors import UserError

_KEPT_PARTS = 3
"""Images to train on, to calibrate on and to score on; each epoch may have its own."""
PARTS_OF_EACH = PartitionSpec(None, *PARTS)
"""Of an array, what a device has: a part of each of its rows."""


class DeviceGroup(DeviceMesh):
    """A mesh that keeps images, and knows whether all devices hold the same."""

    def __init__(self, devices: Sequence[jax.Device]):
        """Makes a group.

        Args:
            devices: at least one.
        """
        super().__init__(devices)
        self._everywhere = NamedSharding(self._mesh, WHOLE)
        self._parts: collections.OrderedDict[int, tuple[DeviceImages, DeviceImages]]
        self._parts = collections.OrderedDict()
        self._digests = self.program(_digest, (WHOLE,), PARTS)

    def place(self, tree: Any) -> Any:
        """Copies of arrays, on every device."""
        return jax.device_put(jax.tree.map(np.array, jax.device_get(tree)), self._everywhere)

    def images(self, part: DeviceImages) -> DeviceImages:
        """A part of the images on every device, where it stays while few others come."""
        kept = self._parts.pop(id(part), None)
        if kept is None or kept[0] is not part:
            kept = part, jax.device_put(part, self._everywhere)
        self._parts[id(part)] = kept
        while len(self._parts) > _KEPT_PARTS:
            self._parts.popitem(last=False)
        return kept[1]

    def require_equal(self, tree: Any) -> None:
        """Makes sure that all devices hold the same.

        Args:
            tree: of arrays that every device has.

        Raises:
            RuntimeError: if one of them differs in any bit, by a sum of all bits.
        """
        digests = np.asarray(self._digests(tree))
        if (digests != digests[0]).any():
            raise RuntimeError("the devices that share a batch have come to hold other weights")


def group_for(devices: Sequence[jax.Device], batch_size: int) -> DeviceGroup:
    """Devices that share batches of a supernet.

    Args:
        devices: at least one.
        batch_size: images of a batch.

    Returns:
        The group.

    Raises:
        UserError: if a batch has no equal parts.
    """
    count = len(devices)
    if batch_size % count:
        raise UserError(
            f"A step of the supernet takes {batch_size} images, of which {count} devices cannot "
            f"have equally many; allowed: a --supernet_batch_size that is a multiple of {count}, "
            "or another --devices_per_worker."
        )
    return DeviceGroup(devices)


def _digest(tree: Any) -> jax.Array:
    """A number that follows from every bit of a device's arrays, uint32 [1]."""
    whole = jnp.uint32(0)
    for leaf in jax.tree.leaves(tree):
        bits = jax.lax.bitcast_convert_type(leaf, jnp.uint32)
        whole = whole * jnp.uint32(31) + jnp.sum(bits, dtype=jnp.uint32)
    return whole[None]
