"""The compiled programs of one step signature: forward, backward with update, evaluation.

The backward program computes again what it needs of the forward one, from the
same inputs: all but a convolution is cheap, and a convolution's output is not
needed. It is fused with the optimiser's update; where all gradients must be known before
anything is updated, a program of gradients and one of the update take its place.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.compiler_options import compiler_options
from blockqnn.children.device_mesh import PARTS, WHOLE, first_devices
from blockqnn.children.execution import descend, initial_moments
from blockqnn.children.optimiser import Compiled
from blockqnn.networks.layers import compute_step
from blockqnn.networks.normalisation import (
    Arrays,
    batch_norm_gradients,
    batch_statistics,
    normalised,
    running_statistics,
)
from blockqnn.networks.operations.steps import ROW
from blockqnn.networks.parts import Step, StepKind

_KEPT_SIGNATURES = 512
"""Signatures whose programs are kept; the least recently used leave first. A
search meets about a hundred."""


class StepPrograms:
    """The jitted functions of one step signature."""

    def __init__(self, step: Step, compiled: Compiled, batch_size: int, passes_gradient: bool):
        self._step, self._dtype, self._batch_size = step, compiled.dtype, batch_size
        self._optimiser = compiled.optimiser.transformation()
        self._passes_gradient = passes_gradient
        self.compiled_for: set[tuple[jax.Device | None, bool]] = set()
        self._mesh = first_devices(compiled.devices)

        def program(function: Any, takes: Any, gives: Any) -> Any:
            made = self._mesh.program(function, takes, gives, options=compiler_options())
            return self._mesh.apart(made)

        saved = (PARTS, WHOLE) if step.normalises else ()
        given = (WHOLE, saved, PARTS, PARTS)
        self.forward = program(self._forward, (WHOLE, WHOLE, PARTS), (PARTS, WHOLE, saved))
        self.backward = program(self._backward, (*given, WHOLE, WHOLE), (WHOLE, WHOLE, PARTS))
        self.gradients = program(self._gradients_and_squares, given, (WHOLE, PARTS, WHOLE))
        self.update = program(self._update, WHOLE, WHOLE)
        self._normalise = program(self._evaluate, (WHOLE, WHOLE, PARTS), PARTS)

    def infer(self, parameters: Arrays, statistics: Arrays, inputs: Any) -> jax.Array:
        """The output in evaluation."""
        if self._step.normalises:
            return self._normalise(parameters, statistics, inputs)
        # Only batch norm differs in evaluation: the rest need not compile again.
        return self.forward(parameters, statistics, inputs)[0]

    def compile(self, apart: bool = False) -> jax.Array:
        """Runs every function once on zeros, which is how jit compiles.

        Args:
            apart: whether gradients are wanted by themselves, not fused with their update.

        Returns:
            The last output.
        """
        step = self._step
        # Global pooling widens, so all that comes after it is float32.
        vectors = len(step.input_shapes[0]) == 1
        dtype = jnp.dtype(jnp.float32) if vectors else self._dtype
        put = self._mesh.put
        inputs = tuple(
            put(np.zeros((self._batch_size, *shape), dtype), PARTS) for shape in step.input_shapes
        )
        parameters, statistics = put(_zero_parameters(step)), put(_zero_statistics(step))
        moments: Any = ()
        if step.parameter_shapes:
            moments = put(initial_moments(self._optimiser, parameters))
        output, _, saved = self.forward(parameters, statistics, inputs)
        rates = {name: np.zeros((), np.float32) for name in parameters}
        if step.kind.by_rows:
            rates["kernel"] = np.zeros((parameters["kernel"].shape[-2], 1), np.float32)
        gradient = put(np.zeros(output.shape, output.dtype), PARTS)
        if apart or step.choices:
            own, _, square = self.gradients(parameters, saved, inputs, gradient)
            if own and not step.choices:
                self.update(parameters, own, moments, put(rates), square)
        else:
            self.backward(parameters, saved, inputs, gradient, moments, put(rates))
        return self.infer(parameters, statistics, inputs)

    def _forward(self, parameters: Arrays, statistics: Arrays, inputs: Any) -> Any:
        """The output, the statistics after it, and what the backward pass shall not repeat."""
        if self._step.normalises:
            x = self._before_norm(parameters, inputs)
            batch = batch_statistics(x, self._mesh.axis)
            after = running_statistics(statistics, batch)
            return normalised(x, parameters, batch), after, (x, batch)
        return (*compute_step(self._step, parameters, statistics, inputs, training=True), ())

    def _before_norm(self, parameters: Arrays, inputs: Any) -> jax.Array:
        """What the step's function computes, which batch norm normalises if the step has one."""
        return self._step.kind.compute(self._step, parameters, inputs)

    def _backward(
        self,
        parameters: Any,
        saved: Any,
        inputs: Any,
        gradient: jax.Array,
        moments: Any,
        rates: Any,
    ) -> Any:
        """Parameters and moments after the update, and the inputs' gradients, as `_gradients`."""
        own, passed = self._gradients(parameters, saved, inputs, gradient)
        if own:
            parameters, moments = descend(self._optimiser, own, moments, parameters, rates)
        return parameters, moments, passed

    def _gradients_and_squares(
        self, parameters: Any, saved: Any, inputs: Any, gradient: jax.Array
    ) -> Any:
        """As `_gradients`, and the sum of the squares of the arrays' gradients."""
        own, passed = self._gradients(parameters, saved, inputs, gradient)
        squares = sum((jnp.sum(jnp.square(array)) for array in own.values()), jnp.float32(0))
        return own, passed, squares

    def _update(
        self, parameters: Any, own: Any, moments: Any, rates: Any, factor: jax.Array
    ) -> Any:
        """Parameters and moments after the update by gradients, times a factor."""
        scaled = {name: factor.reshape((1,) * array.ndim) * array for name, array in own.items()}
        return descend(self._optimiser, scaled, moments, parameters, rates)

    def _gradients(self, parameters: Any, saved: Any, inputs: Any, gradient: jax.Array) -> Any:
        """The gradients of the step's arrays, and of its inputs.

        Where the inputs are summed, one gradient stands for all.
        """
        own: dict[str, jax.Array] = {}
        passed: tuple[jax.Array, ...] = (gradient,)
        if self._step.normalises:
            x, batch = saved
            norm, gradient = batch_norm_gradients(x, parameters, batch, gradient, self._mesh.axis)
            own |= norm
            passed = (gradient,)
        if self._step.kind is StepKind.BIAS:
            own = {"bias": self._mesh.total(jnp.sum(gradient, axis=0))}
        elif self._step.kind.with_scale is not StepKind.BATCH_NORM:
            run = self._before_norm
            before = {name: array for name, array in parameters.items() if name not in own}
            if self._passes_gradient:
                rest, passed = jax.vjp(run, before, inputs)[1](gradient)
            else:
                (rest,) = jax.vjp(functools.partial(run, inputs=inputs), before)[1](gradient)
                passed = ()
            own |= self._mesh.total(rest)
        return own, passed

    def _evaluate(self, parameters: Arrays, statistics: Arrays, inputs: Any) -> jax.Array:
        return compute_step(self._step, parameters, statistics, inputs, training=False)[0]


class PlacedPrograms(NamedTuple):
    """A step at its position, and its functions."""

    number: int
    step: Step
    programs: StepPrograms


def _zero_parameters(step: Step) -> dict[str, np.ndarray]:
    shapes = step.parameter_shapes
    if step.choices:
        shapes[ROW] = (step.choices,)
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def _zero_statistics(step: Step) -> dict[str, np.ndarray]:
    if not step.normalises:
        return {}
    return {name: np.zeros(step.shape[-1:], np.float32) for name in ("mean", "variance")}


step_programs = functools.lru_cache(_KEPT_SIGNATURES)(StepPrograms)
"""The programs of a signature, the same whenever they are asked for."""
