"""What a training step leaves out at random: paths, and features before the classifier.

Zoph et al. (*Learning Transferable Architectures for Scalable Image
Recognition*, CVPR 2018, section 3) drop each path of a cell with a probability
that grows linearly over training (`ScheduledDropPath`); in their code also from
cell to cell. A path is there one half of a node: the output of an operation.

Which paths a free DAG has, the rule of FractalNet says (Larsson et al., ICLR
2017, local drop-path): a path is an edge into a layer that joins several, and at
least one path of a join survives. There joins are Add, Concat and the
concatenation of a block's leaves; a block without any has nothing to drop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Chance:
    """A random choice that one training step makes for each image.

    Attributes:
        key: of the random choice; another one in every step.
        rate: probability that something is left out, float32 scalar from 0 to below 1.
        devices: name of the axis of devices that share the batch in equal parts, of which each
            takes its images' share of one choice; None where one has all of it.
    """

    key: jax.Array
    rate: jax.Array
    devices: str | None = None

    def _part_of(self, choice: Callable[[int], jax.Array], batch: int, axis: int) -> jax.Array:
        """This device's images' share of a choice for a whole batch."""
        if self.devices is None:
            return choice(batch)
        whole = choice(batch * jax.lax.axis_size(self.devices))
        first = batch * jax.lax.axis_index(self.devices)
        return jax.lax.dynamic_slice_in_dim(whole, first, batch, axis=axis)


class DropPath(Chance):
    """Drops paths into joins."""

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
        factors = self._part_of(
            lambda batch: path_factors(key, self.rate, len(inputs), batch), inputs[0].shape[0], 1
        )
        return [
            x * factor.astype(x.dtype)[:, None, None, None]
            for x, factor in zip(inputs, factors, strict=True)
        ]

    def before(self, position: int, joins: bool, inputs: list[jax.Array]) -> list[jax.Array]:
        """What a layer reads, from what was written for it."""
        return self.apply(position, inputs) if joins else inputs

    def after(self, position: int, path: float, output: jax.Array) -> jax.Array:
        """What is read of a layer: what it wrote."""
        return output


@dataclasses.dataclass(frozen=True)
class CellDropPath(Chance):
    """Drops the outputs of operations of cells, whose paths end there.

    Attributes:
        by_cell: whether the rate is that of the last cell, and smaller in those before it.
    """

    by_cell: bool = False

    def keep(self, path: float) -> jax.Array:
        """The probability that a path is kept.

        With the final one p, the cell c of L and the step t of T, as the published code has it,
        `1 - min(1, t / T) (c + 1) / L (1 - p)`; here the rate is `min(1, t / T) (1 - p)`.

        Args:
            path: where it lies, `(c + 1) / L`.

        Returns:
            A float32 scalar.
        """
        return 1 - self.rate * jnp.float32(path if self.by_cell else 1.0)

    def apply(self, position: int, path: float, output: jax.Array) -> jax.Array:
        """Drops a path for some images.

        Args:
            position: in its plan of the layer with which it ends; paths choose independently.
            path: as for `keep`.
            output: of that layer, [B, H, W, C].

        Returns:
            The output, zero where it is dropped and divided by the probability of that it is
            kept where not. Nothing survives in any case, as it does in a join of `DropPath`.
        """
        key, keep = jax.random.fold_in(self.key, position), self.keep(path)
        kept = self._part_of(
            lambda batch: jax.random.uniform(key, (batch,)) < keep, output.shape[0], 0
        )
        factor = kept.astype(jnp.float32) / keep
        return output * factor.astype(output.dtype)[:, None, None, None]

    def before(self, position: int, joins: bool, inputs: list[jax.Array]) -> list[jax.Array]:
        """What a layer reads: what was written for it."""
        return inputs

    def after(self, position: int, path: float, output: jax.Array) -> jax.Array:
        """What is read of a layer, from what it wrote."""
        return self.apply(position, path, output) if path else output


class Dropout(Chance):
    """Leaves out features (Srivastava et al., JMLR 15, 2014)."""

    def apply(self, features: jax.Array) -> jax.Array:
        """Leaves out some features of each image, others for each.

        Args:
            features: [B, C].

        Returns:
            [B, C], zero where it is left out and divided by `1 - rate` where not.
        """
        kept = self._part_of(
            lambda batch: jax.random.uniform(self.key, (batch, features.shape[1])) >= self.rate,
            features.shape[0],
            0,
        )
        return features * kept.astype(features.dtype) / (1 - self.rate).astype(features.dtype)


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
