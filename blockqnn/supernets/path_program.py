"""Paths through a bank as one compiled program that serves all of them: for GPU and TPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.chain import Held, held
from blockqnn.children.execution import (
    DeviceImages,
    count_correct,
    descend,
    mean_cross_entropy,
    take_batch,
)
from blockqnn.children.small_programs import norm_factor
from blockqnn.networks.normalisation import running_statistics
from blockqnn.networks.plan import Plan
from blockqnn.supernet_settings import OF_BATCH, RECALIBRATED
from blockqnn.supernets.all_paths import AllPaths
from blockqnn.supernets.bank import Bank
from blockqnn.supernets.device_group import PARTS_OF_EACH, WHOLE, DeviceGroup
from blockqnn.supernets.execution import Calibration, UsedPath
from blockqnn.supernets.paths import filled_batches

State = tuple[list[Any], list[Any], list[Any]]
"""For each layer its trained arrays, its running statistics, and its moments."""


class PathProgram:
    """Trains and scores the paths of one plan."""

    def __init__(
        self,
        plan: Plan,
        takes_one: Callable[[str], bool],
        bank: Bank,
        batch_size: int,
        most_norm: float,
        group: DeviceGroup,
        loops: bool | None = None,
    ):
        """Prepares, without compiling.

        Args:
            plan: of all paths.
            takes_one: whether a path takes one way at most at the mixtures of a row.
            bank: that says what is compiled.
            batch_size: images in a step, in equal parts on all devices.
            most_norm: to which the norm of a step's gradients is cut; 0 for no bound.
            group: of devices that share each batch.
            loops: whether steps are a loop on the device, so that the host is not in the way; None
                for everywhere but on processors, where a convolution in a loop is slow.
        """
        self._plan, self._compiled, self._batch_size = plan, bank.compiled, batch_size
        self._most_norm, self._optimiser = most_norm, bank.compiled.optimiser.transformation()
        self._loops = jax.default_backend() != "cpu" if loops is None else loops
        self._group, self._network = group, AllPaths(plan, takes_one, group.axis)
        self._placed: tuple[Bank, State] | None = None
        whole, each, make = WHOLE, PARTS_OF_EACH, group.program
        steps = (whole, whole, each, whole, whole, whole)
        self._train = make(self._steps, steps, (whole, whole), donated=True)
        self._sums = make(self._observed, (whole, whole, each, whole), whole)
        batches = (whole, whole, each, each, whole)
        self._counts = make(self._counted, batches, whole)
        self._counts_of_batch = make(self._counted_of_batch, batches, whole)

    def train(
        self,
        bank: Bank,
        paths: Sequence[UsedPath],
        part: DeviceImages,
        order: np.ndarray,
        rates: np.ndarray,
    ) -> np.ndarray:
        """See `PathExecution.train`.

        Raises:
            RuntimeError: if devices, which compute the same, come to differ.
        """
        used = [self._used(path) for path in paths]
        for each in used:
            # Entries are made in the order in which paths come, as by the chain.
            for layer in np.flatnonzero(each):
                bank.entry(self._plan[layer])
        vectors = np.stack([self._vector(*both) for both in zip(paths, used, strict=True)])
        state, losses = self._state(bank), []
        self._placed = None
        xs = (order, rates.astype(np.float32), vectors, np.stack(used))
        for steps in self._chunks(len(order)):
            chunk = tuple(array[steps] for array in xs)
            state, loss = self._train(state, self._group.images(part), *chunk)
            losses.append(loss)
        self._put_back(bank, state)
        self._group.require_equal(state)
        self._placed = bank, state
        return np.concatenate(jax.device_get(losses)).astype(np.float64)

    def accuracy(
        self,
        bank: Bank,
        path: UsedPath,
        part: DeviceImages,
        statistics: str,
        calibration: Calibration | None = None,
        batches: range | None = None,
    ) -> float:
        """See `PathExecution.accuracy`."""
        if self._placed is None or self._placed[0] is not bank:
            self._placed = bank, self._state(bank)
        weights, running, _ = self._placed[1]
        vector = self._vector(path, self._used(path))
        if statistics == RECALIBRATED:
            assert calibration is not None
            images, rows = calibration
            sums: Any = None
            for steps in self._chunks(len(rows)):
                own = self._sums(weights, self._group.images(images), rows[steps], vector)
                sums = own if sums is None else jax.tree.map(jnp.add, sums, own)
            share = np.float32(1 / len(rows))
            running = jax.tree.map(lambda each: each * share, sums)
        count = self._counts_of_batch if statistics == OF_BATCH else self._counts
        chosen = list(filled_batches(len(part.labels), self._batch_size, batches))
        order, real = (np.stack(each) for each in zip(*chosen, strict=True))
        right = [
            count((weights, running), self._group.images(part), order[steps], real[steps], vector)
            for steps in self._chunks(len(order))
        ]
        return float(np.sum(jax.device_get(right))) / int(real.sum())

    def _chunks(self, steps: int) -> list[slice]:
        """What one call of a program takes: all steps in a loop, or one."""
        if self._loops:
            return [slice(0, steps)]
        return [slice(step, step + 1) for step in range(steps)]

    def _used(self, path: UsedPath) -> np.ndarray:
        """Which layers a design has and reads, bool [layers]."""
        return np.array([layer.bank_key in path.keys for layer in self._plan])

    def _vector(self, path: UsedPath, used: np.ndarray) -> np.ndarray:
        return self._network.vector(path.rows, used)

    def _state(self, bank: Bank) -> State:
        """What a bank holds, on all devices; what it does not hold yet is as it would begin."""
        spare = Bank(bank.compiled, bank.seed)
        entries = []
        for layer in self._plan:
            own = Held()
            if layer.parameter_shapes or layer.normalises:
                source = bank if layer.bank_key in bank.entries else spare
                own = source.entry(layer)
            entries.append(own)
        state = (
            [own.parameters for own in entries],
            [own.statistics for own in entries],
            [own.moments for own in entries],
        )
        # Copies, since a step uses its state up and the bank keeps its own.
        placed: State = self._group.place(state)
        return placed

    def _put_back(self, bank: Bank, state: State) -> None:
        """Gives the bank what was trained, on one device."""
        parameters, statistics, moments = jax.device_get(state)
        for number, layer in enumerate(self._plan):
            own = bank.entries.get(layer.bank_key)
            if own is not None:
                made = held(self._compiled, parameters[number], statistics[number], own.copies)
                if parameters[number]:
                    made.moments = jax.device_put(moments[number])
                bank.entries[layer.bank_key] = made

    def _batch(self, part: DeviceImages, indices: jax.Array) -> tuple[jax.Array, jax.Array]:
        return take_batch(part, indices, self._compiled.dtype)

    def _steps(self, state: State, part: DeviceImages, *xs: jax.Array) -> tuple[State, jax.Array]:
        return _looped(lambda state, step: self._step(state, part, *step), state, xs)

    def _step(
        self,
        state: State,
        part: DeviceImages,
        indices: jax.Array,
        rate: jax.Array,
        path: jax.Array,
        used: jax.Array,
    ) -> tuple[State, jax.Array]:
        """One step along a path; what the path does not use stays to the last bit."""
        parameters, statistics, moments = state
        images, labels = self._batch(part, indices)

        def loss_of(parameters: Any) -> tuple[jax.Array, Any]:
            """The loss, and what batch norms see."""
            logits, seen = self._network.forward(parameters, None, images, path)
            return mean_cross_entropy(logits, labels), seen

        (loss, seen), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters)
        loss, gradients = self._group.mean((loss, gradients))
        if self._most_norm:
            leaves = [jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradients)]
            factor = norm_factor(sum(leaves[1:], leaves[0]), self._most_norm)
            gradients = jax.tree.map(lambda g: factor.reshape((1,) * g.ndim) * g, gradients)
        after: State = ([], [], [])
        for number, layer in enumerate(self._plan):
            own = parameters[number], moments[number]
            if layer.parameter_shapes:
                moved = descend(self._optimiser, gradients[number], own[1], own[0], rate)
                own = _chosen(used[number], moved, own)
            after[0].append(own[0])
            after[2].append(own[1])
            running = statistics[number]
            if layer.normalises:
                now = running_statistics(running, seen[number])
                running = _chosen(used[number], now, running)
            after[1].append(running)
        return after, loss

    def _observed(
        self, parameters: Any, part: DeviceImages, order: jax.Array, path: jax.Array
    ) -> list[Any]:
        """The sums over batches of what batch norms see."""

        def one(sums: Any, indices: jax.Array) -> tuple[Any, tuple[()]]:
            """Adds those of a batch."""
            images, _ = self._batch(part, indices)
            _, seen = self._network.forward(parameters, None, images, path)
            own = [seen.get(number, {}) for number in range(len(self._plan))]
            return jax.tree.map(jnp.add, sums, own), ()

        zeros = [
            {name: jnp.zeros(layer.shape[-1:], jnp.float32) for name in ("mean", "variance")}
            if layer.normalises
            else {}
            for layer in self._plan
        ]
        return _looped(one, zeros, order)[0]

    def _counted(self, weights: Any, part: DeviceImages, *xs: Any) -> jax.Array:
        parameters, statistics = weights
        return self._right(parameters, statistics, part, *xs)

    def _counted_of_batch(self, weights: Any, part: DeviceImages, *xs: Any) -> jax.Array:
        return self._right(weights[0], None, part, *xs)

    def _right(
        self,
        parameters: Any,
        statistics: Any,
        part: DeviceImages,
        order: jax.Array,
        real: jax.Array,
        path: jax.Array,
    ) -> jax.Array:
        """How many images of some batches are classified correctly."""

        def one(count: jax.Array, batch: Any) -> tuple[jax.Array, tuple[()]]:
            """Adds those of a batch."""
            images, labels = self._batch(part, batch[0])
            logits, _ = self._network.forward(parameters, statistics, images, path)
            return count + count_correct(logits, labels, batch[1]), ()

        count = _looped(one, jnp.int32(0), (order, real))[0]
        right: jax.Array = self._group.total(count)
        return right


def _looped(function: Callable[[Any, Any], Any], first: Any, xs: Any) -> tuple[Any, Any]:
    """`lax.scan`, but for one step, which is no loop."""
    if jax.tree.leaves(xs)[0].shape[0] > 1:
        return jax.lax.scan(function, first, xs)
    after, found = function(first, jax.tree.map(lambda x: x[0], xs))
    return after, jax.tree.map(lambda y: y[None], found)


def _chosen(used: jax.Array, after: Any, before: Any) -> Any:
    """What comes after a step where it is used, and what was before it where it is not."""
    return jax.tree.map(lambda a, b: jnp.where(used, a, b), after, before)
