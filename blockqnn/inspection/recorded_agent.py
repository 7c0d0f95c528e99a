"""The agent of a run, made again from what its store recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blockqnn.agents.contract import Agent
from blockqnn.agents.evolution import EvolutionConfig
from blockqnn.agents.exploration import DISTRIBUTIONS
from blockqnn.agents.local_search import LocalSearchConfig
from blockqnn.agents.predictor import FOREST, PredictorConfig
from blockqnn.agents.q_learning import QLearningConfig
from blockqnn.agents.q_learning_plus import QLearningPlusConfig
from blockqnn.agents.random_search import RandomSearchConfig
from blockqnn.agents.registry import AGENTS, AgentConfig, PlainAgentConfig, make_agent
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
    agent = make_agent(config_of(run.flags), space, int(run.flags.get("seed", "0")))
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
    plain = _plain_config(flags)
    if flags.get("predictor") != FOREST:
        return plain
    return PredictorConfig(
        plain,
        int(flags.get("predictor_pool", PredictorConfig.pool)),
        int(flags.get("predictor_after", PredictorConfig.after)),
    )


def _plain_config(flags: Mapping[str, str]) -> PlainAgentConfig:
    agent = flags.get("agent", AGENTS[0])
    if agent not in AGENTS:
        raise ValueError(f"agent is {agent!r}")
    exploration = flags.get("exploration", QLearningConfig.exploration)
    if exploration not in DISTRIBUTIONS:
        raise ValueError(f"exploration is {exploration!r}")
    schedule = QLearningConfig.epsilon_schedule
    if "epsilon_schedule" in flags:
        pairs = [part.split(":") for part in flags["epsilon_schedule"].split(",")]
        schedule = tuple((float(epsilon), int(count)) for epsilon, count in pairs)
    if agent == "random":
        return RandomSearchConfig(exploration)
    if agent == "evolution":
        return EvolutionConfig(
            int(flags.get("population", EvolutionConfig.population)),
            int(flags.get("sample", EvolutionConfig.sample)),
            exploration,
        )
    if agent == "local_search":
        return LocalSearchConfig(
            int(flags.get("centres", LocalSearchConfig.centres)), exploration=exploration
        )
    if agent == "q_learning_plus":
        iterations = sum(count for _, count in schedule)
        return QLearningPlusConfig(
            budget=int(flags.get("blocks_per_iteration", "64")) * iterations,
            ceilings=int(flags.get("ceilings", QLearningPlusConfig.ceilings)),
            exploration=exploration,
        )
    return QLearningConfig(
        learning_rate=float(flags.get("alpha", QLearningConfig.learning_rate)),
        discount=float(flags.get("gamma", QLearningConfig.discount)),
        initial_q=float(flags.get("initial_q", QLearningConfig.initial_q)),
        epsilon_schedule=schedule,
        replay_updates=int(flags.get("replay_updates", QLearningConfig.replay_updates)),
        replay_capacity=int(flags.get("replay_capacity", QLearningConfig.replay_capacity)),
        reward_shaping=flags.get("reward_shaping", "true") == "true",
        exploration=exploration,
    )
