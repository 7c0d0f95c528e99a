"""What turns a block into accuracies: training it, looking them up, or making them up."""

from __future__ import annotations

import hashlib
import math
import pathlib
import statistics
import time
from typing import Protocol

from blockqnn.evaluation.proxy import ProxyEvaluator
from blockqnn.evaluation.table import TableEvaluator, read_table
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import design_of, space_of
from blockqnn.reward import guessing_accuracy
from blockqnn.settings import NO_TABLE, DataSettings, Recipe, TableSettings, WorkerSettings
from blockqnn.settings import PYTHON as PYTHON
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.trial import Job, Outcome

SharedWeights = tuple[SupernetSettings, str]
"""A supernet, and the directory of its banks."""

TRAIN = "train"
TABLE = "table"
DRY = "dry"
PROXY = "proxy"
SHARED = "shared"
OF_IMAGES = (TRAIN, PROXY, SHARED)
"""Those that look at images."""


class Evaluator(Protocol):
    """Evaluates children, one at a time in each of its slots."""

    @property
    def device(self) -> str:
        """What evaluates, in words."""

    @property
    def slots(self) -> int:
        """How many children it can evaluate at once."""

    @property
    def ahead(self) -> int:
        """How many jobs beyond those it can prepare meanwhile; 0 if that gains nothing."""

    def prepare(self, job: Job, slot: int) -> None:
        """Begins with what can be done early, in the background.

        Args:
            job: which will be evaluated later.
            slot: in which it will be, from 0.
        """

    def evaluate(self, job: Job, slot: int) -> Outcome:
        """Evaluates a child, prepared or not.

        Args:
            job: which child.
            slot: which nothing else uses meanwhile; the outcome does not depend on it.

        Returns:
            The outcome; what goes wrong with the child is in it.
        """


def make_evaluator(
    name: str,
    data: DataSettings,
    recipe: Recipe,
    layout: Layout,
    worker: WorkerSettings,
    table: TableSettings = NO_TABLE,
    proxy: str = "",
    shared: SharedWeights | None = None,
) -> Evaluator:
    """Creates an evaluator.

    Args:
        name: `train`, `table`, `dry`, `proxy` or `shared`.
        data: which images.
        recipe: how to train.
        layout: of the child networks.
        worker: how to use the machine.
        table: where `table` looks accuracies up.
        proxy: the score of `proxy`.
        shared: how `shared` is trained, and where its banks are.

    Returns:
        The evaluator, its data on the devices.

    Raises:
        UserError: if the data set cannot be read, or the machine is not as `worker` has it.
    """
    if name == DRY:
        return DryEvaluator(recipe.epochs, layout.classes, worker.dry.seconds, worker.dry.spread)
    if name == TABLE:
        return TableEvaluator(read_table(table.path, (table.column,), table.space))
    if name == PROXY:
        return ProxyEvaluator(proxy, data, recipe, layout, worker)
    # The driver of a search must not import JAX, and these import it.
    if shared is not None:
        supernet, banks = shared
        if supernet.mixture is not None:
            from blockqnn.evaluation.mixture import MixtureEvaluator

            return MixtureEvaluator(data, supernet, recipe, layout, worker, pathlib.Path(banks))
        from blockqnn.evaluation.shared import SharedEvaluator

        return SharedEvaluator(data, supernet, recipe, layout, worker, pathlib.Path(banks))
    from blockqnn.evaluation.training import TrainEvaluator

    return TrainEvaluator(data, recipe, layout, worker)


class DryEvaluator:
    """Makes accuracies up, from the canonical form alone, at once or as slowly as is asked for.

    More convolutions help up to a point, so do larger kernels and shortcuts,
    and a hash adds noise: enough structure for an agent to learn something.
    """

    device = "dry"
    slots = 1
    ahead = 0

    def __init__(self, epochs: int, classes: int, seconds: float = 0.0, spread: float = 0.0):
        """Creates the evaluator.

        Args:
            epochs: number of accuracies to make up.
            classes: of the data set that is pretended.
            seconds: that a child takes, which it sleeps; the median.
            spread: standard deviation of their logarithm.
        """
        self._epochs = epochs
        self._seconds, self._spread = seconds, spread
        self._guessing = guessing_accuracy(classes)

    def prepare(self, job: Job, slot: int) -> None:
        """See `Evaluator.prepare`."""

    def evaluate(self, job: Job, slot: int) -> Outcome:
        """See `Evaluator.evaluate`."""
        begun = time.perf_counter()
        if self._seconds:
            time.sleep(self._seconds * math.exp(self._spread * deviate(job.hash)))
        final = self._guessing + (95 - self._guessing) * _made_up_quality(design_of(job.code))
        accuracies = tuple(
            final + (self._guessing - final) * math.exp(-2.0 * epoch)
            for epoch in range(1, self._epochs)
        )
        seconds = time.perf_counter() - begun if self._seconds else 0.0
        return Outcome(accuracies=(*accuracies, final), device=self.device, train_seconds=seconds)


def deviate(block_hash: str) -> float:
    """A standard normal number, the same for the same block.

    Args:
        block_hash: names the block's canonical form.

    Returns:
        The number.
    """
    digest = hashlib.sha256(f"seconds {block_hash}".encode()).digest()
    return statistics.NormalDist().inv_cdf((int.from_bytes(digest[:4], "big") + 0.5) / 2**32)


def _made_up_quality(design: Design) -> float:
    """A number between 0 and 1."""
    promise = space_of(design).promise(design)
    size = 1 - math.exp(-0.5 * len(promise.kernels))
    window = sum(kernel > 1 for kernel in promise.kernels) / max(1, len(promise.kernels))
    noise = int.from_bytes(hashlib.sha256(design.hash.encode()).digest()[:4], "big") / 2**32
    return 0.5 * size + 0.2 * window + 0.1 * min(1, promise.shortcuts) + 0.2 * noise
