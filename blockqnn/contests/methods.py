"""The methods of a contest: agents whose children train by themselves, and searches by supernets.

A method is a line in a table: what it is, and the flags of `search` that make it this one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from blockqnn.agents.options import options
from blockqnn.agents.paper_schedule import scaled_schedule
from blockqnn.agents.predictor import PredictorConfig
from blockqnn.agents.registry import AGENTS, AgentConfig
from blockqnn.contests.contestants import Contestant, parse_contestant
from blockqnn.errors import UserError
from blockqnn.runs.run_directory import SCHEDULE, schedule_length

REFERENCE = "random"
"""Whom all others are tested against."""

_SHARED = (
    "--weights=shared",
    "--epsilon_schedule=1.0:1",
    # Designs that the finished supernet scores.
    "--blocks_per_iteration=200",
    "--nocontrol",
    "--agent_updates=0",
)
_MIXTURE = ("--weights=mixture", "--agent=random", "--nocontrol")
_WHOLE = ("--split=", "--split_epochs=0", "--split_levels=1")


@dataclasses.dataclass(frozen=True)
class Method:
    """A search by weights that designs share, or by a mixture of them.

    Attributes:
        title: what it is, in a few words.
        flags: of `search`, which override those of the preset; what they leave open, such as the
            epochs of a supernet, the preset says for all methods.
    """

    title: str
    flags: tuple[str, ...]


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "enas": Method(
            "a controller that learns from shared weights",
            (
                *_SHARED,
                *_WHOLE,
                "--paths=agent",
                "--agent=reinforce",
                # As in the preset enas_digits, for some thousand steps instead of 46,000.
                "--agent_updates=4",
                "--agent_batch=2",
                "--reinforce_children=2",
                "--reinforce_learning_rate=0.001",
                "--reinforce_entropy=0.01",
                "--reinforce_exponent=1",
            ),
        ),
        "one_shot": Method(
            "random designs scored by one supernet", (*_SHARED, *_WHOLE, "--agent=random")
        ),
        "few_shot": Method(
            "random designs scored by the parts of a supernet", (*_SHARED, "--agent=random")
        ),
        "darts": Method(
            "a mixture of operations, first order",
            (*_MIXTURE, *_WHOLE, "--bilevel=first_order"),
        ),
        "darts_second_order": Method(
            "a mixture of operations, second order",
            (*_MIXTURE, *_WHOLE, "--bilevel=second_order"),
        ),
        "few_shot_darts": Method(
            "the parts of a mixture, first order", (*_MIXTURE, "--bilevel=first_order")
        ),
    }
)
"""Methods besides the agents, by name; a new one is a line here."""

OWN_WEIGHTS = ("--weights=own",)
EVERY = ("--max_blocks=0", "--max_hours=0", "--noasync", "--finals=off", "--check=0")
"""What a contest decides for all methods alike."""


@dataclasses.dataclass(frozen=True)
class Player:
    """A method in a contest.

    Attributes:
        title: what the user wrote.
        contestant: the agent, where children train by themselves; else None.
        flags: of `search`, of any other method.
    """

    title: str
    contestant: Contestant | None
    flags: tuple[str, ...] = ()


def parse_player(text: str) -> Player:
    """Reads an agent as `--agents` has it, or `NAME:FLAG=VALUE:...` of another method.

    Args:
        text: such as `evolution:population=50` or `one_shot:supernet_epochs=80`.

    Returns:
        The method.

    Raises:
        UserError: if there is no such method, or what follows a colon is no FLAG=VALUE.
    """
    name, *parts = text.split(":")
    if name not in METHODS:
        if name.partition("+")[0] not in AGENTS:
            raise UserError(f"--methods has {name!r}; allowed: {', '.join((*AGENTS, *METHODS))}.")
        return Player(text, parse_contestant(text, "methods"))
    for part in parts:
        if not all(part.partition("=")):
            raise UserError(
                f"--methods has {text!r}, where {part!r} is no FLAG=VALUE with a flag of search."
            )
    return Player(text, None, (*METHODS[name].flags, *(f"--{part}" for part in parts)))


def flags_of_agent(
    config: AgentConfig, batch: int, budget: int, begun: str = ""
) -> tuple[str, ...]:
    """The flags of `search` by which an agent has certain settings.

    Args:
        config: the settings.
        batch: blocks of an iteration.
        budget: evaluations that the schedule is as long as.
        begun: schedule with which the run of an agent was begun that makes no use of it; the run
            keeps it, and it grows with the budget. Empty for none.

    Returns:
        Flags, so that the run of a contest can be read as that of any search.
    """
    found, plain = [], config
    if isinstance(config, PredictorConfig):
        found += ["--predictor=forest", *_options(config)]
        assert config.agent is not None
        plain = config.agent
    name = next(name for name, entry in AGENTS.items() if entry.settings is type(plain))
    schedule = scaled_schedule(budget, batch)
    pairs = ",".join(f"{epsilon!r}:{count}" for epsilon, count in schedule)
    if begun:
        last = begun.rpartition(",")[2].partition(":")[0]
        more = sum(count for _, count in schedule) - schedule_length({SCHEDULE: begun})
        pairs = f"{begun},{last}:{more}" if more > 0 else begun
    found += [f"--agent={name}", f"--{SCHEDULE}={pairs}", f"--blocks_per_iteration={batch}"]
    return (*found, f"--exploration={plain.exploration}", *_options(plain))


def _options(config: AgentConfig) -> list[str]:
    return [
        f"--{option.name}={str(getattr(config, field)).lower()}"
        for field, (option, _) in options(type(config)).items()
    ]
