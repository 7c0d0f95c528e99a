"""A network as a chain of small compiled programs, apart from the weights that it works on.

The plan is cut into steps over parts (`blockqnn.networks.parts`), whose shapes form a small set:
after some twenty children nearly every program that a new child needs is there, and compiling costs
next to nothing. A chain keeps no weights. What a step works on is `Held`, which the chain reads and
puts back; whoever owns it decides what shares it.
"""

from __future__ import annotations

import collections
import concurrent.futures
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.device_mesh import first_devices
from blockqnn.children.execution import DeviceImages
from blockqnn.children.held import Held as Held
from blockqnn.children.held import held as held
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
from blockqnn.children.step_programs import PlacedPrograms, StepPrograms, step_programs
from blockqnn.networks.parts import Step, StepKind


class Chain:
    """Small programs one after another.

    What steps hold is a `Held` for each by its position; that of the image is not looked at.
    """

    def __init__(self, steps: Sequence[Step], compiled: Compiled, batch_size: int):
        """Prepares, without compiling.

        Args:
            steps: of a plan that was cut, the image first.
            compiled: what programs depend on besides the steps.
            batch_size: images in a step of training.
        """
        self._compiled, self.batch_size = compiled, batch_size
        self._mesh = first_devices(compiled.devices)
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

    def compile(self, part: DeviceImages, apart: bool = False) -> None:
        """Compiles, on all cores, what no chain has met before.

        Args:
            part: images of the shape that will be trained on.
            apart: whether gradients are wanted by themselves, as for a bound of their norm.
        """
        # What jit compiles is for one device; the default one is a matter of the thread.
        device = jax.config.values["jax_default_device"]
        programs = dict.fromkeys(placed.programs for placed in self.steps)
        small = dict.fromkeys(self._small_programs(part))
        missing: list[Callable[[], object]] = [
            *(
                functools.partial(own.compile, apart)
                for own in programs
                if (device, apart) not in own.compiled_for
            ),
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
            own.compiled_for.add((device, apart))
        _compiled.update((device, *task) for task in small)

    def batch(self, part: DeviceImages, indices: np.ndarray) -> tuple[jax.Array, jax.Array]:
        """Images [B, H, W, C] as the chain takes them, and labels, by `batch_of`."""
        return batch_of(part, indices, self._compiled.dtype, self._compiled.devices)

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
        kept: dict[int, Any] = {}
        squares: list[jax.Array] = []

        def visit(number: int, own: Held, programs: StepPrograms, *those: Any) -> Any:
            """Trains at once, or keeps the gradients until all are known."""
            if not own.moments and own.parameters:
                # A mixture, whose row whoever mixes trains.
                return programs.gradients(own.parameters, *those)[1]
            if most_norm and own.parameters:
                found, passed, square = programs.gradients(own.parameters, *those)
                kept[number] = found
                squares.append(square)
                return passed
            own.parameters, own.moments, passed = programs.backward(
                own.parameters, *those, own.moments, own.rates
            )
            return passed

        loss = self._back(weights, images, labels, visit)
        if kept:
            self.descend(weights, kept, squares, most_norm)
        return loss

    def descend(
        self,
        weights: Sequence[Held],
        found: Mapping[int, Any],
        squares: list[jax.Array],
        most_norm: float,
    ) -> None:
        """Updates what steps hold by gradients that are known.

        Args:
            weights: what the steps hold, which is changed.
            found: the gradients, by the position of a step.
            squares: their squares, summed up for each.
            most_norm: as for `train_step`.
        """
        most = np.float32(most_norm or np.inf)
        factor = clipping_factor(total(squares), most)
        for number, gradients in found.items():
            own, programs = weights[number], self.steps[number - 1].programs
            own.parameters, own.moments = programs.update(
                own.parameters, gradients, own.moments, own.rates, factor
            )

    def gradients(
        self, weights: Sequence[Held], images: jax.Array, labels: jax.Array
    ) -> tuple[jax.Array, dict[int, Any], list[jax.Array]]:
        """The gradients of all that steps hold, rows of mixtures included.

        Args:
            weights: what the steps hold, of which the running statistics are updated.
            images: as `batch` returns them.
            labels: likewise.

        Returns:
            The loss; by the position of a step the gradients of its arrays; and the squares of
            those that are no rows, summed up for each step.
        """
        found: dict[int, Any] = {}
        squares: list[jax.Array] = []

        def visit(number: int, own: Held, programs: StepPrograms, *those: Any) -> Any:
            """Keeps the gradients."""
            arrays, passed, square = programs.gradients(own.parameters, *those)
            if arrays:
                found[number] = arrays
            if own.moments:
                squares.append(square)
            return passed

        return self._back(weights, images, labels, visit), found, squares

    def _back(
        self,
        weights: Sequence[Held],
        images: jax.Array,
        labels: jax.Array,
        visit: Callable[..., tuple[jax.Array, ...]],
    ) -> jax.Array:
        """Goes forward, then back from step to step.

        Args:
            weights: what the steps hold.
            images: as `batch` returns them.
            labels: likewise.
            visit: from a step's position, what it holds, its programs, what its forward pass
                saved, its inputs and its output's gradient to those of its inputs.

        Returns:
            The loss.
        """
        outputs, saved = self.forward(weights, images)
        loss, gradient = self._mesh.apart(loss_and_gradient)(outputs[-1], labels)
        gradients: dict[int, list[jax.Array]] = {len(outputs) - 1: [gradient]}
        for number, step, programs in reversed(self.steps):
            gradient = total(gradients.pop(number))
            outputs[number] = None  # Nobody reads it any more: its memory can be used again.
            if step.kind is StepKind.SUM:
                passed = tuple(first_channels(gradient, s[-1]) for s in step.input_shapes)
            else:
                inputs = tuple(outputs[i] for i in step.inputs)
                passed = visit(number, weights[number], programs, saved[number], inputs, gradient)
            if len(passed) == 1:
                # A norm of summands passes one gradient, which is that of each.
                passed = passed * len(step.inputs)
            # The image gets no gradient, so its reader passes none.
            for source, its in zip(step.inputs, passed, strict=False):
                gradients.setdefault(source, []).append(its)
        return loss

    def forward(self, weights: Sequence[Held], images: jax.Array) -> tuple[list[Any], list[Any]]:
        """All outputs in training, the running statistics being updated.

        Args:
            weights: what the steps hold.
            images: as `batch` returns them.

        Returns:
            The output of each step, the image first, and what its backward pass needs, which of a
            batch norm ends with the batch's own statistics.
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
        dtype, devices = self._compiled.dtype, self._compiled.devices
        yield normalise_zeros, devices, self.batch_size, part.images.shape[1:], dtype
        yield lose_zeros, devices, self.batch_size, *self.steps[-1].step.shape
        sources = (source for _, step, _ in self.steps for source in step.inputs if source > 0)
        readers = collections.Counter(sources)
        for number, step, _ in self.steps:
            # Global pooling widens, so vectors are float32.
            wide = dtype if len(step.shape) > 1 else jnp.dtype(jnp.float32)
            for shape in step.input_shapes if step.kind is StepKind.SUM else ():
                if shape != step.shape:
                    yield narrow_zeros, devices, (self.batch_size, *step.shape), wide, shape[-1]
            if readers[number] > 1:
                yield sum_zeros, devices, (self.batch_size, *step.shape), wide, readers[number]


def _cores() -> int:
    """Cores that this process may use."""
    bound = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if bound else os.cpu_count() or 1


_compiled: set[tuple[Any, ...]] = set()
"""Devices and small programs that are compiled for them."""
