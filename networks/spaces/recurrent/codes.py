"""The codes of recurrent cells: one decision for each question of a family."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from blockqnn.networks.spaces.action_list import ActionList, Field
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.recurrent.families import (
    MOST_NODES,
    POINTING,
    Family,
    Question,
)


class Decision(NamedTuple):
    """A decision.

    Attributes:
        position: from 1; 0 stands for no decision yet.
        family: number of the family.
        node: that it is about, from 0 on; the memory of a tree comes after its nodes.
        answer: by number.
    """

    position: int
    family: int
    node: int
    answer: int


CellCode = tuple[Decision, ...]
"""A cell: all decisions in order."""


def question_at(family: Family, position: int, size: int = 0) -> Question:
    """What is decided at a position, from 1; questions do not depend on the size that comes."""
    if size or not family.grows:
        return family.questions(size or family.usual)[position - 1]
    return family.questions(MOST_NODES)[position - 1]


def decision(family: Family, position: int, answer: int) -> Decision:
    """The decision of an answer at a position."""
    return Decision(position, family.number, question_at(family, position).node, answer)


def start(family: Family) -> Decision:
    """The state before the first decision."""
    return Decision(0, family.number, 0, 0)


def fields_of(family: Family, action: Decision) -> tuple[Field, ...]:
    """What a decision says.

    Args:
        family: of the code.
        action: the decision.

    Returns:
        Its field. The number of a node points to the last decision about that node, or to the
        input where none is about it.
    """
    question = question_at(family, action.position)
    if question.kind not in POINTING or not question.answers[action.answer].isdecimal():
        return (Field(question.kind, action.answer),)
    node = int(question.answers[action.answer])
    own = question_positions(family, node)
    return (Field(question.kind, 0, own[-1] if own else 0),)


def question_positions(family: Family, node: int) -> list[int]:
    """The positions, from 1, of what is decided about a node."""
    asked = family.questions(MOST_NODES if family.grows else family.usual)
    return [place for place, each in enumerate(asked, start=1) if each.node == node]


def check(family: Family, rows: Iterable[Sequence[int]]) -> CellCode:
    """Checks decisions that make up a code.

    Args:
        family: of the code.
        rows: a position from 1, the family's number, a node and an answer each.

    Returns:
        The code.

    Raises:
        CodeError: if they do not make up one.
    """
    given = [tuple(row) for row in rows]
    if not family.size_of(len(given)):
        raise CodeError(
            f"A code of {family.name} has {_lengths(family)} decisions, given {len(given)}."
        )
    return checked(family, given)


def checked(family: Family, rows: Sequence[Sequence[int]]) -> CellCode:
    """Checks the first decisions of a code; see `check`."""
    code = []
    for position, row in enumerate(rows, start=1):
        question = question_at(family, position)
        if len(row) != 4 or tuple(row[:3]) != (position, family.number, question.node):
            raise CodeError(
                f"Decision {position}: of a code of {family.name} it is "
                f"({position},{family.number},{question.node},answer), given {tuple(row)}."
            )
        if row[3] not in range(len(question.answers)):
            raise CodeError(
                f"{describe(question)} is {row[3]}; allowed: 0 to {len(question.answers) - 1}."
            )
        code.append(Decision(*map(int, row)))
    return tuple(code)


def of_words(family: Family, words: Sequence[str]) -> CellCode:
    """The first decisions of a code from their answers in words.

    Args:
        family: of the code.
        words: no more than a code may have.

    Returns:
        The decisions.

    Raises:
        CodeError: naming the first word that is no answer.
    """
    found = []
    for position, word in enumerate(words, start=1):
        question = question_at(family, position)
        if word not in question.answers:
            raise CodeError(
                f"{describe(question)} is {word[:20]!r}; allowed: {', '.join(question.answers)}."
            )
        found.append(decision(family, position, question.answers.index(word)))
    return tuple(found)


def words_of(family: Family, actions: Sequence[Sequence[int]]) -> list[str]:
    """The answers of decisions in words."""
    return [question_at(family, row[0]).answers[row[3]] for row in actions]


def describe(question: Question) -> str:
    """What a question asks, for messages."""
    if question.memory and question.kind in POINTING:
        return question.kind.capitalize()
    where = "Memory" if question.memory else f"Node {question.node}"
    return f"{where}: {question.kind}"


def _lengths(family: Family) -> str:
    if not family.grows:
        return str(len(family.questions(family.usual)))
    first, second = (len(family.questions(size)) for size in (1, 2))
    return f"{first}, {second} and so on up to {len(family.questions(MOST_NODES))}"


class CellActions(ActionList):
    """The answers of decisions; which are legal depends on the position."""

    def __init__(self, family: Family, size: int):
        """Numbers the answers.

        Args:
            family: of the codes.
            size: of a cell.
        """
        self._family = family
        self._counts = [len(question.answers) for question in family.questions(size)]
        self.length = len(self._counts)
        nodes = max(question.node for question in family.questions(size))
        self.highest = (self.length, family.number, max(1, nodes), max(self._counts) - 1)

    def __len__(self) -> int:
        return max(self._counts)

    def action(self, number: int, position: int) -> Decision:
        """See `ActionList.action`."""
        return decision(self._family, position, number)

    def number(self, action: Sequence[int]) -> int:
        """See `ActionList.number`."""
        if action[1] != self._family.number or action[3] not in range(len(self)):
            raise KeyError(tuple(action))
        return int(action[3])

    def mask(self, position: int) -> np.ndarray:
        """See `ActionList.mask`."""
        return np.arange(len(self)) < self._counts[position - 1]
