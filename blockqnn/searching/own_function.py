"""A search whose evaluator is a function of the user's, from Python."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from blockqnn.agents.exploration import UNIFORM
from blockqnn.agents.options import SearchFacts, options
from blockqnn.agents.paper_schedule import scaled_schedule
from blockqnn.agents.registry import AGENTS, AgentConfig
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import PYTHON
from blockqnn.networks.cost import Limits
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import MAX_LAYERS, Code
from blockqnn.networks.spaces.registry import DEFAULT, SPACES
from blockqnn.searching.calling import FunctionEvaluator, ThreadExecutor
from blockqnn.searching.command import run_search
from blockqnn.searching.progress import Progress
from blockqnn.settings import (
    Budget,
    DataSettings,
    Recipe,
    RewardSettings,
    RunSettings,
    SearchSettings,
    WorkerSettings,
)
from blockqnn.workers.contract import INLINE, Executor
from blockqnn.workers.state import Watcher

USUAL_BUDGET = 100
_FLAG_FILE = "# This search was begun from Python; the same call of blockqnn.search continues it.\n"


@dataclasses.dataclass(frozen=True)
class FunctionSearch:
    """How to search with a function.

    Attributes:
        budget: designs to evaluate; 0 for as many as the hours allow.
        max_hours: of searching; 0 for no such end.
        agent: its name.
        space: its name.
        max_layers: most layers, where the space has such a limit.
        layout: of the networks whose costs are recorded; None for the usual one of the space.
        seed: fixes every random choice.
        workers: calls of the function at the same time, in threads.
        options: of the agent, by name.
        schedule: pairs of epsilon and iterations; None for the paper's, shrunk to the budget.
        blocks_per_iteration: after which the agent learns; 0 for what suits agent and budget.
        before: flags of the run, if it has begun.
        listeners: are told of trials.
    """

    budget: int = USUAL_BUDGET
    max_hours: float = 0.0
    agent: str = "q_learning_plus"
    space: str = DEFAULT
    max_layers: int = MAX_LAYERS
    layout: Layout | None = None
    seed: int = 0
    workers: int = 1
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    schedule: tuple[tuple[float, int], ...] | None = None
    blocks_per_iteration: int = 0
    before: Mapping[str, str] = dataclasses.field(default_factory=dict)
    listeners: Sequence[Progress] = ()


def search_with(
    function: Callable[[Code], Any], run_dir: str, wanted: FunctionSearch, stream: TextIO
) -> int:
    """Carries out a search; see `blockqnn.search`.

    Args:
        function: from a code to its accuracy in percent, or to those after each epoch.
        run_dir: directory of the run.
        wanted: how to search.
        stream: for progress and results.

    Returns:
        The exit status of such a command.

    Raises:
        UserError: if an argument cannot be used, or the directory holds another search.
    """
    _check(wanted)
    settings, recorded = _settings(wanted)
    run = RunSettings(
        run_dir=pathlib.Path(run_dir),
        executor=INLINE,
        workers=wanted.workers,
        cores_per_worker=0,
        worker=WorkerSettings(),
        child_timeout_seconds=math.inf,
        flag_values={
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in recorded.items()
        },
        flag_file=_FLAG_FILE,
        from_python=True,
    )

    def executor(settings: SearchSettings, run: RunSettings, watcher: Watcher) -> Executor:
        return ThreadExecutor(FunctionEvaluator(function, wanted.workers), watcher)

    return run_search(settings, run, stream, executor, wanted.listeners)


def _check(wanted: FunctionSearch) -> None:
    for name, value, allowed in (
        ("agent", wanted.agent, tuple(AGENTS)),
        ("space", wanted.space, tuple(SPACES)),
    ):
        if value not in allowed:
            raise UserError(f"{name} is {value!r}; allowed: {', '.join(allowed)}.")
    least = {"budget": 0 if wanted.max_hours else 1, "max_layers": 1, "workers": 1}
    for name, bound in (*least.items(), ("blocks_per_iteration", 0), ("max_hours", 0)):
        value = getattr(wanted, name)
        kinds = (int, float) if name == "max_hours" else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds) or not value >= bound:
            what = "a number" if name == "max_hours" else "an integer"
            raise UserError(f"{name} is {value}; allowed: {what} of at least {bound}.")


def _settings(wanted: FunctionSearch) -> tuple[SearchSettings, dict[str, Any]]:
    """The search, and the flags that say what it is."""
    kind = AGENTS[wanted.agent].settings
    known = {option.name: field for field, (option, _) in options(kind).items()}
    for name in wanted.options:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise UserError(f"{wanted.agent} has no option {name!r}; allowed: {allowed}.")
    # A larger budget continues a run, so what was derived from the first one stays.
    before = wanted.before if wanted.before.get("agent") == wanted.agent else {}
    evaluations = wanted.budget or USUAL_BUDGET
    batch = wanted.blocks_per_iteration or int(before.get("blocks_per_iteration", 0))
    batch = batch or kind.batch(evaluations)
    schedule = wanted.schedule or _schedule(before) or scaled_schedule(evaluations, batch)
    budget = Budget(wanted.budget, wanted.max_hours)
    counted = sum(count for _, count in schedule) * batch
    if before and "max_blocks" not in before and wanted.budget <= counted:
        # The run is of a version whose budget was the length of the schedule.
        budget = Budget()
    config = kind.for_budget(evaluations).in_search(SearchFacts(UNIFORM, schedule, evaluations))
    config = config.changed(**_kept(config, known, before))
    config = config.changed(**{known[name]: value for name, value in wanted.options.items()})
    settings = SearchSettings(
        agent=config,
        schedule=schedule,
        blocks_per_iteration=batch,
        space=wanted.space,
        max_layers=wanted.max_layers,
        seed=wanted.seed,
        layout=wanted.layout or Layout(kind=next(iter(SPACES[wanted.space].layouts))),
        limits=Limits(max_parameters=0),
        data=DataSettings(),
        recipe=Recipe(),
        reward=RewardSettings(mu=0, rho=0),
        evaluator=PYTHON,
        budget=budget,
    )
    recorded = {name: getattr(config, field) for name, field in known.items()} | {
        "agent": wanted.agent,
        "blocks_per_iteration": batch,
        "epsilon_schedule": ",".join(f"{epsilon:g}:{count}" for epsilon, count in schedule),
        "evaluator": PYTHON,
        "exploration": UNIFORM,
        "max_layers": wanted.max_layers,
        "mu": 0,
        "rho": 0,
        "seed": wanted.seed,
        "space": wanted.space,
    }
    if budget:
        recorded |= {"max_blocks": wanted.budget, "max_hours": wanted.max_hours}
    return settings, recorded


def _schedule(before: Mapping[str, str]) -> tuple[tuple[float, int], ...]:
    pairs = (part.split(":") for part in before.get("epsilon_schedule", "").split(",") if part)
    return tuple((float(epsilon), int(count)) for epsilon, count in pairs)


def _kept(
    config: AgentConfig, known: Mapping[str, str], before: Mapping[str, str]
) -> dict[str, Any]:
    """The options that a run was begun with, by field."""
    found: dict[str, Any] = {}
    for name, field in known.items():
        if name in before:
            usual = getattr(config, field)
            text = before[name]
            found[field] = text == "true" if isinstance(usual, bool) else type(usual)(text)
    return found
