"""The steps of `benchmarks.better_block`: each a command of its own, done once."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Sequence


class Ledger:
    """Which steps are done, and the seconds that they took, those of stopped attempts too."""

    def __init__(self, path: pathlib.Path):
        """Reads what an earlier process wrote.

        Args:
            path: of the file.
        """
        self._path, self._lock = path, threading.Lock()
        self.seconds: dict[str, float] = {}
        self.done: set[str] = set()
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            self.seconds, self.done = kept["seconds"], set(kept["done"])

    def add(self, step: str, seconds: float, done: bool) -> None:
        """Writes down what an attempt took.

        Args:
            step: its name.
            seconds: of wall time.
            done: whether it came to its end.
        """
        with self._lock:
            self.seconds[step] = self.seconds.get(step, 0.0) + seconds
            if done:
                self.done.add(step)
            text = json.dumps({"seconds": self.seconds, "done": sorted(self.done)}, indent=1)
            unfinished = self._path.with_suffix(".new")
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(self._path)


def run_step(
    ledger: Ledger, step: str, words: Sequence[str], logs: pathlib.Path, core: int | None = None
) -> None:
    """Runs a command, unless it was run to its end before.

    Args:
        ledger: of what is done.
        step: its name.
        words: of the command, the verb first.
        logs: folder of what it prints.
        core: that it is bound to; None for all.

    Raises:
        SystemExit: if it fails, with the end of what it printed.
    """
    if step in ledger.done:
        return
    print(f"{time.strftime('%H:%M:%S')} {step}", flush=True)
    begun = time.perf_counter()
    log = logs / f"{step.replace(' ', '-')}.log"
    code = 130
    try:
        with log.open("a", encoding="utf-8") as stream:
            code = subprocess.run(
                [*_bound(core), sys.executable, "-m", "blockqnn", *words],
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
    finally:
        ledger.add(step, time.perf_counter() - begun, code == 0)
    if code:
        end = log.read_text(encoding="utf-8")[-2000:]
        sys.exit(f"{step} ended with status {code}; {log} ends with\n{end}")


def _bound(core: int | None) -> list[str]:
    """A prefix of a command that binds it to a core, where the system has one."""
    if core is None or not hasattr(os, "sched_getaffinity"):
        return []
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "--cpu-list", str(cores[core % len(cores)])]
