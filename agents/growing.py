"""Agents in a space whose episodes get longer while a search goes on.

Zoph and Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017, section 4.1:
networks of 6 layers at first, and 2 layers more after every 1,600 children.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np

from blockqnn.agents.contract import (
    Action,
    Agent,
    Entry,
    Episode,
    Numbered,
    Prospect,
    Resizing,
    SearchSpace,
    State,
    Terms,
)
from blockqnn.agents.pacing import Paced


@dataclasses.dataclass(frozen=True)
class Growth:
    """How many layers the networks of a search have.

    Attributes:
        first: at the beginning, at least 1.
        step: by how many they grow, at least 1.
        period: after how many children each time, at least 1.
    """

    first: int
    step: int
    period: int

    def __str__(self) -> str:
        return f"{self.first}:{self.step}:{self.period}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Reads what `str` writes; None for an empty text, ValueError for what is none."""
        if not text:
            return None
        first, step, period = (int(part) for part in text.replace("_", "").split(":"))
        if min(first, step, period) < 1:
            raise ValueError
        return cls(first, step, period)

    def layers(self, children: int, most: int) -> int:
        """Layers of the next network.

        Args:
            children: how many there have been.
            most: layers that are not exceeded.

        Returns:
            `min(most, first + step * floor(children / period))`.
        """
        return min(most, self.first + self.step * (children // self.period))


class SizedSpace(SearchSpace, Protocol):
    """A decision process whose episodes are networks of so many layers."""

    layers: int

    def limited(self, max_layers: int) -> Self:
        """The same with another number of layers."""


class GrowingSpace:
    """A decision process that changes; what it is now is `now`. See `SearchSpace`.

    Decisions keep their positions and numbers when it grows, so what numbers them is asked of
    the largest: an agent that holds something for each of them holds it for those to come too.
    """

    def __init__(self, largest: SearchSpace):
        """Begins at its largest, as agents need it when they are made.

        Args:
            largest: what it grows to.
        """
        self.now = self._largest = largest

    def numbered(self) -> Numbered:
        """See `SearchSpace.numbered`."""
        return self._largest.numbered()

    @property
    def fields_by_state(self) -> bool:
        """See `SearchSpace.fields_by_state`."""
        return self._largest.fields_by_state

    def fields(self, state: Any, action: Any) -> Sequence[tuple[str, int, int | None]]:
        """See `SearchSpace.fields`."""
        return self._largest.fields(state, action)

    @property
    def start(self) -> Any:
        """See `SearchSpace.start`."""
        return self.now.start

    def choices(self, state: Any) -> Sequence[Sequence[Any]]:
        """See `SearchSpace.choices`."""
        return self.now.choices(state)

    def is_end(self, action: Any) -> bool:
        """See `SearchSpace.is_end`."""
        return self.now.is_end(action)

    def mutated(self, actions: Any, random: np.random.Generator) -> Any:
        """See `SearchSpace.mutated`."""
        return self.now.mutated(actions, random)

    def identity(self, actions: Any) -> Hashable:
        """See `SearchSpace.identity`."""
        return self.now.identity(actions)

    def features(self, actions: Any) -> Sequence[float]:
        """See `SearchSpace.features`."""
        return self.now.features(actions)


class GrowingAgent:
    """Any agent in a space that grows with the episodes that it has learned from."""

    def __init__(self, space: SizedSpace, growth: Growth, make: Callable[[SearchSpace], Agent]):
        """Creates an agent that has learned nothing.

        Args:
            space: at its largest.
            growth: how it comes there.
            make: makes the agent from a decision process.
        """
        self._space, self._growth, self._children = space, growth, 0
        self._grown_to = 0
        self._growing = GrowingSpace(space)
        self._agent = make(self._growing)
        self._grow()

    def suggest(self, count: int) -> list[tuple[Action, ...]]:
        """See `Agent.suggest`."""
        return self._agent.suggest(count)

    def update(self, episodes: Sequence[Episode]) -> None:
        """See `Agent.update`; then the space may grow."""
        self._agent.update(episodes)
        self._children += len(episodes)
        self._grow()

    def pace(self, share: float) -> None:
        """See `Paced.pace`. The agent is told, if it wants to know."""
        if isinstance(self._agent, Paced):
            self._agent.pace(share)

    def get_state(self, changed_only: bool = False) -> State:
        """See `Agent.get_state`: how large the space is follows from the episodes."""
        return self._agent.get_state(changed_only)

    def set_state(self, state: State, episodes: Sequence[Episode]) -> None:
        """See `Agent.set_state`."""
        self._children = len(episodes)
        # Before it has grown: what waits in the state was drawn in the space as it is.
        self._grow()
        self._agent.set_state(state, episodes)

    def statistics(self) -> Mapping[str, float]:
        """See `Agent.statistics`; with the `layers` of the next networks."""
        return {**self._agent.statistics(), "layers": self._layers}

    @property
    def terms(self) -> Terms:
        """See `Agent.terms`."""
        return self._agent.terms

    def after(self, prefix: Sequence[Action]) -> list[Prospect]:
        """See `Agent.after`."""
        return self._agent.after(prefix)

    def entries(self) -> Iterable[Entry]:
        """See `Agent.entries`."""
        return self._agent.entries()

    @property
    def _layers(self) -> int:
        return self._growth.layers(self._children, self._space.layers)

    def _grow(self) -> None:
        layers = self._layers
        if layers == self._grown_to:
            return
        self._grown_to = layers
        self._growing.now = self._space.limited(layers)
        if isinstance(self._agent, Resizing):
            self._agent.space_changed()
