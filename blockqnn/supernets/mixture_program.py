"""A mixture as one compiled program, for GPUs and TPUs: there an epoch's steps are one scan."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.compiler_options import compiler_options
from blockqnn.children.execution import (
    DeviceImages,
    count_correct,
    descend,
    mean_cross_entropy,
    take_batch,
)
from blockqnn.children.optimiser import Momentum
from blockqnn.children.small_programs import norm_factor
from blockqnn.mixture_settings import DIFFERENCE, JOINT, SECOND, MixtureSettings
from blockqnn.networks.plan import Plan
from blockqnn.supernets import bilevel
from blockqnn.supernets.alpha import Alpha, Rows, adam_step
from blockqnn.supernets.bank import Bank
from blockqnn.supernets.curvature import Product
from blockqnn.supernets.device_group import PARTS, PARTS_OF_EACH, WHOLE, DeviceGroup
from blockqnn.supernets.matching import Gradients, by_key
from blockqnn.supernets.mixed_forward import mixed_forward
from blockqnn.supernets.paths import filled_batches


class MixtureProgram:
    """Trains weights and alpha in turn, in one program."""

    def __init__(
        self,
        plan: Plan,
        bank: Bank,
        settings: MixtureSettings,
        batch_size: int,
        most_norm: float,
        part: DeviceImages,
        group: DeviceGroup | None = None,
    ):
        """Prepares, without compiling.

        Args:
            plan: of the mixture.
            bank: whose arrays are trained.
            settings: of the mixture.
            batch_size: images in a step.
            most_norm: to which the norm of the weights' gradients is cut; 0 for no bound.
            part: images that steps are taken on.
            group: of devices that share each batch; None for the default device.
        """
        self._group = group or DeviceGroup(jax.devices()[:1])
        self.plan, self._settings, self._part = plan, settings, part
        self._batch_size, self._most_norm = batch_size, most_norm
        optimiser = bank.compiled.optimiser
        self._transformation, self._dtype = optimiser.transformation(), bank.compiled.dtype
        self._momentum = self._decay = 0.0
        if isinstance(optimiser, Momentum):
            self._momentum, self._decay = optimiser.momentum, optimiser.decay
        self._entries = {
            position: bank.entry(layer)
            for position, layer in enumerate(plan)
            if layer.parameter_shapes or layer.normalises
        }
        empty: list[Any] = [{} for _ in plan]
        self._parameters, self._statistics = list(empty), list(empty)
        self._moments: list[Any] = [() for _ in plan]
        for position, entry in self._entries.items():
            self._parameters[position] = entry.parameters
            self._statistics[position] = entry.statistics
            self._moments[position] = entry.moments
        options = compiler_options()
        self._scans = jax.default_backend() != "cpu"
        make = functools.partial(self._group.program, options=options)
        # By whether alpha is trained.
        self._step, self._epoch = (
            {
                trains: make(
                    functools.partial(function, trains_alpha=trains),
                    (WHOLE, batches, batches, WHOLE, WHOLE),
                    WHOLE,
                )
                for trains in (False, True)
            }
            for function, batches in ((self._one_step, PARTS), (self._steps, PARTS_OF_EACH))
        )
        self._count = make(self._counted, (WHOLE, WHOLE, WHOLE, PARTS, PARTS), WHOLE)
        self._product = make(self._curved, (WHOLE, WHOLE, WHOLE, PARTS, WHOLE), WHOLE)
        self._gradient = make(self._of_weights, (WHOLE, WHOLE, WHOLE, PARTS), WHOLE)

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
        state: Any = (
            self._parameters,
            self._statistics,
            self._moments,
            _placed(alpha.rows),
            _placed(alpha.first),
            _placed(alpha.second),
            jnp.float32(alpha.steps),
        )
        given = self._group.images(part), np.float32(rate)
        if self._scans:
            state, losses = self._epoch[trains_alpha](state, order, judged, *given)
        else:
            losses = []
            for indices, other in zip(order, judged, strict=True):
                state, loss = self._step[trains_alpha](state, indices, other, *given)
                losses.append(loss)
        self._group.require_equal(state)
        self._parameters, self._statistics, self._moments, *of_alpha = state
        rows, first, second, steps = jax.device_get(of_alpha)
        return np.asarray(jax.device_get(losses), np.float64), Alpha(
            rows, first, second, int(steps)
        )

    def curvature(self, rows: Rows, indices: np.ndarray) -> Product:
        """See `MixtureExecution.curvature`: exactly, as a derivative of the gradient."""
        state = self._parameters, self._statistics
        own, part = _placed(rows), self._group.images(self._part)

        def product(vector: Rows) -> dict[str, np.ndarray]:
            """`H v`."""
            found = self._product(state, own, part, indices, _placed(vector))
            return dict(jax.device_get(found))

        return product

    def gradients(self, rows: Rows, indices: np.ndarray) -> Gradients:
        """See `MixtureExecution.gradients`."""
        state = self._parameters, self._statistics
        part = self._group.images(self._part)
        found = jax.device_get(self._gradient(state, _placed(rows), part, indices))
        return by_key(zip(self.plan, found, strict=True))

    def accuracy(self, rows: Rows, part: DeviceImages) -> float:
        """See `MixtureExecution.accuracy`."""
        state, own = (self._parameters, self._statistics), _placed(rows)
        counts = [
            self._count(state, own, self._group.images(part), indices, real)
            for indices, real in filled_batches(len(part.labels), self._batch_size)
        ]
        return float(np.sum(jax.device_get(counts))) / len(part.labels)

    def put_back(self) -> None:
        """See `MixtureExecution.put_back`."""
        for position, entry in self._entries.items():
            entry.parameters = self._parameters[position]
            entry.statistics = self._statistics[position]
            entry.moments = self._moments[position]

    def _loss(self, statistics: Any, part: DeviceImages, indices: jax.Array) -> Any:
        """The loss of a batch as a function of weights and rows, with the statistics after it."""
        images, labels = take_batch(part, indices, self._dtype)

        def loss(parameters: Any, rows: Any) -> tuple[jax.Array, Any]:
            """Of the batch: on the way back, the mean over devices averages gradients too."""
            parameters, rows = self._group.mean((parameters, rows))
            logits, after = mixed_forward(
                self.plan,
                parameters,
                statistics,
                rows,
                images,
                self._settings.rematerialise,
                self._group.axis,
            )
            return self._group.mean(mean_cross_entropy(logits, labels)), after

        return loss

    def _one_step(
        self,
        state: Any,
        indices: jax.Array,
        judged: jax.Array,
        part: DeviceImages,
        rate: jax.Array,
        trains_alpha: bool,
    ) -> Any:
        parameters, statistics, moments, *of_alpha = state
        alpha, joint = Alpha(*of_alpha), self._settings.bilevel == JOINT
        loss_of = self._loss(statistics, part, indices)
        if trains_alpha and not joint:
            judging = self._loss(statistics, part, judged)
            gradient = self._of_alpha(loss_of, judging, parameters, moments, alpha.rows, rate)
            alpha = adam_step(alpha, gradient, self._settings)
        (loss, after), (gradients, gradient) = jax.value_and_grad(loss_of, (0, 1), has_aux=True)(
            parameters, alpha.rows
        )
        if trains_alpha and joint:
            alpha = adam_step(alpha, gradient, self._settings)
        if self._most_norm:
            factor = norm_factor(jnp.square(bilevel.norm(gradients)), self._most_norm)
            gradients = jax.tree.map(lambda each: factor * each, gradients)
        moved, kept = list(parameters), list(moments)
        for position, own in enumerate(parameters):
            if own:
                moved[position], kept[position] = descend(
                    self._transformation, gradients[position], moments[position], own, rate
                )
        rows = (alpha.rows, alpha.first, alpha.second, alpha.steps)
        return (moved, after, kept, *rows), loss

    def _steps(
        self,
        state: Any,
        order: jax.Array,
        judged: jax.Array,
        part: DeviceImages,
        rate: jax.Array,
        trains_alpha: bool,
    ) -> Any:
        def step(state: Any, batches: Any) -> Any:
            """One of them."""
            indices, other = batches
            return self._one_step(state, indices, other, part, rate, trains_alpha)

        return jax.lax.scan(step, state, (order, judged))

    def _of_alpha(
        self, train: Any, judging: Any, parameters: Any, moments: Any, rows: Any, rate: jax.Array
    ) -> Any:
        def on_train(w: Any, a: Any) -> Any:
            """L_train."""
            return train(w, a)[0]

        def on_judged(w: Any, a: Any) -> Any:
            """L_val."""
            return judging(w, a)[0]

        if self._settings.bilevel != SECOND:
            return bilevel.first_order(on_judged, parameters, rows)
        velocity = [
            moments[position][1].trace
            if own and self._momentum
            else jax.tree.map(jnp.zeros_like, own)
            for position, own in enumerate(parameters)
        ]
        return bilevel.second_order(
            *(on_train, on_judged, parameters, rows, velocity, rate, self._momentum, self._decay),
            exact=self._settings.hessian != DIFFERENCE,
        )

    def _curved(
        self, state: Any, rows: Any, part: DeviceImages, indices: jax.Array, vector: Any
    ) -> Any:
        parameters, statistics = state
        loss = self._loss(statistics, part, indices)
        return bilevel.curvature(lambda w, a: loss(w, a)[0], parameters, rows, vector)

    def _of_weights(self, state: Any, rows: Any, part: DeviceImages, indices: jax.Array) -> Any:
        parameters, statistics = state
        return jax.grad(self._loss(statistics, part, indices), has_aux=True)(parameters, rows)[0]

    def _counted(
        self, state: Any, rows: Any, part: DeviceImages, indices: jax.Array, real: jax.Array
    ) -> jax.Array:
        parameters, statistics = state
        images, labels = take_batch(part, indices, self._dtype)
        logits, _ = mixed_forward(
            self.plan, parameters, statistics, rows, images, devices=self._group.axis
        )
        right: jax.Array = self._group.total(count_correct(logits, labels, real))
        return right


def _placed(rows: Rows) -> dict[str, jax.Array]:
    return {name: jnp.asarray(np.asarray(row, np.float32)) for name, row in rows.items()}
