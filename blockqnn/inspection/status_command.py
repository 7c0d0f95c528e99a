"""The verb `status`: what is running where, for how long, and who has been silent."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import time
from typing import TextIO

from blockqnn.errors import UserError
from blockqnn.listing import duration, number, table
from blockqnn.runs import status_file
from blockqnn.runs.status_file import RunStatus, read_status
from blockqnn.workers.state import WorkerState

SILENT_SECONDS = 20.0
"""A worker says something every 5 seconds; one that has not for so long is marked."""


@dataclasses.dataclass(frozen=True)
class StatusSettings:
    """What to tell.

    Attributes:
        run_dir: of the search.
        as_json: one object for programs, instead of text.
    """

    run_dir: pathlib.Path
    as_json: bool


def status(settings: StatusSettings, stream: TextIO) -> None:
    """Tells how a search and its workers are, by one small file that the driver writes.

    Args:
        settings: which run, and how to print.
        stream: where to.

    Raises:
        UserError: if the run has no such file.
    """
    path = settings.run_dir / status_file.FILE_NAME
    found = read_status(path)
    if found is None:
        raise UserError(
            f"There is no {status_file.FILE_NAME} to read in {settings.run_dir}; a search that "
            "runs, or has run, writes one."
        )
    now = time.time()
    if settings.as_json:
        fields = dataclasses.asdict(found) | {
            "silent_seconds": max(0.0, now - found.written),
            "alive": found.alive,
            "clock_ahead_seconds": found.ahead,
        }
        print(json.dumps(fields), file=stream)
        return
    print("\n".join(_lines(settings.run_dir, found, now)), file=stream)


def _lines(run_dir: pathlib.Path, found: RunStatus, now: float) -> list[str]:
    counts = ", ".join(
        f"{found.counts.get(status, 0)} {word}"
        for status, word in (
            ("completed", "trained"),
            ("known", "known"),
            ("infeasible", "infeasible"),
            ("failed", "failed"),
        )
    )
    best = f"; best {number(found.best[1])} (#{found.best[0]})" if found.best else ""
    lines = [
        f"{run_dir}: {_driver(found, now)}",
        f"iteration {found.iteration}/{found.iterations}, epsilon {found.epsilon:g}; "
        f"{sum(found.counts.values())} trials: {counts}{best}",
    ]
    if found.workers:
        states = [_state(worker, now) for worker in found.workers]
        tally = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
        rows = [_row(worker, now) for worker in found.workers]
        header = ["worker", "state", "for", "heard", "trials", "process", "machine", "device"]
        lines += ["", f"{len(states)} workers ({found.executor}): {tally}"]
        lines += ["", table([*header[:-1], header[-1]], rows)]
    return lines


def _driver(found: RunStatus, now: float) -> str:
    who = f"process {found.process} on {_plain(found.node)}"
    ago = duration(max(0.0, now - found.written))
    if found.state != status_file.SEARCHING:
        return f"{_plain(found.state)} {ago} ago, by {who}"
    if found.gone:
        return (
            f"the driver, {who}, was ended from outside; last heard {ago} ago. The same command "
            "continues the search."
        )
    if found.ahead:
        return (
            f"searching by {who}, whose clock is {duration(found.ahead)} ahead of this machine's, "
            "so that it cannot be told from here when it was heard last"
        )
    if found.silent:
        return (
            f"the driver, {who}, has been silent for {ago}: it was ended or hangs. "
            "The same command continues the search."
        )
    return f"searching for {duration(max(0.0, now - found.begun))}, {who}, heard {ago} ago"


def _state(worker: WorkerState, now: float) -> str:
    heard = worker.heard if worker.heard is not None else now
    return "silent" if now - heard > SILENT_SECONDS else _plain(worker.state)


def _row(worker: WorkerState, now: float) -> list[str]:
    begun = [child.begun for child in worker.children if child.begun is not None]
    since = min(begun, default=worker.since)
    children = " ".join(
        f"#{child.number}" + ("" if child.begun is not None else " (next)")
        for child in worker.children
    )
    return [
        str(worker.number),
        _state(worker, now),
        duration(max(0.0, now - since)),
        "-" if worker.heard is None else f"{duration(max(0.0, now - worker.heard))} ago",
        children or "-",
        "-" if worker.process is None else str(worker.process),
        _plain(worker.node) or "-",
        _plain(worker.device) or "-",
    ]


def _plain(text: str) -> str:
    """Text of others on one line, without control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:80]
