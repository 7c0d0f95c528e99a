"""What a search space says of a table whose rows are its designs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class CodeError(ValueError):
    """A code that breaks the rules of its space; the message is for the user."""


class Tabled:
    """Of a search space: whether a table makes it."""

    name: str
    tabular: bool = False
    """Whether its designs are rows of a table, which alone knows how good they are; they have no
    networks that could be built."""
    columns: Mapping[str, Sequence[str]] = {}
    """Of a space that a table has made: by decision what may be decided, in order."""

    def described(self, text: str) -> Any:
        """The space of certain decisions.

        Args:
            text: what stands behind the colon of the space's name.

        Returns:
            The space, whose `name` is all that has to be kept of it.

        Raises:
            CodeError: if it says no decisions, or the space is always the same.
        """
        raise CodeError(f"The space {self.name} is always the same, and {text!r} says nothing.")

    def made_of(self, columns: Mapping[str, Sequence[str]]) -> Any:
        """The space of the decisions that a table has.

        Args:
            columns: by decision the cells that occur.

        Returns:
            The space.
        """
        raise CodeError(f"The space {self.name} is made of no table.")

    def of_cells(self, cells: Sequence[str]) -> Any:
        """The code of a row.

        Args:
            cells: one for each decision, in order.

        Returns:
            The code.

        Raises:
            CodeError: if a cell is none of those that may be decided.
        """
        raise CodeError(f"The space {self.name} is made of no table.")
