"""A child as a chain of small compiled programs that all children share.

The plan is cut into steps over parts (`blockqnn.networks.parts`), whose shapes form a
small set: after some twenty children nearly every program that a new child
needs is there already, and compiling costs next to nothing.
"""

from __future__ import annotations

import collections
import concurrent.futures
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.execution import (
    DeviceImages,
    adam,
    compute_dtype,
    count_correct,
    evaluation_batches,
    initial_moments,
    mean_cross_entropy,
    take_batch,
)
from blockqnn.children.step_programs import StepPrograms, step_programs
from blockqnn.children.step_weights import copies, own_parameters, put_back
from blockqnn.networks.initial import Weights
from blockqnn.networks.parts import Step, StepKind, cut_into_steps
from blockqnn.networks.plan import Plan
from blockqnn.settings import Recipe

_MOST_SUMMANDS = 4


class LayerByLayer:
    """Executes a child step by step."""

    def __init__(self, plan: Plan, recipe: Recipe, batch_size: int):
        """Prepares, without compiling.

        Args:
            plan: of the child network.
            recipe: how to train it.
            batch_size: images in a step.
        """
        self._recipe, self._batch_size = recipe, batch_size
        self._steps = [
            _PlacedPrograms(
                number,
                step,
                step_programs(step.signature, recipe, batch_size, 0 not in step.inputs),
            )
            for number, step in enumerate(cut_into_steps(plan))
            if number > 0
        ]
        self._initial: Weights = []
        self._initial_statistics: Weights = []
        self._copies: list[Any] = []
        self._rates: list[Any] = []
        self._learning_rate: np.float32 | None = None
        self._parameters: list[Any] = []
        self._statistics: list[Any] = []
        self._moments: list[Any] = []

    def compile(self, train: DeviceImages, validation: DeviceImages, steps: int) -> None:
        """See `Execution.compile`. Compiles on all cores what no child has met before."""
        # What jit compiles is for one device; the default one is a matter of the thread.
        device = jax.config.values["jax_default_device"]
        programs = dict.fromkeys(placed.programs for placed in self._steps)
        small = dict.fromkeys(self._small_programs(train))
        missing: list[Callable[[], object]] = [
            *(own.compile for own in programs if device not in own.compiled_for),
            *(
                functools.partial(function, *arguments)
                for function, *arguments in small
                if (device, function, *arguments) not in _compiled
            ),
        ]

        def run(task: Callable[[], object]) -> None:
            with jax.default_device(device):
                jax.block_until_ready(task())

        if missing:
            with concurrent.futures.ThreadPoolExecutor(_cores()) as pool:
                list(pool.map(run, missing))
        for own in programs:
            own.compiled_for.add(device)
        _compiled.update((device, *task) for task in small)

    def start(self, parameters: Weights, statistics: Weights) -> None:
        """See `Execution.start`."""
        optimiser = adam(self._recipe)
        self._initial, self._initial_statistics = parameters, statistics
        self._parameters, self._statistics, self._moments = [{}], [{}], [()]
        self._copies, self._learning_rate = [{}], None
        for _, step, _ in self._steps:
            own = own_parameters(step, parameters[step.layer])
            self._parameters.append(jax.device_put(own))
            self._copies.append(copies(step, own))
            self._statistics.append(
                jax.device_put(dict(statistics[step.layer])) if step.normalises else {}
            )
            self._moments.append(jax.device_put(initial_moments(optimiser, own)) if own else ())

    def train_epoch(
        self, part: DeviceImages, order: np.ndarray, learning_rate: float | np.ndarray
    ) -> float:
        """See `Execution.train_epoch`."""
        rates = np.broadcast_to(np.float32(learning_rate), len(order))
        losses = []
        for indices, rate in zip(order, rates, strict=True):
            self._set_learning_rate(rate)
            losses.append(self._train_step(part, indices))
        return float(np.mean(jax.device_get(losses)))

    def evaluate(self, part: DeviceImages) -> float:
        """See `Execution.evaluate`."""
        counts = [
            _count_correct(logits, labels, jnp.asarray(real))
            for logits, labels, real in self._inferred(part)
        ]
        return float(np.sum(jax.device_get(counts))) / len(part.labels)

    def logits(self, part: DeviceImages) -> np.ndarray:
        """What the child says of each image in evaluation.

        Args:
            part: the images.

        Returns:
            Logits [N, classes], float32, in the order of the images.
        """
        return np.concatenate(
            [np.asarray(logits)[real] for logits, _, real in self._inferred(part)]
        )

    def _inferred(self, part: DeviceImages) -> Iterator[tuple[jax.Array, jax.Array, np.ndarray]]:
        """Logits and labels of each batch, and which of its images are real."""
        batches = evaluation_batches(len(part.labels), self._batch_size)
        for indices, real in zip(*batches, strict=True):
            images, labels = _batch(part, indices, compute_dtype(self._recipe))
            outputs = [images]
            for number, step, programs in self._steps:
                outputs.append(
                    programs.infer(
                        self._parameters[number],
                        self._statistics[number],
                        tuple(outputs[i] for i in step.inputs),
                    )
                )
            yield outputs[-1], labels, real

    def weights(self) -> tuple[Weights, Weights]:
        """See `Execution.weights`."""
        parameters = [
            {name: np.array(array) for name, array in layer.items()} for layer in self._initial
        ]
        # What nobody reads is not computed, and stays as it was.
        statistics = [dict(layer) for layer in self._initial_statistics]
        for number, step, _ in self._steps:
            statistics[step.layer] |= jax.device_get(self._statistics[number])
            trained = jax.device_get(self._parameters[number])
            put_back(step, trained, self._initial[step.layer], parameters[step.layer])
        return parameters, statistics

    def _small_programs(self, part: DeviceImages) -> Iterator[tuple[Any, ...]]:
        """What a child compiles besides its steps: functions with their arguments."""
        dtype = compute_dtype(self._recipe)
        yield _normalise_zeros, self._batch_size, part.images.shape[1:], dtype
        yield _lose_zeros, self._batch_size, *self._steps[-1].step.shape
        readers = collections.Counter(
            source for _, step, _ in self._steps for source in step.inputs if source > 0
        )
        for number, step, _ in self._steps:
            if readers[number] > 1:
                # Global pooling widens, so vectors are float32.
                wide = dtype if len(step.shape) > 1 else jnp.dtype(jnp.float32)
                yield _sum_zeros, (self._batch_size, *step.shape), wide, readers[number]

    def _set_learning_rate(self, rate: np.float32) -> None:
        if rate != self._learning_rate:
            self._learning_rate = rate
            self._rates = [
                jax.device_put({name: rate * times for name, times in own.items()})
                for own in self._copies
            ]

    def _train_step(self, part: DeviceImages, indices: np.ndarray) -> jax.Array:
        images, labels = _batch(part, indices, compute_dtype(self._recipe))
        outputs: list[Any] = [images]
        saved: list[Any] = [()]
        for number, step, programs in self._steps:
            output, self._statistics[number], kept = programs.forward(
                self._parameters[number],
                self._statistics[number],
                tuple(outputs[i] for i in step.inputs),
            )
            outputs.append(output)
            saved.append(kept)
        loss, gradient = _loss_and_gradient(outputs[-1], labels)
        gradients: dict[int, list[jax.Array]] = {len(outputs) - 1: [gradient]}
        for number, step, programs in reversed(self._steps):
            gradient = _sum(gradients.pop(number))
            outputs[number] = None  # Nobody reads it any more: its memory can be used again.
            passed: tuple[jax.Array, ...] = (gradient,)
            if step.kind is not StepKind.SUM:
                self._parameters[number], self._moments[number], passed = programs.backward(
                    self._parameters[number],
                    saved[number],
                    tuple(outputs[i] for i in step.inputs),
                    gradient,
                    self._moments[number],
                    self._rates[number],
                )
            if len(passed) == 1:
                passed = passed * len(step.inputs)  # All summands get the gradient of the sum.
            # The image gets no gradient, so its reader passes none.
            for source, own in zip(step.inputs, passed, strict=False):
                gradients.setdefault(source, []).append(own)
        return loss


