"""Agents against one another with real children, which they share."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
from typing import Any, TextIO

from blockqnn.contests import standings
from blockqnn.contests.contestants import Contestant
from blockqnn.contests.real_contest import (
    RealRun,
    play_real,
    real_run_as_json,
    real_run_from_json,
)
from blockqnn.contests.real_standings import RealStandings, real_standings
from blockqnn.contests.regret_figure import check_figure, draw_regret
from blockqnn.contests.shared_outcomes import FILE_NAME, SharingExecutor, children_digest
from blockqnn.contests.tournament import Results
from blockqnn.contests.waiting import WaitingForChildren
from blockqnn.evaluation.contract import DRY
from blockqnn.heading import heading
from blockqnn.listing import DRY_NOTICE, counted, duration, table
from blockqnn.measure import measure_in
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.workers.choice import make_executor
from blockqnn.workers.contract import Executor
from blockqnn.workers.machine import described


@dataclasses.dataclass(frozen=True)
class RealCompareSettings:
    """What to compare with real children.

    Attributes:
        contestants: the agents; the first is what the others are tested against.
        search: a search without agent, seed and schedule.
        run: how children are trained; its directory holds the runs and the
            outcomes that they share.
        budgets: evaluations; runs are of the largest.
        seeds: runs of each agent.
        target: reward in percent; 0 for what the first agent reaches on average.
        figure: file for the curve of simple regret, or None.
        as_json: print one JSON object.
    """

    contestants: tuple[Contestant, ...]
    search: SearchSettings
    run: RunSettings
    budgets: tuple[int, ...]
    seeds: int
    target: float
    figure: pathlib.Path | None
    as_json: bool


def compare_real(settings: RealCompareSettings, stream: TextIO, progress: TextIO) -> None:
    """Plays what is missing, and prints the standings.

    Agents of one seed share what they train, so that each child is trained
    once; it counts for all of them with the seconds that it took.

    Args:
        settings: what to compare.
        stream: for the result.
        progress: for the runs that have ended.

    Raises:
        UserError: if the data set or the directory cannot be used, or an agent trained no block.
    """
    check_figure(settings.figure)
    directory = settings.run.run_dir
    identity: dict[str, Any] = {
        name: str(value)
        for name, value in settings.run.flag_values.items()
        if name not in ("agent", "seed", "epsilon_schedule")
    }
    budget = max(settings.budgets)
    wanted = [(c, seed) for seed in range(settings.seeds) for c in settings.contestants]
    with contextlib.closing(
        Results[RealRun](directory, identity, real_run_as_json, real_run_from_json)
    ) as results:
        missing = [
            (contestant, seed)
            for contestant, seed in wanted
            if (contestant.title, budget, seed) not in results.runs
        ]
        if missing:
            match, measure = settings.search.match, measure_in(settings.search.layout)
            facts = {
                "Data": settings.search.data.dataset,
                "Device": described(),
                "Children": None if match is None else f"scaled to {match.words}",
                "Contest": f"{counted(len(missing), 'run')} of {counted(budget, 'evaluation')}",
                "Directory": str(directory),
            }
            print(heading(facts), file=progress, flush=True)
            waiting = WaitingForChildren(progress, len(missing), budget)
            waiting.begin(f"{missing[0][0].title}, seed {missing[0][1]}")
            with contextlib.closing(_executor(settings, directory)) as executor:
                for contestant, seed in missing:
                    waiting.begin(f"{contestant.title}, seed {seed}")
                    run = play_real(
                        contestant, settings.search, budget, seed, executor, waiting.finished
                    )
                    results.add([run])
                    waiting.ended(
                        f"{counted(len(run.evaluations), 'evaluation')}, best {measure.name} "
                        f"{measure.in_words(run.best_after(budget).accuracy)}"
                    )
        runs = {(c.title, budget, seed): results.runs[c.title, budget, seed] for c, seed in wanted}
    found = real_standings(
        runs, settings.contestants, settings.budgets, settings.seeds, settings.target
    )
    if settings.figure is not None:
        draw_regret(found.curves, settings.figure)
    dry = settings.search.evaluator == DRY
    if settings.as_json:
        print(json.dumps(dataclasses.asdict(found) | {"dry": dry}), file=stream)
        return
    if dry:
        print(DRY_NOTICE, file=stream)
    print(_in_words(found, settings), file=stream)


def _executor(settings: RealCompareSettings, directory: pathlib.Path) -> Executor:
    return SharingExecutor(
        make_executor(settings.search, settings.run),
        directory / FILE_NAME,
        children_digest(settings.search),
    )


def _in_words(found: RealStandings, settings: RealCompareSettings) -> str:
    rewards, accuracies = [], []
    for place, contestant in enumerate(settings.contestants):
        own = found.rows[place :: len(settings.contestants)]
        rewards.append(
            [
                *(standings.mean_cell(r["reward"], r["reward_std"], r["reward_p"]) for r in own),
                *standings.reached_cells(found.targets[place]),
                contestant.title,
            ]
        )
        accuracies.append(
            [
                *(standings.mean_cell(r["mean"], r["std"], r["p"]) for r in own),
                f"{own[0]['first']:.1f} to {own[0]['last']:.1f}",
                contestant.title,
            ]
        )
    least, kept = duration(found.rows[-1]["seconds"]), measure_in(settings.search.layout).kept
    when = [counted(budget, "evaluation") for budget in sorted(settings.budgets)]
    when.append(f"{least} of training")
    parts = [
        f"Reward of the best block: {standings.of_seeds(settings.seeds)}",
        "",
        table([*when, f"reach {found.target:.2f}", "median after", "agent"], rewards),
        "",
        f"Validation {kept}, of that block, and the mean one of the first and the last quarter",
        "of the evaluations",
        "",
        table([*when, "quarters", "agent"], accuracies),
        "",
        *standings.marked(settings.contestants[0].title, found.rows),
        f"{least} is what the run of the fewest seconds took; the best reward of any run is "
        f"{found.best:.2f}",
    ]
    if settings.figure is not None:
        parts.append(f"Simple regret: {settings.figure}")
    return "\n".join(parts)
