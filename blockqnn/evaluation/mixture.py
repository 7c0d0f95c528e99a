"""The evaluator of a mixture: it trains one for an epoch, or tells what its choices are worth."""

from __future__ import annotations

import dataclasses
import logging
import math
import pathlib
import time
from typing import Any

import numpy as np

from blockqnn.children.augmentation import augmented
from blockqnn.children.compilation import begin_cache
from blockqnn.children.devices import worker_devices
from blockqnn.children.training import on_device
from blockqnn.data.datasets import load_search_parts
from blockqnn.errors import UserError
from blockqnn.evaluation.lowerings import lowerings_record
from blockqnn.networks.layout import Layout
from blockqnn.networks.shares import shares_of
from blockqnn.networks.spaces.contract import Row, SearchSpace, part_plan, part_rows
from blockqnn.networks.spaces.registry import space_of
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.shared_work import MixtureEpoch
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets.alpha import (
    Alpha,
    Rows,
    begun,
    decided,
    discrete,
    first_alpha,
    left_out,
    of_part,
    of_whole,
)
from blockqnn.supernets.alpha_arrays import as_arrays, from_arrays
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.bank_file import read_bank, read_beside, read_facts, write_bank
from blockqnn.supernets.curvature import dominant_eigenvalue
from blockqnn.supernets.cuts import read_distances, write_distances
from blockqnn.supernets.mixture_execution import MixtureExecution, make_mixture
from blockqnn.supernets.mixture_matching import row_distances
from blockqnn.supernets.paths import cosine
from blockqnn.trial import Job, Outcome

_log = logging.getLogger(__name__)


@dataclasses.dataclass
class _State:
    """A mixture as it stands.

    Attributes:
        name: of its bank on disk; empty for a new one.
        execution: that holds the weights.
        bank: likewise.
        alpha: of its operations.
        vector: that the power iteration ended with, by row; empty before the first.
        rows: of all of the mixture's, or of the part's that it is.
    """

    name: str
    execution: MixtureExecution
    bank: Bank
    alpha: Alpha
    vector: Rows
    rows: tuple[Row, ...]


