"""What the search loop and an agent may ask of one another.

An agent sees a decision process and episodes with rewards. It knows no flag,
no file, no data set and no network.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

Action = tuple[int, ...]
"""An action, and also the state that it leads to: a tuple of integers."""

State = dict[str, Any]
"""What an agent must keep to go on: keys with values that JSON can hold."""


class SearchSpace(Protocol):
    """A decision process whose states are the actions that led to them."""

    @property
    def start(self) -> Any:
        """The state in which every episode begins."""

    def choices(self, state: Any) -> Sequence[Sequence[Any]]:
        """The legal actions of a state, in groups of one kind each."""

    def is_end(self, action: Any) -> bool:
        """Whether the episode ends with this action."""

    def mutated(self, actions: Any, random: np.random.Generator) -> Any:
        """A complete episode that differs a little from another one, always a legal one."""

    def identity(self, actions: Any) -> Hashable:
        """What episodes share that mean the same."""

    def features(self, actions: Any) -> Sequence[float]:
        """Numbers that describe an episode, as many for every one."""


class Episode(NamedTuple):
    """A finished episode.

    Attributes:
        actions: all of its actions in order, the last one being the end.
        reward: what it earned, an accuracy of 100 % counting as 1.
    """

    actions: tuple[Action, ...]
    reward: float


class Agent(Protocol):
    """Anything that suggests episodes and learns from their rewards."""

    def suggest(self, count: int) -> list[tuple[Action, ...]]:
        """Suggests episodes; learns nothing, so that only random state changes.

        Args:
            count: how many episodes to suggest.

        Returns:
            The actions of each episode, repetitions possible.
        """

    def update(self, episodes: Sequence[Episode]) -> None:
        """Learns from an iteration, which ends with it.

        Args:
            episodes: what was suggested in it, in order of suggestion.
        """

    def get_state(self, changed_only: bool = False) -> State:
        """What must be kept to go on, apart from the episodes learned from.

        Args:
            changed_only: leave out what has not changed since the last call
                with this argument, or since `set_state`.

        Returns:
            Values by key. Put one over another, the changes of every
            iteration add up to the whole state.
        """

    def set_state(self, state: State, episodes: Sequence[Episode]) -> None:
        """Puts the agent where another one stood.

        Args:
            state: what `get_state` of the other returned.
            episodes: all that the other had learned from, in order.
        """

    def statistics(self) -> Mapping[str, float]:
        """Figures that describe the agent now, by name."""
