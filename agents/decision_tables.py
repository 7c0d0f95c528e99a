"""A search space as arrays: which decisions are legal where, and what each of them says.

A controller draws whole sequences in one compiled program, which cannot ask a space. So the space
is asked once, before: for each position and number of an action whether it is legal, whether it
ends the episode, and what its fields are. A field either has a learned vector, or it points to an
earlier decision, whose state stands for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.agents.contract import Action, SearchSpace
from blockqnn.agents.exploration import draw_probabilities

ILLEGAL = -1e30
"""Logarithm of the probability of what cannot be: its exponential is 0, and so is 0 times it."""

Field = tuple[str, int, int | None]
"""Its kind, its value, and the position of a decision that it points to, as of `fields`."""
SKIP: tuple[str, int] = ("bit", 1)
"""What an action says by which a layer reads an earlier one."""


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How large the arrays of a space are: rounded up, so that spaces share compiled programs.

    What is added is never legal, or never said.

    Attributes:
        length: T, most decisions of an episode.
        actions: A, different actions by number.
        values: V, field values with a vector of their own.
        given: G, what can be pointed to before any decision, such as a block's input.
    """

    length: int
    actions: int
    values: int
    given: int


class DecisionTables:
    """A space in arrays.

    Attributes:
        sizes: of the arrays.
        prior: float32 [T, A], logarithm of the probability of each action at random; `ILLEGAL`
            for one that is not legal.
        ends: bool [T, A], whether the episode ends with it.
        says: float32 [T, P, A, V + G + T], how often an action has each of the V values and
            points to each of the G things given and T decisions. P is 1, or A where fields depend
            on the action before, by whose number they then are.
        words: the values with vectors, as pairs of a kind and a value, in order.
        kinds: for each of the T decisions what it is about, such as `operation`: the first field
            that all of its actions have; "" where there is none.
        skips: float32 [T, A], 1 for an action by which a layer reads an earlier one.
    """

    sizes: Sizes
    prior: np.ndarray
    ends: np.ndarray
    says: np.ndarray
    words: list[tuple[str, int]]
    kinds: list[str]
    skips: np.ndarray

    def __init__(self, space: SearchSpace, distribution: str):
        """Asks a space.

        Args:
            space: the decision process.
            distribution: of random actions, `by_type` or `uniform`.
        """
        numbered = space.numbered()
        self._space, self._numbered, self._distribution = space, numbered, distribution
        length, actions = _rounded(numbered.length, 8), _power_of_two(len(numbered), 64)
        self.prior = np.full((length, actions), ILLEGAL, np.float32)
        self.ends = np.zeros((length, actions), np.bool_)
        found: dict[tuple[int, int, int], list[Field]] = {}
        for t in range(numbered.length):
            legal = np.flatnonzero(numbered.mask(t + 1)).tolist()
            self._ask(t, legal)
            for p, state in self._states(t).items():
                for number in legal:
                    action = numbered.action(number, t + 1)
                    found[t, p, number] = list(space.fields(state, action))
        targets = [target for each in found.values() for _, _, target in each if target is not None]
        words = {(k, v) for each in found.values() for k, v, target in each if target is None}
        self.words = sorted(words)
        given = 1 - min(targets, default=1)
        self.sizes = Sizes(length, actions, _rounded(len(self.words), 16), max(2, given))
        self.says = self._says(found)
        self.kinds = _kinds(length, found)
        self.skips = np.zeros((length, actions), np.float32)
        for (t, _, number), fields in found.items():
            self.skips[t, number] = any((kind, value) == SKIP for kind, value, _ in fields)

    def numbers(self, actions: Sequence[Action]) -> np.ndarray | None:
        """Decisions by number.

        Args:
            actions: of an episode, or of its beginning.

        Returns:
            int32 [T], 0 beyond the last; None for what cannot be written decision by decision,
            such as a published cell with a list of its outputs.
        """
        if len(actions) > self.sizes.length:
            return None
        found = np.zeros(self.sizes.length, np.int32)
        try:
            found[: len(actions)] = [self._numbered.number(action) for action in actions]
        except KeyError:
            return None
        legal = self.prior[np.arange(len(actions)), found[: len(actions)]] > ILLEGAL
        return found if legal.all() else None

    def ask_for_ends(self) -> None:
        """Asks the space again which actions end an episode."""
        for t, number in zip(*np.nonzero(self.prior > ILLEGAL), strict=True):
            action = self._numbered.action(int(number), int(t) + 1)
            self.ends[t, number] = self._space.is_end(action)

    def episode(self, numbers: Sequence[int]) -> tuple[Any, ...]:
        """The actions of an episode up to its end.

        Args:
            numbers: of decisions, perhaps with more behind the end.

        Returns:
            The actions.
        """
        actions: list[Any] = []
        for t, number in enumerate(numbers):
            actions.append(self._numbered.action(number, t + 1))
            if self.ends[t, number]:
                break
        return tuple(actions)

    def _states(self, t: int) -> dict[int, Any]:
        """States in which a decision can be taken, by the number of the action before it.

        One of them where none is like another.
        """
        if t == 0:
            # The number of the action before the first is 0.
            return {0: self._space.start}
        open_ = np.flatnonzero((self.prior[t - 1] > ILLEGAL) & ~self.ends[t - 1]).tolist()
        if not self._space.fields_by_state:
            return {0: self._numbered.action(open_[0], t)}
        return {number: self._numbered.action(number, t) for number in open_}

    def _ask(self, t: int, legal: list[int]) -> None:
        """Which actions are legal at a position, and how likely at random: the same everywhere."""
        groups = self._space.choices(next(iter(self._states(t).values())))
        drawn = draw_probabilities(groups, self._distribution)
        chances = dict(
            zip([self._numbered.number(a) for group in groups for a in group], drawn, strict=True)
        )
        for number in legal:
            self.prior[t, number] = np.log(chances[number])
            self.ends[t, number] = self._space.is_end(self._numbered.action(number, t + 1))

    def _says(self, found: Mapping[tuple[int, int, int], Sequence[Field]]) -> np.ndarray:
        sizes = self.sizes
        before = sizes.actions if self._space.fields_by_state else 1
        width = sizes.values + sizes.given + sizes.length
        says = np.zeros((sizes.length, before, sizes.actions, width), np.float32)
        order = {word: place for place, word in enumerate(self.words)}
        for (t, p, number), fields in found.items():
            for kind, value, target in fields:
                if target is None:
                    place = order[kind, value]
                elif target <= 0:
                    place = sizes.values - target
                else:
                    place = sizes.values + sizes.given + target - 1
                says[t, p, number, place] += 1.0
        return says


def _kinds(length: int, found: Mapping[tuple[int, int, int], Sequence[Field]]) -> list[str]:
    """What decisions are about, given what each action at each position says."""
    said: list[list[list[str]]] = [[] for _ in range(length)]
    for (t, _, _), fields in found.items():
        said[t].append([kind for kind, _, _ in fields])
    return [
        next((kind for kind in each[0] if all(kind in other for other in each)), "") if each else ""
        for each in said
    ]


def _rounded(count: int, multiple: int) -> int:
    return max(1, -(-count // multiple)) * multiple


def _power_of_two(count: int, least: int) -> int:
    return max(least, 1 << (count - 1).bit_length())
