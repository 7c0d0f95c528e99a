"""A network in training as compiled programs over a mesh of devices.

Each batch is cut into as many parts as there are devices; weights are on all of
them. What a batch teaches is computed by all devices together
(`blockqnn.full_training.lesson`), the step that follows from it by each.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding

from blockqnn.children.compiler_options import compiler_options
from blockqnn.children.named_weights import Arrays, by_name
from blockqnn.full_training.augmentation import augmented, central_crop
from blockqnn.full_training.lesson import DATA, PARTS, WHOLE, Lesson
from blockqnn.full_training.root_mean_square import SquaresState
from blockqnn.full_training.schedule import (
    averaging_decay,
    drop_path_rate,
    learning_rates,
    optimiser,
)
from blockqnn.full_training.settings import RMSPROP, FullRecipe
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.plan import AUXILIARY, Plan

State = dict[str, Any]
"""A training between two steps: `step`; `parameters`, `statistics` and `momentum`, and `squares`
with RMSProp; `average`, the moving averages of the first two, where the recipe has them; `sums`,
of the epoch's losses and right answers."""


class Program:
    """Trains and evaluates one network."""

    def __init__(
        self,
        plan: Plan,
        recipe: FullRecipe,
        normalisation: tuple[np.ndarray, np.ndarray],
        steps_per_epoch: int,
        seed: int,
        devices: Sequence[jax.Device],
        head: Plan = (),
    ):
        """Prepares, without compiling.

        Args:
            plan: of the network.
            recipe: how to train.
            normalisation: mean and deviation of each channel, [C], on the scale of 0 to 255.
            steps_per_epoch: steps of an epoch.
            seed: of the weights and of the random choices in a step.
            devices: that share each batch.
            head: layers of an auxiliary classifier, behind those of the plan; they are trained,
                and no part of what is evaluated.
        """
        self._plan, self._recipe, self._seed = (*plan, *head), recipe, seed
        self._has_head = bool(head)
        self._steps_per_epoch = steps_per_epoch
        self._mean, self._deviation = (np.asarray(n, np.float32) for n in normalisation)
        self._optimiser = optimiser(recipe)
        self._rate = learning_rates(recipe, steps_per_epoch)
        self.devices = list(devices)
        mesh = Mesh(np.array(devices), (DATA,))
        self.everywhere = NamedSharding(mesh, WHOLE)
        self.in_parts = NamedSharding(mesh, PARTS)
        self._lesson = Lesson(plan, head, recipe, mesh)
        compiled = functools.partial(
            jax.jit, out_shardings=self.everywhere, compiler_options=compiler_options()
        )
        self._step = compiled(self._train_step, donate_argnums=0)
        self._step_of = compiled(self._train_step_of, donate_argnums=0)
        self._logits = compiled(self._evaluate)

    def start(self) -> State:
        """A training before its first step, on the devices."""
        parameters = by_name(self._plan, initial_parameters(self._plan, self._seed))
        initial = initial_statistics(self._plan)
        for own in initial:
            if own:
                own["variance"] += np.float32(self._recipe.norms.more)
        statistics = by_name(self._plan, initial)
        state: State = {
            "step": np.int32(0),
            "parameters": parameters,
            "statistics": statistics,
            "momentum": jax.tree.map(np.zeros_like, parameters),
            "sums": {"loss": np.float32(0), "correct": np.int32(0)},
        }
        if self._recipe.optimiser == RMSPROP:
            state["squares"] = jax.tree.map(np.ones_like, parameters)
        if self._recipe.ema_decay:
            state["average"] = {"parameters": parameters, "statistics": statistics}
        return self.place(state)

    def place(self, state: State) -> State:
        """Puts a state of NumPy arrays on the devices."""
        return jax.device_put(jax.tree.map(np.array, state), self.everywhere)

    def step(self, state: State, images: jax.Array, labels: jax.Array) -> tuple[State, jax.Array]:
        """Trains for one step on a batch that is on the devices in parts.

        Args:
            state: before it; it is used up.
            images: uint8 [B, H, W, C].
            labels: int32 [B].

        Returns:
            The state after it, and the loss.
        """
        return self._step(state, images, labels)

    def step_of(
        self, state: State, images: jax.Array, labels: jax.Array, indices: np.ndarray
    ) -> tuple[State, jax.Array]:
        """The same, on a batch that is gathered from images which are on every device.

        Args:
            state: before it; it is used up.
            images: uint8 [N, H, W, C].
            labels: int32 [N].
            indices: int32 [B], which images the step takes.

        Returns:
            The state after it, and the loss.
        """
        return self._step_of(state, images, labels, jax.device_put(indices, self.in_parts))

    def logits(self, state: State, images: np.ndarray) -> np.ndarray:
        """Evaluates the moving average of the weights, or the weights where there is none.

        Args:
            state: of the training.
            images: uint8 [B, H, W, C].

        Returns:
            float32 [B, classes].
        """
        weights = self.weights(state)
        return np.asarray(self._logits(weights, jax.device_put(images, self.in_parts)))

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step, from 0."""
        return float(self._rate(np.int32(step)))

    def weights(self, state: State) -> Arrays:
        """What of a state is evaluated: `parameters` and `statistics`."""
        held = state.get("average", state)
        return {name: held[name] for name in ("parameters", "statistics")}

    def saved(self, state: State) -> tuple[Arrays, Arrays]:
        """A state as a checkpoint holds it.

        Args:
            state: of the training.

        Returns:
            What is evaluated, without an auxiliary head, and what going on needs besides, as
            NumPy arrays.
        """
        held = jax.device_get(state)
        training = {name: held[name] for name in ("momentum", "squares", "sums") if name in held}
        if "average" in held:
            training |= {name: held[name] for name in ("parameters", "statistics")}
        weights = self.weights(held)
        if self._has_head:
            training[AUXILIARY] = {name: of.get(AUXILIARY, {}) for name, of in weights.items()}
            weights = {
                name: {word: array for word, array in of.items() if word != AUXILIARY}
                for name, of in weights.items()
            }
        return weights, training

    def restored(self, step: int, weights: Arrays, training: Arrays) -> State:
        """The inverse of `saved`, on the devices.

        Args:
            step: how many were made.
            weights: what is evaluated.
            training: what going on needs besides.

        Returns:
            The state.
        """
        if self._has_head:
            training = dict(training)
            head = training.pop(AUXILIARY)
            weights = {name: {**of, AUXILIARY: head[name]} for name, of in weights.items()}
        state: State = {"step": np.int32(step), **weights, **training}
        if self._recipe.ema_decay:
            state["average"] = weights
        # Orbax gives single numbers back as Python's.
        sums = state["sums"]
        state["sums"] = {"loss": np.float32(sums["loss"]), "correct": np.int32(sums["correct"])}
        return self.place(state)

    def _normalised(self, images: jax.Array) -> jax.Array:
        centred = images.astype(jnp.float32) - self._mean[None, None, None, :]
        return centred / self._deviation[None, None, None, :]

    @property
    def _side(self) -> tuple[int, int]:
        height, width, _ = self._plan[0].shape
        return height, width

    def _train_step_of(
        self, state: State, images: jax.Array, labels: jax.Array, indices: jax.Array
    ) -> tuple[State, jax.Array]:
        batch = jax.lax.with_sharding_constraint((images[indices], labels[indices]), self.in_parts)
        return self._train_step(state, *batch)

    def _train_step(
        self, state: State, images: jax.Array, labels: jax.Array
    ) -> tuple[State, jax.Array]:
        # Flax and optax promote types implicitly, which the tests do not allow elsewhere.
        with jax.numpy_dtype_promotion("standard"):
            return self._trained(state, images, labels)

    def _trained(
        self, state: State, images: jax.Array, labels: jax.Array
    ) -> tuple[State, jax.Array]:
        recipe, step = self._recipe, state["step"]
        key = jax.random.fold_in(jax.random.key(self._seed % 2**32), step)
        augmentation_key, drop_key = jax.random.split(key)
        inputs = augmented(augmentation_key, self._normalised(images), self._side, recipe)
        total = recipe.epochs * self._steps_per_epoch
        chances = recipe.drop_path or recipe.dropout
        drop = (drop_key, drop_path_rate(recipe, step, total)) if chances else None
        weights = {name: state[name] for name in ("parameters", "statistics")}
        loss, correct, statistics, gradients = self._lesson.learned(weights, inputs, labels, drop)
        direction, remembered = self._descent(gradients, state)
        rate = self._rate(step)
        parameters = jax.tree.map(lambda p, d: p - rate * d, state["parameters"], direction)
        begins = step % self._steps_per_epoch == 0
        sums = jax.tree.map(
            lambda held, new: jnp.where(begins, jnp.zeros_like(held), held) + new,
            state["sums"],
            {"loss": loss, "correct": correct},
        )
        after: State = {
            "step": step + 1,
            "parameters": parameters,
            "statistics": statistics,
            **remembered,
            "sums": sums,
        }
        if recipe.ema_decay:
            keep = averaging_decay(recipe, step)
            after["average"] = jax.tree.map(
                lambda held, new: keep * held + (1 - keep) * new,
                state["average"],
                {"parameters": parameters, "statistics": statistics},
            )
        return after, loss

    def _descent(self, gradients: Arrays, state: State) -> tuple[Arrays, Arrays]:
        """The direction of a step, and what the optimiser remembers after it."""
        before = list(self._optimiser.init(state["parameters"]))
        before[-1] = optax.TraceState(state["momentum"])
        if "squares" in state:
            before[-2] = SquaresState(state["squares"])
        direction, after = self._optimiser.update(gradients, tuple(before), state["parameters"])
        remembered = {"momentum": after[-1].trace}
        if "squares" in state:
            remembered["squares"] = after[-2].squares
        return direction, remembered

    def _evaluate(self, weights: Arrays, images: jax.Array) -> jax.Array:
        with jax.numpy_dtype_promotion("standard"):
            network = self._lesson.network(weights)
            network.eval()
            return network(central_crop(self._normalised(images), self._side))
