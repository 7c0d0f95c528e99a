"""How long workers are idle when children take unequally long, in both modes.

The same search twice, by turns: as iterations, and asynchronously. Children
sleep; the logarithm of their seconds is normal with the spread as its standard
deviation, so that with 1 one child in twenty takes five times as long as the
median or longer. A worker's time is idle when it has no child.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import statistics
import tempfile
import time

from benchmarks._arguments import make_parser
from blockqnn.flags import search as search_flags
from blockqnn.listing import table
from blockqnn.runs.store import Store
from blockqnn.searching.asynchronous import AsynchronousSearch
from blockqnn.searching.loop import Search
from blockqnn.workers.choice import make_executor
from blockqnn.workers.contract import RAY


def measure(own: argparse.Namespace, seed: int, asynchronous: bool) -> tuple[float, float, float]:
    """Share of the workers' time that was idle, seconds, and mean reward of the last quarter."""
    schedule = f"1.0:{own.iterations // 2},0.2:{-(-own.iterations // 2)}"
    ray = [f"--ray_address={own.ray_address}", "--cpus_per_child=0.1"]
    with tempfile.TemporaryDirectory() as directory:
        settings, run = search_flags.parse(
            [
                "--preset=digits",
                "--evaluator=dry",
                f"--epsilon_schedule={schedule}",
                f"--blocks_per_iteration={own.blocks}",
                f"--async={str(asynchronous).lower()}",
                f"--seed={seed}",
                f"--run_dir={directory}",
                f"--workers={own.workers}",
                f"--executor={own.executor}",
                *(ray if own.executor == RAY else []),
                f"--dry_seconds={own.dry_seconds}",
                f"--dry_spread={own.dry_spread}",
            ]
        )
        store_path = pathlib.Path(directory) / "store.sqlite"
        with (
            contextlib.closing(make_executor(settings, run)) as executor,
            contextlib.closing(Store.create_or_open(store_path)) as store,
        ):
            while any(state.state != "idle" for state in executor.states()):  # type: ignore[attr-defined]
                executor._wait()  # type: ignore[attr-defined]
            kind = AsynchronousSearch if asynchronous else Search
            search = kind(settings, settings.make_agent(), store)
            begun = time.perf_counter()
            trials = list(search.run(executor))
            took = time.perf_counter() - begun
    busy = sum(trial.train_seconds for trial in trials)
    rewards = [trial.reward for trial in trials if trial.accuracy is not None]
    last = [reward for reward in rewards[-len(rewards) // 4 :] if reward is not None]
    return 1 - busy / (took * own.workers), took, statistics.mean(last)


def main() -> None:
    """Measures both modes with each seed and prints the table."""
    parser = make_parser("asynchronous", __doc__)
    parser.add_argument("--workers", type=int, default=8, help="worker processes")
    parser.add_argument(
        "--dry_seconds", type=float, default=0.2, help="median of what a child takes"
    )
    parser.add_argument(
        "--dry_spread", type=float, default=1.0, help="standard deviation of their logarithm"
    )
    parser.add_argument("--blocks", type=int, default=16, help="of an iteration")
    parser.add_argument("--iterations", type=int, default=10, help="of a search")
    parser.add_argument("--executor", default="local", help="local or ray")
    parser.add_argument("--ray_address", default="local", help="as for `search`")
    parser.add_argument("--seeds", type=int, default=3, help="searches in each mode")
    own = parser.parse_args()
    rows = []
    for seed in range(own.seeds):
        for asynchronous in (False, True):
            idle, took, reward = measure(own, seed, asynchronous)
            mode = "asynchronous" if asynchronous else "iterations"
            rows.append([str(seed), f"{idle:.1%}", f"{took:.1f}", f"{reward:.2f}", mode])
    print(table(["seed", "idle", "seconds", "reward, last quarter", "mode"], rows))


if __name__ == "__main__":
    main()
