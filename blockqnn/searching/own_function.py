"""A search whose evaluator is a function of the user's, from Python."""

from __future__ import annotations

import io
import math
import pathlib
from collections.abc import Callable
from typing import Any

from blockqnn.agents.exploration import UNIFORM
from blockqnn.agents.options import SearchFacts, options
from blockqnn.agents.paper_schedule import scaled_schedule
from blockqnn.agents.registry import AGENTS
from blockqnn.errors import INTERRUPTED, UserError
from blockqnn.networks.cost import Limits
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import SPACES
from blockqnn.searching.command import run_search
from blockqnn.settings import (
    DataSettings,
    Recipe,
    RewardSettings,
    RunSettings,
    SearchSettings,
    WorkerSettings,
)
from blockqnn.trial import Job, Outcome
from blockqnn.workers.contract import INLINE, Executor, InlineExecutor

PYTHON = "python"
"""The evaluator's name in the run."""

_FLAG_FILE = "# This search was begun from Python; the same call of blockqnn.search continues it.\n"


class FunctionEvaluator:
    """Asks a function of the user's for accuracies."""

    device = "python"
    slots = 1
    ahead = 0

    def __init__(self, function: Callable[[Code], float]):
        """Creates the evaluator.

        Args:
            function: from a code to its accuracy in percent.
        """
        self._function = function

    def prepare(self, job: Job, slot: int) -> None:
        """See `Evaluator.prepare`."""

    def evaluate(self, job: Job, slot: int) -> Outcome:
        """See `Evaluator.evaluate`; what the function raises is the reason of a failed trial."""
        try:
            accuracy = float(self._function(job.code))
        except Exception as error:
            return Outcome(reason=f"{type(error).__name__}: {error}")
        if not (math.isfinite(accuracy) and 0 <= accuracy <= 100):
            return Outcome(reason=f"an accuracy is a percentage from 0 to 100, given {accuracy}")
        return Outcome(accuracies=(accuracy,), device=self.device)


def search_with(
    function: Callable[[Code], float],
    run_dir: str,
    budget: int,
    agent: str,
    space: str,
    max_layers: int,
    layout: Layout | None,
    wanted: dict[str, Any],
    seed: int,
) -> None:
    """Carries out a search; see `blockqnn.search`.

    Args:
        function: from a code to its accuracy in percent.
        run_dir: directory of the run.
        budget: designs to evaluate.
        agent: its name.
        space: its name.
        max_layers: most layers, where the space has such a limit.
        layout: of the child networks; None for the usual one of the space.
        wanted: options of the agent, by name.
        seed: fixes every random choice.

    Raises:
        UserError: if an argument cannot be used, or the directory holds another search.
        KeyboardInterrupt: if the search was interrupted.
    """
    _one_of("agent", agent, tuple(AGENTS))
    _one_of("space", space, tuple(SPACES))
    for name, value in (("budget", budget), ("max_layers", max_layers)):
        if value < 1:
            raise UserError(f"{name} is {value}; allowed: at least 1.")
    kind = AGENTS[agent].settings
    known = {option.name: field for field, (option, _) in options(kind).items()}
    for name in wanted:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise UserError(f"{agent} has no option {name!r}; allowed: {allowed}.")
    batch = kind.batch(budget)
    schedule = scaled_schedule(budget, batch)
    config = kind.for_budget(budget).in_search(SearchFacts(UNIFORM, schedule, budget))
    config = config.changed(**{known[name]: value for name, value in wanted.items()})
    settings = SearchSettings(
        agent=config,
        schedule=schedule,
        blocks_per_iteration=batch,
        space=space,
        max_layers=max_layers,
        seed=seed,
        layout=layout or Layout(kind=next(iter(SPACES[space].layouts))),
        limits=Limits(max_parameters=0),
        data=DataSettings(),
        recipe=Recipe(),
        reward=RewardSettings(mu=0, rho=0),
        evaluator=PYTHON,
    )
    recorded = {name: getattr(config, field) for name, field in known.items()} | {
        "agent": agent,
        "blocks_per_iteration": batch,
        "epsilon_schedule": ",".join(f"{epsilon:g}:{count}" for epsilon, count in schedule),
        "evaluator": PYTHON,
        "exploration": UNIFORM,
        "max_layers": max_layers,
        "mu": 0,
        "rho": 0,
        "seed": seed,
        "space": space,
    }
    run = RunSettings(
        run_dir=pathlib.Path(run_dir),
        executor=INLINE,
        workers=1,
        cores_per_worker=0,
        worker=WorkerSettings(),
        child_timeout_seconds=math.inf,
        flag_values={
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in recorded.items()
        },
        flag_file=_FLAG_FILE,
    )

    def executor(settings: SearchSettings, run: RunSettings, watcher: Any) -> Executor:
        return InlineExecutor(FunctionEvaluator(function), watcher)

    if run_search(settings, run, io.StringIO(), executor) == INTERRUPTED:
        raise KeyboardInterrupt


def _one_of(name: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise UserError(f"{name} is {given!r}; allowed: {', '.join(allowed)}.")
