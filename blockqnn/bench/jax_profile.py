"""Where a step of JAX's child goes, program by program."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.bench.profile import (
    CLASSIFIER,
    NORM,
    SUMS,
    WEIGHTS,
    Direction,
    Measured,
    flops_of,
    kind_of,
    median_seconds,
)
from blockqnn.children.compiler_options import compiler_options
from blockqnn.children.execution import (
    adam,
    compute_dtype,
    descend,
    initial_moments,
    mean_cross_entropy,
)
from blockqnn.networks.normalisation import (
    batch_norm_gradients,
    batch_statistics,
    normalised,
    running_statistics,
)
from blockqnn.networks.parts import Step, cut_into_steps
from blockqnn.networks.plan import Plan
from blockqnn.settings import Recipe


class JaxProfile:
    """Measures the programs of a child's step by themselves."""

    def __init__(self, plan: Plan, recipe: Recipe, batch_size: int):
        """Takes a child to its steps.

        Args:
            plan: of the child network.
            recipe: how it is trained.
            batch_size: images in a step.
        """
        self._steps = cut_into_steps(plan)
        self._recipe, self._batch_size = recipe, batch_size
        self._random = np.random.default_rng(0)

    def measure(self) -> list[Measured]:
        """Compiles and times every program once, and counts how often a step calls it."""
        times = collections.Counter(
            (step.signature, 0 not in step.inputs) for step in self._steps[1:]
        )
        found: list[Measured] = []
        for (step, passes), count in times.items():
            found += self._of_step(step, passes, count)
        readers = collections.Counter(i for step in self._steps for i in step.inputs if i)
        sums = collections.Counter(
            (self._steps[number].shape, count) for number, count in readers.items() if count > 1
        )
        for (shape, count), often in sums.items():
            arrays = [self._array(shape) for _ in range(count)]
            seconds = self._seconds(lambda *xs: sum(xs[1:], xs[0]), *arrays)
            found.append(Measured(SUMS, Direction.INPUT, seconds, times=often))
        found.append(self._loss())
        return found

    def _of_step(self, step: Step, passes: bool, times: int) -> Iterator[Measured]:
        """A step's programs, each by itself."""
        own = step.kind.arrays(step)
        kind, flops = kind_of(step.kind.name, step, own), flops_of(self._batch_size, step, own)
        parameters = {name: self._array(shape, batch=False) for name, shape in own.items()}
        inputs = tuple(self._array(shape) for shape in step.input_shapes)
        gradient = self._array(step.shape)

        def run(parameters: Any, inputs: Any) -> jax.Array:
            return step.kind.compute(step, parameters, inputs)

        def of_inputs(parameters: Any, inputs: Any, gradient: jax.Array) -> Any:
            return jax.vjp(lambda xs: run(parameters, xs), inputs)[1](gradient)

        def of_arrays(parameters: Any, inputs: Any, gradient: jax.Array) -> Any:
            return jax.vjp(lambda own: run(own, inputs), parameters)[1](gradient)

        # A sum of one, as before a batch norm, computes nothing; nor do the gradients of sums.
        moves = kind != SUMS or len(inputs) > 1
        if moves:
            seconds = self._seconds(run, parameters, inputs)
            yield Measured(kind, Direction.VALUE, seconds, flops, times)
        if passes and kind != SUMS:
            seconds = self._seconds(of_inputs, parameters, inputs, gradient)
            yield Measured(kind, Direction.INPUT, seconds, flops, times)
        if own:
            seconds = self._seconds(of_arrays, parameters, inputs, gradient)
            yield Measured(kind, Direction.ARRAYS, seconds, flops, times)
        if step.normalises:
            yield from self._of_norm(step, times)
        if step.parameter_shapes:
            yield self._of_update(step, times)

    def _of_norm(self, step: Step, times: int) -> Iterator[Measured]:
        x, gradient = self._array(step.shape), self._array(step.shape)
        channels = step.shape[-1:]
        arrays = {name: self._array(channels, batch=False) for name in ("scale", "bias")}
        running = {name: self._array(channels, batch=False) for name in ("mean", "variance")}

        def value(x: jax.Array, arrays: Any, running: Any) -> Any:
            batch = batch_statistics(x)
            return normalised(x, arrays, batch), running_statistics(running, batch)

        seconds = self._seconds(value, x, arrays, running)
        yield Measured(NORM, Direction.VALUE, seconds, times=times)
        batch = jax.jit(batch_statistics)(x)
        seconds = self._seconds(batch_norm_gradients, x, arrays, batch, gradient)
        yield Measured(NORM, Direction.INPUT, seconds, times=times)

    def _of_update(self, step: Step, times: int) -> Measured:
        optimiser = adam(self._recipe)
        arrays = {
            name: self._array(shape, batch=False) for name, shape in step.parameter_shapes.items()
        }
        moments = initial_moments(optimiser, arrays)
        rates = {name: np.float32(1e-3) for name in arrays}

        def update(own: Any, moments: Any, parameters: Any, rates: Any) -> Any:
            return descend(optimiser, own, moments, parameters, rates)

        seconds = self._seconds(update, arrays, moments, arrays, rates)
        return Measured(WEIGHTS, Direction.UPDATE, seconds, times=times)

    def _loss(self) -> Measured:
        logits = self._array(self._steps[-1].shape)
        labels = jnp.zeros(self._batch_size, jnp.int32)
        seconds = self._seconds(jax.value_and_grad(mean_cross_entropy), logits, labels)
        return Measured(CLASSIFIER, Direction.VALUE, seconds)

    def _array(self, shape: tuple[int, ...], batch: bool = True) -> jax.Array:
        full = (self._batch_size, *shape) if batch else shape
        # Global pooling widens, so vectors are float32; so are all weights.
        dtype = compute_dtype(self._recipe) if batch and len(shape) == 3 else jnp.float32
        return jnp.asarray(self._random.standard_normal(full), dtype)

    def _seconds(self, function: Callable[..., Any], *arguments: Any) -> float:
        compiled = jax.jit(function, compiler_options=compiler_options())
        return median_seconds(lambda: jax.block_until_ready(compiled(*arguments)))
