"""Agents that compete: by name, sized to a budget, with fields changed for ablations."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from blockqnn.agents.options import AgentSettings, SearchFacts
from blockqnn.agents.paper_schedule import scaled_schedule
from blockqnn.agents.predictor import PredictorConfig
from blockqnn.agents.registry import AGENTS, AgentConfig
from blockqnn.errors import UserError
from blockqnn.settings import SearchSettings


@dataclasses.dataclass(frozen=True)
class Contestant:
    """An agent in a contest.

    Attributes:
        title: what the user wrote: a name, and fields after colons.
        name: of the agent.
        changes: of its settings' fields.
        predictor: settings of a predictor in front, or None.
    """

    title: str
    name: str
    changes: Mapping[str, Any]
    predictor: PredictorConfig | None = None

    @property
    def is_sized(self) -> bool:
        """Whether its settings depend on the budget, so that each budget is a run of its own."""
        return self._settings.is_sized()

    def config(self, budget: int, search: SearchSettings | None = None) -> AgentConfig:
        """Its settings for a number of evaluations.

        Args:
            budget: evaluations.
            search: in which it takes part, if that is not a table. The agent
                that this search has then keeps its settings, such as the
                learning rate, and everybody has its distribution of random
                actions and the length of its iterations.

        Returns:
            The settings.
        """
        sized = self._settings.for_budget(budget)
        if search is not None:
            if type(search.agent) is self._settings:
                sized = search.agent
            schedule = scaled_schedule(budget, search.blocks_per_iteration)
            sized = sized.in_search(SearchFacts(search.agent.exploration, schedule, budget))
        config = sized.changed(**self.changes)
        if self.predictor is None:
            return config
        return dataclasses.replace(self.predictor, agent=config)

    def batch(self, budget: int) -> int:
        """Episodes of an iteration."""
        return self._settings.batch(budget)

    @property
    def _settings(self) -> type[AgentSettings]:
        return AGENTS[self.name].settings


def parse_contestant(text: str, flag: str = "agents") -> Contestant:
    """Reads `NAME:FIELD=VALUE:...`, and perhaps `+predictor:FIELD=VALUE:...` after it.

    Args:
        text: such as `evolution:population=50:sample=10` or `random+predictor:pool=50`.
        flag: that has it, for messages.

    Returns:
        The contestant.

    Raises:
        UserError: if there is no such agent or field, or a value is none of it.
    """
    first, plus, second = text.partition("+")
    name, *parts = first.split(":")
    if name not in AGENTS:
        raise UserError(f"--{flag} has {name!r}; allowed: {', '.join(AGENTS)}.")
    changes = _changes(text, parts, AGENTS[name].settings, flag)
    if not plus:
        return Contestant(text, name, changes)
    word, *parts = second.split(":")
    if word != "predictor":
        raise UserError(f"--{flag} has {text!r}, where {word!r} is no predictor.")
    predictor = PredictorConfig(None, **_changes(text, parts, PredictorConfig, flag))
    return Contestant(text, name, changes, predictor)


def _changes(text: str, parts: list[str], config: type, flag: str) -> dict[str, Any]:
    """The values of FIELD=VALUE pairs, by field."""
    types = get_type_hints(config)
    changes: dict[str, Any] = {}
    for part in parts:
        field, separator, value = part.partition("=")
        reader = _READERS.get(types.get(field))
        if reader is None or not separator:
            allowed = ", ".join(n for n, kind in types.items() if kind in _READERS)
            raise UserError(
                f"--{flag} has {text!r}, where {part!r} changes nothing; allowed are FIELD=VALUE "
                f"with a field of {config.__name__}: {allowed}."
            )
        try:
            changes[field] = reader(value)
        except (ValueError, KeyError):
            raise UserError(
                f"--{flag} has {text!r}, where {value!r} is no value of {field}."
            ) from None
    return changes


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


_READERS: dict[Any, Callable[[str], Any]] = {int: int, float: _number, bool: _boolean, str: str}
