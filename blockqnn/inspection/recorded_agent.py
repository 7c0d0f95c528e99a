"""The agent of a run, made again from what its store recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blockqnn.agents.contract import Agent
from blockqnn.agents.exploration import BY_TYPE, DISTRIBUTIONS
from blockqnn.agents.options import SearchFacts, chosen, options
from blockqnn.agents.paper_schedule import PAPER_SCHEDULE, Schedule
from blockqnn.agents.predictor import FOREST, PredictorConfig
from blockqnn.agents.registry import AGENTS, AgentConfig, make_agent
from blockqnn.runs.learning import put_back
from blockqnn.runs.run_record import RunRecord


def recorded_agent(run: RunRecord, space: Any, state: Mapping[str, Any], iterations: int) -> Agent:
    """Makes the agent of a run as it was when an iteration had ended.

    Args:
        run: the agent's run.
        space: that it designs in.
        state: of the agent then.
        iterations: how many had ended then.

    Returns:
        The agent, which has learned from the trials of these iterations.

    Raises:
        KeyError, TypeError, ValueError: if flags or state are none of such a run.
    """
    seed = int(run.flags.get("seed", "0"))
    if run.growth is not None:
        # What is known of the space now was known of it when it had all its layers.
        space = run.whole_space
    agent = make_agent(config_of(run.flags), space, seed, run.growth)
    put_back(agent, state, run.trials, iterations)
    return agent


def config_of(flags: Mapping[str, str]) -> AgentConfig:
    """The settings of the agent that a run recorded.

    Args:
        flags: by name, as one would type them; what is missing is at its default.

    Returns:
        The settings.

    Raises:
        ValueError: if a value is none of its flag.
    """
    agent = flags.get("agent", next(iter(AGENTS)))
    if agent not in AGENTS:
        raise ValueError(f"agent is {agent!r}")
    exploration = flags.get("exploration", BY_TYPE)
    if exploration not in DISTRIBUTIONS:
        raise ValueError(f"exploration is {exploration!r}")
    schedule: Schedule = PAPER_SCHEDULE
    if "epsilon_schedule" in flags:
        pairs = [part.split(":") for part in flags["epsilon_schedule"].split(",")]
        schedule = tuple((float(epsilon), int(count)) for epsilon, count in pairs)
    iterations = sum(count for _, count in schedule)
    episodes = int(flags.get("blocks_per_iteration", "64")) * iterations
    episodes = int(flags.get("max_blocks", "0")) or episodes
    settings = AGENTS[agent].settings
    plain = settings.of_search(
        _recorded(flags, settings), SearchFacts(exploration, schedule, episodes)
    )
    if flags.get("predictor") != FOREST:
        return plain
    values = _recorded(flags, PredictorConfig)
    return PredictorConfig(plain, **chosen(PredictorConfig, values))


def _recorded(flags: Mapping[str, str], settings: type) -> dict[str, Any]:
    """The values of the settings' options that a run recorded, or their defaults, by name."""
    return {
        option.name: _value(flags[option.name], default) if option.name in flags else default
        for option, default in options(settings).values()
    }


def _value(text: str, default: Any) -> Any:
    """The value that a flag's text has, of the type of its default."""
    return text == "true" if isinstance(default, bool) else type(default)(text)
