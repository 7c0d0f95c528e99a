"""A child as one compiled program: fastest once compiled, for GPU and TPU."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.execution import (
    DeviceImages,
    compute_dtype,
    count_correct,
    descend,
    evaluation_batches,
    initial_moments,
    mean_cross_entropy,
    take_batch,
)
from blockqnn.children.optimiser import compiled_by
from blockqnn.networks.initial import Weights, initial_parameters, initial_statistics
from blockqnn.networks.layers import compute
from blockqnn.networks.normalisation import Arrays
from blockqnn.networks.plan import Plan
from blockqnn.settings import Recipe


def forward(
    plan: Plan,
    parameters: list[Arrays],
    statistics: list[Arrays],
    images: jax.Array,
    training: bool,
) -> tuple[jax.Array, list[Arrays]]:
    """Computes a child network.

    Args:
        plan: of the network.
        parameters: for each layer its trained arrays.
        statistics: for each layer its running statistics.
        images: [B, H, W, C], normalised.
        training: whether batch norm uses the batch's statistics.

    Returns:
        Logits [B, classes] and the statistics after it.
    """
    outputs, after = [images], [statistics[0]]
    for layer, own, running in zip(plan[1:], parameters[1:], statistics[1:], strict=True):
        inputs = [outputs[i] for i in layer.inputs]
        output, running = compute(layer, own, running, inputs, training)
        outputs.append(output)
        after.append(running)
    return outputs[-1], after


class WholeProgram:
    """Executes a child by one jitted step.

    On GPU and TPU the steps of an epoch are one `lax.scan`, so that the host
    is not in the way. On the CPU the step is called from Python, because a
    convolution inside a loop is several times slower there.
    """

    def __init__(self, plan: Plan, recipe: Recipe, batch_size: int):
        """Prepares, without compiling.

        Args:
            plan: of the child network.
            recipe: how to train it.
            batch_size: images in a step.
        """
        self._plan, self._batch_size = plan, batch_size
        self._dtype = compute_dtype(recipe)
        self._optimiser = compiled_by(recipe).optimiser.transformation()
        self._scan = jax.default_backend() != "cpu"
        self._state: Any = None
        self._epoch: Any = jax.jit(self._train_steps, donate_argnums=0)
        self._step: Any = jax.jit(self._train_step, donate_argnums=0)
        self._count: Any = jax.jit(self._count_batch)

    def compile(self, train: DeviceImages, validation: DeviceImages, steps: int) -> None:
        """See `Execution.compile`."""
        state = jax.eval_shape(self._initial_state)
        indices = jax.ShapeDtypeStruct((self._batch_size,), jnp.int32)
        rate = jax.ShapeDtypeStruct((), jnp.float32)
        # What jit made refers to this child, and so do these: unless all are replaced, its arrays
        # stay on the device until Python looks for cycles.
        if self._scan:
            order = jax.ShapeDtypeStruct((steps, self._batch_size), jnp.int32)
            rates = jax.ShapeDtypeStruct((steps,), jnp.float32)
            self._epoch = self._epoch.lower(state, train, order, rates).compile()
            self._step = None
        else:
            self._step = self._step.lower(state, train, indices, rate).compile()
            self._epoch = None
        real = jax.ShapeDtypeStruct((self._batch_size,), jnp.bool_)
        self._count = self._count.lower(state, validation, indices, real).compile()

    def start(self, parameters: Weights, statistics: Weights) -> None:
        """See `Execution.start`."""
        moments = initial_moments(self._optimiser, parameters)
        self._state = jax.device_put((parameters, statistics, moments))

    def train_epoch(
        self, part: DeviceImages, order: np.ndarray, learning_rate: float | np.ndarray
    ) -> float:
        """See `Execution.train_epoch`."""
        rates = np.broadcast_to(np.float32(learning_rate), len(order))
        if self._scan:
            self._state, losses = self._epoch(
                self._state, part, jnp.asarray(order), jnp.asarray(rates)
            )
            return float(jnp.mean(losses))
        losses = []
        for indices, rate in zip(order, rates, strict=True):
            self._state, loss = self._step(
                self._state, part, jnp.asarray(indices), jnp.asarray(rate)
            )
            losses.append(loss)
        return float(np.mean(jax.device_get(losses)))

    def evaluate(self, part: DeviceImages) -> float:
        """See `Execution.evaluate`."""
        indices, real = evaluation_batches(len(part.labels), self._batch_size)
        counts = [
            self._count(self._state, part, jnp.asarray(i), jnp.asarray(r))
            for i, r in zip(indices, real, strict=True)
        ]
        return float(np.sum(jax.device_get(counts))) / len(part.labels)

    def weights(self) -> tuple[Weights, Weights]:
        """See `Execution.weights`."""
        parameters, statistics, _ = jax.device_get(self._state)
        return parameters, statistics

    def _initial_state(self) -> Any:
        parameters = initial_parameters(self._plan, seed=0)
        return parameters, initial_statistics(self._plan), self._optimiser.init(parameters)

    def _train_step(
        self, state: Any, part: DeviceImages, indices: jax.Array, learning_rate: jax.Array
    ) -> tuple[Any, jax.Array]:
        parameters, statistics, moments = state
        images, labels = take_batch(part, indices, self._dtype)

        def loss_of(parameters: Any) -> tuple[jax.Array, Any]:
            logits, after = forward(self._plan, parameters, statistics, images, training=True)
            return mean_cross_entropy(logits, labels), after

        (loss, statistics), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters)
        parameters, moments = descend(
            self._optimiser, gradients, moments, parameters, learning_rate
        )
        return (parameters, statistics, moments), loss

    def _train_steps(
        self, state: Any, part: DeviceImages, order: jax.Array, learning_rates: jax.Array
    ) -> tuple[Any, jax.Array]:
        return jax.lax.scan(
            lambda state, step: self._train_step(state, part, *step),
            state,
            (order, learning_rates),
        )

    def _count_batch(
        self, state: Any, part: DeviceImages, indices: jax.Array, real: jax.Array
    ) -> jax.Array:
        parameters, statistics, _ = state
        images, labels = take_batch(part, indices, self._dtype)
        logits, _ = forward(self._plan, parameters, statistics, images, training=False)
        return count_correct(logits, labels, real)
