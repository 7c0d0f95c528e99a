"""What a child learns from: images, or words. The evaluator that trains is one for both."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np

from blockqnn.children.execution import DeviceImages
from blockqnn.children.language_training import (
    CompiledModel,
    as_accuracy,
    compile_model,
    require_words,
    train_model,
)
from blockqnn.children.training import (
    CompiledChild,
    compile_child,
    is_whole,
    on_device,
    train_compiled,
)
from blockqnn.data.datasets import load_search_parts
from blockqnn.data.text_source import text_parts
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Plan
from blockqnn.settings import DataSettings, Recipe


@dataclasses.dataclass(frozen=True)
class Taught:
    """What became of a child.

    Attributes:
        accuracies: on the validation part after each epoch, in percent.
        restarts: how often training started again.
    """

    accuracies: tuple[float, ...]
    restarts: int = 0


class Teaching(Protocol):
    """Trains children on data of one kind."""

    def load(self, data: DataSettings) -> Any:
        """Reads what children see; raises UserError if it cannot be read."""

    def put(self, parts: Any) -> Any:
        """Puts that on the default device."""

    def compiles_ahead(self) -> bool:
        """Whether each child has programs of its own that threads can compile early."""

    def compile(self, plan: Plan, parts: Any, cores: int) -> Any:
        """Compiles a child for the default device; it has `compile_seconds`.

        Args:
            plan: of the network.
            parts: that were put on the device.
            cores: which may share the child's batches, as devices of a divided processor.

        Returns:
            The child.
        """

    def train(self, child: Any, parts: Any, seed: int) -> Taught:
        """Trains a compiled child; raises TrainingError if it cannot be trained."""


class OnImages:
    """Children that see images."""

    def __init__(self, recipe: Recipe):
        """Takes how they are trained."""
        self._recipe = recipe

    def load(self, data: DataSettings) -> Any:
        """See `Teaching.load`."""
        return load_search_parts(data)

    def put(self, parts: Any) -> tuple[DeviceImages, DeviceImages]:
        """See `Teaching.put`."""
        return on_device(*parts)

    def compiles_ahead(self) -> bool:
        """See `Teaching.compiles_ahead`."""
        return is_whole(self._recipe)

    def compile(self, plan: Plan, parts: Any, cores: int) -> CompiledChild:
        """See `Teaching.compile`."""
        train, validation = parts
        return compile_child(plan, self._recipe, train, validation, cores)

    def train(self, child: CompiledChild, parts: Any, seed: int) -> Taught:
        """See `Teaching.train`."""
        train, validation = parts
        trained = train_compiled(child, self._recipe, train, validation, seed)
        return Taught(tuple(trained.accuracies), trained.restarts)


class OnWords:
    """Language models; accuracies are 100 over their perplexities."""

    def __init__(self, recipe: Recipe):
        """Takes how they are trained."""
        self._recipe = recipe

    def load(self, data: DataSettings) -> tuple[np.ndarray, np.ndarray]:
        """See `Teaching.load`."""
        train, validation = text_parts(data)
        require_words(self._recipe, len(train), len(validation))
        return train, validation

    def put(self, parts: Any) -> Any:
        """See `Teaching.put`; words are few bytes and go with each epoch."""
        return parts

    def compiles_ahead(self) -> bool:
        """See `Teaching.compiles_ahead`."""
        return is_whole(self._recipe)

    def compile(self, plan: Plan, parts: Any, cores: int) -> CompiledModel:
        """See `Teaching.compile`; a language model has a core."""
        return compile_model(plan, self._recipe)

    def train(self, child: CompiledModel, parts: Any, seed: int) -> Taught:
        """See `Teaching.train`."""
        train, validation = parts
        trained = train_model(child, self._recipe, train, validation, seed)
        return Taught(tuple(map(as_accuracy, trained.epochs.perplexities)))


def teaching_of(layout: Layout, recipe: Recipe) -> Teaching:
    """How children of a layout are trained."""
    return OnWords(recipe) if layout.of_words else OnImages(recipe)
