"""What trains and scores a bank: images, or words; the evaluator is one for both."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Protocol

import jax
import numpy as np

from blockqnn.children.augmentation import augmented
from blockqnn.children.language_steps import streams
from blockqnn.children.language_training import as_accuracy, require_words
from blockqnn.children.training import on_device
from blockqnn.data.datasets import load_search_parts
from blockqnn.data.text_source import text_parts
from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout
from blockqnn.networks.recurrent.initial import shared_arrays
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import space_of
from blockqnn.settings import DataSettings, Recipe
from blockqnn.shared_work import GradientMatch
from blockqnn.supernet_settings import RECALIBRATED, SupernetSettings
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.execution import PathExecution
from blockqnn.supernets.language_paths import LanguagePaths
from blockqnn.supernets.matching import edge_distances
from blockqnn.supernets.path_programs import make_paths
from blockqnn.supernets.paths import Paths


class PathTeaching(Protocol):
    """Trains banks on data of one kind, and scores with them."""

    def new_bank(self, seed: int) -> Bank:
        """A bank before any training."""

    def train(
        self, bank: Bank, designs: Sequence[Design], rates: np.ndarray, seed: tuple[int, int]
    ) -> np.ndarray:
        """Trains a bank for an epoch.

        Args:
            bank: that is trained; what a step's design does not use stays as it is.
            designs: that of each step.
            rates: learning rate of each step.
            seed: of the order of the data, and the epoch, from 0.

        Returns:
            The loss before each step, in nats.
        """

    def accuracy(self, bank: Bank, design: Design, batch: int | None) -> float:
        """What a design has with a bank's arrays on the validation part, in percent.

        Args:
            bank: whose arrays; they stay as they are.
            design: that is scored.
            batch: the only one that is looked at; None for all.

        Returns:
            Its accuracy; of language models 100 over the perplexity.
        """

    def distances(self, bank: Bank, work: GradientMatch, seed: int) -> Mapping[str, np.ndarray]:
        """By edge how far the gradients of its operations disagree."""


def path_teaching(
    data: DataSettings,
    settings: SupernetSettings,
    recipe: Recipe,
    layout: Layout,
    devices: Sequence[jax.Device],
) -> PathTeaching:
    """What trains banks of networks in a layout.

    Args:
        data: images, or a text.
        settings: of the supernet.
        recipe: how it is executed, and what language models are trained by besides.
        layout: of its networks.
        devices: that share a batch.

    Returns:
        It, with its data read.

    Raises:
        UserError: if the data cannot be read or are less than a batch, or there are more devices
            than can share one.
    """
    if layout.of_words:
        return PathsOnWords(data, settings, recipe, layout, devices)
    return PathsOnImages(data, settings, recipe, layout, devices)


class PathsOnImages:
    """Trains banks on images."""

    def __init__(
        self,
        data: DataSettings,
        settings: SupernetSettings,
        recipe: Recipe,
        layout: Layout,
        devices: Sequence[jax.Device],
    ):
        """Reads the images and puts them on the device; see `path_teaching`."""
        self._settings, self._recipe, self._devices = settings, recipe, devices
        self._layout = layout
        self._train, self._validation = on_device(*load_search_parts(data))
        images = len(self._train.labels)
        if images < settings.batch_size:
            raise UserError(
                f"A step of the supernet takes {settings.batch_size} images and there are "
                f"{images} to train on; give a smaller --supernet_batch_size."
            )
        self._compiled = compiled_for(settings, recipe.bfloat16)
        self._executions: dict[str, PathExecution] = {}

    def new_bank(self, seed: int) -> Bank:
        """See `PathTeaching.new_bank`."""
        return Bank(self._compiled, seed)

    def train(
        self, bank: Bank, designs: Sequence[Design], rates: np.ndarray, seed: tuple[int, int]
    ) -> np.ndarray:
        """See `PathTeaching.train`."""
        steps, size = len(designs), self._settings.batch_size
        random = np.random.default_rng(list(seed))
        # Steps are counted before images are read, and a split by class may train on a few less:
        # then the first are shown once more.
        order = np.resize(random.permutation(len(self._train.labels)), steps * size)
        return self._execution(designs[0]).train(
            bank,
            designs,
            augmented(self._train, self._settings.augmentation, seed),
            order.astype(np.int32).reshape(steps, size),
            rates,
        )

    def accuracy(self, bank: Bank, design: Design, batch: int | None) -> float:
        """See `PathTeaching.accuracy`."""
        calibration = None
        if self._settings.statistics == RECALIBRATED:
            calibration = self._train, self._calibration()
        return 100 * self._execution(design).accuracy(
            bank,
            design,
            self._validation,
            self._settings.statistics,
            calibration,
            None if batch is None else range(batch, batch + 1),
        )

    def distances(self, bank: Bank, work: GradientMatch, seed: int) -> Mapping[str, np.ndarray]:
        """See `PathTeaching.distances`."""
        size, images = self._settings.batch_size, len(self._train.labels)
        random = np.random.default_rng([seed, len(work.designs)])
        order = np.concatenate(
            [random.permutation(images) for _ in range(1 + len(work.designs) * size // images)]
        )
        order = order[: len(work.designs) * size].astype(np.int32).reshape(-1, size)
        # Few designs and no updates: the chain is quick enough on every device.
        paths = Paths(self._layout, bank, size, self._train)
        return edge_distances(bank, paths, self._train, work.designs, order, work.edges)

    def _calibration(self) -> np.ndarray:
        """The same images for every design, and evenly spread over the training part."""
        size = self._settings.batch_size
        batches = min(self._settings.recalibration_batches, len(self._train.labels) // size)
        chosen = np.linspace(0, len(self._train.labels) - 1, batches * size).astype(np.int32)
        # Images of one class may stand beside one another: each batch takes every so many.
        return chosen.reshape(size, batches).T

    def _execution(self, design: Design) -> PathExecution:
        """What executes the paths of a design's space."""
        name = space_of(design).name
        if name not in self._executions:
            self._executions[name] = make_paths(
                design,
                self._layout,
                self._settings,
                self._recipe,
                Bank(self._compiled, 0),
                self._train,
                self._devices,
            )
        return self._executions[name]


