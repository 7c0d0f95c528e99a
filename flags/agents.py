"""The flags of the agents, as the table of the agents has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blockqnn.agents.exploration import BY_TYPE, DISTRIBUTIONS
from blockqnn.agents.options import SearchFacts, chosen, options
from blockqnn.agents.paper_schedule import PAPER_SCHEDULE
from blockqnn.agents.predictor import FOREST, PredictorConfig
from blockqnn.agents.registry import AGENTS, AgentConfig
from blockqnn.flags import flag_text
from blockqnn.flags.parsing import FlagSet, Owner

NONE = "none"


def define_agents(flags: FlagSet) -> None:
    """Adds the flags that all agents have, then a group for each agent and the predictor."""
    flags.group("Agents")
    flags.choice("agent", "q_learning", tuple(AGENTS), "who suggests blocks")
    flags.special(
        "epsilon_schedule",
        PAPER_SCHEDULE,
        "shares of random actions of q_learning, and for how many iterations each holds; their "
        "sum is the search's length for every agent, and with max_blocks or max_hours they hold "
        "for as large a share of these",
        flag_text.parse_schedule,
        flag_text.SCHEDULE_ALLOWED,
    )
    flags.integer(
        "max_blocks",
        0,
        "blocks to train, after which the search ends whatever the length of epsilon_schedule; "
        "blocks that are known or infeasible do not count, one whose training failed does, and "
        "1,000 suggestions in a row with nothing to train end the search too; a larger number "
        "continues a run; 0 for no such end",
    )
    flags.number(
        "max_hours",
        0.0,
        "hours of searching, after which the search ends, as max_blocks ends it; hours of earlier "
        "processes of the run count, pauses do not; no child is begun that would probably end too "
        "late, and those in training are finished; more hours continue a run; 0 for no such end",
        least=0,
    )
    flags.integer("blocks_per_iteration", 64, "blocks of an iteration, without infeasible ones", 1)
    flags.choice(
        "exploration",
        BY_TYPE,
        DISTRIBUTIONS,
        "draw random actions uniformly over types and then codes, or uniformly over codes",
    )
    flags.choice(
        "predictor",
        NONE,
        (NONE, FOREST),
        "let a random forest, fitted to the run's own blocks, choose among many suggestions",
    )
    for name, entry in AGENTS.items():
        flags.group(f"Agent {name} ({entry.title})", Owner("agent", (name,)))
        _define_options(flags, entry.settings)
    flags.group("Predictor (--predictor=forest)", Owner("predictor", (FOREST,)))
    _define_options(flags, PredictorConfig)


def agent_config(values: dict[str, Any]) -> AgentConfig:
    """The settings of the agent that flags choose.

    Args:
        values: of the flags, by name.

    Returns:
        The settings.
    """
    iterations = sum(count for _, count in values["epsilon_schedule"])
    facts = SearchFacts(
        exploration=values["exploration"],
        schedule=values["epsilon_schedule"],
        episodes=values["max_blocks"] or values["blocks_per_iteration"] * iterations,
    )
    plain = AGENTS[values["agent"]].settings.of_search(values, facts)
    if values["predictor"] != FOREST:
        return plain
    return PredictorConfig(plain, **chosen(PredictorConfig, values))


def _define_options(flags: FlagSet, settings: type) -> None:
    for option, default in options(settings).values():
        # True and false are integers too.
        if isinstance(default, bool):
            flags.switch(option.name, default, option.meaning)
        elif isinstance(default, int):
            flags.integer(option.name, default, option.meaning, int(max(0, option.least)))
        else:
            flags.number(
                option.name, default, option.meaning, option.least, option.most, option.above
            )


def agent_with(named: Mapping[str, Any]) -> str | None:
    """The agent of which the user has named an option.

    Args:
        named: values of flags that the user has named.

    Returns:
        Its name; None where no option of an agent is named.
    """
    for name, entry in AGENTS.items():
        if any(option.name in named for option, _ in options(entry.settings).values()):
            return name
    return None