def _sum(arrays: list[jax.Array]) -> jax.Array:
    """The sum, by few programs: each number of summands is one."""
    while len(arrays) > 1:
        arrays = [_sum_few(*arrays[:_MOST_SUMMANDS]), *arrays[_MOST_SUMMANDS:]]
    return arrays[0]


def _sum_zeros(shape: tuple[int, ...], dtype: jnp.dtype, count: int) -> jax.Array:
    return _sum([jax.device_put(np.zeros(shape, dtype))] * count)


def _normalise_zeros(batch_size: int, shape: tuple[int, ...], dtype: jnp.dtype) -> object:
    images = jax.device_put(np.zeros((batch_size, *shape), np.uint8))
    channels = jax.device_put(np.ones(shape[-1:], np.float32))
    labels = jax.device_put(np.zeros(batch_size, np.int32))
    part = DeviceImages(images, labels, channels, channels)
    return _batch(part, np.arange(batch_size), dtype)


def _lose_zeros(batch_size: int, classes: int) -> object:
    logits = jax.device_put(np.zeros((batch_size, classes), np.float32))
    labels = jax.device_put(np.zeros(batch_size, np.int32))
    correct = _count_correct(logits, labels, jax.device_put(np.zeros(batch_size, bool)))
    return _loss_and_gradient(logits, labels), correct


def _batch(
    part: DeviceImages, indices: np.ndarray, dtype: jnp.dtype
) -> tuple[jax.Array, jax.Array]:
    """As `take_batch`; on the CPU, XLA takes a millisecond to gather what NumPy has at once."""
    if jax.default_backend() != "cpu":
        return _take_batch(part, jnp.asarray(indices), dtype)
    chosen = DeviceImages(
        np.asarray(part.images)[indices],
        np.asarray(part.labels)[indices],
        part.mean,
        part.deviation,
    )
    return _take_batch(chosen, None, dtype)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _PlacedPrograms(NamedTuple):
    """A step at its position, and its functions."""

    number: int
    step: Step
    programs: StepPrograms


_take_batch = jax.jit(take_batch, static_argnames="dtype")
_count_correct = jax.jit(count_correct)
_loss_and_gradient = jax.jit(jax.value_and_grad(mean_cross_entropy))
_sum_few = jax.jit(lambda *arrays: sum(arrays[1:], arrays[0]))

_compiled: set[tuple[Any, ...]] = set()
"""Devices and small programs that are compiled for them."""
