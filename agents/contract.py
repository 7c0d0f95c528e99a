"""What the search loop and an agent may ask of one another.

An agent sees a decision process and episodes with rewards. It knows no flag,
no file, no data set and no network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

Action = tuple[int, ...]
"""An action, and also the state that it leads to: a tuple of integers."""

State = dict[str, Any]
"""What an agent must keep to go on: keys with values that JSON can hold."""


class Numbered(Protocol):
    """The actions of a space by numbers, the same at all positions."""

    @property
    def length(self) -> int:
        """Most decisions of an episode."""

    def __len__(self) -> int: ...

    def action(self, number: int, position: int) -> Any:
        """The action of a number at a position from 1; it may be illegal there."""

    def number(self, action: Sequence[int]) -> int:
        """The number of an action, at whatever position."""

    def mask(self, position: int) -> np.ndarray:
        """Which numbers are legal at a position from 1: bool [numbers]."""


class SearchSpace(Protocol):
    """A decision process whose states are the actions that led to them."""

    @property
    def start(self) -> Any:
        """The state in which every episode begins."""

    def numbered(self) -> Numbered:
        """The actions by numbers."""

    @property
    def fields_by_state(self) -> bool:
        """Whether `fields` depends on the state, and not on the action alone."""

    def fields(self, state: Any, action: Any) -> Sequence[tuple[str, int, int | None]]:
        """What an action says, field by field.

        Args:
            state: in which it is taken.
            action: a legal one.

        Returns:
            The kind of a field, its value, and the position of the decision that it points to;
            0 and below for what is there before any decision, None where it points nowhere.
        """

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


class Sampled(NamedTuple):
    """What a policy that draws its suggestions knew of one of them when it drew it.

    Attributes:
        update: how often the policy had been updated.
        log_probabilities: natural logarithm of the probability of each decision.
        entropy: of the distributions that its decisions were drawn from, added up, in nats.
    """

    update: int
    log_probabilities: tuple[float, ...]
    entropy: float


class Episode(NamedTuple):
    """A finished episode.

    Attributes:
        actions: all of its actions in order, the last one being the end.
        reward: what it earned, an accuracy of 100 % counting as 1.
        sampled: what a `Sampling` agent said of it when it suggested it; None where nobody
            asked, which means that it has learned nothing since.
    """

    actions: tuple[Action, ...]
    reward: float
    sampled: Sampled | None = None


class Prospect(NamedTuple):
    """What an agent makes of an action that it may take next.

    Attributes:
        action: a legal one.
        probability: that the agent takes it next, exploration included.
        greedy: whether the agent may take it where it does not explore; it
            chooses among several if more than one is.
        value: of the action on the agent's scale, on which a reward of 100 %
            is 1; None where the agent has none.
        visits: how often the agent has learned of the action here, in the unit
            that `Terms.visits` names.
    """

    action: Action
    probability: float
    greedy: bool
    value: float | None
    visits: int


class Entry(NamedTuple):
    """A value that an agent holds of an action somewhere.

    Attributes:
        action: the action.
        value: on the scale on which a reward of 100 % is 1.
        visits: how often the agent has learned of it, at least once.
    """

    action: Action
    value: float
    visits: int


@dataclasses.dataclass(frozen=True)
class Terms:
    """The words for what an agent says of itself.

    Attributes:
        agent: what it is called in a sentence.
        value: the name of its values; empty where it has none.
        visits: the unit of its visits, in the plural; empty where it counts none.
        meaning: sentences on what its probabilities, values and visits are.
        learns: whether what it writes hangs on what came before.
    """

    agent: str
    value: str
    visits: str
    meaning: str
    learns: bool = True


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

    @property
    def terms(self) -> Terms:
        """The words for what `after` and `entries` return."""

    def after(self, prefix: Sequence[Action]) -> list[Prospect]:
        """What the agent would do after the beginning of an episode, and why.

        Of the next suggestion, before anything else is learned. Changes
        nothing, no random state either.

        Args:
            prefix: the actions so far, legal and without the end; none for the start.

        Returns:
            Each legal action once, in the order of the space. The
            probabilities add up to 1, and at least one action is greedy.
        """

    def entries(self) -> Iterable[Entry]:
        """All the values that the agent holds, in an order that its state determines.

        Returns:
            The entries, several for one action where its value depends on
            what came before; none where the agent has no values.
        """


@runtime_checkable
class Resizing(Protocol):
    """An agent that must be told when the episodes of its space get another length."""

    def space_changed(self) -> None:
        """Learns that the space ends its episodes elsewhere from now on."""


@runtime_checkable
class Sampling(Protocol):
    """An agent that must be told what it knew of a suggestion when it made it.

    Results may come late, when it has learned from others: then it can tell what they are worth.
    """

    def sampled(self, actions: Sequence[Action]) -> Sampled | None:
        """What the agent knows now of an episode; asked for before anything else is learned.

        Args:
            actions: a complete episode, whoever wrote it.

        Returns:
            What shall come back with its reward; None where there is nothing.
        """

    def warning(self) -> str:
        """What a person should know of the policy now, a sentence; empty where all is well."""
