"""Where children are evaluated: in worker processes, or in this one."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import IO, Protocol

from blockqnn.errors import UserError
from blockqnn.evaluators import Evaluator
from blockqnn.settings import DataSettings, Recipe
from blockqnn.trial import Job, Outcome
from blockqnn.worker import decode_outcome, encode_job, encode_settings
from networks.layout import Layout

INLINE = "inline"
LOCAL = "local"


class Executor(Protocol):
    """Evaluates jobs, in whatever order it likes."""

    def submit(self, job: Job) -> None:
        """Accepts a job."""

    def next_outcome(self) -> tuple[int, Outcome]:
        """Waits for any accepted job to end; returns its number and outcome."""

    def close(self) -> None:
        """Gives up whatever is under way."""


class InlineExecutor:
    """Evaluates in this process, in order; a child that kills the process ends the run."""

    def __init__(self, evaluator: Evaluator):
        """Creates the executor.

        Args:
            evaluator: does the work.
        """
        self._evaluator = evaluator
        self._jobs: collections.deque[Job] = collections.deque()

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        self._jobs.append(job)

    def next_outcome(self) -> tuple[int, Outcome]:
        """See `Executor.next_outcome`."""
        job = self._jobs.popleft()
        return job.number, self._evaluator.evaluate(job)

    def close(self) -> None:
        """See `Executor.close`."""


def visible_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The NVIDIA GPUs that workers may use, found without importing JAX.

    Args:
        environment: its CUDA_VISIBLE_DEVICES wins over what the driver lists.

    Returns:
        A value of CUDA_VISIBLE_DEVICES for each GPU; none where JAX is told to
        use another platform.
    """
    platforms = environment.get("JAX_PLATFORMS", "")
    if platforms and not {"cuda", "gpu"} & set(platforms.split(",")):
        return []
    if "CUDA_VISIBLE_DEVICES" in environment:
        names = environment["CUDA_VISIBLE_DEVICES"].split(",")
        return [name.strip() for name in names if name.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listing = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    )
    return listing.stdout.split() if listing.returncode == 0 else []


@dataclasses.dataclass
class _Worker:
    """A worker process and what it is doing."""

    number: int
    process: subprocess.Popen[str]
    ready: bool = False
    job: Job | None = None
    started: float = 0.0
    deadline: float | None = None
    timed_out: bool = False


class LocalExecutor:
    """Evaluates in worker processes on this machine.

    A worker that dies or hangs costs the child that it was evaluating, and is
    replaced. The order of outcomes depends on timing; the outcomes do not.
    """

    def __init__(
        self,
        evaluator: str,
        data: DataSettings,
        recipe: Recipe,
        layout: Layout,
        log_dir: pathlib.Path,
        workers: int,
        child_timeout_seconds: float,
    ):
        """Starts the workers and waits until one is ready.

        Args:
            evaluator: its name.
            data: which images.
            recipe: how to train.
            layout: of the child networks.
            log_dir: where each worker's standard error goes.
            workers: how many; 0 for one a GPU, or one where there is none.
            child_timeout_seconds: after which a child is given up.

        Raises:
            UserError: if a worker cannot start, with the reason that it gives.
        """
        self._settings = encode_settings(evaluator, data, recipe, layout)
        self._log_dir = log_dir
        self._timeout = child_timeout_seconds
        self._jobs: collections.deque[Job] = collections.deque()
        self._events: queue.Queue[tuple[_Worker, str]] = queue.Queue()
        self._gpus = visible_gpus()
        count = workers or max(1, len(self._gpus))
        self._workers: list[_Worker] = []
        try:
            for number in range(count):
                self._workers.append(self._spawn(number))
            while not any(worker.ready for worker in self._workers):
                self._handle(*self._events.get())
        except BaseException:
            self.close()
            raise

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        self._jobs.append(job)
        self._assign()

    def next_outcome(self) -> tuple[int, Outcome]:
        """See `Executor.next_outcome`."""
        while True:
            deadlines = [w.deadline for w in self._workers if w.deadline is not None]
            wait = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
            try:
                worker, line = self._events.get(timeout=wait)
            except queue.Empty:
                self._kill_overdue()
                continue
            ended = self._handle(worker, line)
            self._assign()
            if ended is not None:
                return ended

    def close(self) -> None:
        """See `Executor.close`."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()
            _close_input(worker.process)

    def _spawn(self, number: int) -> _Worker:
        environment = dict(os.environ)
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[number % len(self._gpus)]
        with (self._log_dir / f"worker-{number}.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "blockqnn.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                # Ctrl-C goes to the driver, which decides what becomes of the workers.
                process_group=0,
            )
        worker = _Worker(number, process)
        assert process.stdout is not None
        threading.Thread(target=self._listen, args=(worker, process.stdout), daemon=True).start()
        _send(process, self._settings)
        return worker

    def _listen(self, worker: _Worker, stream: IO[str]) -> None:
        """Passes a worker's lines on; an empty one says that it has ended."""
        with stream:
            for line in stream:
                self._events.put((worker, line))
        worker.process.wait()
        self._events.put((worker, ""))

    def _handle(self, worker: _Worker, line: str) -> tuple[int, Outcome] | None:
        """Takes note of what a worker said; returns the job that ended, if one did."""
        if not line:
            return self._bury(worker)
        message = json.loads(line)
        if "error" in message:
            raise UserError(message["error"])
        if "ready" in message:
            worker.ready = True
            return None
        worker.job, worker.deadline = None, None
        return message["number"], decode_outcome(message, worker.number)

    def _bury(self, worker: _Worker) -> tuple[int, Outcome] | None:
        """Replaces a worker that has ended, and fails its child."""
        ending = _ending(worker.process.returncode)
        if not worker.ready:
            log = self._log_dir / f"worker-{worker.number}.log"
            raise UserError(f"Worker {worker.number} {ending} before it was ready; see {log}.")
        job = worker.job
        reason = f"the worker {ending}"
        if worker.timed_out:
            reason = f"not finished after {self._timeout:g} seconds (--child_timeout_seconds)"
        _close_input(worker.process)
        self._workers[worker.number] = self._spawn(worker.number)
        if job is None:
            return None
        seconds = time.monotonic() - worker.started
        return job.number, Outcome(reason=reason, train_seconds=seconds, worker=worker.number)

    def _assign(self) -> None:
        for worker in self._workers:
            # One that is being killed may still have answered; it gets nothing more to do.
            free = worker.ready and worker.job is None and not worker.timed_out
            if self._jobs and free and worker.process.poll() is None:
                worker.job = self._jobs.popleft()
                worker.started = time.monotonic()
                worker.deadline = worker.started + self._timeout
                _send(worker.process, encode_job(worker.job))

    def _kill_overdue(self) -> None:
        for worker in self._workers:
            if worker.deadline is not None and worker.deadline <= time.monotonic():
                worker.timed_out, worker.deadline = True, None
                worker.process.kill()


def _send(process: subprocess.Popen[str], line: str) -> None:
    """Writes a line to a worker; if it has died, its listener tells."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(line + "\n")
        process.stdin.flush()


def _close_input(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def _ending(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode >= 0:
        return f"ended with exit status {returncode}"
    name = signal.Signals(-returncode).name
    hint = ", perhaps for lack of memory" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
