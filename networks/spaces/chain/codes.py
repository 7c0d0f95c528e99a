"""Codes of chains: decisions that say by themselves of how many options they chose one."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import numpy as np

from blockqnn.networks.spaces.action_list import ActionList
from blockqnn.networks.spaces.contract import CodeError

NAME = "chain"
MARK = 1000
"""Added to a chain's length in each of its decisions, which no other space's codes have there."""
MOST_DECISIONS = 1000
_CODE = re.compile(rf"{NAME}(\s+\d+/\d+)*\s*")


class Choice(NamedTuple):
    """A decision, which says by itself what chain it is of.

    Attributes:
        position: from 1; 0 is the start.
        chain: `MARK` and the number of decisions.
        option: that was chosen, from 0.
        options: of this decision.
    """

    position: int
    chain: int
    option: int
    options: int


Chain = tuple[Choice, ...]


@dataclasses.dataclass(frozen=True)
class ChainDesign:
    """What a chain means: the row of the table."""

    code: Chain
    space = NAME
    emptiness = ""

    @property
    def density(self) -> float:
        """See `Design.density`; of a chain with its two ends."""
        return (len(self.code) + 1) / (len(self.code) + 2)

    @property
    def hash(self) -> str:
        """See `Design.hash`."""
        text = " ".join(f"{choice.option}/{choice.options}" for choice in self.code)
        return hashlib.sha256(f"{NAME} {text}".encode()).hexdigest()[:16]


class Options(ActionList):
    """The options by number, at whatever position."""

    def __init__(self, counts: Sequence[int]):
        """Creates the list.

        Args:
            counts: options of each decision.
        """
        self.counts, self.length = tuple(counts), len(counts)
        most = max(counts)
        self.highest = (self.length, MARK + self.length, most - 1, most)

    def __len__(self) -> int:
        return max(self.counts)

    def action(self, number: int, position: int) -> Choice:
        """See `ActionList.action`."""
        return Choice(position, MARK + self.length, number, self.counts[position - 1])

    def number(self, action: Sequence[int]) -> int:
        """See `ActionList.number`."""
        if action[2] not in range(len(self)):
            raise KeyError(tuple(action))
        return int(action[2])

    def mask(self, position: int) -> np.ndarray:
        """See `ActionList.mask`."""
        return np.arange(len(self)) < self.counts[position - 1]


def checked(rows: Sequence[tuple[Any, ...]], length: int) -> Chain:
    """Checks the first decisions of a chain.

    Args:
        rows: the decisions.
        length: of the whole chain.

    Returns:
        The decisions.

    Raises:
        CodeError: if one is none.
    """
    for position, row in enumerate(rows, start=1):
        right = len(row) == 4 and row[:2] == (position, MARK + length)
        if not right or not 0 <= row[2] < row[3]:
            raise CodeError(
                f"Decision {position} of {length} is an option and how many there are, such as "
                f"0/{max(1, row[-1] if row else 1)}; given {row}."
            )
    return tuple(Choice(*row) for row in rows)


def ordered(cells: Iterable[str]) -> list[str]:
    """Different cells in order, as numbers where all are such."""
    different = sorted(set(cells))
    try:
        return sorted(different, key=float)
    except ValueError:
        return different


def quoted(text: str) -> str:
    """A cell or a column as the name of a space has it."""
    return quote(text, safe="+.()[]<>~ ")


def named(code: Sequence[Sequence[int]]) -> Chain:
    """The same decisions with their names, as stores and agents return plain tuples."""
    return tuple(Choice(*each) for each in code)


def pairs_of(text: str) -> list[tuple[int, int]]:
    """The options, and how many there are, of a chain as text; CodeError if it is none."""
    if not _CODE.fullmatch(text.strip()):
        raise CodeError(f"A chain is written like {NAME} 0/3 1/2; given: {text[:60]!r}.")
    pairs = (word.split("/") for word in text.split()[1:])
    return [(int(option), int(options)) for option, options in pairs]


def columns_of(text: str) -> dict[str, tuple[str, ...]]:
    """The decisions that the name of a space says.

    Args:
        text: what stands behind the colon of the name.

    Returns:
        By decision what may be decided.

    Raises:
        CodeError: if it says none.
    """
    columns: dict[str, tuple[str, ...]] = {}
    for part in text.split(";"):
        column, equals, cells = part.partition("=")
        found = tuple(unquote(cell) for cell in cells.split("|"))
        if not equals or not column or unquote(column) in columns or len(set(found)) < len(found):
            raise CodeError(
                f"The space {NAME}:{text[:60]} says no decisions; it is written like "
                f"{NAME}:width=8|16;kernel=3|5."
            )
        columns[unquote(column)] = found
    if len(columns) > MOST_DECISIONS:
        raise CodeError(
            f"A chain has at most {MOST_DECISIONS:,} decisions, given {len(columns):,}."
        )
    return columns
