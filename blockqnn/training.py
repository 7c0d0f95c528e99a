"""Trains children: the paper's short schedule, early accuracy, restart rule."""

from __future__ import annotations

import dataclasses
import logging
import math
import time

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.datasets import load_search_parts
from blockqnn.execution import DeviceImages, Execution
from blockqnn.images import Images, channel_statistics
from blockqnn.layer_by_layer import LayerByLayer
from blockqnn.reward import guessing_accuracy
from blockqnn.settings import DataSettings, Recipe
from blockqnn.trial import Job, Outcome
from blockqnn.whole_program import WholeProgram
from networks.canonical import canonical_form
from networks.initial import initial_parameters, initial_statistics
from networks.layout import Layout
from networks.plan import Plan, make_plan

_log = logging.getLogger(__name__)


class TrainingError(Exception):
    """A child that cannot be trained; the message is the reason."""


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


class TrainEvaluator:
    """Trains each child on the training part and measures it on the validation part."""

    def __init__(self, data: DataSettings, recipe: Recipe, layout: Layout):
        """Reads the data set and puts it on the device.

        Args:
            data: which images.
            recipe: how to train.
            layout: of the child networks.

        Raises:
            UserError: if the data set cannot be read.
        """
        self._recipe, self._layout = recipe, layout
        self._train, self._validation = on_device(*load_search_parts(data))
        self.device = jax.devices()[0].device_kind

    def evaluate(self, job: Job) -> Outcome:
        """See `Evaluator.evaluate`."""
        plan = make_plan(canonical_form(job.code), self._layout)
        start = time.perf_counter()
        try:
            child = train_child(plan, self._recipe, self._train, self._validation, job.seed)
        except TrainingError as failure:
            reason = str(failure)
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            reason = _runtime_reason(error)
        except Exception as error:
            # One child must not end a search of days; the log keeps the traceback.
            _log.exception("trial %d", job.number)
            reason = f"{type(error).__name__}: {_first_line(error)}"
        else:
            return Outcome(
                accuracies=tuple(child.accuracies),
                restarts=child.restarts,
                compile_seconds=child.compile_seconds,
                train_seconds=child.train_seconds,
                device=self.device,
            )
        seconds = time.perf_counter() - start
        return Outcome(reason=reason, train_seconds=seconds, device=self.device)


def on_device(train: Images, validation: Images) -> tuple[DeviceImages, DeviceImages]:
    """Puts both parts on the device, with the training part's statistics.

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
    """Trains a child network by the recipe.

    If the accuracy after the first epoch is below that of guessing, training
    starts again from the same weights with a lower learning rate, as often as
    the recipe allows, and then runs on (section 4.2 of the paper).

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
    batch_size = min(recipe.batch_size, len(train.labels))
    steps = len(train.labels) // batch_size
    start = time.perf_counter()
    execution = make_execution(plan, recipe, batch_size)
    execution.compile(train, validation, steps)
    compiled = time.perf_counter()
    guessing = guessing_accuracy(plan[-1].shape[-1])
    restarts, first_rate = 0, recipe.learning_rate
    while True:
        execution.start(initial_parameters(plan, seed), initial_statistics(plan))
        accuracies: list[float] = []
        losses: list[float] = []
        random = np.random.default_rng(seed)
        for epoch in range(recipe.epochs):
            order = random.permutation(len(train.labels))[: steps * batch_size]
            rate = first_rate * recipe.learning_rate_decay ** (epoch // recipe.decay_epochs)
            loss = execution.train_epoch(
                train, order.astype(np.int32).reshape(steps, batch_size), rate
            )
            if not math.isfinite(loss):
                raise TrainingError(f"loss is {loss} in epoch {epoch + 1}")
            losses.append(loss)
            accuracies.append(100.0 * execution.evaluate(validation))
            if epoch == 0 and accuracies[0] < guessing and restarts < recipe.restarts:
                break
        else:
            seconds = time.perf_counter() - compiled
            return TrainedChild(execution, accuracies, losses, restarts, compiled - start, seconds)
        restarts += 1
        first_rate *= recipe.restart_factor


def make_execution(plan: Plan, recipe: Recipe, batch_size: int) -> Execution:
    """The way of executing a child that the recipe asks for.

    Args:
        plan: of the child network.
        recipe: its `execution` is `layers`, `whole` or `auto`.
        batch_size: images in a step.

    Returns:
        The child, not yet compiled.
    """
    way = recipe.execution
    if way == "auto":
        way = "layers" if jax.default_backend() == "cpu" else "whole"
    return (LayerByLayer if way == "layers" else WholeProgram)(plan, recipe, batch_size)


def _runtime_reason(error: Exception) -> str:
    """What XLA's error means for the child, on one line."""
    first = _first_line(error) or type(error).__name__
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in first:
        return f"out of memory: {first}"
    return f"compiler or runtime: {first}"


def _first_line(error: Exception) -> str:
    return "".join(str(error).strip().splitlines()[:1])[:300]
