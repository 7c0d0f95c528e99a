"""What the machinery costs over the children's own time: driver, agent, store, workers.

Searches whose children do nothing but sleep, through the real agent, search
loop, store and executor: one iteration of so many children that all workers
have equally many. The ideal is the children's own time, divided by the number
of workers. Printed are the milliseconds beyond the ideal for each child, and
the ideal over what it took, which is the efficiency; and the milliseconds of
processor that the driver took for each. Workers are ready before
the clock starts. The whole takes a quarter of an hour; the load of the machine
is printed, because with 8 workers on few cores it matters.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import tempfile
import time

from benchmarks._arguments import listed, make_parser
from blockqnn.flags import search as search_flags
from blockqnn.listing import table
from blockqnn.runs.store import Store
from blockqnn.searching.loop import Search
from blockqnn.trial import Status
from blockqnn.workers.choice import make_executor

CHILDREN = {0.0: 400, 0.1: 20, 1.0: 5, 10.0: 2}
"""Of each worker, for the seconds that a child sleeps; without sleep of all workers together."""


def measure(
    executor_name: str, workers: int, seconds: float, address: str, directory: pathlib.Path
) -> tuple[float, float, float, int]:
    """Seconds beyond the ideal and of the driver's processor a child, efficiency, children."""
    children = CHILDREN.get(seconds, 5) * (workers if seconds else 1)
    cluster = [f"--ray_address={address}", "--cpus_per_child=0.1"]
    settings, run = search_flags.parse(
        [
            "--preset=digits",
            "--evaluator=dry",
            "--agent=random",
            # Longer blocks, which hardly ever repeat one another.
            "--exploration=uniform",
            "--epsilon_schedule=1.0:1",
            f"--blocks_per_iteration={children}",
            f"--executor={executor_name}",
            f"--workers={workers}",
            f"--dry_seconds={seconds}",
            *(cluster if executor_name == "ray" else []),
            f"--run_dir={directory}",
        ]
    )
    with (
        contextlib.closing(make_executor(settings, run)) as executor,
        contextlib.closing(Store.create_or_open(directory / "store.sqlite")) as store,
    ):
        while any(state.state != "idle" for state in executor.states()):  # type: ignore[attr-defined]
            executor._wait()  # type: ignore[attr-defined]
        search = Search(settings, settings.make_agent(), store)
        begun, processor = time.perf_counter(), time.process_time()
        trained = sum(trial.status is Status.COMPLETED for trial in search.run(executor))
        took = time.perf_counter() - begun
        processor = time.process_time() - processor
    # A known block is not evaluated again, so the last round may be less than full.
    ideal = seconds * -(-trained // workers)
    return (took - ideal) / trained, ideal / took, processor / trained, trained


def main() -> None:
    """Measures each combination and prints the table."""
    parser = make_parser("overhead", __doc__)
    between = "with commas between them"
    parser.add_argument(
        "--executors", type=listed(str), default="local,ray", help=f"those, {between}"
    )
    parser.add_argument(
        "--workers", type=listed(int), default="1,2,4,8", help=f"numbers of them, {between}"
    )
    parser.add_argument(
        "--seconds",
        type=listed(float),
        default="0,0.1,1,10",
        help=f"that a child sleeps, {between}",
    )
    parser.add_argument("--ray_address", default="local", help="as for `search`")
    given = parser.parse_args()
    rows = []
    for executor in given.executors:
        for workers in given.workers:
            for seconds in given.seconds:
                with tempfile.TemporaryDirectory() as directory:
                    found = measure(
                        executor, workers, seconds, given.ray_address, pathlib.Path(directory)
                    )
                beyond, efficiency, processor, children = found
                rows.append(
                    [
                        str(workers),
                        f"{seconds:g}",
                        str(children),
                        f"{beyond * 1000:.1f}",
                        f"{processor * 1000:.1f}",
                        f"{efficiency:.3f}" if seconds else "-",
                        f"{os.getloadavg()[0]:.1f}",
                        executor,
                    ]
                )
                print(" ".join(rows[-1]), file=sys.stderr, flush=True)
    header = [
        "workers",
        "child s",
        "children",
        "ms beyond ideal",
        "driver's ms",
        "efficiency",
        "load",
    ]
    print(table([*header, "executor"], rows))


if __name__ == "__main__":
    main()
