"""What driver, agent and store cost with very many workers, which are simulated.

An asynchronous search through the real agent, search loop, store and pool of
workers, with the paper's space and replay. The workers are one thread of this
process: it answers each job with made-up accuracies after the seconds that a
child of that block takes, and gives each worker's signs of life. Printed are
the driver's seconds for each trial, by part, and how long the workers were idle.
"""

from __future__ import annotations

import contextlib
import dataclasses
import heapq
import json
import math
import pathlib
import queue
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks._arguments import make_parser
from blockqnn.evaluation.contract import DryEvaluator, deviate
from blockqnn.flags import search as search_flags
from blockqnn.networks.spaces.registry import parse
from blockqnn.runs.status_file import StatusFile
from blockqnn.runs.store import Store
from blockqnn.searching.asynchronous import AsynchronousSearch
from blockqnn.trial import Job
from blockqnn.workers.pool import WorkerPool
from blockqnn.workers.worker import HEARTBEAT_SECONDS


class Simulation:
    """All workers, in a thread that has an appointment book."""

    def __init__(self, seconds: float, spread: float):
        self._seconds, self._spread = seconds, spread
        self._evaluator = DryEvaluator(12, 100)
        self._book: list[tuple[float, int, Callable[[], None]]] = []
        self._new: queue.SimpleQueue[tuple[float, Callable[[], None]]] = queue.SimpleQueue()
        self._entries = 0
        self.cpu_seconds = 0.0
        threading.Thread(target=self._work, daemon=True).start()

    def spawn(self, number: int, said: Callable[[str], None]) -> SimulatedWorker:
        """Starts a worker that is ready at once."""
        said(json.dumps({"here": f"machine-{number // 8}", "process": number}))
        said(json.dumps({"ready": "simulated", "slots": 1, "ahead": 0}))
        self.in_seconds(HEARTBEAT_SECONDS * (number % 100) / 100, lambda: self._beat(said))
        return SimulatedWorker(self, said)

    def in_seconds(self, seconds: float, do: Callable[[], None]) -> None:
        """Makes an appointment."""
        self._new.put((time.monotonic() + seconds, do))

    def begin(self, line: str, said: Callable[[str], None]) -> None:
        """Answers a job now, that it has begun, and later with its outcome."""
        fields = json.loads(line)
        job = Job(**fields | {"code": parse(fields["code"], max_layers=1000)})
        seconds = self._seconds * math.exp(self._spread * deviate(job.hash))
        said(json.dumps({"started": job.number}))
        self.in_seconds(seconds, lambda: self._end(job, seconds, said))

    def _end(self, job: Job, seconds: float, said: Callable[[str], None]) -> None:
        outcome = dataclasses.replace(self._evaluator.evaluate(job, 0), train_seconds=seconds)
        said(json.dumps({"number": job.number, "outcome": dataclasses.asdict(outcome)}))

    def _beat(self, said: Callable[[str], None]) -> None:
        said('{"alive": true}')
        self.in_seconds(HEARTBEAT_SECONDS, lambda: self._beat(said))

    def _work(self) -> None:
        while True:
            wait = max(0.0, self._book[0][0] - time.monotonic()) if self._book else None
            with contextlib.suppress(queue.Empty):
                when, do = self._new.get(timeout=wait)
                self._entries += 1
                heapq.heappush(self._book, (when, self._entries, do))
            while self._book and self._book[0][0] <= time.monotonic():
                heapq.heappop(self._book)[2]()
            self.cpu_seconds = time.thread_time()


class SimulatedWorker:
    """See `blockqnn.workers.link.WorkerLink`."""

    alive, placed, ending, killed, blameless, log = True, True, "", False, False, ""

    def __init__(self, simulation: Simulation, said: Callable[[str], None]):
        self._simulation, self._said = simulation, said

    def send(self, line: str) -> None:
        """See `WorkerLink.send`."""
        self._simulation.in_seconds(0.0, lambda: self._simulation.begin(line, self._said))

    def kill(self) -> None:
        """See `WorkerLink.kill`."""

    def wait(self) -> None:
        """See `WorkerLink.wait`."""


class Stopwatch:
    """Adds up the processor's seconds of this thread that some methods take."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self, name: str, owner: Any, *methods: str) -> None:
        """Watches methods of an object."""
        for method in methods:
            setattr(owner, method, self._watched(name, getattr(owner, method)))

    def _watched(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            begun = time.thread_time()
            try:
                return method(*arguments, **named)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.thread_time() - begun

        return call


def main() -> None:
    """Runs the search and prints what each part of it cost."""
    parser = make_parser("simulated_cluster", __doc__)
    parser.add_argument("--workers", type=int, default=1000, help="that are simulated")
    parser.add_argument("--trials", type=int, default=10_000, help="of the search, about")
    parser.add_argument(
        "--dry_seconds", type=float, default=10.0, help="median of what a child takes"
    )
    parser.add_argument(
        "--dry_spread", type=float, default=0.5, help="standard deviation of their logarithm"
    )
    parser.add_argument("--agent", default="q_learning", help="who suggests blocks")
    own = parser.parse_args()
    workers, trials = own.workers, own.trials
    iterations = -(-trials // 64)
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "store.sqlite"
        settings, _ = search_flags.parse(
            [
                "--preset=cifar100_paper",
                "--evaluator=dry",
                "--async",
                f"--agent={own.agent}",
                # Half of it at random, the other half greedier, as the paper's.
                f"--epsilon_schedule=1.0:{iterations // 2},0.5:{iterations - iterations // 2}",
                f"--run_dir={directory}",
            ]
        )
        simulation = Simulation(own.dry_seconds, own.dry_spread)
        heard = StatusFile(pathlib.Path(directory) / "status.json", "simulated", iterations)
        watch = Stopwatch()
        with contextlib.closing(Store.create_or_open(path)) as store:
            agent = settings.make_agent()
            watch.watch("agent", agent, "suggest", "update", "get_state")
            watch.watch("store", store, "hand_out", "add_trial", "end_iteration")
            watch.watch("status file", heard, "workers")
            pool = WorkerPool(simulation.spawn, workers, 3600.0, 3, watcher=heard.workers)
            watch.watch("pool", pool, "submit", "_handle", "_kill_overdue")
            watch.watch("pool", pool._jobs, "hand_out")
            search = AsynchronousSearch(settings, agent, store)
            watch.watch("canonical form and cost", search, "_make_trial")
            begun, cpu = time.monotonic(), time.thread_time()
            ended = list(search.run(pool))
            took, cpu = time.monotonic() - begun, time.thread_time() - cpu
        size = sum(file.stat().st_size for file in pathlib.Path(directory).glob("store.sqlite*"))
    trained = [trial for trial in ended if trial.accuracy is not None and trial.train_seconds]
    busy = sum(trial.train_seconds for trial in trained)
    idle = 1 - busy / (took * workers)
    count = len(ended)
    print(
        f"{workers} simulated workers, children of {own.dry_seconds:g} s (median): {count} "
        f"trials, {len(trained)} of them trained, in {took:.0f} s; workers idle {idle:.1%}."
    )
    parts = watch.seconds | {"everything": cpu}
    for name, seconds in sorted(parts.items(), key=lambda pair: pair[1]):
        print(f"  {name:24} {seconds / count * 1000:6.2f} ms of processor a trial")
    print(
        f"The driver's thread was busy {cpu / took:.0%} of the time and could serve "
        f"{count / cpu:.0f} trials a second. Store: {size / count / 1000:.1f} kB a trial. Memory: "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB."
    )


if __name__ == "__main__":
    main()
