"""Agents of a contest of methods that look accuracies up, in processes of their own."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Sequence
from typing import TextIO

from blockqnn.contests import contest
from blockqnn.contests.metered import DRIVER, LOOKED_UP
from blockqnn.contests.method_runs import Choice, MethodRun, Step
from blockqnn.contests.tournament import Results, carry_out, table_digest
from blockqnn.contests.waiting import Waiting
from blockqnn.workers.placement import available_cores


def looked_up(
    titles: Sequence[str],
    seeds: int,
    size: int,
    each: float,
    space: str,
    table: str,
    columns: tuple[str, str],
    workers: int,
    out_dir: pathlib.Path,
    progress: TextIO,
) -> dict[str, list[MethodRun]]:
    """Plays what is missing.

    Args:
        titles: of the agents.
        seeds: searches of each.
        size: evaluations that each is sized to, and has.
        each: seconds that an evaluation counts.
        space: name of the search space.
        table: path of the accuracies.
        columns: that agents see, and that judges.
        workers: processes; 0 for one a core.
        out_dir: where runs are kept.
        progress: for how far it is.

    Returns:
        By title the runs that found a design of the table, by seed.

    Raises:
        UserError: if the directory cannot be used, or has runs on another table.
    """
    identity = {
        "space": space,
        "table": table_digest(table),
        "search_column": columns[0],
        "judge_column": columns[1],
    }
    wanted = [(title, size, seed) for title in titles for seed in range(seeds)]
    with contextlib.closing(
        Results(out_dir, identity, contest.as_json, contest.from_json)
    ) as results:
        missing = [key for key in wanted if key not in results.runs]
        waiting = Waiting(progress, len(wanted) - len(missing), len(wanted))
        if missing:
            processes = workers or len(available_cores())
            for ended in carry_out(missing, space, table, columns, processes):
                results.add(ended)
                waiting.ended(len(ended))
        found = [as_run(results.runs[key], each) for key in wanted]
    return {
        title: [run for run in found if run is not None and run.title == title] for title in titles
    }


def as_run(played: contest.Played, each: float) -> MethodRun | None:
    """A run that looked up as one of a method; None where it found nothing in the table."""
    share = played.thinking / max(1, played.evaluations)
    steps = tuple(
        Step(
            found.evaluations,
            found.evaluations * (each + share),
            found.searched,
            Choice("", found.searched, judged=found.judged),
        )
        for found in played.improvements
    )
    if not steps:
        return None
    cost = {LOOKED_UP: played.evaluations * each, DRIVER: played.thinking}
    last = steps[-1].choice
    return MethodRun(
        played.contestant, played.seed, steps, played.evaluations, last, last, cost, 0.0, False
    )
