"""A child as a chain of small compiled programs that all children share."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.chain import Chain, Held, held
from blockqnn.children.device_mesh import first_devices
from blockqnn.children.execution import DeviceImages, evaluation_batches
from blockqnn.children.optimiser import compiled_by
from blockqnn.children.small_programs import count_correct_of
from blockqnn.children.step_weights import copies, own_parameters, put_back
from blockqnn.networks.initial import Weights
from blockqnn.networks.parts import cut_into_layers, cut_into_steps
from blockqnn.networks.plan import Plan
from blockqnn.settings import Recipe


class LayerByLayer:
    """Executes a child step by step; each step has weights of its own."""

    def __init__(self, plan: Plan, recipe: Recipe, batch_size: int, devices: int = 1):
        """Prepares, without compiling.

        Args:
            plan: of the child network.
            recipe: how to train it.
            batch_size: images in a step, a multiple of `devices`.
            devices: that share each batch, the first ones of the process.
        """
        self._compiled, self._batch_size = compiled_by(recipe, devices), batch_size
        steps = cut_into_steps(plan)
        if recipe.weight_decay and any(n > 1 for step in steps for n in step.copies):
            # A sum of rows that decay is not a row that decays.
            steps = cut_into_layers(plan)
        self._chain = Chain(steps, self._compiled, batch_size)
        self._initial: Weights = []
        self._initial_statistics: Weights = []
        self._held: list[Held] = []

    def compile(self, train: DeviceImages, validation: DeviceImages, steps: int) -> None:
        """See `Execution.compile`. Compiles on all cores what no child has met before."""
        self._chain.compile(train)

    def start(self, parameters: Weights, statistics: Weights) -> None:
        """See `Execution.start`."""
        self._initial, self._initial_statistics = parameters, statistics
        self._held = [Held()]
        for _, step, _ in self._chain.steps:
            own = own_parameters(step, parameters[step.layer])
            norm = dict(statistics[step.layer]) if step.normalises else {}
            self._held.append(held(self._compiled, own, norm, copies(step, own)))

    def train_epoch(
        self, part: DeviceImages, order: np.ndarray, learning_rate: float | np.ndarray
    ) -> float:
        """See `Execution.train_epoch`."""
        rates = np.broadcast_to(np.float32(learning_rate), len(order))
        losses = []
        for indices, rate in zip(order, rates, strict=True):
            for own in self._held:
                own.follow(rate)
            losses.append(self._chain.train_step(self._held, *self._chain.batch(part, indices)))
        return float(np.mean(jax.device_get(losses)))

    def evaluate(self, part: DeviceImages) -> float:
        """See `Execution.evaluate`."""
        count = first_devices(self._compiled.devices).apart(count_correct_of)
        counts = [
            count(logits, labels, jnp.asarray(real))
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
            images, labels = self._chain.batch(part, indices)
            yield self._chain.infer(self._held, images), labels, real

    def weights(self) -> tuple[Weights, Weights]:
        """See `Execution.weights`."""
        parameters = [
            {name: np.array(array) for name, array in layer.items()} for layer in self._initial
        ]
        # What nobody reads is not computed, and stays as it was.
        statistics = [dict(layer) for layer in self._initial_statistics]
        for number, step, _ in self._chain.steps:
            statistics[step.layer] |= jax.device_get(self._held[number].statistics)
            trained = jax.device_get(self._held[number].parameters)
            put_back(step, trained, self._initial[step.layer], parameters[step.layer])
        return parameters, statistics
