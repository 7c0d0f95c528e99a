"""The steps of `benchmarks.better_block`: each a command of its own, done once.

A ledger has one line of JSON for each attempt at a step, with what it cost and what came
of it, so that the table can be made of the ledger alone, on any machine, and more steps
can be added on another.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from subprocess import STDOUT
from typing import Any

from benchmarks._processes import running
from blockqnn.networks.processor import processor_name


@dataclasses.dataclass
class Entry:
    """A step: what all attempts at it cost, and what came of the last.

    Attributes:
        seconds: of wall time.
        core_seconds: of processors, summed over all cores.
        result: of the attempt that came to its end; None before.
    """

    seconds: float = 0.0
    core_seconds: float = 0.0
    result: Mapping[str, Any] | None = None


class Ledger:
    """What is done, and what it cost."""

    def __init__(self, path: pathlib.Path):
        """Reads what earlier processes wrote.

        Args:
            path: of the file, which need not exist.
        """
        self._path, self._lock = path, threading.Lock()
        self.entries: dict[str, Entry] = {}
        if path.exists():
            text = path.read_text(encoding="utf-8")
            for line in text.splitlines():
                # A process that was killed while it wrote leaves a part of a line.
                with contextlib.suppress(json.JSONDecodeError):
                    self._add(json.loads(line))
            if text and not text.endswith("\n"):
                path.write_text(f"{text}\n", encoding="utf-8")

    def result(self, step: str) -> Mapping[str, Any] | None:
        """What came of a step, or None if it is not done."""
        entry = self.entries.get(step)
        return entry.result if entry else None

    def add(
        self, step: str, seconds: float, core_seconds: float, result: Mapping[str, Any] | None
    ) -> None:
        """Writes down an attempt.

        Args:
            step: its name.
            seconds: of wall time.
            core_seconds: of processors.
            result: what came of it; None if it did not come to its end.
        """
        attempt = {
            "step": step,
            "seconds": round(seconds, 1),
            "core_seconds": round(core_seconds, 1),
            "processor": processor_name(),
            "result": result,
        }
        with self._lock:
            self._add(attempt)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                print(json.dumps(attempt), file=file)

    def _add(self, attempt: Mapping[str, Any]) -> None:
        entry = self.entries.setdefault(attempt["step"], Entry())
        entry.seconds += attempt["seconds"]
        entry.core_seconds += attempt["core_seconds"]
        entry.result = attempt["result"] or entry.result


def file_name(step: str) -> str:
    """A step's name as that of a file."""
    return re.sub(r"\W+", "-", step)


def run_step(
    ledger: Ledger,
    step: str,
    words: Sequence[str],
    logs: pathlib.Path,
    result: Callable[[], Mapping[str, Any]],
    core: int | None = None,
) -> Mapping[str, Any]:
    """Runs a command, unless it was run to its end before.

    Args:
        ledger: of what is done.
        step: its name.
        words: of the command, the verb first.
        logs: folder of what it prints.
        result: reads what came of it.
        core: that it is bound to; None for all.

    Returns:
        What came of it.

    Raises:
        SystemExit: if it fails, with the end of what it printed.
    """
    known = ledger.result(step)
    if known is not None:
        return known
    # In one piece: steps begin at the same time.
    print(f"{time.strftime('%H:%M:%S')} {step}\n", end="", flush=True)
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{file_name(step)}.log"
    begun, code, core_seconds, found = time.perf_counter(), 130, 0.0, None
    try:
        with log.open("a", encoding="utf-8") as stream:
            code, core_seconds = _run(words, stream, core)
        if code == 0:
            found = result()
    finally:
        ledger.add(step, time.perf_counter() - begun, core_seconds, found)
    if found is None:
        end = log.read_text(encoding="utf-8")[-2000:]
        sys.exit(f"{step} ended with status {code}; {log} ends with\n{end}")
    return found


def _run(words: Sequence[str], stream: Any, core: int | None) -> tuple[int, float]:
    """Status and processor seconds of a command, those of its own processes included."""
    command = [*_bound(core), sys.executable, "-m", "blockqnn", *words]
    with running(command, stdout=stream, stderr=STDOUT) as process:
        # Popen cannot say what one of several children at a time has used.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime


def _bound(core: int | None) -> list[str]:
    """A prefix of a command that binds it to a core, where the system has one."""
    if core is None or not hasattr(os, "sched_getaffinity"):
        return []
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "--cpu-list", str(cores[core % len(cores)])]
