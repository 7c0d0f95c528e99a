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
from blockqnn.networks.layout import Layout
from blockqnn.networks.shares import shares_of
from blockqnn.networks.spaces.contract import SearchSpace
from blockqnn.networks.spaces.registry import space_of
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.shared_work import MixtureEpoch
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets.alpha import (
    Alpha,
    Rows,
    decided,
    discrete,
    first_alpha,
    left_out,
)
from blockqnn.supernets.bank import Bank
from blockqnn.supernets.bank_file import read_bank, read_beside, read_facts, write_bank
from blockqnn.supernets.curvature import dominant_eigenvalue
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
    """

    name: str
    execution: Any
    bank: Bank
    alpha: Alpha
    vector: Rows


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
        state = self._at(work.start, space, seed)
        found: dict[str, Any] = {"loss": 0.0}
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
        own = self._own
        rows = space.mixture_rows(own.partial_channels)
        rate = float(
            cosine(
                self._settings.learning_rate,
                self._settings.least_rate,
                np.asarray(min(work.epoch, work.epochs)),
                work.epochs,
            )
        )
        trained = dataclasses.replace(state.alpha, rows=decided(rows, state.alpha.rows, work.fixed))
        settles = work.settled or work.epoch < own.frozen_epochs
        here = (seed, work.epoch)
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
        kept = space.kept(shares_of(now))
        found: dict[str, Any] = {
            "loss": loss,
            "rate": rate,
            "alpha": {name: [float(each) for each in row] for name, row in now.items()},
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

    def _probed(self, state: _State, work: MixtureEpoch, space: SearchSpace) -> list[float]:
        """The accuracy without each choice that is left, in percent; 100 where it is not."""
        rows = space.mixture_rows(self._own.partial_channels)
        here = decided(rows, state.alpha.rows, work.fixed)
        return [
            100.0 if alternative is None else self._teaching.accuracy(state.execution, alternative)
            for alternative in left_out(rows, here, work.probed, work.fixed)
        ]

    def _at(self, name: str, space: SearchSpace, seed: int) -> _State:
        """The mixture as it stood at the end of an epoch."""
        if self._state is None or self._state.name != name or not name:
            own, bank = self._own, self._teaching.new_bank(seed)
            rows = space.mixture_rows(own.partial_channels)
            alpha, vector = first_alpha(rows, own.alpha_deviation, seed), dict[str, np.ndarray]()
            if name:
                bank = read_bank(self._directory / name, bank)
                alpha, vector = _from_arrays(read_beside(self._directory / name), len(rows))
            execution = self._teaching.execution(space, bank)
            self._state = _State(name, execution, bank, alpha, vector)
        return self._state

    def _write(
        self, path: pathlib.Path, state: _State, found: dict[str, Any], seconds: float
    ) -> None:
        state.execution.put_back()
        write_bank(path, state.bank, found["loss"], seconds, found, _as_arrays(state))


def _as_arrays(state: _State) -> dict[str, Any]:
    """Alpha and the vector as arrays for a file, in the order of the rows' names there."""
    alpha = state.alpha
    kept = {"rows": alpha.rows, "first": alpha.first, "second": alpha.second}
    if state.vector:
        kept["vector"] = state.vector
    arrays: dict[str, Any] = {
        # Names of rows are no names of files.
        name: {f"{place:04d}": np.asarray(row) for place, row in enumerate(own.values())}
        for name, own in kept.items()
    }
    names = "\n".join(alpha.rows)
    arrays["names"] = np.frombuffer(names.encode(), np.uint8).copy()
    arrays["steps"] = np.asarray(alpha.steps, np.int64)
    return arrays


def _from_arrays(arrays: dict[str, Any], count: int) -> tuple[Alpha, dict[str, np.ndarray]]:
    names = bytes(np.asarray(arrays["names"])).decode().split("\n")
    assert len(names) == count, "the bank is of another mixture"

    def rows(name: str) -> dict[str, np.ndarray]:
        """What was kept of each row under a name."""
        own = arrays[name]
        return {row: np.asarray(own[f"{place:04d}"]) for place, row in enumerate(names)}

    alpha = Alpha(rows("rows"), rows("first"), rows("second"), int(arrays["steps"]))
    return alpha, rows("vector") if "vector" in arrays else {}
