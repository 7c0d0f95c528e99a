"""The flags of the agents."""

from __future__ import annotations

from typing import Any

from blockqnn.agents.evolution import EvolutionConfig
from blockqnn.agents.exploration import DISTRIBUTIONS
from blockqnn.agents.local_search import LocalSearchConfig
from blockqnn.agents.predictor import FOREST, PredictorConfig
from blockqnn.agents.q_learning import QLearningConfig
from blockqnn.agents.q_learning_plus import QLearningPlusConfig
from blockqnn.agents.random_search import RandomSearchConfig
from blockqnn.agents.registry import AGENTS, AgentConfig
from blockqnn.flags import parsing

NONE = "none"


def define_agents(flags: parsing.FlagSet) -> None:
    """Adds the flags of all agents, in the group under way."""
    agent, plus = QLearningConfig(), QLearningPlusConfig()
    evolution, local, predictor = EvolutionConfig(), LocalSearchConfig(), PredictorConfig(None)
    flags.choice("agent", "q_learning", AGENTS, "who suggests blocks")
    flags.special(
        "epsilon_schedule",
        agent.epsilon_schedule,
        "share of random actions of q_learning, and for how many iterations it holds; the search's "
        "length for every agent",
        parsing.parse_schedule,
        parsing.SCHEDULE_ALLOWED,
    )
    flags.integer("blocks_per_iteration", 64, "blocks of an iteration, without infeasible ones", 1)
    flags.number("alpha", agent.learning_rate, "learning rate of Q-learning", above=0, most=1)
    flags.number("gamma", agent.discount, "discount of Q-learning", least=0, most=1)
    flags.number("initial_q", agent.initial_q, "Q-value of what was never learned; 1 is 100 %")
    flags.integer("replay_updates", agent.replay_updates, "episodes replayed in an iteration")
    flags.integer("replay_capacity", agent.replay_capacity, "episodes in memory; 0 for no bound")
    flags.switch(
        "reward_shaping", agent.reward_shaping, "whether actions before the last earn reward / T"
    )
    flags.integer("ceilings", plus.ceilings, "best returns that q_learning_plus starts from", 1)
    flags.integer("population", evolution.population, "how many blocks evolution keeps alive", 1)
    flags.integer("sample", evolution.sample, "of how many the best one is a parent", 1)
    flags.integer("centres", local.centres, "best blocks around which local search looks", 1)
    flags.choice(
        "predictor",
        NONE,
        (NONE, FOREST),
        "let a random forest, fitted to the run's own blocks, choose among many suggestions",
    )
    flags.integer("predictor_pool", predictor.pool, "suggestions of which it chooses one", 2)
    flags.integer("predictor_after", predictor.after, "different blocks before it begins", 2)
    flags.choice(
        "exploration",
        agent.exploration,
        DISTRIBUTIONS,
        "random actions uniform over types and then codes, or uniform over codes",
    )


def agent_config(values: dict[str, Any]) -> AgentConfig:
    """The settings of the agent that flags choose.

    Args:
        values: of the flags, by name.

    Returns:
        The settings.
    """
    if values["predictor"] == FOREST:
        plain = agent_config(values | {"predictor": NONE})
        return PredictorConfig(plain, values["predictor_pool"], values["predictor_after"])
    exploration = values["exploration"]
    if values["agent"] == "evolution":
        return EvolutionConfig(values["population"], values["sample"], exploration)
    if values["agent"] == "local_search":
        return LocalSearchConfig(values["centres"], exploration=exploration)
    if values["agent"] == "q_learning_plus":
        return QLearningPlusConfig(
            budget=values["blocks_per_iteration"] * sum(n for _, n in values["epsilon_schedule"]),
            ceilings=values["ceilings"],
            exploration=exploration,
        )
    if values["agent"] == "random":
        return RandomSearchConfig(exploration)
    return QLearningConfig(
        learning_rate=values["alpha"],
        discount=values["gamma"],
        initial_q=values["initial_q"],
        epsilon_schedule=values["epsilon_schedule"],
        replay_updates=values["replay_updates"],
        replay_capacity=values["replay_capacity"],
        reward_shaping=values["reward_shaping"],
        exploration=exploration,
    )
