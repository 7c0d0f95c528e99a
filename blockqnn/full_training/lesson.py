"""What a batch teaches a network: loss and gradients, computed by devices that share the batch.

The network runs on each device's own part of the batch (`jax.shard_map`), and sums are
added over devices. The outcome is what one device would compute for the whole batch. The
one exception is batch norm with statistics of each part, which is asked for by a flag.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import Mesh, PartitionSpec

from blockqnn.children.named_weights import Arrays, by_layer, by_name
from blockqnn.full_training.settings import CELL, CELL_AND_STEP, JOINS, FullRecipe
from blockqnn.networks.child import ChildNetwork
from blockqnn.networks.drop_path import CellDropPath, Dropout, DropPath
from blockqnn.networks.plan import Plan

DATA = "data"
"""The axis of devices that share a batch."""
WHOLE, PARTS = PartitionSpec(), PartitionSpec(DATA)
"""What every device has, and what each has a part of."""

Drop = tuple[jax.Array, jax.Array] | None
"""The key of what a step leaves out at random, and its rate of drop-path."""
Learned = tuple[jax.Array, jax.Array, Arrays, Arrays]
"""Loss, right answers, running statistics of batch norm after the batch, and gradients."""


class Lesson:
    """A network, and what a batch teaches it."""

    def __init__(self, plan: Plan, head: Plan, recipe: FullRecipe, mesh: Mesh):
        """Prepares, without compiling.

        Args:
            plan: of the network.
            head: of its auxiliary classifier, empty for none.
            recipe: how it is trained.
            mesh: the devices, along the axis `DATA`.
        """
        self._plan, self._recipe, self._mesh = (*plan, *head), recipe, mesh
        dtype = jnp.bfloat16 if recipe.bfloat16 else jnp.float32
        self._graph, self._empty = nnx.split(
            nnx.eval_shape(lambda: ChildNetwork(plan, dtype=dtype, head=head, norms=recipe.norms))
        )

    def network(self, weights: Arrays) -> ChildNetwork:
        """The network with some weights.

        Args:
            weights: `parameters` and `statistics`, by name.

        Returns:
            The module.
        """
        network = nnx.merge(self._graph, self._empty, copy=True)
        network.set_weights(
            by_layer(self._plan, weights["parameters"]),
            by_layer(self._plan, weights["statistics"]),
        )
        return network

    def learned(self, weights: Arrays, images: jax.Array, labels: jax.Array, drop: Drop) -> Learned:
        """What a batch teaches.

        Args:
            weights: `parameters` and `statistics`, by name.
            images: normalised, float [B, H, W, C].
            labels: int32 [B].
            drop: of drop-path and dropout; None for neither.

        Returns:
            See `Learned`.
        """
        if self._mesh.size == 1:
            return self._of_part(weights, images, labels, drop)
        together = jax.shard_map(
            functools.partial(self._of_part, devices=DATA),
            mesh=self._mesh,
            in_specs=(WHOLE, PARTS, PARTS, WHOLE),
            out_specs=WHOLE,
            # Means over devices are the same on all of them, which JAX cannot see.
            check_vma=False,
        )
        return together(weights, images, labels, drop)

    def _of_part(
        self,
        weights: Arrays,
        images: jax.Array,
        labels: jax.Array,
        drop: Drop,
        devices: str | None = None,
    ) -> Learned:
        """What one device computes of its part, in the mean over devices."""
        norm_devices = devices if self._recipe.sync_batch_norm else None
        drop_path, dropout = self._chances(drop, devices)

        def loss_of(parameters: Arrays) -> tuple[jax.Array, tuple[jax.Array, Arrays]]:
            """The loss, with the auxiliary head's share; logits and statistics beside it."""
            network = self.network({**weights, "parameters": parameters})
            network.train()
            logits, auxiliary = network.all_logits(images, drop_path, norm_devices, dropout)
            _, statistics = network.weights()
            loss = smoothed_cross_entropy(logits, labels, self._recipe.label_smoothing)
            if auxiliary is not None:
                beside = smoothed_cross_entropy(auxiliary, labels, self._recipe.label_smoothing)
                loss = loss + self._recipe.auxiliary_weight * beside
            return loss, (logits, by_name(self._plan, statistics))

        (loss, (logits, statistics)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            weights["parameters"]
        )
        correct = jnp.sum(jnp.argmax(logits, axis=-1) == labels, dtype=jnp.int32)
        if devices is None:
            return loss, correct, statistics, gradients
        # Each device has the gradient of the sum of all losses for its own copy of the weights.
        loss, statistics, gradients = jax.lax.pmean((loss, statistics, gradients), devices)
        return loss, jax.lax.psum(correct, devices), statistics, gradients

    def _chances(
        self, drop: Drop, devices: str | None
    ) -> tuple[DropPath | CellDropPath | None, Dropout | None]:
        """Drop-path and dropout of a step, which choose independently; None for what is off."""
        if drop is None:
            return None, None
        recipe, (key, rate) = self._recipe, drop
        paths: DropPath | CellDropPath | None = None
        if recipe.drop_path and recipe.drop_path_by == JOINS:
            paths = DropPath(key, rate, devices)
        elif recipe.drop_path:
            by_cell = recipe.drop_path_by in (CELL_AND_STEP, CELL)
            paths = CellDropPath(key, rate, devices, by_cell)
        features = None
        if recipe.dropout:
            # Positions of layers, which choose paths, count from 0.
            key = jax.random.fold_in(key, len(self._plan))
            features = Dropout(key, jnp.float32(recipe.dropout), devices)
        return paths, features


def smoothed_cross_entropy(logits: jax.Array, labels: jax.Array, smoothing: float) -> jax.Array:
    """Mean softmax cross-entropy with a share of each label spread over all classes.

    Args:
        logits: [B, classes].
        labels: int32 [B].
        smoothing: the share, from 0 to below 1.

    Returns:
        A scalar.
    """
    targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), smoothing)
    return optax.softmax_cross_entropy(logits, targets).mean()
