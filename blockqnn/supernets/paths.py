"""A design as a path through a bank: an ordinary network whose arrays are the bank's."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.chain import Chain, Held
from blockqnn.children.execution import DeviceImages, evaluation_batches
from blockqnn.children.small_programs import count_correct_of
from blockqnn.networks.layout import Layout
from blockqnn.networks.parts import cut_into_layers
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import design_plan
from blockqnn.supernet_settings import OF_BATCH, RECALIBRATED
from blockqnn.supernets.bank import Bank
from blockqnn.supernets.execution import Calibration


@dataclasses.dataclass(frozen=True)
class Path:
    """A design's network.

    Attributes:
        plan: of it.
        chain: its programs.
    """

    plan: Plan
    chain: Chain


class Paths:
    """Makes the networks of designs, whose programs are shared."""

    def __init__(self, layout: Layout, bank: Bank, batch_size: int, part: DeviceImages):
        """Prepares.

        Args:
            layout: of every network.
            bank: that says what is compiled.
            batch_size: images in a step and in a batch that is scored.
            part: images of the shape that they read.
        """
        self._layout, self._compiled = layout, bank.compiled
        self._batch_size, self._part = batch_size, part

    def path(self, design: Design) -> Path:
        """The network of a design, all of whose programs are compiled."""
        plan = design_plan(design, self._layout)
        chain = Chain(cut_into_layers(plan), self._compiled, self._batch_size)
        chain.compile(self._part)
        return Path(plan, chain)


def train(
    bank: Bank,
    paths: Sequence[Path],
    part: DeviceImages,
    order: np.ndarray,
    rates: np.ndarray,
    most_norm: float,
) -> np.ndarray:
    """Trains a bank, a design a step; all that a step's design does not use stays as it is.

    Args:
        bank: that is trained.
        paths: the design of each step.
        part: the training part.
        order: int32 [steps, batch], which images each step takes.
        rates: float [steps], learning rates.
        most_norm: to which the norm of a step's gradients is cut; 0 for no bound.

    Returns:
        The loss before each step, float64 [steps].
    """
    losses = []
    for path, indices, rate in zip(paths, order, rates, strict=True):
        weights = bank.weights(path.plan, path.chain.all_steps)
        for own in weights:
            own.follow(np.float32(rate))
        losses.append(path.chain.train_step(weights, *path.chain.batch(part, indices), most_norm))
    return np.asarray(jax.device_get(losses), np.float64)


def accuracy(
    bank: Bank,
    path: Path,
    part: DeviceImages,
    statistics: str,
    calibration: Calibration | None = None,
    batches: range | None = None,
) -> float:
    """See `PathExecution.accuracy`; `path` is the design's."""
    weights = [dataclasses.replace(own) for own in bank.weights(path.plan, path.chain.all_steps)]
    if statistics == RECALIBRATED:
        assert calibration is not None
        found = _averaged_statistics(path, weights, *calibration)
        for number, own in found.items():
            weights[number].statistics = own
    return share_correct(path.chain, weights, part, statistics == OF_BATCH, batches)


def share_correct(
    chain: Chain,
    weights: Sequence[Held],
    part: DeviceImages,
    of_batch: bool,
    batches: range | None = None,
) -> float:
    """The share of images that a chain classifies correctly.

    Args:
        chain: its programs.
        weights: what its steps hold.
        part: images.
        of_batch: whether batch norm uses each batch's statistics, and updates the running ones.
        batches: as for `accuracy`.

    Returns:
        From 0 to 1.
    """
    counts, seen = [], 0
    for indices, real in filled_batches(len(part.labels), chain.batch_size, batches):
        images, labels = chain.batch(part, indices)
        logits = chain.forward(weights, images)[0][-1] if of_batch else chain.infer(weights, images)
        counts.append(count_correct_of(logits, labels, jnp.asarray(real)))
        seen += int(real.sum())
    return float(np.sum(jax.device_get(counts))) / seen


class PathChain:
    """Executes paths as chains of small programs: for processors."""

    def __init__(
        self, layout: Layout, bank: Bank, batch_size: int, most_norm: float, part: DeviceImages
    ):
        """Prepares.

        Args:
            layout: as for `Paths`.
            bank: likewise.
            batch_size: likewise.
            most_norm: to which the norm of a step's gradients is cut; 0 for no bound.
            part: as for `Paths`.
        """
        self._paths, self._most_norm = Paths(layout, bank, batch_size, part), most_norm

    def train(
        self,
        bank: Bank,
        designs: Sequence[Design],
        part: DeviceImages,
        order: np.ndarray,
        rates: np.ndarray,
    ) -> np.ndarray:
        """See `PathExecution.train`."""
        paths = [self._paths.path(design) for design in designs]
        return train(bank, paths, part, order, rates, self._most_norm)

    def accuracy(
        self,
        bank: Bank,
        design: Design,
        part: DeviceImages,
        statistics: str,
        calibration: Calibration | None = None,
        batches: range | None = None,
    ) -> float:
        """See `PathExecution.accuracy`."""
        path = self._paths.path(design)
        return accuracy(bank, path, part, statistics, calibration, batches)


def cosine(first: float, last: float, step: np.ndarray, steps: int) -> np.ndarray:
    """`last + (first - last) (1 + cos(pi t / T)) / 2`, T being the steps in all."""
    return last + (first - last) * (1 + np.cos(math.pi * step / steps)) / 2


def restarted(epoch: int, first_period: int) -> tuple[int, int]:
    """Where an epoch lies in a schedule that begins anew, each period twice as long as before.

    Loshchilov and Hutter, "SGDR", ICLR 2017, with T_mult = 2.

    Args:
        epoch: from 0.
        first_period: epochs of the first period.

    Returns:
        The epoch's place in its period, from 0, and the epochs of that.
    """
    period = first_period
    while epoch >= period:
        epoch, period = epoch - period, 2 * period
    return epoch, period


def filled_batches(
    examples: int, batch_size: int, chosen: range | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """As `evaluation_batches`, the last filled with the part's first images.

    Filled with one image many times, its own statistics would be those of that image.

    Args:
        examples: images in the part.
        batch_size: images in a batch.
        chosen: which batches; None for all.

    Yields:
        For each batch its images, int32 [batch], and which of them are real.
    """
    indices, real = evaluation_batches(examples, batch_size)
    order = np.arange(indices.size, dtype=np.int32).reshape(indices.shape) % examples
    for number in chosen or range(len(order)):
        yield order[number % len(order)], real[number % len(order)]


def _averaged_statistics(
    path: Path, weights: Sequence[object], part: DeviceImages, order: np.ndarray
) -> dict[int, dict[str, jax.Array]]:
    """The mean of what batch norms see of some batches, begun from nothing."""
    sums: dict[int, dict[str, jax.Array]] = {}
    for indices in order:
        images, _ = path.chain.batch(part, indices)
        _, saved = path.chain.forward(weights, images)  # type: ignore[arg-type]
        for number, step, _ in path.chain.steps:
            if step.normalises:
                own = saved[number][1]
                before = sums.get(number)
                sums[number] = own if before is None else _added(before, own)
    share = np.float32(1 / len(order))
    return {number: _scaled(own, share) for number, own in sums.items()}


@jax.jit
def _added(first: dict[str, jax.Array], second: dict[str, jax.Array]) -> dict[str, jax.Array]:
    return {name: first[name] + second[name] for name in first}


@jax.jit
def _scaled(values: dict[str, jax.Array], share: jax.Array) -> dict[str, jax.Array]:
    return {name: value * share for name, value in values.items()}
