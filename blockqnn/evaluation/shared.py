"""The evaluator of shared weights: it trains a bank for an epoch, or scores a design with one."""

from __future__ import annotations

import collections
import dataclasses
import logging
import math
import pathlib
import time

import numpy as np

from blockqnn.children.augmentation import augmented
from blockqnn.children.compilation import begin_cache
from blockqnn.children.devices import worker_devices
from blockqnn.children.training import on_device
from blockqnn.data.datasets import load_search_parts
from blockqnn.errors import UserError
from blockqnn.evaluation.lowerings import lowerings_record
from blockqnn.evaluation.stopwatch import Stopwatch
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import design_of, space_of, write
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.shared_work import BankEpoch, GradientMatch
from blockqnn.supernet_settings import RECALIBRATED, SupernetSettings
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.bank_file import read_bank, read_facts, write_bank
from blockqnn.supernets.cuts import read_distances, write_distances
from blockqnn.supernets.execution import PathExecution
from blockqnn.supernets.matching import edge_distances
from blockqnn.supernets.path_programs import make_paths
from blockqnn.supernets.paths import Paths, cosine, restarted
from blockqnn.trial import Job, Outcome

_KEPT_BANKS = 8
"""Banks that a worker keeps; few-shot scores with as many as it has parts."""

_log = logging.getLogger(__name__)


class SharedEvaluator:
    """Works on banks that lie in one directory, one job at a time."""

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
            data: which images; a bank is trained on the training part and scores on the
                validation part.
            settings: of the supernet.
            recipe: how it is executed.
            layout: of its networks.
            worker: which devices share a batch, and which cache of compiled programs.
            banks: directory of banks.

        Raises:
            UserError: if the data set cannot be read or has fewer images than a batch, or there
                are not as many devices.
        """
        begin_cache(worker.compilation_cache)
        lowerings_record()
        self._settings, self._recipe, self._directory = settings, recipe, banks
        self._devices = worker_devices(worker.devices)
        self._layout = settings.layout_of(layout)
        self._train, self._validation = on_device(*load_search_parts(data))
        images = len(self._train.labels)
        if images < settings.batch_size:
            raise UserError(
                f"A step of the supernet takes {settings.batch_size} images and there are "
                f"{images} to train on; give a smaller --supernet_batch_size."
            )
        self._compiled = compiled_for(settings, recipe.bfloat16)
        self._executions: dict[str, PathExecution] = {}
        self.device = self._devices[0].device_kind
        self._banks: collections.OrderedDict[str, Bank] = collections.OrderedDict()

    def prepare(self, job: Job, slot: int) -> None:
        """See `Evaluator.prepare`."""

    def evaluate(self, job: Job, slot: int) -> Outcome:
        """See `Evaluator.evaluate`; the outcome of an epoch is its loss, as a score."""
        watch = Stopwatch(self._devices[0])
        try:
            if job.training is not None:
                outcome = Outcome(score=self._epoch(job.training, job.seed))
            elif job.matching is not None:
                outcome = Outcome(score=self._match(job.matching, job.bank, job.seed))
            else:
                outcome = Outcome(accuracies=(100 * self._scored(job),))
        except UserError as error:
            outcome = Outcome(reason=str(error))
        except Exception as error:
            _log.exception("job %d", job.number)
            outcome = Outcome(reason=f"{type(error).__name__}: {error}"[:300])
        return dataclasses.replace(outcome, device=self.device, **watch.seconds())

    def _epoch(self, work: BankEpoch, seed: int) -> float:
        """Trains and writes a bank; its mean loss."""
        path = self._directory / work.end
        if path.exists():
            # The process that asked for it died before it knew.
            return read_facts(path).loss
        begun = time.perf_counter()
        bank = self._bank(work.start, seed).copy()
        if work.renewed:
            bank = bank.without_moments()
        settings, steps = self._settings, len(work.paths)
        designs = [design_of(code) for code in work.paths]
        random = np.random.default_rng([seed, work.epoch])
        order = random.permutation(len(self._train.labels))[: steps * settings.batch_size]
        epoch, epochs = work.epoch, work.epochs
        if settings.first_period:
            epoch, epochs = restarted(epoch, settings.first_period)
        rates = cosine(
            settings.learning_rate,
            settings.least_rate,
            np.arange(epoch * steps, (epoch + 1) * steps),
            epochs * steps,
        )
        losses = self._execution(designs[0]).train(
            bank,
            designs,
            augmented(self._train, settings.augmentation, (seed, work.epoch)),
            order.astype(np.int32).reshape(steps, settings.batch_size),
            rates,
        )
        loss = float(np.mean(losses))
        if not math.isfinite(loss):
            wrong = write(work.paths[int(np.argmin(np.isfinite(losses)))])
            raise UserError(
                f"The loss of the supernet is {loss}, first with {wrong}; lower --supernet_rate."
            )
        write_bank(path, bank, loss, time.perf_counter() - begun)
        self._keep(work.end, bank)
        return loss

    def _match(self, work: GradientMatch, bank_name: str, seed: int) -> float:
        """Writes how far operations disagree, by edge; the largest of the distances."""
        path = self._directory / work.end
        if not path.exists():
            bank, size = self._bank(bank_name, seed), self._settings.batch_size
            random = np.random.default_rng([seed, len(work.designs)])
            images = len(self._train.labels)
            order = np.concatenate(
                [random.permutation(images) for _ in range(1 + len(work.designs) * size // images)]
            )
            order = order[: len(work.designs) * size].astype(np.int32).reshape(-1, size)
            # Few designs and no updates: the chain is quick enough on every device.
            paths = Paths(self._layout, bank, size, self._train)
            found = edge_distances(bank, paths, self._train, work.designs, order, work.edges)
            write_distances(path, found)
        return max(float(np.max(matrix)) for matrix in read_distances(path).values())

    def _scored(self, job: Job) -> float:
        bank, design = self._bank(job.bank, job.seed), design_of(job.code)
        calibration = None
        if self._settings.statistics == RECALIBRATED:
            calibration = self._train, self._calibration()
        batch = job.scored_batch
        return self._execution(design).accuracy(
            bank,
            design,
            self._validation,
            self._settings.statistics,
            calibration,
            None if batch is None else range(batch, batch + 1),
        )

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

    def _bank(self, name: str, seed: int) -> Bank:
        if not name:
            return Bank(self._compiled, seed)
        if name not in self._banks:
            self._keep(name, read_bank(self._directory / name, Bank(self._compiled, seed)))
        self._banks.move_to_end(name)
        return self._banks[name]

    def _keep(self, name: str, bank: Bank) -> None:
        self._banks[name] = bank
        while len(self._banks) > _KEPT_BANKS:
            self._banks.popitem(last=False)
