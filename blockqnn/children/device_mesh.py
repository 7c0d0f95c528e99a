"""Devices that share each batch: every one has all weights, and its own part of the images.

What is added up over devices is what one device would compute of the whole batch, to the last
bits, in which sums of another order differ.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

_AXIS = "data"
WHOLE, PARTS = PartitionSpec(), PartitionSpec(_AXIS)
"""Of an array, what a device has: all of it, or a part of it."""


class DeviceMesh:
    """Some devices, and programs that run on all of them."""

    def __init__(self, devices: Sequence[jax.Device]):
        """Makes a mesh of one axis.

        Args:
            devices: at least one.
        """
        self._mesh = Mesh(np.array(devices), (_AXIS,))

    @property
    def axis(self) -> str | None:
        """The name of the axis over which programs average; None for a single device."""
        return _AXIS if self._mesh.size > 1 else None

    def program(
        self,
        function: Any,
        takes: Any,
        gives: Any,
        donated: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        """A function that is compiled for all devices when it is first called.

        Args:
            function: of arrays as one device has them.
            takes: what a device has of each argument: `WHOLE`, `PARTS`, or parts of another axis.
            gives: what a device has of what is returned.
            donated: whether the first argument is used up.
            options: of the compiler.

        Returns:
            The function of whole arrays.
        """
        if self.axis is not None:
            # What is averaged over devices is the same on all of them, which JAX cannot see.
            function = jax.shard_map(
                function, mesh=self._mesh, in_specs=takes, out_specs=gives, check_vma=False
            )
        given = dict(options or {})
        return jax.jit(function, donate_argnums=0 if donated else (), compiler_options=given)

    def mean(self, tree: Any) -> Any:
        """The mean over devices, within a program."""
        return tree if self.axis is None else jax.lax.pmean(tree, self.axis)

    def total(self, tree: Any) -> Any:
        """The sum over devices, within a program."""
        return tree if self.axis is None else jax.lax.psum(tree, self.axis)

    def put(self, tree: Any, spec: PartitionSpec = WHOLE) -> Any:
        """Arrays on the devices.

        Args:
            tree: of arrays.
            spec: what each device gets of them.

        Returns:
            The arrays; those for a single device are on the default one, which is a matter of the
            thread.
        """
        if self.axis is None:
            return jax.device_put(tree)
        return jax.device_put(tree, NamedSharding(self._mesh, spec))

    def apart(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A program that has ended before another begins, where devices wait for one another in it.

        A CPU has a thread for each of its devices. Two such programs at a time, begun in another
        order by one device than by the other, would wait for one another for ever.

        Args:
            function: of arrays.

        Returns:
            The same for a single device; else the function, which now waits.
        """
        if self.axis is None:
            return function
        return lambda *arrays: jax.block_until_ready(function(*arrays))


@functools.cache
def first_devices(count: int) -> DeviceMesh:
    """The mesh of the first devices of this process.

    Args:
        count: how many, at least one and at most as many as there are.

    Returns:
        The same one whenever it is asked for.
    """
    return DeviceMesh(jax.local_devices()[:count])
