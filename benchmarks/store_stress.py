"""A writer of a store that is killed at random moments, again and again.

A process writes trials, suggestions and ends of iterations, and says after each
commit what it has committed; it is killed by SIGKILL at a random moment, and
another one goes on. After each kill the store must be sound (PRAGMA
integrity_check), hold all that was committed, and at most one commit more.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import signal
import sqlite3
import tempfile
import time

from benchmarks._arguments import make_parser
from blockqnn.networks.spaces.registry import published
from blockqnn.runs.store import Store, Suggestion
from blockqnn.trial import Status, Trial

PER_ITERATION = 5
KILLS_OF_A_STORE = 50


def trial(number: int) -> Trial:
    """A trial whose fields tell its number."""
    return Trial(
        number,
        1 + (number - 1) // PER_ITERATION,
        0.5,
        published()["inception"],
        f"hash-{number}",
        number,
        Status.COMPLETED,
        1.5,
        number,
        number,
        number,
        2,
        accuracies=(1.0 * number,),
        reward=1.0 * number,
    )


def write_for_ever(path: pathlib.Path, committed: int) -> None:
    """Goes on where the store ends, and tells of each commit."""
    store = Store.create_or_open(path)
    running = {suggestion.number for suggestion in store.running()}
    number = max([found.number for found in store.trials()], default=0)
    ended = store.facts().get("iterations", 0)
    os.write(committed, b"opened\n")
    while True:
        if number and number % PER_ITERATION == 0 and ended < number // PER_ITERATION:
            ended = number // PER_ITERATION
            table = {f"q {number} {i}": [number, i] for i in range(20)}
            store.end_iteration(ended, {"random": -number, **table})
            os.write(committed, f"iterations {ended}\n".encode())
        number += 1
        if number not in running:
            store.hand_out(Suggestion(number, 0.5, trial(number).code, 0.0), {"random": number})
            os.write(committed, f"running {number}\n".encode())
        store.add_trial(trial(number))
        os.write(committed, f"finished {number}\n".encode())


def shoot(path: pathlib.Path, seconds: float) -> dict[str, int]:
    """Lets a writer write for so long once it has opened the store; what it had committed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            write_for_ever(path, writing)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        # Some are killed while they open it.
        if seconds >= 0:
            stream.readline()
            time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        lines = stream.read().split("\n")
    os.waitpid(child, 0)
    told: dict[str, int] = {}
    for line in lines[:-1]:
        what, _, number = line.partition(" ")
        if number:
            told[what] = int(number)
    return told


def check(path: pathlib.Path, told: dict[str, int]) -> int:
    """Compares a store with what was committed; returns the number of trials."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with contextlib.closing(Store.open_read_only(path)) as store:
        trials, running = list(store.trials()), store.running()
        state, iterations = store.agent_state(), store.facts().get("iterations", 0)
    last = len(trials)
    assert [found.number for found in trials] == list(range(1, last + 1))
    assert all(found == trial(found.number) for found in trials)
    assert told.get("finished", 0) <= last <= told.get("finished", last) + 1
    assert told.get("running", 0) <= last + len(running)
    assert [suggestion.number for suggestion in running] in ([], [last + 1])
    # An iteration ends after its last trial, and its state with it.
    assert iterations in (
        last // PER_ITERATION,
        last // PER_ITERATION - (last % PER_ITERATION == 0),
    )
    assert told.get("iterations", 0) <= iterations
    if running:
        assert state["random"] == last + 1
    assert sum(name.startswith("q ") for name in state) == 20 * iterations
    return last


def stress(path: pathlib.Path, kills: int, seed: int, most_ms: float) -> int:
    """Kills writers; returns how many trials the stores hold in the end.

    Args:
        path: beside which the stores are made.
        kills: how many.
        seed: of the moments.
        most_ms: after which a writer is killed at the latest.
    """
    dice = random.Random(seed)
    told: dict[str, int] = {}
    before = last = 0
    for kill in range(kills):
        if kill % KILLS_OF_A_STORE == 0:
            # Checking takes the longer the more there is in it.
            store = path.with_name(f"{kill}-{path.name}")
            Store.create_or_open(store).close()
            told, before, last = {}, before + last, 0
        opening = dice.random() < 0.1
        told |= shoot(store, -1.0 if opening else dice.uniform(0, most_ms / 1000))
        last = check(store, told)
        if (kill + 1) % 100 == 0:
            print(f"{kill + 1} kills: {before + last} trials, all sound", flush=True)
    return before + last


def main() -> None:
    """Reads the arguments and shoots."""
    parser = make_parser("store_stress", __doc__)
    parser.add_argument("--kills", type=int, default=1000, help="SIGKILLs")
    parser.add_argument("--seed", type=int, default=0, help="fixes every random choice")
    parser.add_argument(
        "--most_ms", type=float, default=15.0, help="milliseconds that a writer lives at most"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        begun = time.monotonic()
        path = pathlib.Path(directory) / "store.sqlite"
        last = stress(path, given.kills, given.seed, given.most_ms)
        print(
            f"{given.kills} SIGKILLs in {time.monotonic() - begun:.0f} s; {last} trials, each "
            "once; no commit lost, every integrity check ok."
        )


if __name__ == "__main__":
    main()
