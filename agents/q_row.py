"""What the Q-table and its replay memory hold: a state, and an episode that passed states."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from blockqnn.agents.contract import Action


class Row:
    """The Q-values of one state's actions, in the order in which the space lists them."""

    __slots__ = ("_greedy", "groups", "values", "visits")

    def __init__(self, groups: Sequence[Sequence[Action]], initial_q: float):
        """Creates a row that was never learned.

        Args:
            groups: the legal actions of the state, as the space has them.
            initial_q: their value.
        """
        size = sum(map(len, groups))
        self.groups = groups
        self.values = np.full(size, initial_q)
        self.visits = np.zeros(size, np.int64)
        self._greedy: list[list[Action]] | None = None

    def position(self, action: Action) -> int:
        """Where an action stands in `values`."""
        offset = 0
        for group in self.groups:
            if action in group:
                return offset + group.index(action)
            offset += len(group)
        raise ValueError(f"{action} is no legal action here")

    def greedy(self) -> list[list[Action]]:
        """The actions of the highest value, in their groups, without empty ones."""
        if self._greedy is None:
            self._greedy, offset = [], 0
            best = (self.values == self.values.max()).tolist()
            for group in self.groups:
                here = [action for i, action in enumerate(group, offset) if best[i]]
                if here:
                    self._greedy.append(here)
                offset += len(group)
        return self._greedy

    def put(self, position: int, value: float, visits: int) -> None:
        """Replaces the Q-value of an action and the number of its updates."""
        self.values[position] = value
        self.visits[position] = visits
        self._greedy = None


@dataclasses.dataclass(frozen=True)
class Memory:
    """An episode in replay memory.

    Attributes:
        path: the table entries that it passed: state, row and position in the row.
        reward: of the episode.
    """

    path: list[tuple[Action, Row, int]]
    reward: float
