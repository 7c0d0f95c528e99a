"""The evaluator of a mixture: it trains one for an epoch, or tells what its choices are worth."""

from __future__ import annotations

import dataclasses
import logging
import math
import pathlib
import time
from typing import Any

import numpy as np

from blockqnn.children.compilation import begin_cache
from blockqnn.children.devices import worker_devices
from blockqnn.errors import UserError
from blockqnn.evaluation.lowerings import lowerings_record
from blockqnn.evaluation.mixture_teaching import mixture_teaching
from blockqnn.evaluation.stopwatch import Stopwatch
from blockqnn.networks.layout import Layout
from blockqnn.networks.shares import shares_of
from blockqnn.networks.spaces.contract import Row, SearchSpace, part_rows
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
from blockqnn.supernets.bank import Bank
from blockqnn.supernets.bank_file import read_bank, read_beside, read_facts, write_bank
from blockqnn.supernets.curvature import dominant_eigenvalue
from blockqnn.supernets.cuts import read_distances, write_distances
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
    execution: Any
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
            data: images or a text, see `blockqnn.evaluation.mixture_teaching`; accuracies are those
                of the validation part.
            settings: of the supernet, a mixture.
            recipe: how it is executed.
            layout: of networks of their own.
            worker: which devices share a batch, and which cache of compiled programs.
            banks: directory of banks.

        Raises:
            UserError: if the data cannot be read or are less than a batch.
        """
        assert settings.mixture is not None
        begin_cache(worker.compilation_cache)
        lowerings_record()
        self._settings, self._own, self._directory = settings, settings.mixture, banks
        self._devices = worker_devices(worker.devices)
        self._teaching = mixture_teaching(data, settings, recipe, layout, self._devices)
        self._state: _State | None = None
        self.device = self._devices[0].device_kind

    def prepare(self, job: Job, slot: int) -> None:
        """See `Evaluator.prepare`."""

    def evaluate(self, job: Job, slot: int) -> Outcome:
        """See `Evaluator.evaluate`; what it found is in the outcome, with its loss as a score."""
        watch = Stopwatch(self._devices[0])
        try:
            assert job.mixture is not None
            space = space_of(job.code).as_large_as(job.code)
            found = self._done(job.mixture, space, job.seed)
            outcome = Outcome(score=found["loss"], found=found)
        except UserError as error:
            outcome = Outcome(reason=str(error))
        except Exception as error:
            _log.exception("job %d", job.number)
            outcome = Outcome(reason=f"{type(error).__name__}: {error}"[:300])
        return dataclasses.replace(outcome, device=self.device, **watch.seconds())

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
            found = found | {"probed": self._probed(state, work)}
        return found

    def _epoch(
        self, state: _State, work: MixtureEpoch, space: SearchSpace, seed: int
    ) -> dict[str, Any]:
        """Trains for an epoch; what is found then."""
        own, rows = self._own, state.rows
        whole, epoch = space.mixture_rows(own.partial_channels), work.before + work.epoch
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
        here = (seed, epoch)
        losses, alpha = self._teaching.train(state.execution, rate, trained, not settles, here)
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
        now = decided(rows, state.alpha.rows, work.fixed)
        of_all = of_whole(now, whole, rows)
        kept = space.kept(shares_of(of_all))
        found: dict[str, Any] = {
            "loss": loss,
            "rate": rate,
            "images": self._teaching.examples,
            "alpha": {name: [float(each) for each in row] for name, row in of_all.items()},
            "accuracy": self._teaching.accuracy(state.execution, now),
            "derived_accuracy": self._teaching.accuracy(state.execution, discrete(rows, now, kept)),
        }
        if work.measures:
            value, state.vector = dominant_eigenvalue(
                self._teaching.curvature(state.execution, now, here),
                # Equal numbers would lie where the softmax, and so the loss, does not change.
                state.vector or first_alpha(rows, 1.0, seed).rows,
                own.eigenvalue_steps,
            )
            found["eigenvalue"] = value if math.isfinite(value) else None
        return found

    def _probed(self, state: _State, work: MixtureEpoch) -> list[float | None]:
        """The accuracy without each choice, in percent; None for what is no choice, or is gone."""
        here = decided(state.rows, state.alpha.rows, work.fixed)
        return [
            None if alternative is None else self._teaching.accuracy(state.execution, alternative)
            for alternative in left_out(state.rows, here, work.probed, work.fixed)
        ]

    def _matched(self, state: _State, work: MixtureEpoch, seed: int) -> dict[str, Any]:
        """How far the operations of each edge disagree about the weights of all others."""
        path = self._directory / work.matched
        if not path.exists():
            here = (seed, work.before + work.epoch)
            found = self._teaching.distances(
                state.execution, state.rows, state.alpha.rows, work, here
            )
            write_distances(path, found)
        return {name: own.tolist() for name, own in read_distances(path).items()}

    def _at(self, work: MixtureEpoch, space: SearchSpace, seed: int) -> _State:
        """The mixture as it stood at the end of an epoch, or a part of it that begins there."""
        name, state = work.start, self._state
        if state is not None and name and state.name == name and not work.renewed:
            return state
        own, bank = self._own, self._teaching.new_bank(seed)
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
        execution = self._teaching.execution(space, bank, work.left)
        self._state = _State(name, execution, bank, alpha, vector, rows)
        return self._state

    def _write(
        self, path: pathlib.Path, state: _State, found: dict[str, Any], seconds: float
    ) -> None:
        state.execution.put_back()
        arrays = as_arrays(state.alpha, state.vector)
        write_bank(path, state.bank, found["loss"], seconds, found, arrays)
