"""What a job takes of a worker: of its clock, of its compiler, of its processor."""

from __future__ import annotations

import time
from typing import Any

import jax

from blockqnn.children.compilation import compilation_times


class Stopwatch:
    """Runs from its creation, for a job that has the process to itself."""

    def __init__(self, device: jax.Device):
        """Begins.

        Args:
            device: that computes.
        """
        self._is_processor = device.platform == "cpu"
        self._begun, self._processor = time.perf_counter(), time.process_time()
        self._compiled = compilation_times()

    def seconds(self) -> dict[str, Any]:
        """What passed since, as fields of `Outcome`.

        Programs are compiled in the job's own thread, at their first call. Of the processor's
        seconds the compiler is taken to have had the same share as of the clock's.
        """
        passed = time.perf_counter() - self._begun
        times = compilation_times() - self._compiled
        compiling = min(passed, times.lower_seconds + times.compile_seconds)
        share = (passed - compiling) / passed if passed else 0.0
        processor = (time.process_time() - self._processor) * share
        return {
            "compile_seconds": compiling,
            "train_seconds": passed - compiling,
            "processor_seconds": processor if self._is_processor else 0.0,
        }