class MixtureEvaluator:
    """Trains the mixture of a space, whose banks lie in one directory."""

    slots = 1
    ahead = 0

    def __init__(
        self,
        data: DataSettings,
        settings: SupernetSettings,
        recipe: Recipe,
        layout: Layout,
        worker: WorkerSettings,
        banks: pathlib.Path,
    ):
        """Reads the data set and puts it on the device.

        Args:
            data: which images; weights are trained on a half of the training part, alpha on the
                other, and accuracies are those of the validation part.
            settings: of the supernet, a mixture.
            recipe: how it is executed.
            layout: of networks of their own.
            worker: which devices share a batch, and which cache of compiled programs.
            banks: directory of banks.

        Raises:
            UserError: if the data set cannot be read or half of it is less than a batch.
        """
        assert settings.mixture is not None
        begin_cache(worker.compilation_cache)
        lowerings_record()
        self._settings, self._own, self._recipe = settings, settings.mixture, recipe
        # Batch norm with a scale would let weights undo what alpha says.
        self._layout, self._directory = dataclasses.replace(layout, unscaled=True), banks
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
        self._state: _State | None = None
        self._devices = worker_devices(worker.devices)
        self.device = self._devices[0].device_kind

    def prepare(self, job: Job, slot: int) -> None:
        """See `Evaluator.prepare`."""

    def evaluate(self, job: Job, slot: int) -> Outcome:
        """See `Evaluator.evaluate`; what it found is in the outcome, with its loss as a score."""
        begun = time.perf_counter()
        try:
            assert job.mixture is not None
            found = self._done(job.mixture, space_of(job.code), job.seed)
            outcome = Outcome(score=found["loss"], found=found)
        except UserError as error:
            outcome = Outcome(reason=str(error))
        except Exception as error:
            _log.exception("job %d", job.number)
            outcome = Outcome(reason=f"{type(error).__name__}: {error}"[:300])
        seconds = time.perf_counter() - begun
        return dataclasses.replace(outcome, train_seconds=seconds, device=self.device)

    def _done(self, work: MixtureEpoch, space: SearchSpace, seed: int) -> dict[str, Any]:
        path = self._directory / work.end
        if work.end and path.exists():
            # The process that asked for it died before it knew.
            known = read_facts(path).found
            assert known is not None
            return known
        state = self._at(work, space, seed)
        found: dict[str, Any] = {"loss": 0.0}
        if work.matched:
            return found | {"distances": self._matched(state, work, seed)}
        if work.end:
            begun = time.perf_counter()
            state.name = "between two epochs"
            found = self._epoch(state, work, space, seed)
            # Whoever reads rows reads what was trained, and the same as from disk.
            self._write(path, state, found, time.perf_counter() - begun)
            state.name = work.end
        if work.probed:
            found = found | {"probed": self._probed(state, work, space)}
        return found

    def _epoch(
        self, state: _State, work: MixtureEpoch, space: SearchSpace, seed: int
    ) -> dict[str, Any]:
        """Trains for an epoch; what is found then."""
        own, size, rows = self._own, self._settings.batch_size, state.rows
        whole, epoch = space.mixture_rows(own.partial_channels), work.before + work.epoch
        first, second = self._halves(seed)
        random = np.random.default_rng([seed, epoch])
        order = random.permutation(first)[: len(first) // size * size].reshape(-1, size)
        # Drawn anew for each step, as the authors' code has it.
        judged = np.stack([random.choice(second, size, replace=False) for _ in order])
        if own.on_all_images:
            judged = order
        rate = float(
            cosine(
                self._settings.learning_rate,
                self._settings.least_rate,
                np.asarray(min(work.epoch, work.epochs)),
                work.epochs,
            )
        )
        trained = dataclasses.replace(state.alpha, rows=decided(rows, state.alpha.rows, work.fixed))
        settles = work.settled or epoch < own.frozen_epochs
        changed = augmented(self._train, self._settings.augmentation, (seed, epoch))
        losses, alpha = state.execution.train(changed, order, judged, rate, trained, not settles)
        if not settles:
            state.alpha = alpha
        loss = float(np.mean(losses))
        if not math.isfinite(loss):
            raise UserError(
                f"The loss of the mixture is {loss}, first in step "
                f"{1 + int(np.argmin(np.isfinite(losses)))} of the epoch; lower --supernet_rate."
            )
        if not all(np.isfinite(row).all() for row in state.alpha.rows.values()):
            raise UserError(
                "The mixture's weights of operations are no numbers; lower --alpha_rate."
            )
        here = decided(rows, state.alpha.rows, work.fixed)
        of_all = of_whole(here, whole, rows)
        kept = space.kept(shares_of(of_all))
        found: dict[str, Any] = {
            "loss": loss,
            "rate": rate,
            "images": int(order.size),
            "alpha": {name: [float(each) for each in row] for name, row in of_all.items()},
            "accuracy": 100 * state.execution.accuracy(here, self._validation),
            "derived_accuracy": 100
            * state.execution.accuracy(discrete(rows, here, kept), self._validation),
        }
        if work.measures:
            indices = np.random.default_rng([seed, epoch, 1]).choice(second, size, False)
            value, state.vector = dominant_eigenvalue(
                state.execution.curvature(here, indices.astype(np.int32)),
                # Equal numbers would lie where the softmax, and so the loss, does not change.
                state.vector or first_alpha(rows, 1.0, seed).rows,
                own.eigenvalue_steps,
            )
            found["eigenvalue"] = value if math.isfinite(value) else None
        return found

    def _halves(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Images that weights are trained on, and those for alpha; disjoint unless all are both."""
        order = np.random.default_rng([seed, 0, 2]).permutation(len(self._train.labels))
        order = order.astype(np.int32)
        if self._own.on_all_images:
            return order, order
        return order[: len(order) // 2], order[len(order) // 2 :]

    def _probed(self, state: _State, work: MixtureEpoch, space: SearchSpace) -> list[float]:
        """The accuracy without each choice that is left, in percent; 100 where it is not."""
        here = decided(state.rows, state.alpha.rows, work.fixed)
        return [
            100.0
            if alternative is None
            else 100 * state.execution.accuracy(alternative, self._validation)
            for alternative in left_out(state.rows, here, work.probed, work.fixed)
        ]

    def _matched(self, state: _State, work: MixtureEpoch, seed: int) -> dict[str, Any]:
        """How far the operations of each edge disagree about the weights of all others."""
        path = self._directory / work.matched
        if not path.exists():
            first, _ = self._halves(seed)
            random = np.random.default_rng([seed, work.before + work.epoch, 4])
            size = self._settings.batch_size
            order = [random.choice(first, size, replace=False) for _ in range(work.batches)]
            found = row_distances(state.execution, state.rows, state.alpha.rows, order, work)
            write_distances(path, found)
        return {name: own.tolist() for name, own in read_distances(path).items()}

    def _at(self, work: MixtureEpoch, space: SearchSpace, seed: int) -> _State:
        """The mixture as it stood at the end of an epoch, or a part of it that begins there."""
        name, state = work.start, self._state
        if state is not None and name and state.name == name and not work.renewed:
            return state
        own, bank = self._own, Bank(self._compiled, seed)
        whole = space.mixture_rows(own.partial_channels)
        rows = part_rows(whole, work.left)
        alpha, vector = first_alpha(rows, own.alpha_deviation, seed), dict[str, np.ndarray]()
        if name:
            bank = read_bank(self._directory / name, bank)
            alpha, vector = from_arrays(read_beside(self._directory / name), len(rows))
        if work.renewed:
            # Weights, those of the split edge too, and alpha are the parent's; all else is new.
            bank = bank.without_moments()
            alpha, vector = begun(of_part(alpha.rows, whole, rows, work.left)), {}
        plan = part_plan(space, self._layout, own.partial_channels, work.left)
        execution = make_mixture(
            plan, bank, self._settings, self._recipe, self._train, self._devices
        )
        self._state = _State(name, execution, bank, alpha, vector, rows)
        return self._state

    def _write(
        self, path: pathlib.Path, state: _State, found: dict[str, Any], seconds: float
    ) -> None:
        state.execution.put_back()
        arrays = as_arrays(state.alpha, state.vector)
        write_bank(path, state.bank, found["loss"], seconds, found, arrays)
