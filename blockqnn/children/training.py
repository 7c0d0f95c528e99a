"""Trains children: the paper's short schedule, early accuracy, restart rule."""

from __future__ import annotations

import dataclasses
import math
import time

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.augmentation import augmented
from blockqnn.children.devices import parts_of_chain
from blockqnn.children.execution import DeviceImages, Execution
from blockqnn.children.layer_by_layer import LayerByLayer
from blockqnn.children.schedule import relative_rates
from blockqnn.children.whole_program import WholeProgram
from blockqnn.data.images import Images, channel_statistics
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.plan import Plan
from blockqnn.reward import guessing_accuracy
from blockqnn.settings import Recipe


class TrainingError(Exception):
    """A child that cannot be trained; the message is the reason."""


@dataclasses.dataclass
class CompiledChild:
    """A child before training.

    Attributes:
        plan: of the network.
        execution: compiled for the default device of the thread that compiled.
        batch_size: images in a step.
        steps: of an epoch.
        compile_seconds: spent on compiling.
    """

    plan: Plan
    execution: Execution
    batch_size: int
    steps: int
    compile_seconds: float


@dataclasses.dataclass
class TrainedChild:
    """A child after training.

    Attributes:
        execution: holds its weights.
        accuracies: validation accuracy after each epoch, in percent.
        losses: mean training loss of each epoch.
        restarts: how often training started again.
        compile_seconds: spent on compiling.
        train_seconds: spent on the rest.
    """

    execution: Execution
    accuracies: list[float]
    losses: list[float]
    restarts: int
    compile_seconds: float
    train_seconds: float


def on_device(train: Images, validation: Images) -> tuple[DeviceImages, DeviceImages]:
    """Puts both parts on the default device, with the training part's statistics.

    Args:
        train: the training part.
        validation: the validation part.

    Returns:
        Both parts on the device.
    """
    mean, deviation = channel_statistics(train.images)
    statistics = jnp.asarray(mean), jnp.asarray(deviation)
    first, second = (
        DeviceImages(
            jnp.asarray(part.images), jnp.asarray(part.labels.astype(np.int32)), *statistics
        )
        for part in (train, validation)
    )
    return first, second


def train_child(
    plan: Plan, recipe: Recipe, train: DeviceImages, validation: DeviceImages, seed: int
) -> TrainedChild:
    """Compiles and trains a child network by the recipe.

    Args:
        plan: of the network.
        recipe: how to train.
        train: the training part.
        validation: the part to measure accuracy on.
        seed: of the weights and of the order of images.

    Returns:
        The trained child.

    Raises:
        TrainingError: if the loss is not finite.
        jax.errors.JaxRuntimeError: if compiling or running fails.
    """
    child = compile_child(plan, recipe, train, validation)
    return train_compiled(child, recipe, train, validation, seed)


def compile_child(
    plan: Plan,
    recipe: Recipe,
    train: DeviceImages,
    validation: DeviceImages,
    cores: int = 1,
) -> CompiledChild:
    """Makes a child network that is ready to be trained.

    Args:
        plan: of the network.
        recipe: how it will be trained.
        train: the training part.
        validation: the part to measure accuracy on.
        cores: which may share the batches of a child that is executed layer by layer, as devices
            of a divided processor.

    Returns:
        The child, compiled for the default device, on which the images are.

    Raises:
        jax.errors.JaxRuntimeError: if compiling fails.
    """
    batch_size = min(recipe.batch_size, len(train.labels))
    steps = len(train.labels) // batch_size
    start = time.perf_counter()
    parts = parts_of_chain(batch_size, plan[0].shape, cores)
    execution = make_execution(plan, recipe, batch_size, parts)
    execution.compile(train, validation, steps)
    return CompiledChild(plan, execution, batch_size, steps, time.perf_counter() - start)


def train_compiled(
    child: CompiledChild,
    recipe: Recipe,
    train: DeviceImages,
    validation: DeviceImages,
    seed: int,
) -> TrainedChild:
    """Trains a child network by the recipe.

    If the accuracy after the first epoch is below that of guessing, training
    starts again from the same weights with a lower learning rate, as often as
    the recipe allows, and then runs on (section 4.2 of the paper).

    Args:
        child: compiled with the same recipe and images.
        recipe: how to train.
        train: the training part.
        validation: the part to measure accuracy on.
        seed: of the weights and of the order of images.

    Returns:
        The trained child.

    Raises:
        TrainingError: if the loss is not finite.
        jax.errors.JaxRuntimeError: if running fails.
    """
    plan, execution, steps, batch_size = child.plan, child.execution, child.steps, child.batch_size
    start = time.perf_counter()
    guessing = guessing_accuracy(plan[-1].shape[-1])
    restarts, first_rate = 0, recipe.learning_rate
    while True:
        execution.start(initial_parameters(plan, seed), initial_statistics(plan))
        accuracies: list[float] = []
        losses: list[float] = []
        random = np.random.default_rng(seed)
        for epoch in range(recipe.epochs):
            order = random.permutation(len(train.labels))[: steps * batch_size]
            loss = execution.train_epoch(
                augmented(train, recipe.augmentation, (seed, epoch)),
                order.astype(np.int32).reshape(steps, batch_size),
                first_rate * relative_rates(recipe, epoch, steps),
            )
            if not math.isfinite(loss):
                raise TrainingError(f"loss is {loss} in epoch {epoch + 1}")
            losses.append(loss)
            accuracies.append(100.0 * execution.evaluate(validation))
            if epoch == 0 and accuracies[0] < guessing and restarts < recipe.restarts:
                break
        else:
            seconds = time.perf_counter() - start
            return TrainedChild(
                execution, accuracies, losses, restarts, child.compile_seconds, seconds
            )
        restarts += 1
        first_rate *= recipe.restart_factor


def make_execution(plan: Plan, recipe: Recipe, batch_size: int, devices: int = 1) -> Execution:
    """The way of executing a child that the recipe asks for.

    Args:
        plan: of the child network.
        recipe: its `execution` is `layers`, `whole` or `auto`.
        batch_size: images in a step.
        devices: that share each batch where the child is executed layer by layer.

    Returns:
        The child, not yet compiled.
    """
    if is_whole(recipe):
        return WholeProgram(plan, recipe, batch_size)
    return LayerByLayer(plan, recipe, batch_size, devices)


def is_whole(recipe: Recipe) -> bool:
    """Whether children are compiled whole, each on its own."""
    if recipe.execution == "auto":
        return jax.default_backend() != "cpu"
    return recipe.execution == "whole"
