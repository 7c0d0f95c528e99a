"""What trains a mixture: images, or words; the evaluator is one for both."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from blockqnn.children.augmentation import augmented
from blockqnn.children.language_steps import streams
from blockqnn.children.language_training import as_accuracy, require_words
from blockqnn.children.training import on_device
from blockqnn.data.datasets import load_search_parts
from blockqnn.data.text_source import text_parts
from blockqnn.errors import UserError
from blockqnn.evaluation.path_teaching import refuse_devices
from blockqnn.language_settings import window_count
from blockqnn.networks.layout import Layout
from blockqnn.networks.recurrent.initial import shared_arrays
from blockqnn.networks.spaces.contract import Left, Row, SearchSpace, part_plan
from blockqnn.settings import DataSettings, Recipe
from blockqnn.shared_work import MixtureEpoch
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets.alpha import Alpha, Rows
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.curvature import Product
from blockqnn.supernets.language_mixture import LanguageMixture
from blockqnn.supernets.mixture_execution import MixtureExecution, make_mixture
from blockqnn.supernets.mixture_matching import row_distances


class MixtureTeaching(Protocol):
    """Trains mixtures on data of one kind, and measures them."""

    examples: int
    """Images, or words, that the weights are trained on in an epoch."""

    def new_bank(self, seed: int) -> Bank:
        """A bank before any training."""

    def execution(self, space: SearchSpace, bank: Bank, left: Left) -> Any:
        """What holds the weights of a space's mixture, or of a part; it has `put_back`."""

    def train(
        self, execution: Any, rate: float, alpha: Alpha, trains_alpha: bool, seed: tuple[int, int]
    ) -> tuple[np.ndarray, Alpha]:
        """Trains for an epoch.

        Args:
            execution: that holds the weights.
            rate: their learning rate.
            alpha: before.
            trains_alpha: whether it is trained too.
            seed: of all that is drawn, and the epoch, from 0.

        Returns:
            The loss before each step of the weights, in nats, and alpha after them.
        """

    def accuracy(self, execution: Any, rows: Rows) -> float:
        """What the mixture has on the validation part, in percent; of words 100 / perplexity."""

    def curvature(self, execution: Any, rows: Rows, seed: tuple[int, int]) -> Product:
        """The products of the Hessian in alpha of the loss on a batch that judges."""

    def distances(
        self,
        execution: Any,
        rows: Sequence[Row],
        alpha: Rows,
        work: MixtureEpoch,
        seed: tuple[int, int],
    ) -> Mapping[str, np.ndarray]:
        """By row how far the gradients of its operations disagree about all other weights."""


def mixture_teaching(
    data: DataSettings,
    settings: SupernetSettings,
    recipe: Recipe,
    layout: Layout,
    devices: Sequence[jax.Device],
) -> MixtureTeaching:
    """What trains mixtures in a layout.

    Args:
        data: images, or a text.
        settings: of the supernet, a mixture.
        recipe: how it is executed, and what language models are trained by besides.
        layout: of networks of their own.
        devices: that share a batch.

    Returns:
        It, with its data read.

    Raises:
        UserError: if the data cannot be read or are less than a batch, or there are more devices
            than can share one.
    """
    if layout.of_words:
        return MixtureOnWords(data, settings, recipe, layout, devices)
    return MixtureOnImages(data, settings, recipe, layout, devices)


