"""Drop-path: while training, some of the paths that meet in a join are left out.

Zoph et al. (*Learning Transferable Architectures for Scalable Image
Recognition*, CVPR 2018, section 3) drop each path of a cell with a probability
that grows linearly over training (`ScheduledDropPath`). Which paths a free DAG
has, the rule of FractalNet says (Larsson et al., ICLR 2017, local drop-path):
a path is an edge into a layer that joins several, and at least one path of a
join survives. Here joins are Add, Concat and the concatenation of a block's
leaves; a block without any has nothing to drop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class DropPath:
    """Which paths one training step drops.

    Attributes:
        key: of the random choice; another one in every step.
        rate: probability that a path is dropped, float32 scalar from 0 to below 1.
        devices: name of the axis of devices that share the batch in equal parts, of which each
            takes its images' share of one choice; None where one has all of it.
    """

    key: jax.Array
    rate: jax.Array
    devices: str | None = None

    def apply(self, position: int, inputs: Sequence[jax.Array]) -> list[jax.Array]:
        """Drops some inputs of a join, for each image others.

        Args:
            position: of the join in its plan; joins choose independently.
            inputs: [B, H, W, C] each.

        Returns:
            The inputs, zero where they are dropped and larger where not, so that
            the expectation of each stays what it was.
        """
        key = jax.random.fold_in(self.key, position)
        factors = self._factors(key, len(inputs), inputs[0].shape[0])
        return [
            x * factor.astype(x.dtype)[:, None, None, None]
            for x, factor in zip(inputs, factors, strict=True)
        ]

    def _factors(self, key: jax.Array, paths: int, batch: int) -> jax.Array:
        if self.devices is None:
            return path_factors(key, self.rate, paths, batch)
        whole = batch * jax.lax.axis_size(self.devices)
        factors = path_factors(key, self.rate, paths, whole)
        first = batch * jax.lax.axis_index(self.devices)
        return jax.lax.dynamic_slice_in_dim(factors, first, batch, axis=1)


def path_factors(key: jax.Array, rate: jax.Array, paths: int, batch: int) -> jax.Array:
    """By what the paths into a join are multiplied.

    Each path is dropped with probability `rate`, independently; where all
    would be, one of them survives, each with the same probability. So a path
    is kept with probability `1 - rate + rate ** paths / paths`, by which it is
    divided.

    Args:
        key: of the random choice.
        rate: probability of a drop, float32 scalar from 0 to below 1.
        paths: how many meet.
        batch: images; each has a choice of its own.

    Returns:
        float32 [paths, batch], of mean 1.
    """
    drawn = jax.random.uniform(key, (paths, batch))
    kept = drawn >= rate
    # The largest draw survives in any case: if all are below the rate, that is a fair choice.
    kept |= jnp.arange(paths)[:, None] == jnp.argmax(drawn, axis=0)[None, :]
    return kept.astype(jnp.float32) / (1 - rate + rate**paths / paths)
