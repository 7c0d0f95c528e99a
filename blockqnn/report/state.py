"""How the search of a run is at this moment, from what its driver writes beside the store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.inspection.finals_table import failed_trainings
from blockqnn.invocation import command
from blockqnn.listing import counted, duration
from blockqnn.report.findings import planned_iterations
from blockqnn.runs import status_file
from blockqnn.runs.run_record import RunRecord
from blockqnn.runs.status_file import RunStatus, read_status
from blockqnn.trial import Status, Trial

RUNNING, STOPPED, FINISHED, DIED = "running", "stopped", "finished", "died"
IN_FINALS = "finals"
"""The search has come to its end or a stop, and its best blocks are being trained for longer."""
UNFINISHED = "unfinished"
"""Nobody has written how the search is, and its schedule has not come to its end."""
MOST_CHILDREN = 12
"""Children in training that are listed one by one."""


def search_state(run: RunRecord, now: float | None = None) -> dict[str, Any]:
    """How a search is.

    Args:
        run: as it was read.
        now: the time in seconds since 1970; None for this machine's.

    Returns:
        `name`, one of the names above; `search`, the same of the search while finals
        go on; `words`, a sentence or two; `workers`, how many there are, by state;
        `children` in training, each with its `trial`, `seconds` and `device`; `more`,
        the number of those that are not listed; `failed` trials, or trainings of
        finals while these go on; `left`, seconds to the end of the schedule or of the
        finals, or None where that cannot be said; `used`, the share of a budget that is
        used up, or None without one; `seen`, when this was so.
    """
    now = time.time() if now is None else now
    status = read_status(run.path / status_file.FILE_NAME)
    search = _name(run, status)
    in_finals = status is not None and status.alive and status.state == status_file.IN_FINALS
    name = IN_FINALS if in_finals else search
    found: dict[str, Any] = {
        "name": name,
        "search": search,
        "words": _words(name, run, status, now) + _interrupted_finals(name, run),
        "workers": {},
        "children": [],
        "more": 0,
        "failed": sum(trial.status is Status.FAILED for trial in run.trials),
        "left": None,
        "used": _used(status),
        "seen": now,
    }
    if in_finals and run.finals:
        found["failed"] = failed_trainings(run.finals)
    if name in (RUNNING, IN_FINALS) and status is not None:
        children = _children(status, now)
        found["workers"] = _tally(status)
        found["children"] = children[:MOST_CHILDREN]
        found["more"] = max(0, len(children) - MOST_CHILDREN)
        found["left"] = status.seconds_left
        if found["left"] is None and name == RUNNING:
            found["left"] = seconds_left(run.trials, run.flags, status.begun, now)
    return found


def seconds_left(
    trials: Sequence[Trial], flags: Mapping[str, str], begun: float, now: float
) -> float | None:
    """How long a search will go on, at the pace that it has had since its driver began.

    Args:
        trials: of the run.
        flags: of the run.
        begun: when the driver began, in seconds since 1970.
        now: the time in seconds since 1970.

    Returns:
        Seconds, or None where nothing has finished yet or the length is not known.
    """
    planned = planned_iterations(flags)
    try:
        each = int(flags["blocks_per_iteration"])
    except (KeyError, TypeError, ValueError):
        return None
    if planned is None:
        return None
    counting = [trial for trial in trials if trial.status is not Status.INFEASIBLE]
    done = sum(trial.finished is not None and trial.finished >= begun for trial in counting)
    left = max(0, planned * each - len(counting))
    return max(0.0, now - begun) / done * left if done else None


def _used(status: RunStatus | None) -> float | None:
    if status is None or not status.budget:
        return None
    shares = []
    if status.budget.max_blocks:
        shares.append(status.blocks / status.budget.max_blocks)
    if status.budget.max_hours:
        shares.append(status.searched_seconds / (3600 * status.budget.max_hours))
    return max(shares)


def _name(run: RunRecord, status: RunStatus | None) -> str:
    planned = planned_iterations(run.flags)
    complete = planned is not None and run.iterations >= planned
    if status is not None and status.alive and status.state != status_file.IN_FINALS:
        return RUNNING
    if complete or (status is not None and status.search_state == status_file.FINISHED):
        return FINISHED
    if status is None:
        return UNFINISHED
    if status.search_state == status_file.STOPPED:
        return STOPPED
    # One that trains by itself writes only when it begins with a child.
    return DIED if status.silent or status.gone else RUNNING


def _words(name: str, run: RunRecord, status: RunStatus | None, now: float) -> str:
    if status is None or name == FINISHED:
        if name == FINISHED:
            return "The search has finished."
        return "The search has not come to its end, and nothing says whether it still runs."
    if name == IN_FINALS:
        return _words_of_finals(status, now)
    ago = duration(max(0.0, now - status.written))
    if name == RUNNING:
        return (
            f"The search is running, for {duration(max(0.0, now - status.begun))}, as process "
            f"{status.process} on {status.node}."
        )
    if name == STOPPED:
        return f"The search was stopped {ago} ago. The same command continues it."
    if status.gone:
        return (
            f"The search died: its driver, process {status.process}, was ended from outside, and "
            f"was heard last {ago} ago. The same command continues it."
        )
    return (
        f"The search died or hangs: its driver, process {status.process} on {status.node}, has "
        f"been silent for {ago}. The same command continues it."
    )


def _words_of_finals(status: RunStatus, now: float) -> str:
    words = (
        f"The finals are running, for {duration(max(0.0, now - status.begun))}, as process "
        f"{status.process} on {status.node}"
    )
    at = status.finals
    if at is None:
        return f"{words}."
    have = "has" if at.ended == 1 else "have"
    return (
        f"{words}: round {at.round:,} of {at.rounds:,}, in which {at.ended:,} of "
        f"{counted(at.trainings, 'training')} for {counted(at.epochs, 'epoch')} {have} ended."
    )


def _interrupted_finals(name: str, run: RunRecord) -> str:
    if name in (RUNNING, IN_FINALS) or run.finals is None or run.finals.ended:
        return ""
    place, rounds = run.finals.under_way, len(run.finals.plan.rounds)
    return (
        f" Its finals were interrupted in round {place:,} of {rounds:,}: "
        f"{command('finals', run.path)} continues them."
    )


def _tally(status: RunStatus) -> dict[str, int]:
    states = [worker.state for worker in status.workers]
    return {state: states.count(state) for state in sorted(set(states))}


def _children(status: RunStatus, now: float) -> list[dict[str, Any]]:
    found = [
        {
            "trial": child.number,
            "seconds": max(0.0, now - child.begun),
            "device": worker.device,
            "worker": worker.number,
        }
        for worker in status.workers
        for child in worker.children
        if child.begun is not None
    ]
    return sorted(found, key=lambda child: -child["seconds"])


def unfinished_words(run: RunRecord, state: str) -> str:
    """How far a run has come that has not finished.

    Args:
        run: as it was read.
        state: its name.

    Returns:
        Words, such as `stopped after 12 of 29 iterations`; empty for a finished run.
    """
    if state == FINISHED:
        return ""
    planned = planned_iterations(run.flags)
    count = f"{run.iterations:,} of {counted(planned, 'iteration')}" if planned else ""
    count = count or counted(run.iterations, "iteration")
    return f"{state}, {count} so far" if state == RUNNING else f"{state} after {count}"