class PathsOnWords:
    """Trains banks of recurrent cells on a text, by truncated back-propagation."""

    def __init__(
        self,
        data: DataSettings,
        settings: SupernetSettings,
        recipe: Recipe,
        layout: Layout,
        devices: Sequence[jax.Device],
    ):
        """Reads the text; see `path_teaching`."""
        refuse_devices(devices)
        assert recipe.language is not None
        self._settings = settings
        train, self._validation = text_parts(data)
        require_words(recipe, len(train), len(self._validation), settings.batch_size)
        self._text = streams(train, settings.batch_size)
        self._compiled = compiled_for(settings, recipe.bfloat16)
        self._first = functools.partial(shared_arrays, within=recipe.language.first_weights)
        self._paths = LanguagePaths(
            layout, self._compiled, recipe.language, settings.batch_size, settings.gradient_norm
        )

    def new_bank(self, seed: int) -> Bank:
        """See `PathTeaching.new_bank`."""
        return Bank(self._compiled, seed, first=self._first)

    def train(
        self, bank: Bank, designs: Sequence[Design], rates: np.ndarray, seed: tuple[int, int]
    ) -> np.ndarray:
        """See `PathTeaching.train`."""
        return self._paths.train(bank, designs, self._text, rates, seed)

    def accuracy(self, bank: Bank, design: Design, batch: int | None) -> float:
        """See `PathTeaching.accuracy`; a batch is a window, read from states of zeros."""
        return as_accuracy(self._paths.perplexity(bank, design, self._validation, batch))

    def distances(self, bank: Bank, work: GradientMatch, seed: int) -> Mapping[str, np.ndarray]:
        """See `PathTeaching.distances`; refuses, since recurrent cells have no such edges."""
        raise UserError("Gradients are compared by edges, which recurrent cells do not have.")


def refuse_devices(devices: Sequence[jax.Device]) -> None:
    """Refuses several devices for one text, by UserError."""
    if len(devices) > 1:
        raise UserError(
            f"--devices_per_worker is {len(devices)}, and a supernet of recurrent cells is trained "
            "on one device."
        )
