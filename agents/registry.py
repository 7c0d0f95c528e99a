"""The table of the agents: a new one is a module and a line here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from blockqnn.agents.contract import Agent, SearchSpace
from blockqnn.agents.evolution import EvolutionConfig, RegularisedEvolution
from blockqnn.agents.growing import GrowingAgent, Growth
from blockqnn.agents.local_search import LocalSearch, LocalSearchConfig
from blockqnn.agents.options import AgentSettings
from blockqnn.agents.ppo import PPO, PPOConfig
from blockqnn.agents.predictor import PredictedAgent, PredictorConfig
from blockqnn.agents.q_learning import QLearning, QLearningConfig
from blockqnn.agents.q_learning_plus import QLearningPlus, QLearningPlusConfig
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.agents.reinforce import Reinforce, ReinforceConfig

AgentConfig = AgentSettings | PredictorConfig


@dataclasses.dataclass(frozen=True)
class AgentEntry:
    """An agent of the table.

    Attributes:
        settings: a frozen dataclass, which also says by which options it is set.
        make: makes the agent from a search space, its settings and a seed.
        title: what it is, in a few words.
    """

    settings: type[AgentSettings]
    make: Callable[[SearchSpace, Any, int], Agent]
    title: str


AGENTS: dict[str, AgentEntry] = {
    "q_learning": AgentEntry(QLearningConfig, QLearning, "the paper's Q-learning"),
    "q_learning_plus": AgentEntry(QLearningPlusConfig, QLearningPlus, "Q-learning of best returns"),
    "random": AgentEntry(RandomSearchConfig, RandomSearch, "random search"),
    "evolution": AgentEntry(EvolutionConfig, RegularisedEvolution, "regularised evolution"),
    "local_search": AgentEntry(LocalSearchConfig, LocalSearch, "local search"),
    "reinforce": AgentEntry(ReinforceConfig, Reinforce, "a controller that learns by REINFORCE"),
    "ppo": AgentEntry(PPOConfig, PPO, "a controller that learns by PPO"),
}
"""Every agent by its name, which is what `--agent` may be."""


def make_agent(config: AgentConfig, space: Any, seed: int, growth: Growth | None = None) -> Agent:
    """Creates an agent that has learned nothing.

    Args:
        config: its settings, whose type says which agent it is.
        space: the decision process.
        seed: of all random choices.
        growth: of a space whose networks have so many layers; None where it does not grow.

    Returns:
        The agent.
    """
    if growth is not None:
        return GrowingAgent(space, growth, lambda growing: make_agent(config, growing, seed))
    if isinstance(config, PredictorConfig):
        return PredictedAgent(space, config, seed, make_agent)
    makers = {entry.settings: entry.make for entry in AGENTS.values()}
    return makers[type(config)](space, config, seed)
