"""How long workers are idle when children take unequally long, in both modes.

usage: python -m benchmarks.asynchronous [--workers=8] [--dry_seconds=0.2] [--dry_spread=1]
                                         [--blocks=16] [--iterations=10] [--executor=local]
                                         [--ray_address=local] [--seeds=3]

The same search twice, by turns: as iterations, and asynchronously. Children
sleep; the logarithm of their seconds is normal with the spread as its standard
deviation, so that with 1 one child in twenty takes five times as long as the
median or longer. A worker's time is idle when it has no child.
"""

from __future__ import annotations

import contextlib
import pathlib
import statistics
import sys
import tempfile
import time

from blockqnn.flags import search as search_flags
from blockqnn.listing import table
from blockqnn.runs.store import Store
from blockqnn.searching.asynchronous import AsynchronousSearch
from blockqnn.searching.loop import Search
from blockqnn.workers.choice import make_executor

DEFAULTS = {
    "workers": "8",
    "dry_seconds": "0.2",
    "dry_spread": "1",
    "blocks": "16",
    "iterations": "10",
    "executor": "local",
    "ray_address": "local",
    "seeds": "3",
}


def measure(own: dict[str, str], seed: int, asynchronous: bool) -> tuple[float, float, float]:
    """Share of the workers' time that was idle, seconds, and mean reward of the last quarter."""
    schedule = f"1.0:{int(own['iterations']) // 2},0.2:{-(-int(own['iterations']) // 2)}"
    with tempfile.TemporaryDirectory() as directory:
        settings, run = search_flags.parse(
            [
                "--preset=digits",
                "--evaluator=dry",
                f"--epsilon_schedule={schedule}",
                f"--blocks_per_iteration={own['blocks']}",
                f"--async={str(asynchronous).lower()}",
                f"--seed={seed}",
                "--cpus_per_child=0.1",
                f"--run_dir={directory}",
                *(f"--{name}={own[name]}" for name in ("workers", "executor", "ray_address")),
                *(f"--{name}={own[name]}" for name in ("dry_seconds", "dry_spread")),
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
    return 1 - busy / (took * int(own["workers"])), took, statistics.mean(last)


def main() -> None:
    """Measures both modes with each seed and prints the table."""
    own = DEFAULTS | dict(word.removeprefix("--").split("=") for word in sys.argv[1:])
    rows = []
    for seed in range(int(own["seeds"])):
        for asynchronous in (False, True):
            idle, took, reward = measure(own, seed, asynchronous)
            mode = "asynchronous" if asynchronous else "iterations"
            rows.append([str(seed), f"{idle:.1%}", f"{took:.1f}", f"{reward:.2f}", mode])
    print(table(["seed", "idle", "seconds", "reward, last quarter", "mode"], rows))


if __name__ == "__main__":
    main()
