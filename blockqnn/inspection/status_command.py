"""The verb `status`: what is running where, for how long, and who has been silent."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import time
from typing import TextIO

from blockqnn.errors import UserError
from blockqnn.listing import counted, duration, number, table
from blockqnn.runs import status_file
from blockqnn.runs.driver import visible_from
from blockqnn.runs.status_file import RunStatus, read_status
from blockqnn.runs.supernet_record import EpochEnded
from blockqnn.trial import Status
from blockqnn.workers.state import WorkerState

SILENT_SECONDS = 20.0
"""A worker says something every 5 seconds; one that has not for so long is marked."""

_AT_WORK = {
    status_file.SEARCHING: ("searching", "search"),
    status_file.IN_FINALS: ("in its finals", "finals"),
}
"""For a state in which a driver works, what it does, and what the same command continues."""


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
    # What a clock that is ahead has stamped is compared with that clock alone.
    print("\n".join(_lines(settings.run_dir, found, max(now, found.written))), file=stream)


def _lines(run_dir: pathlib.Path, found: RunStatus, now: float) -> list[str]:
    counts = ", ".join(
        f"{found.counts.get(status, 0)} {status}"
        for status in (Status.COMPLETED, Status.KNOWN, Status.INFEASIBLE, Status.FAILED)
    )
    best = f"; best {number(found.best[1])} (#{found.best[0]})" if found.best else ""
    lines = [
        f"{run_dir}: {_driver(found, now)}",
        f"{_place(found)}, epsilon {found.epsilon:g}; "
        f"{sum(found.counts.values())} trials: {counts}{best}",
    ]
    if found.supernet:
        lines.insert(1, supernet_words(found.supernet))
    if found.finals:
        lines.insert(1, _finals(found))
    if found.workers:
        states = [_state(worker, now) for worker in found.workers]
        tally = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
        rows = [_row(worker, now) for worker in found.workers]
        header = ["worker", "state", "for", "heard", "trials", "process", "machine", "device"]
        lines += ["", f"{len(states)} workers ({found.executor}): {tally}"]
        lines += ["", table([*header[:-1], header[-1]], rows)]
    return lines


def supernet_words(at: EpochEnded) -> str:
    """How far the training of the supernet is, in words."""
    bank = "" if at.epochs == at.total else f" of {_plain(at.part)}, {at.done} of {at.total} in all"
    reward = "" if at.reward is None else f", mean score {number(100 * at.reward)} % for the agent"
    return (
        f"supernet: epoch {at.epoch} of {at.epochs}{bank}, loss {number(at.loss, 3)}{reward}; "
        f"{at.all_images:,} {at.examples} in {duration(at.all_seconds)} of workers"
    )


def _finals(found: RunStatus) -> str:
    """How far the finals are, or were when they stopped."""
    finals = found.finals
    assert finals is not None
    state = "finals" if found.alive else "the finals came to"
    left = ""
    if found.seconds_left and found.alive:
        left = f", about {duration(found.seconds_left).removeprefix('about ')} left"
    return (
        f"{state}{':' if found.alive else ''} round {finals.round} of {finals.rounds}, "
        f"{finals.ended} of {counted(finals.trainings, 'training')} for "
        f"{counted(finals.epochs, 'epoch')}{left}"
    )


def _place(found: RunStatus) -> str:
    """Where the search is, and how much is left while it goes on."""
    budget = found.budget
    if budget.max_blocks:
        place = f"block {found.blocks}/{budget.max_blocks}"
    elif budget:
        place = f"block {found.blocks}"
    else:
        place = f"iteration {found.iteration}/{found.iterations}"
    if budget.max_hours:
        hours = duration(budget.max_hours * 3600)
        place += f", {duration(found.searched_seconds)} of {hours} used"
    if found.seconds_left and found.alive and found.state == status_file.SEARCHING:
        place += f", about {duration(found.seconds_left).removeprefix('about ')} left"
    return place


def _driver(found: RunStatus, now: float) -> str:
    who = f"process {found.process} on {_plain(found.node)}"
    ago = duration(max(0.0, now - found.written))
    at_work, noun = _AT_WORK.get(found.state, ("", ""))
    if not at_work:
        if found.ahead:
            return (
                f"{_plain(found.state)} by {who}, whose clock is {duration(found.ahead)} ahead of "
                "this machine's"
            )
        return f"{_plain(found.state)} {ago} ago, by {who}"
    if found.gone:
        return (
            f"the driver, {who}, was ended from outside; last heard {ago} ago. The same command "
            f"continues the {noun}."
        )
    if found.ahead:
        return (
            f"{at_work} by {who}, whose clock is {duration(found.ahead)} ahead of this machine's, "
            "so that it cannot be told from here when it was heard last"
        )
    if found.silent:
        behind = "" if found.seen_from == visible_from() else ", or its clock is behind"
        return (
            f"the driver, {who}, has been silent for {ago}: it was ended or hangs{behind}. "
            f"The same command continues the {noun}."
        )
    return f"{at_work} for {duration(max(0.0, now - found.begun))}, {who}, heard {ago} ago"


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
