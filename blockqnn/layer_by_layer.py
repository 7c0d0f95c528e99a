"""A child as a chain of small compiled programs, one for each layer signature.

The layers of all children are drawn from a finite set of signatures, so the
executables of one child serve the next, and compiling falls towards nothing
as a search goes on. The forward pass is the jitted `jax.vjp` of a layer; the
vjp is a pytree, so it can leave jit and enter the backward pass, which is
fused with the optimiser's update.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.execution import (
    DeviceImages,
    adam,
    compute_dtype,
    count_correct,
    descend,
    evaluation_batches,
    initial_moments,
    mean_cross_entropy,
    take_batch,
)
from blockqnn.settings import Recipe
from networks.initial import Weights, initial_parameters, initial_statistics
from networks.layers import Arrays, compute
from networks.plan import Operation, PlacedLayer, Plan

_KEPT_SIGNATURES = 2048
"""Signatures whose executables are kept; the least recently used leave first."""

_QUICK_TO_COMPILE = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
"""Options that halve compile time on a CPU and leave steps as fast as they were
(`benchmarks/compiler_options.py`)."""


class LayerByLayer:
    """Executes a child layer by layer."""

    def __init__(self, plan: Plan, recipe: Recipe, batch_size: int):
        """Prepares, without compiling.

        Args:
            plan: of the child network.
            recipe: how to train it.
            batch_size: images in a step.
        """
        self._recipe, self._batch_size = recipe, batch_size
        self._layers = [
            _PlacedPrograms(
                number,
                layer.inputs,
                _layer_programs(
                    # Equal signatures must be equal keys, wherever the layers stand.
                    dataclasses.replace(layer, name="", inputs=()),
                    recipe,
                    batch_size,
                    passes_gradient=0 not in layer.inputs,
                ),
            )
            for number, layer in enumerate(plan)
            if number > 0
        ]
        self._parameters: list[Any] = []
        self._statistics: list[Any] = []
        self._moments: list[Any] = []

    def compile(self, train: DeviceImages, validation: DeviceImages, steps: int) -> None:
        """See `Execution.compile`. Compiles on all cores what no child has met before."""
        met = dict.fromkeys(layer.programs for layer in self._layers)
        missing = [programs for programs in met if not programs.compiled]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(_LayerPrograms.compile, missing))

    def start(self, parameters: Weights, statistics: Weights) -> None:
        """See `Execution.start`."""
        optimiser = adam(self._recipe)
        self._parameters = [jax.device_put(arrays) for arrays in parameters]
        self._statistics = [jax.device_put(arrays) for arrays in statistics]
        self._moments = [
            jax.device_put(initial_moments(optimiser, arrays)) if arrays else ()
            for arrays in parameters
        ]

    def train_epoch(self, part: DeviceImages, order: np.ndarray, learning_rate: float) -> float:
        """See `Execution.train_epoch`."""
        rate = jnp.asarray(learning_rate, jnp.float32)
        losses = [self._train_step(part, jnp.asarray(indices), rate) for indices in order]
        return float(np.mean(jax.device_get(losses)))

    def evaluate(self, part: DeviceImages) -> float:
        """See `Execution.evaluate`."""
        counts = []
        batches = evaluation_batches(len(part.labels), self._batch_size)
        for indices, real in zip(*batches, strict=True):
            images, labels = _take_batch(part, jnp.asarray(indices), compute_dtype(self._recipe))
            outputs = [images]
            for number, inputs, programs in self._layers:
                outputs.append(
                    programs.infer(
                        self._parameters[number],
                        self._statistics[number],
                        tuple(outputs[i] for i in inputs),
                    )
                )
            counts.append(_count_correct(outputs[-1], labels, jnp.asarray(real)))
        return float(np.sum(jax.device_get(counts))) / len(part.labels)

    def weights(self) -> tuple[Weights, Weights]:
        """See `Execution.weights`."""
        return jax.device_get(self._parameters), jax.device_get(self._statistics)

    def _train_step(self, part: DeviceImages, indices: jax.Array, rate: jax.Array) -> jax.Array:
        images, labels = _take_batch(part, indices, compute_dtype(self._recipe))
        outputs, pullbacks = [images], []
        for number, inputs, programs in self._layers:
            output, self._statistics[number], pullback = programs.forward(
                self._parameters[number],
                self._statistics[number],
                tuple(outputs[i] for i in inputs),
            )
            outputs.append(output)
            pullbacks.append(pullback)
        loss, gradient = _loss_and_gradient(outputs.pop(), labels)
        gradients: dict[int, jax.Array] = {len(outputs): gradient}
        for number, inputs, programs in reversed(self._layers):
            self._parameters[number], self._moments[number], passed = programs.backward(
                pullbacks.pop(),
                gradients.pop(number),
                self._parameters[number],
                self._moments[number],
                rate,
            )
            # The image gets no gradient, so its reader passes none.
            for source, gradient in zip(inputs, passed, strict=False):
                before = gradients.get(source)
                gradients[source] = gradient if before is None else _sum(before, gradient)
        return loss


class _LayerPrograms:
    """The jitted functions of one layer signature."""

    def __init__(self, layer: PlacedLayer, recipe: Recipe, batch_size: int, passes_gradient: bool):
        self._layer, self._recipe, self._batch_size = layer, recipe, batch_size
        self._optimiser = adam(recipe)
        self._passes_gradient = passes_gradient
        self.compiled = False
        options = _compiler_options()
        self.forward = jax.jit(self._forward, compiler_options=options)
        self.backward = jax.jit(self._backward, compiler_options=options)
        self._infer = jax.jit(self._evaluate, compiler_options=options)

    def infer(self, parameters: Arrays, statistics: Arrays, inputs: Any) -> jax.Array:
        """The output in evaluation."""
        if self._layer.operation is Operation.PCC:
            return self._infer(parameters, statistics, inputs)
        # Only batch norm differs in evaluation: the rest need not compile again.
        return self.forward(parameters, statistics, inputs)[0]

    def compile(self) -> None:
        """Runs every function once on zeros, which is how jit compiles."""
        layer = self._layer
        # The classifier's input comes from global pooling, which widens.
        wide = layer.operation is Operation.LINEAR
        dtype = jnp.dtype(jnp.float32) if wide else compute_dtype(self._recipe)
        inputs = tuple(
            jax.device_put(np.zeros((self._batch_size, *shape), dtype))
            for shape in layer.input_shapes
        )
        parameters = jax.device_put(initial_parameters((layer,), seed=0)[0])
        statistics = jax.device_put(initial_statistics((layer,))[0])
        moments = jax.device_put(initial_moments(self._optimiser, parameters)) if parameters else ()
        output, _, pullback = self.forward(parameters, statistics, inputs)
        rate = jnp.asarray(0.0, jnp.float32)
        self.backward(pullback, jnp.zeros_like(output), parameters, moments, rate)
        jax.block_until_ready(self.infer(parameters, statistics, inputs))
        self.compiled = True

    def _forward(self, parameters: Arrays, statistics: Arrays, inputs: Any) -> Any:
        def run(parameters: Arrays, inputs: Any) -> Any:
            return compute(self._layer, parameters, statistics, inputs, training=True)

        if self._passes_gradient:
            output, pullback, after = jax.vjp(run, parameters, inputs, has_aux=True)
        else:
            output, pullback, after = jax.vjp(
                functools.partial(run, inputs=inputs), parameters, has_aux=True
            )
        return output, after, pullback

    def _backward(
        self, pullback: Any, gradient: jax.Array, parameters: Any, moments: Any, rate: jax.Array
    ) -> Any:
        own, *passed = pullback(gradient)
        if own:
            parameters, moments = descend(self._optimiser, own, moments, parameters, rate)
        return parameters, moments, passed[0] if passed else ()

    def _evaluate(self, parameters: Arrays, statistics: Arrays, inputs: Any) -> jax.Array:
        return compute(self._layer, parameters, statistics, inputs, training=False)[0]


@functools.cache
def _compiler_options() -> dict[str, bool | int]:
    """The options that this version of XLA knows; their set changes between versions."""
    known: dict[str, bool | int] = {}
    if jax.default_backend() != "cpu":
        return known
    for name, value in _QUICK_TO_COMPILE.items():
        try:
            jax.jit(jnp.negative, compiler_options={name: value}).lower(0.0).compile()
        except jax.errors.JaxRuntimeError:
            continue
        known[name] = value
    return known


class _PlacedPrograms(NamedTuple):
    """A layer of the plan: its position, those of its inputs, and its functions."""

    number: int
    inputs: tuple[int, ...]
    programs: _LayerPrograms


_layer_programs = functools.lru_cache(_KEPT_SIGNATURES)(_LayerPrograms)
_take_batch = jax.jit(take_batch, static_argnames="dtype")
_count_correct = jax.jit(count_correct)
_loss_and_gradient = jax.jit(jax.value_and_grad(mean_cross_entropy))
_sum = jax.jit(jnp.add)
