"""A network as a chain of small compiled programs, apart from the weights that it works on.

The plan is cut into steps over parts (`blockqnn.networks.parts`), whose shapes form a small
set: after some twenty children nearly every program that a new child needs is there already,
and compiling costs next to nothing. A chain keeps no weights. What a step works on is `Held`,
which the chain reads and puts back; whoever owns it decides what shares it.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.execution import DeviceImages, initial_moments
from blockqnn.children.optimiser import Compiled
from blockqnn.children.small_programs import (
    batch_of,
    clipping_factor,
    first_channels,
    lose_zeros,
    loss_and_gradient,
    narrow_zeros,
    normalise_zeros,
    sum_zeros,
    total,
)
from blockqnn.children.step_programs import StepPrograms, step_programs
from blockqnn.networks.parts import Step, StepKind


@dataclasses.dataclass
class Held:
    """What a step works on: arrays on the device.

    Attributes:
        parameters: that are trained, by name.
        statistics: running mean and variance of a batch norm; empty without one.
        moments: of the optimiser.
        copies: how many of its layer's numbers each number stands for, see `copies`.
        rates: by how much each array follows its direction, as of the last `follow`.
    """

    parameters: Any = dataclasses.field(default_factory=dict)
    statistics: Any = dataclasses.field(default_factory=dict)
    moments: Any = ()
    copies: Any = dataclasses.field(default_factory=dict)
    rates: Any = dataclasses.field(default_factory=dict)
    _rate: np.float32 | None = None

    def follow(self, rate: np.float32) -> None:
        """Makes a learning rate that of every array."""
        if rate != self._rate:
            self._rate = rate
            self.rates = jax.device_put({name: rate * n for name, n in self.copies.items()})


def held(
    compiled: Compiled,
    parameters: dict[str, np.ndarray],
    statistics: dict[str, np.ndarray],
    copies: dict[str, np.ndarray],
) -> Held:
    """What a step works on before its first update.

    Args:
        compiled: by which the step is updated.
        parameters: its trained arrays.
        statistics: of its batch norm; empty without one.
        copies: see `Held`.

    Returns:
        All of it, on the default device.
    """
    optimiser = compiled.optimiser.transformation()
    return Held(
        jax.device_put(parameters),
        jax.device_put(statistics),
        jax.device_put(initial_moments(optimiser, parameters)) if parameters else (),
        copies,
    )


class Chain:
    """Small programs one after another.

    Where a method takes what steps hold, that is one `Held` for each step, by its position;
    that of the image, the first, is not looked at.
    """

    def __init__(self, steps: Sequence[Step], compiled: Compiled, batch_size: int):
        """Prepares, without compiling.

        Args:
            steps: of a plan that was cut, the image first.
            compiled: what programs depend on besides the steps.
            batch_size: images in a step of training.
        """
        self._compiled, self.batch_size = compiled, batch_size
        self.all_steps = tuple(steps)
        self.steps = [
            PlacedPrograms(
                number,
                step,
                step_programs(step.signature, compiled, batch_size, 0 not in step.inputs),
            )
            for number, step in enumerate(steps)
            if number > 0
        ]

    def compile(self, part: DeviceImages) -> None:
        """Compiles, on all cores, what no chain has met before.

        Args:
            part: images of the shape that will be trained on.
        """
        # What jit compiles is for one device; the default one is a matter of the thread.
        device = jax.config.values["jax_default_device"]
        programs = dict.fromkeys(placed.programs for placed in self.steps)
        small = dict.fromkeys(self._small_programs(part))
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

    def batch(self, part: DeviceImages, indices: np.ndarray) -> tuple[jax.Array, jax.Array]:
        """Images as the chain takes them, and labels; on the CPU NumPy gathers them.

        Args:
            part: where to take them from.
            indices: int32 [B].

        Returns:
            Images [B, H, W, C], labels int32 [B].
        """
        return batch_of(part, indices, self._compiled.dtype)

    def infer(self, weights: Sequence[Held], images: jax.Array) -> jax.Array:
        """Logits [B, classes] in evaluation."""
        outputs = [images]
        for number, step, programs in self.steps:
            own = weights[number]
            inputs = tuple(outputs[i] for i in step.inputs)
            outputs.append(programs.infer(own.parameters, own.statistics, inputs))
        return outputs[-1]

    def train_step(
        self,
        weights: Sequence[Held],
        images: jax.Array,
        labels: jax.Array,
        most_norm: float = 0.0,
    ) -> jax.Array:
        """One step of training, at the rates that the weights follow.

        Args:
            weights: what the steps hold, which is changed.
            images: as `batch` returns them.
            labels: likewise.
            most_norm: to which the norm of all gradients together is cut; 0 for no bound.

        Returns:
            The loss before the step.
        """
        loss, kept, squares = self._descended(weights, images, labels, bool(most_norm))
        if kept:
            factor = clipping_factor(total(squares), np.float32(most_norm))
            for number, programs, found in kept:
                own = weights[number]
                own.parameters, own.moments = programs.update(
                    own.parameters, found, own.moments, own.rates, factor
                )
        return loss

    def gradients(
        self, weights: Sequence[Held], images: jax.Array, labels: jax.Array
    ) -> dict[int, dict[str, jax.Array]]:
        """The gradients of the loss, nothing being updated but running statistics.

        Args:
            weights: what the steps hold.
            images: as `batch` returns them.
            labels: likewise.

        Returns:
            By the number of a step those of its arrays, by name.
        """
        _, kept, _ = self._descended(weights, images, labels, keeps=True)
        return {number: found for number, _, found in kept}

    def _descended(
        self, weights: Sequence[Held], images: jax.Array, labels: jax.Array, keeps: bool
    ) -> tuple[jax.Array, list[tuple[int, StepPrograms, Any]], list[jax.Array]]:
        """Forward and backward, with each step's update, or keeping all gradients.

        Returns the loss; and for each step with arrays, where gradients are kept, its number, its
        programs and its gradients, and the sum of their squares.
        """
        outputs, saved = self.forward(weights, images)
        loss, gradient = loss_and_gradient(outputs[-1], labels)
        gradients: dict[int, list[jax.Array]] = {len(outputs) - 1: [gradient]}
        kept: list[tuple[int, StepPrograms, Any]] = []
        squares: list[jax.Array] = []
        for number, step, programs in reversed(self.steps):
            gradient = total(gradients.pop(number))
            outputs[number] = None  # Nobody reads it any more: its memory can be used again.
            passed: tuple[jax.Array, ...] = (gradient,)
            if step.kind is StepKind.SUM:
                passed = tuple(first_channels(gradient, s[-1]) for s in step.input_shapes)
            else:
                own, inputs = weights[number], tuple(outputs[i] for i in step.inputs)
                if keeps and own.parameters:
                    found, passed, square = programs.gradients(
                        own.parameters, saved[number], inputs, gradient
                    )
                    kept.append((number, programs, found))
                    squares.append(square)
                else:
                    own.parameters, own.moments, passed = programs.backward(
                        own.parameters, saved[number], inputs, gradient, own.moments, own.rates
                    )
            if len(passed) == 1:
                # A norm of summands passes one gradient, which is that of each.
                passed = passed * len(step.inputs)
            # The image gets no gradient, so its reader passes none.
            for source, its in zip(step.inputs, passed, strict=False):
                gradients.setdefault(source, []).append(its)
        return loss, kept, squares

    def forward(self, weights: Sequence[Held], images: jax.Array) -> tuple[list[Any], list[Any]]:
        """All outputs in training, the running statistics being updated.

        Args:
            weights: what the steps hold.
            images: as `batch` returns them.

        Returns:
            The output of each step, the image first, and what its backward pass needs; that
            of a batch norm ends with the batch's own statistics.
        """
        outputs: list[Any] = [images]
        saved: list[Any] = [()]
        for number, step, programs in self.steps:
            own = weights[number]
            inputs = tuple(outputs[i] for i in step.inputs)
            output, own.statistics, kept = programs.forward(own.parameters, own.statistics, inputs)
            outputs.append(output)
            saved.append(kept)
        return outputs, saved

    def _small_programs(self, part: DeviceImages) -> Iterator[tuple[Any, ...]]:
        """What is compiled besides the steps: functions with their arguments."""
        dtype = self._compiled.dtype
        yield normalise_zeros, self.batch_size, part.images.shape[1:], dtype
        yield lose_zeros, self.batch_size, *self.steps[-1].step.shape
        readers = collections.Counter(
            source for _, step, _ in self.steps for source in step.inputs if source > 0
        )
        for number, step, _ in self.steps:
            # Global pooling widens, so vectors are float32.
            wide = dtype if len(step.shape) > 1 else jnp.dtype(jnp.float32)
            for shape in step.input_shapes if step.kind is StepKind.SUM else ():
                if shape != step.shape:
                    yield narrow_zeros, (self.batch_size, *step.shape), wide, shape[-1]
            if readers[number] > 1:
                yield sum_zeros, (self.batch_size, *step.shape), wide, readers[number]


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class PlacedPrograms(NamedTuple):
    """A step at its position, and its functions."""

    number: int
    step: Step
    programs: StepPrograms


_compiled: set[tuple[Any, ...]] = set()
"""Devices and small programs that are compiled for them."""
