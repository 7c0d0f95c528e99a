"""How the settings of an agent say what sets them: options of a user, and facts of the search.

Settings are a frozen dataclass. The metadata of a field name the option by
which a user sets it, or what the search tells the agent; other fields stay at
their defaults. Whatever reads options, such as a command line, needs to know
no agent, and an agent knows nothing of what reads them.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self, cast

from blockqnn.agents.exploration import UNIFORM
from blockqnn.agents.paper_schedule import Schedule, scaled_schedule

_OPTION, _TOLD = "option", "told"


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a user.

    Attributes:
        name: of the option.
        meaning: a phrase that stands by itself.
        least: smallest value.
        most: largest value.
        above: what the value must be above.
    """

    name: str
    meaning: str
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf


@dataclasses.dataclass(frozen=True)
class SearchFacts:
    """What a search tells its agent, whichever it is.

    Attributes:
        exploration: distribution of random actions, `by_type` or `uniform`.
        schedule: pairs of epsilon and a number of iterations; where a budget ends
            the search, the share of it for which each holds, see `pacing.Paced`.
        episodes: that the agent is meant to learn from.
    """

    exploration: str
    schedule: Schedule
    episodes: int


def option(
    name: str,
    meaning: str,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
) -> dict[str, Any]:
    """The metadata of a field that a user sets: an integer, a number or true or false.

    Args:
        name: of the option, unlike that of every other agent's.
        meaning: a phrase that stands by itself.
        least: smallest value; that of an integer is at least 0.
        most: largest value of a number.
        above: what a number must be above.

    Returns:
        What `dataclasses.field` takes as metadata.
    """
    return {_OPTION: Option(name, meaning, least, most, above)}


def told(fact: str) -> dict[str, Any]:
    """The metadata of a field that the search sets.

    Args:
        fact: one of the names of `SearchFacts`.

    Returns:
        What `dataclasses.field` takes as metadata.
    """
    return {_TOLD: fact}


def options(settings: type) -> dict[str, tuple[Option, Any]]:
    """The options of an agent.

    Args:
        settings: their dataclass.

    Returns:
        By field the option and its default, in order.
    """
    return {
        field.name: (field.metadata[_OPTION], field.default)
        for field in dataclasses.fields(settings)
        if _OPTION in field.metadata
    }


def typed_defaults(settings: type) -> dict[str, str]:
    """The defaults of an agent's options, as one would type them, by name of the option.

    Args:
        settings: their dataclass.

    Returns:
        What a run says of an agent that it has not, and that a run before the agent would say.
    """
    return {
        option.name: f"{default:g}" if isinstance(default, float) else str(default).lower()
        for option, default in options(settings).values()
    }


def chosen(settings: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a user chose for settings.

    Args:
        settings: their dataclass.
        values: of all options, by their names.

    Returns:
        Values by field, of the fields that options set.
    """
    return {field: values[option.name] for field, (option, _) in options(settings).items()}


def _facts(settings: type) -> dict[str, str]:
    """The facts of the search that settings have, by field."""
    return {
        field.name: field.metadata[_TOLD]
        for field in dataclasses.fields(settings)
        if _TOLD in field.metadata
    }


class AgentSettings(abc.ABC):
    """What the settings of all agents have in common; each is a frozen dataclass."""

    remembers_itself: ClassVar[bool] = False
    """Whether the agent's state alone says what it has learned, without the episodes."""

    @property
    @abc.abstractmethod
    def exploration(self) -> str:
        """Distribution of random actions, a field of every agent."""

    @classmethod
    def of_search(cls, values: Mapping[str, Any], facts: SearchFacts) -> Self:
        """The settings in a search.

        Args:
            values: of all options, by their names.
            facts: of the search.

        Returns:
            The settings.
        """
        return cls(**chosen(cls, values)).in_search(facts)

    def in_search(self, facts: SearchFacts) -> Self:
        """The same settings with what another search tells.

        Args:
            facts: of that search.

        Returns:
            The settings.
        """
        return self.changed(**{f: getattr(facts, fact) for f, fact in _facts(type(self)).items()})

    @classmethod
    def for_budget(cls, budget: int) -> Self:
        """The settings that the agent has in a comparison of agents.

        Args:
            budget: evaluations.

        Returns:
            The defaults, uniform random actions and a schedule of this length.
            An agent with settings that depend on the budget otherwise extends
            this method.
        """
        schedule = scaled_schedule(budget, cls.batch(budget))
        return cls().in_search(SearchFacts(UNIFORM, schedule, budget))

    @classmethod
    def batch(cls, budget: int) -> int:
        """Episodes of an iteration in a comparison of agents."""
        return 1

    @classmethod
    def is_sized(cls) -> bool:
        """Whether the settings depend on the budget, so that each budget is a run of its own."""
        return bool({"schedule", "episodes"} & set(_facts(cls).values()))

    def changed(self, **fields: Any) -> Self:
        """The same settings with other values of some fields."""
        return cast(Self, dataclasses.replace(cast(Any, self), **fields))
