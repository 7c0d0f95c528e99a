"""The evaluator that trains: on every device another child, the next ones compiled meanwhile."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import logging
import threading
import time
from typing import Any

import jax

from blockqnn.children.compilation import (
    CACHE_BYTES,
    CompilationTimes,
    begin_cache,
    compilation_times,
    prune,
)
from blockqnn.children.devices import divide_processor, local_devices, worker_devices
from blockqnn.children.training import TrainingError
from blockqnn.evaluation.lowerings import lowerings_record
from blockqnn.evaluation.teaching import teaching_of
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, design_plan
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.trial import Job, Outcome, with_filters

CHILDREN_BETWEEN_PRUNINGS = 200
"""The cache on disk may outgrow its bound by what so many children compile."""

_log = logging.getLogger(__name__)


class TrainEvaluator:
    """Trains each child on the training part and measures it on the validation part.

    A slot is a device. Where children are compiled whole, a child is compiled
    for the device that will train it as soon as it is known, by threads that
    keep out of the way of training. Where layers are compiled one by one their
    executables are shared, and there is little to do ahead.
    """

    def __init__(self, data: DataSettings, recipe: Recipe, layout: Layout, worker: WorkerSettings):
        """Reads the data set and puts it on every device.

        Args:
            data: which images.
            recipe: how to train.
            layout: of the child networks.
            worker: which devices, which cache and how many threads that compile.

        Raises:
            UserError: if the data set cannot be read, there are not so many
                devices, or the cache or the table of lowerings cannot be used.
        """
        self._layout, self._teaching = layout, teaching_of(layout, recipe)
        if worker.sharing_cores > 1:
            divide_processor(worker.sharing_cores)
        devices = worker_devices(worker.devices)
        self._cache = begin_cache(worker.compilation_cache)
        lowerings_record()  # A table that is damaged is no matter of single children.
        parts = self._teaching.load(data)
        # One device stays the default without saying so: what jit has compiled under an explicit
        # default device and without one are two programs.
        self._devices = devices if len(devices) > 1 else [None]
        self._parts = []
        for device in self._devices:
            with _default_device(device):
                self._parts.append(self._teaching.put(parts))
        self.device = devices[0].device_kind
        self.slots, self._is_processor = len(devices), devices[0].platform == "cpu"
        # Where nobody could divide the processor, there is one device.
        self._cores = min(worker.sharing_cores, len(local_devices()))
        self.ahead = max(1, worker.compile_threads) if self._teaching.compiles_ahead() else 0
        self._compilers = concurrent.futures.ThreadPoolExecutor(max(1, self.ahead), "compiler")
        self._compiling: dict[int, concurrent.futures.Future[Any]] = {}
        self._lock = threading.Lock()
        self._ended, self._counted = 0, compilation_times()

    def prepare(self, job: Job, slot: int) -> None:
        """See `Evaluator.prepare`."""
        if self.ahead:
            self._compiling[job.number] = self._compilers.submit(self._compile, job, slot)

    def evaluate(self, job: Job, slot: int) -> Outcome:
        """See `Evaluator.evaluate`."""
        start = time.perf_counter()
        compiled, outcome, processor = None, Outcome(), 0.0
        try:
            child = self._compiled(job, slot)
            compiled, processor = time.perf_counter(), time.process_time()
            outcome = Outcome(compile_seconds=child.compile_seconds)
            with _default_device(self._devices[slot]):
                taught = self._teaching.train(child, self._parts[slot], job.seed)
        except TrainingError as failure:
            outcome = dataclasses.replace(outcome, reason=str(failure))
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            outcome = dataclasses.replace(outcome, reason=_runtime_reason(error))
        except Exception as error:
            # One child must not end a search of days; the log keeps the traceback.
            _log.exception("trial %d", job.number)
            reason = f"{type(error).__name__}: {_first_line(error)}"
            outcome = dataclasses.replace(outcome, reason=reason)
        else:
            outcome = dataclasses.replace(
                outcome, accuracies=taught.accuracies, restarts=taught.restarts
            )
        ended = time.perf_counter()
        alone = self.slots == 1 and self._is_processor and compiled is not None
        if compiled is None:
            compiled = ended
        return dataclasses.replace(
            outcome,
            waiting_seconds=compiled - start,
            train_seconds=ended - compiled,
            # Of several children at a time nobody can say which took what.
            processor_seconds=time.process_time() - processor if alone else 0.0,
            saved_seconds=max(0.0, self._count().saved_seconds),
            device=self.device,
        )

    def _compiled(self, job: Job, slot: int) -> Any:
        future = self._compiling.pop(job.number, None)
        # What no thread has begun with is compiled here: a device that waits comes first.
        if future is None or future.cancel():
            return self._compile(job, slot)
        return future.result()

    def _compile(self, job: Job, slot: int) -> Any:
        plan = design_plan(design_of(job.code), with_filters(self._layout, job.filters))
        # The default device is a matter of the thread.
        with _default_device(self._devices[slot]):
            return self._teaching.compile(plan, self._parts[slot], self._cores)

    def _count(self) -> CompilationTimes:
        """What was spent on compiling since the outcome before; sometimes tidies the cache up."""
        with self._lock:
            before, self._counted = self._counted, compilation_times()
            self._ended += 1
            if self._cache and self._ended % CHILDREN_BETWEEN_PRUNINGS == 0:
                prune(self._cache, CACHE_BYTES)
            return self._counted - before


def _default_device(device: jax.Device | None) -> contextlib.AbstractContextManager[object]:
    return contextlib.nullcontext() if device is None else jax.default_device(device)


def _runtime_reason(error: Exception) -> str:
    """What XLA's error means for the child, on one line."""
    first = _first_line(error) or type(error).__name__
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in first:
        return f"out of memory: {first}"
    return f"compiler or runtime: {first}"


def _first_line(error: Exception) -> str:
    return "".join(str(error).strip().splitlines()[:1])[:300]
