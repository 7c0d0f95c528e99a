"""The decisions of a search space by numbers, for players that know no others."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Action = Any
"""A decision: a NamedTuple of integers, the first of which is its position from 1."""


class Field(NamedTuple):
    """What a field of an action says.

    Attributes:
        kind: what it decides, such as `operation`; values of one kind mean the same everywhere.
        value: of the field.
        target: position of the earlier decision that it points to, from 1; 0 and below for what
            is there before any decision, such as inputs, each with a number of its own; None for
            a field that points nowhere.
    """

    kind: str
    value: int
    target: int | None = None


class ActionList(abc.ABC):
    """The decisions of a space, numbered once for all positions, for players that need numbers.

    Attributes:
        length: most decisions of an episode.
        highest: the largest value that each field of an action may have.
    """

    length: int
    highest: tuple[int, ...]

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def action(self, number: int, position: int) -> Action:
        """The decision of a number at a position from 1; it may be illegal there."""

    @abc.abstractmethod
    def number(self, action: Sequence[int]) -> int:
        """The number of a decision, at whatever position; KeyError if there is no such one."""

    @abc.abstractmethod
    def mask(self, position: int) -> np.ndarray:
        """Which numbers are legal at a position from 1: bool [numbers]."""
