"""Agents that compete: by name, sized to a budget, with fields changed for ablations."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from blockqnn.agents.evolution import EvolutionConfig
from blockqnn.agents.local_search import LocalSearchConfig
from blockqnn.agents.predictor import PredictorConfig
from blockqnn.agents.q_learning import PAPER_SCHEDULE, QLearningConfig
from blockqnn.agents.q_learning_plus import QLearningPlusConfig
from blockqnn.agents.random_search import RandomSearchConfig
from blockqnn.agents.registry import AGENTS, AgentConfig, PlainAgentConfig
from blockqnn.errors import UserError
from blockqnn.settings import SearchSettings

_PAPER_ITERATIONS = sum(count for _, count in PAPER_SCHEDULE)


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
        return self.name in _SIZED

    def config(self, budget: int, search: SearchSettings | None = None) -> AgentConfig:
        """Its settings for a number of evaluations.

        Args:
            budget: evaluations.
            search: in which it takes part, if that is not a table. Q-learning
                then has that search's learning rate, replay and so on, and
                everybody its distribution of random actions.

        Returns:
            The settings.
        """
        sized = (_SIZED.get(self.name) or _FIXED[self.name])(budget)
        if search is not None:
            if isinstance(sized, QLearningConfig) and isinstance(search.agent, QLearningConfig):
                schedule = scaled_schedule(budget, search.blocks_per_iteration)
                sized = dataclasses.replace(search.agent, epsilon_schedule=schedule)
            sized = dataclasses.replace(sized, exploration=search.agent.exploration)
        config: AgentConfig = dataclasses.replace(sized, **self.changes)
        if self.predictor is None:
            return config
        return dataclasses.replace(self.predictor, agent=config)

    def batch(self, budget: int) -> int:
        """Episodes of an iteration."""
        return _paper_batch(budget) if self.name == "q_learning" else 1


def parse_contestant(text: str) -> Contestant:
    """Reads `NAME:FIELD=VALUE:...`, and perhaps `+predictor:FIELD=VALUE:...` after it.

    Args:
        text: such as `evolution:population=50:sample=10` or `random+predictor:pool=50`.

    Returns:
        The contestant.

    Raises:
        UserError: if there is no such agent or field, or a value is none of it.
    """
    first, plus, second = text.partition("+")
    name, *parts = first.split(":")
    if name not in AGENTS:
        raise UserError(f"--agents has {name!r}; allowed: {', '.join(AGENTS)}.")
    changes = _changes(text, parts, type(Contestant(text, name, {}).config(1000)))
    if not plus:
        return Contestant(text, name, changes)
    word, *parts = second.split(":")
    if word != "predictor":
        raise UserError(f"--agents has {text!r}, where {word!r} is no predictor.")
    predictor = PredictorConfig(None, **_changes(text, parts, PredictorConfig))
    return Contestant(text, name, changes, predictor)


def _changes(text: str, parts: list[str], config: type) -> dict[str, Any]:
    """The values of FIELD=VALUE pairs, by field."""
    types = get_type_hints(config)
    changes: dict[str, Any] = {}
    for part in parts:
        field, separator, value = part.partition("=")
        reader = _READERS.get(types.get(field))
        if reader is None or not separator:
            allowed = ", ".join(n for n, kind in types.items() if kind in _READERS)
            raise UserError(
                f"--agents has {text!r}, where {part!r} changes nothing; allowed are FIELD=VALUE "
                f"with a field of {config.__name__}: {allowed}."
            )
        try:
            changes[field] = reader(value)
        except (ValueError, KeyError):
            raise UserError(
                f"--agents has {text!r}, where {value!r} is no value of {field}."
            ) from None
    return changes


def scaled_schedule(budget: int, batch: int) -> tuple[tuple[float, int], ...]:
    """The paper's epsilon schedule (Table 2), shrunk to a budget.

    Args:
        budget: evaluations.
        batch: of an iteration.

    Returns:
        Pairs of epsilon and a number of iterations, which make up the budget;
        an epsilon that would hold for none is left out.
    """
    schedule, before, begun = [], 0, 0
    for epsilon, count in PAPER_SCHEDULE:
        before += count
        end = max(1, round(before * budget / batch / _PAPER_ITERATIONS))
        if end > begun:
            schedule.append((epsilon, end - begun))
        begun = end
    return tuple(schedule)


def _paper_batch(budget: int) -> int:
    """Blocks of an iteration, so that there are as many iterations as in the paper."""
    return max(1, round(budget / _PAPER_ITERATIONS))


def _paper_q_learning(budget: int) -> QLearningConfig:
    """The paper's settings: as many replays as blocks in each of its 178 iterations."""
    batch = _paper_batch(budget)
    return QLearningConfig(
        epsilon_schedule=scaled_schedule(budget, batch), replay_updates=batch, exploration="uniform"
    )


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


_READERS: dict[Any, Callable[[str], Any]] = {int: int, float: _number, bool: _boolean, str: str}
_SIZED: dict[str, Callable[[int], PlainAgentConfig]] = {
    "q_learning": _paper_q_learning,
    "q_learning_plus": lambda budget: QLearningPlusConfig(budget, exploration="uniform"),
}
_FIXED: dict[str, Callable[[int], PlainAgentConfig]] = {
    "random": lambda _: RandomSearchConfig("uniform"),
    "evolution": lambda _: EvolutionConfig(exploration="uniform"),
    "local_search": lambda _: LocalSearchConfig(exploration="uniform"),
}
