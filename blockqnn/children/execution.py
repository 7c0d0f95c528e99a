"""What the two ways of executing a child share: data, loss, optimiser, the contract."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

from blockqnn.networks.initial import Weights
from blockqnn.settings import Recipe


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DeviceImages:
    """Images and labels on the device.

    Attributes:
        images: uint8 [N, H, W, C].
        labels: int32 [N].
        mean: of the training part, float32 [C], on the scale of 0 to 255.
        deviation: likewise.
    """

    images: jax.Array
    labels: jax.Array
    mean: jax.Array
    deviation: jax.Array


class Execution(Protocol):
    """A child network that can be trained."""

    def compile(self, train: DeviceImages, validation: DeviceImages, steps: int) -> None:
        """Compiles what training and evaluation need.

        Args:
            train: the training part.
            validation: the part to evaluate on.
            steps: of an epoch.
        """

    def start(self, parameters: Weights, statistics: Weights) -> None:
        """Takes initial weights and forgets all training."""

    def train_epoch(
        self, part: DeviceImages, order: np.ndarray, learning_rate: float | np.ndarray
    ) -> float:
        """Trains for one epoch.

        Args:
            part: the training part.
            order: int32 [steps, batch], which images each step takes.
            learning_rate: of every step, or float [steps], each one's.

        Returns:
            The mean loss; not finite if any step's was not.
        """

    def evaluate(self, part: DeviceImages) -> float:
        """The share of images that are classified correctly, from 0 to 1."""

    def weights(self) -> tuple[Weights, Weights]:
        """Trained arrays and running statistics, layer by layer."""


def compute_dtype(recipe: Recipe) -> jnp.dtype:
    """The dtype of activations."""
    return jnp.dtype(jnp.bfloat16 if recipe.bfloat16 else jnp.float32)


def adam(recipe: Recipe) -> optax.GradientTransformation:
    """Adam's direction; the learning rate is applied by `descend`."""
    return optax.scale_by_adam(recipe.beta1, recipe.beta2, recipe.adam_epsilon)


def initial_moments(
    optimiser: optax.GradientTransformation, parameters: optax.Params
) -> optax.OptState:
    """The optimiser's state before the first step, made without compiling.

    Adam starts from zeros, so the shapes are all that has to be traced.
    """
    shapes = jax.eval_shape(optimiser.init, parameters)
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


def descend(
    optimiser: optax.GradientTransformation,
    gradients: optax.Updates,
    moments: optax.OptState,
    parameters: optax.Params,
    learning_rates: optax.Params,
) -> tuple[optax.Params, optax.OptState]:
    """One step of the optimiser.

    Args:
        optimiser: gives the direction.
        gradients: of the parameters.
        moments: the optimiser's state.
        parameters: what is trained.
        learning_rates: by how much each array, or part of one, follows its
            direction; a tree like the parameters' or a prefix of it.

    Returns:
        The parameters and moments after it.
    """
    # Adam's bias correction raises a float to the step count: optax promotes implicitly.
    with jax.numpy_dtype_promotion("standard"):
        direction, moments = optimiser.update(gradients, moments, parameters)
    rates = jax.tree.broadcast(learning_rates, direction)
    steps = jax.tree.map(lambda rate, d: -_like(rate, d) * d, rates, direction)
    return optax.apply_updates(parameters, steps), moments


def _like(rate: jax.Array, array: jax.Array) -> jax.Array:
    """A rate with as many axes as an array, to be broadcast along the first ones."""
    return rate.reshape((1,) * (array.ndim - rate.ndim) + rate.shape)


def take_batch(
    part: DeviceImages, indices: jax.Array | None, dtype: jnp.dtype
) -> tuple[jax.Array, jax.Array]:
    """Gathers and normalises images.

    Args:
        part: where to take them from.
        indices: int32 [B]; None for all.
        dtype: of the images returned.

    Returns:
        Images [B, H, W, C] with the training part's mean and deviation taken
        out, and labels int32 [B].
    """
    images, labels = part.images, part.labels
    if indices is not None:
        images, labels = images[indices], labels[indices]
    centred = images.astype(jnp.float32) - part.mean[None, None, None, :]
    return (centred / part.deviation[None, None, None, :]).astype(dtype), labels


def mean_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean over the batch of the softmax cross-entropy of logits [B, classes]."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def count_correct(logits: jax.Array, labels: jax.Array, real: jax.Array) -> jax.Array:
    """How many of the images that are real, not padding, are classified correctly."""
    return jnp.sum((jnp.argmax(logits, axis=-1) == labels) & real)


def evaluation_batches(examples: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cuts a part into batches of one size, the last padded with image 0.

    Args:
        examples: images in the part.
        batch_size: images in a batch.

    Returns:
        Indices int32 [batches, batch] and which of them are real, bool.
    """
    batches = -(-examples // batch_size)
    indices = np.arange(batches * batch_size, dtype=np.int32).reshape(batches, batch_size)
    real = indices < examples
    return np.where(real, indices, 0).astype(np.int32), real
