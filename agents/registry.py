"""Every agent by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from blockqnn.agents.contract import Agent, SearchSpace
from blockqnn.agents.evolution import EvolutionConfig, RegularisedEvolution
from blockqnn.agents.local_search import LocalSearch, LocalSearchConfig
from blockqnn.agents.predictor import PredictedAgent, PredictorConfig
from blockqnn.agents.q_learning import QLearning, QLearningConfig
from blockqnn.agents.q_learning_plus import QLearningPlus, QLearningPlusConfig
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig

PlainAgentConfig = (
    QLearningConfig | QLearningPlusConfig | RandomSearchConfig | EvolutionConfig | LocalSearchConfig
)
AgentConfig = PlainAgentConfig | PredictorConfig

_MAKERS: dict[type, Callable[[SearchSpace, Any, int], Agent]] = {
    QLearningConfig: QLearning,
    QLearningPlusConfig: QLearningPlus,
    RandomSearchConfig: RandomSearch,
    EvolutionConfig: RegularisedEvolution,
    LocalSearchConfig: LocalSearch,
}

AGENTS = ("q_learning", "q_learning_plus", "random", "evolution", "local_search")
"""What `--agent` may be."""


def make_agent(config: AgentConfig, space: SearchSpace, seed: int) -> Agent:
    """Creates an agent that has learned nothing.

    Args:
        config: its settings, whose type says which agent it is.
        space: the decision process.
        seed: of all random choices.

    Returns:
        The agent.
    """
    if isinstance(config, PredictorConfig):
        return PredictedAgent(space, config, seed, make_agent)
    return _MAKERS[type(config)](space, config, seed)