class MixtureOnImages:
    """Weights are trained on a half of the training images, alpha on the other."""

    def __init__(
        self,
        data: DataSettings,
        settings: SupernetSettings,
        recipe: Recipe,
        layout: Layout,
        devices: Sequence[jax.Device],
    ):
        """Reads the images and puts them on the device; see `mixture_teaching`."""
        assert settings.mixture is not None
        self._settings, self._own, self._recipe = settings, settings.mixture, recipe
        # Batch norm with a scale would let weights undo what alpha says.
        self._layout, self._devices = dataclasses.replace(layout, unscaled=True), devices
        self._train, self._validation = on_device(*load_search_parts(data))
        images = len(self._train.labels)
        wanted = settings.batch_size * (1 if self._own.on_all_images else 2)
        if images < wanted:
            raise UserError(
                f"A step of the mixture takes {settings.batch_size} images of "
                f"{'all' if self._own.on_all_images else 'each half of all'}, and there are "
                f"{images} to train on; give a smaller --supernet_batch_size."
            )
        self._compiled = compiled_for(settings, recipe.bfloat16)
        trained = images if self._own.on_all_images else images // 2
        self.examples = trained // settings.batch_size * settings.batch_size

    def new_bank(self, seed: int) -> Bank:
        """See `MixtureTeaching.new_bank`."""
        return Bank(self._compiled, seed)

    def execution(self, space: SearchSpace, bank: Bank, left: Left) -> MixtureExecution:
        """See `MixtureTeaching.execution`."""
        plan = part_plan(space, self._layout, self._own.partial_channels, left)
        return make_mixture(plan, bank, self._settings, self._recipe, self._train, self._devices)

    def train(
        self,
        execution: MixtureExecution,
        rate: float,
        alpha: Alpha,
        trains_alpha: bool,
        seed: tuple[int, int],
    ) -> tuple[np.ndarray, Alpha]:
        """See `MixtureTeaching.train`."""
        size = self._settings.batch_size
        first, second = self._halves(seed[0])
        random = np.random.default_rng(list(seed))
        order = random.permutation(first)[: len(first) // size * size].reshape(-1, size)
        # Drawn anew for each step, as the authors' code has it.
        judged = np.stack([random.choice(second, size, replace=False) for _ in order])
        if self._own.on_all_images:
            judged = order
        changed = augmented(self._train, self._settings.augmentation, seed)
        return execution.train(changed, order, judged, rate, alpha, trains_alpha)

    def accuracy(self, execution: MixtureExecution, rows: Rows) -> float:
        """See `MixtureTeaching.accuracy`."""
        return 100 * execution.accuracy(rows, self._validation)

    def curvature(self, execution: MixtureExecution, rows: Rows, seed: tuple[int, int]) -> Product:
        """See `MixtureTeaching.curvature`."""
        random = np.random.default_rng([*seed, 1])
        indices = random.choice(self._halves(seed[0])[1], self._settings.batch_size, False)
        return execution.curvature(rows, indices.astype(np.int32))

    def distances(
        self,
        execution: MixtureExecution,
        rows: Sequence[Row],
        alpha: Rows,
        work: MixtureEpoch,
        seed: tuple[int, int],
    ) -> Mapping[str, np.ndarray]:
        """See `MixtureTeaching.distances`."""
        first, _ = self._halves(seed[0])
        random, size = np.random.default_rng([*seed, 4]), self._settings.batch_size
        order = [random.choice(first, size, replace=False) for _ in range(work.batches)]
        return row_distances(execution, rows, alpha, order, work)

    def _halves(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Images that weights are trained on, and those for alpha; disjoint unless all are both."""
        order = np.random.default_rng([seed, 0, 2]).permutation(len(self._train.labels))
        order = order.astype(np.int32)
        if self._own.on_all_images:
            return order, order
        return order[: len(order) // 2], order[len(order) // 2 :]


class MixtureOnWords:
    """Weights are trained on the training text, alpha on the validation text, as published."""

    def __init__(
        self,
        data: DataSettings,
        settings: SupernetSettings,
        recipe: Recipe,
        layout: Layout,
        devices: Sequence[jax.Device],
    ):
        """Reads the text; see `mixture_teaching`."""
        refuse_devices(devices)
        assert settings.mixture is not None and recipe.language is not None
        self._settings, self._own, self._language = settings, settings.mixture, recipe.language
        self._layout = layout
        train, self._validation = text_parts(data)
        size, steps = settings.batch_size, recipe.language.bptt_steps
        require_words(recipe, len(train), len(self._validation), size)
        self._text = streams(train, size)
        self._judging = self._text
        if not self._own.on_all_images:
            self._judging = streams(self._validation, size)
            if len(self._judging) <= steps:
                raise UserError(
                    f"The validation text has {len(self._validation):,} words, and alpha is "
                    f"trained on {size} sequences of it in windows of {steps}, which need at least "
                    f"{size * (steps + 1):,} (--supernet_batch_size, --bptt_steps)."
                )
        self._compiled = compiled_for(settings, recipe.bfloat16)
        self._first = functools.partial(shared_arrays, within=recipe.language.first_weights)
        self.examples = window_count(len(self._text), steps) * steps * size

    def new_bank(self, seed: int) -> Bank:
        """See `MixtureTeaching.new_bank`."""
        return Bank(self._compiled, seed, first=self._first)

    def execution(self, space: SearchSpace, bank: Bank, left: Left) -> LanguageMixture:
        """See `MixtureTeaching.execution`."""
        return LanguageMixture(
            part_plan(space, self._layout, self._own.partial_channels, left),
            bank,
            self._own,
            self._language,
            self._settings.batch_size,
            self._settings.gradient_norm,
        )

    def train(
        self,
        execution: LanguageMixture,
        rate: float,
        alpha: Alpha,
        trains_alpha: bool,
        seed: tuple[int, int],
    ) -> tuple[np.ndarray, Alpha]:
        """See `MixtureTeaching.train`."""
        return execution.train(self._text, self._judging, rate, alpha, trains_alpha, seed)

    def accuracy(self, execution: LanguageMixture, rows: Rows) -> float:
        """See `MixtureTeaching.accuracy`."""
        return as_accuracy(execution.perplexity(rows, self._validation))

    def curvature(self, execution: LanguageMixture, rows: Rows, seed: tuple[int, int]) -> Product:
        """See `MixtureTeaching.curvature`."""
        room = len(self._judging) - self._language.bptt_steps
        first = int(np.random.default_rng([*seed, 1]).integers(room))
        return execution.curvature(rows, self._judging, first)

    def distances(
        self,
        execution: LanguageMixture,
        rows: Sequence[Row],
        alpha: Rows,
        work: MixtureEpoch,
        seed: tuple[int, int],
    ) -> Mapping[str, np.ndarray]:
        """See `MixtureTeaching.distances`; refuses."""
        raise UserError("Gradients of a mixture are compared on images, not on words.")
