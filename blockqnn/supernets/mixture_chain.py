"""A mixture as a chain of small programs, for processors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.chain import Chain, Held
from blockqnn.children.execution import DeviceImages
from blockqnn.children.optimiser import Momentum
from blockqnn.children.small_programs import total
from blockqnn.mixture_settings import JOINT, SECOND, MixtureSettings
from blockqnn.networks.operations.steps import ROW
from blockqnn.networks.parts import cut_into_layers
from blockqnn.networks.plan import Plan
from blockqnn.supernets import bilevel
from blockqnn.supernets.alpha import Alpha, Rows, adam_step
from blockqnn.supernets.bank import Bank
from blockqnn.supernets.curvature import Product
from blockqnn.supernets.matching import Gradients, by_key
from blockqnn.supernets.paths import share_correct

Batch = tuple[jax.Array, jax.Array]

_STEP = 0.05
"""Of the difference that stands for a product of the Hessian: float32 loses what is far smaller."""


class MixtureChain:
    """Trains weights and alpha in turn, layer by layer."""

    def __init__(
        self,
        plan: Plan,
        bank: Bank,
        settings: MixtureSettings,
        batch_size: int,
        most_norm: float,
        part: DeviceImages,
    ):
        """Compiles what is missing.

        Args:
            plan: of the mixture.
            bank: whose arrays are trained.
            settings: of the mixture.
            batch_size: images in a step.
            most_norm: to which the norm of the weights' gradients is cut; 0 for no bound.
            part: images that steps are taken on.
        """
        self.plan, self._part = plan, part
        self._settings, self._most_norm = settings, most_norm
        self._chain = Chain(cut_into_layers(plan), bank.compiled, batch_size)
        self._chain.compile(part, apart=True)
        self._weights = bank.weights(plan, self._chain.all_steps)
        self._rows = {
            number: step.mixture
            for number, step in enumerate(self._chain.all_steps)
            if step.mixture
        }
        optimiser = bank.compiled.optimiser
        self._momentum = self._decay = 0.0
        if isinstance(optimiser, Momentum):
            self._momentum, self._decay = optimiser.momentum, optimiser.decay

    def train(
        self,
        part: DeviceImages,
        order: np.ndarray,
        judged: np.ndarray,
        rate: float,
        alpha: Alpha,
        trains_alpha: bool,
    ) -> tuple[np.ndarray, Alpha]:
        """See `MixtureExecution.train`."""
        for own in self._weights:
            own.follow(np.float32(rate))
        losses = []
        for indices, other in zip(order, judged, strict=True):
            batch = self._chain.batch(part, indices)
            if trains_alpha and self._settings.bilevel == JOINT:
                placed = self._placed(alpha.rows, copied=False)
                loss, found, squares = self._chain.gradients(placed, *batch)
                trained = {n: own for n, own in found.items() if n not in self._rows}
                self._chain.descend(placed, trained, squares, self._most_norm)
                alpha = adam_step(alpha, self._of_rows(alpha.rows, found), self._settings)
            else:
                if trains_alpha:
                    judging = self._chain.batch(part, other)
                    gradient = self._gradient(alpha.rows, batch, judging, rate)
                    alpha = adam_step(alpha, gradient, self._settings)
                placed = self._placed(alpha.rows, copied=False)
                loss = self._chain.train_step(placed, *batch, self._most_norm)
            losses.append(loss)
        return np.asarray(jax.device_get(losses), np.float64), alpha

    def curvature(self, rows: Rows, indices: np.ndarray) -> Product:
        """See `MixtureExecution.curvature`: a difference of two gradients."""
        batch = self._chain.batch(self._part, indices)

        def product(vector: Rows) -> dict[str, np.ndarray]:
            """`(g(a + e v) - g(a - e v)) / (2 e)`, v being of length 1."""
            ahead, behind = (
                self._first_order(
                    {name: row + sign * _STEP * vector[name] for name, row in rows.items()}, batch
                )
                for sign in (1, -1)
            )
            return {name: (ahead[name] - behind[name]) / (2 * _STEP) for name in ahead}

        return product

    def gradients(self, rows: Rows, indices: np.ndarray) -> Gradients:
        """See `MixtureExecution.gradients`."""
        batch = self._chain.batch(self._part, indices)
        _, found, _ = self._chain.gradients(self._placed(rows), *batch)
        steps = self._chain.all_steps
        return by_key(
            (self.plan[steps[number].layer], own)
            for number, own in found.items()
            if number not in self._rows
        )

    def accuracy(self, rows: Rows, part: DeviceImages) -> float:
        """See `MixtureExecution.accuracy`."""
        return share_correct(self._chain, self._placed(rows), part, of_batch=True)

    def put_back(self) -> None:
        """See `MixtureExecution.put_back`: what the bank has is trained itself."""

    def _placed(self, rows: Rows, copied: bool = True) -> list[Held]:
        """What the steps hold, with the rows; as copies, so that what changes them is lost."""
        arrays = jax.device_put({name: np.asarray(row, np.float32) for name, row in rows.items()})
        mixing = {name: Held({ROW: array}) for name, array in arrays.items()}
        return [
            mixing[self._rows[number]]
            if number in self._rows
            else (dataclasses.replace(own) if copied else own)
            for number, own in enumerate(self._weights)
        ]

    def _gradient(self, rows: Rows, train: Batch, judging: Batch, rate: float) -> Rows:
        if self._settings.bilevel == SECOND:
            return self._second_order(rows, train, judging, np.float32(rate))
        return self._first_order(rows, judging)

    def _first_order(self, rows: Rows, batch: Batch) -> dict[str, np.ndarray]:
        _, found, _ = self._chain.gradients(self._placed(rows), *batch)
        return self._of_rows(rows, found)

    def _second_order(
        self, rows: Rows, train: Batch, judging: Batch, rate: np.float32
    ) -> dict[str, np.ndarray]:
        """Equations 7 and 8; see `blockqnn.supernets.bilevel`."""
        _, found, _ = self._chain.gradients(self._placed(rows), *train)

        def unrolled(own: Held, gradients: Any) -> Any:
            """What a step of the weights would make of what one holds."""
            velocity = own.moments[1].trace if self._momentum else gradients
            return _unrolled(own.parameters, gradients, velocity, rate, self._momentum, self._decay)

        _, after, squares = self._chain.gradients(self._moved(rows, found, unrolled), *judging)
        epsilon = bilevel.REACH / jnp.sqrt(total(squares))

        def there(amount: jax.Array) -> dict[str, np.ndarray]:
            """The gradient in alpha so far along the direction."""
            moved = self._moved(rows, after, lambda own, v: _along(own.parameters, v, amount))
            return self._of_rows(rows, self._chain.gradients(moved, *train)[1])

        ahead, behind, between = there(epsilon), there(-epsilon), float(2 * epsilon)
        return {
            name: own - rate * (ahead[name] - behind[name]) / np.float32(between)
            for name, own in self._of_rows(rows, after).items()
        }

    def _moved(
        self, rows: Rows, by: dict[int, Any], move: Callable[[Held, Any], Any]
    ) -> list[Held]:
        """Copies of what the steps hold, elsewhere."""
        placed = self._placed(rows)
        for number, gradients in by.items():
            if number not in self._rows:
                placed[number].parameters = move(placed[number], gradients)
        return placed

    def _of_rows(self, rows: Rows, found: dict[int, Any]) -> dict[str, np.ndarray]:
        """The gradients of the rows, each the sum over the mixtures that have it, perhaps none."""
        mixed = {number: found[number][ROW] for number in self._rows if number in found}
        sums: dict[str, np.ndarray] = {name: np.zeros_like(row) for name, row in rows.items()}
        for number, array in jax.device_get(mixed).items():
            name = self._rows[number]
            sums[name] = sums[name] + array
        return sums


_unrolled = jax.jit(bilevel.unrolled, static_argnums=(4, 5))
_along = jax.jit(bilevel.along)
