"""Where the seconds of a search went, and why blocks were not trained."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from blockqnn.trial import Status, Trial

STOPPED_SECONDS = 60.0
"""With no child anywhere for longer than this, the search stood still: it was stopped and
continued, which is neither work nor idleness."""
_MOST_REASONS = 20
_TOO_LARGE = re.compile(r"[\d,]+ (.+), allowed are ([\d,]+)")


@dataclasses.dataclass(frozen=True)
class _Child:
    """When a device had a child.

    Attributes:
        number: of its trial.
        iteration: of its trial.
        worker: that had it.
        begun: in seconds since 1970.
        ended: likewise.
        training: seconds of it that were spent on training and evaluation.
        waiting: seconds of it in which the device waited for the compiler.
    """

    number: int
    iteration: int
    worker: int | None
    begun: float
    ended: float
    training: float
    waiting: float


def time_spent(trials: Sequence[Trial]) -> dict[str, Any]:
    """Seconds of devices by what they did, in all and for each iteration.

    A lane is a device of a worker; a worker has as many as it had children at
    once. The span of an iteration goes from the end of the one before, or the
    beginning of the first child, to the end of its last child, without the
    times in which the search stood still. What a lane did not train or wait
    for the compiler in that span, it was idle.

    Args:
        trials: of a run, in any order.

    Returns:
        `lanes`; `span`, `training`, `waiting` and `idle` in seconds, the last
        three summed over the lanes; `shares` of these three, which add to 1;
        `stopped` in seconds; `compiling` and `saved`, seconds of compilers, in
        part beside training; `per_iteration` with the lists `iteration`,
        `training`, `waiting` and `idle`. All 0 and empty where no child took time.
    """
    children = _children(trials)
    lanes = _lanes(children)
    rows, stopped = _per_iteration(children, lanes)
    training, waiting, idle = (sum(row[i] for row in rows) for i in (1, 2, 3))
    total = training + waiting + idle
    evaluated = [t for t in trials if t.status in (Status.COMPLETED, Status.FAILED)]
    return {
        "lanes": lanes,
        "span": total / lanes if lanes else 0.0,
        "training": training,
        "waiting": waiting,
        "idle": idle,
        "shares": {
            name: seconds / total if total else 0.0
            for name, seconds in (("training", training), ("waiting", waiting), ("idle", idle))
        },
        "stopped": stopped,
        "compiling": sum(trial.compile_seconds for trial in evaluated),
        "saved": max(0.0, sum(trial.saved_seconds for trial in evaluated)),
        "per_iteration": {
            name: [row[i] for row in rows]
            for i, name in enumerate(("iteration", "training", "waiting", "idle"))
        },
    }


def elapsed(trials: Sequence[Trial]) -> dict[int, float]:
    """Seconds of a search until each child's end.

    Args:
        trials: of a run, in any order.

    Returns:
        By the number of a trial the seconds from the beginning of the first
        child to its end, without the times in which the search stood still.
        Trials that took no time are left out.
    """
    children = sorted(_children(trials), key=lambda child: child.begun)
    found: dict[int, float] = {}
    still = 0.0
    busy_until = begun = children[0].begun if children else 0.0
    for child in children:
        gap = child.begun - busy_until
        still += gap if gap > STOPPED_SECONDS else 0.0
        busy_until = max(busy_until, child.ended)
        found[child.number] = child.ended - begun - still
    return found


def reasons(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Why blocks were not trained, most frequent first.

    Args:
        trials: of a run.

    Returns:
        For each reason its `status` (infeasible or failed), `reason`, `count`
        and one `trial` number; rare ones beyond the first twenty are summed.
    """
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    example: dict[tuple[str, str], int] = {}
    for trial in trials:
        if trial.status in (Status.INFEASIBLE, Status.FAILED):
            key = (trial.status.value, _kind(trial.reason or "unknown"))
            counts[key] += 1
            example.setdefault(key, trial.number)
    ranked = sorted(counts, key=lambda key: (-counts[key], example[key]))
    rows = [
        {"status": key[0], "reason": key[1], "count": counts[key], "trial": example[key]}
        for key in ranked[:_MOST_REASONS]
    ]
    rest = ranked[_MOST_REASONS:]
    if rest:
        rows.append(
            {
                "status": "",
                "reason": f"{len(rest)} other reasons",
                "count": sum(counts[key] for key in rest),
                "trial": example[rest[0]],
            }
        )
    return rows


def nothing_trained(trials: Sequence[Trial]) -> str:
    """What to say of a run in which no block was trained.

    Args:
        trials: of the run.

    Returns:
        A line, and one more for each reason with its count.
    """
    if not trials:
        return "No block was trained: nothing has been suggested yet."
    found = [f"{reason['count']:>6,}  {reason['reason']}" for reason in reasons(trials)]
    return "\n".join(["No block was trained. Why, and how often:", *found])


def _children(trials: Sequence[Trial]) -> list[_Child]:
    return [
        _Child(
            trial.number,
            trial.iteration,
            trial.worker,
            trial.finished - trial.seconds,
            trial.finished,
            trial.train_seconds,
            trial.waiting_seconds,
        )
        for trial in trials
        if trial.status in (Status.COMPLETED, Status.FAILED)
        and trial.finished is not None
        and trial.seconds > 0
    ]


def _lanes(children: Sequence[_Child]) -> int:
    """How many children the workers had at once, each at its best, summed."""
    by_worker: dict[int | None, list[_Child]] = {}
    for child in children:
        by_worker.setdefault(child.worker, []).append(child)
    return sum(map(_most_at_once, by_worker.values()))


def _most_at_once(children: Sequence[_Child]) -> int:
    events = []
    for child in children:
        # Ends are stamped by the driver, a little late: the middle half is surely its own.
        margin = (child.ended - child.begun) / 4
        events += [(child.begun + margin, 1), (child.ended - margin, -1)]
    most = now = 0
    for _, change in sorted(events):
        now += change
        most = max(most, now)
    return most


def _per_iteration(
    children: Sequence[_Child], lanes: int
) -> tuple[list[tuple[int, float, float, float]], float]:
    """Rows of iteration, training, waiting and idle seconds; and seconds of standing still."""
    parts: dict[int, list[_Child]] = {}
    for child in children:
        parts.setdefault(child.iteration, []).append(child)
    rows = []
    stopped = 0.0
    begun = min((child.begun for child in children), default=0.0)
    for iteration, part in sorted(parts.items()):
        ended = max(begun, *(child.ended for child in part))
        still = _standing_still(part, begun)
        training = sum(child.training for child in part)
        waiting = sum(child.waiting for child in part)
        idle = max(0.0, lanes * (ended - begun - still) - training - waiting)
        rows.append((iteration, training, waiting, idle))
        stopped += still
        begun = ended
    return rows, stopped


def _standing_still(children: Sequence[_Child], begun: float) -> float:
    """Seconds of the long gaps in which no lane had a child."""
    still, busy_until = 0.0, begun
    for child in sorted(children, key=lambda child: child.begun):
        gap = child.begun - busy_until
        if gap > STOPPED_SECONDS:
            still += gap
        busy_until = max(busy_until, child.ended)
    return still


def _kind(reason: str) -> str:
    """A reason without what differs from block to block."""
    first = reason.splitlines()[0] if reason.splitlines() else reason
    match = _TOO_LARGE.fullmatch(first)
    if match:
        return f"more than {match[2]} {match[1]}"
    return first if len(first) <= 200 else first[:199] + "…"
