"""A search space as a decision process: what agents see of it."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

from blockqnn.networks.spaces.action_list import Action, ActionList, Field


class Decisions(abc.ABC):
    """Of a search space: its decisions, one after the other."""

    fields_by_state: bool = False
    """Whether `fields` depends on the state, and not on the action alone."""

    @property
    @abc.abstractmethod
    def start(self) -> Action:
        """The state in which every episode begins."""

    @abc.abstractmethod
    def choices(self, state: Action) -> tuple[tuple[Action, ...], ...]:
        """The legal actions of a state, in groups of one kind each.

        Args:
            state: the start, or any action that does not end an episode.

        Returns:
            The groups.
        """

    @abc.abstractmethod
    def is_end(self, action: Action) -> bool:
        """Whether the episode ends with this action."""

    def limited(self, max_layers: int) -> Any:
        """The space with at most so many layers, where it has such a limit.

        Args:
            max_layers: most layers, or exactly as many where a design is a whole network. Of
                such a one `MAX_LAYERS`, which is what flags say where nobody names a number,
                stands for the space's own.

        Returns:
            The space.
        """
        return self

    def as_large_as(self, code: Sequence[Any]) -> Any:
        """The space of designs that are as large as one, where it has several sizes.

        Args:
            code: of the design.

        Returns:
            The space.
        """
        return self

    @abc.abstractmethod
    def numbered(self) -> ActionList:
        """The decisions by numbers."""

    def fields(self, state: Action, action: Action) -> tuple[Field, ...]:
        """What an action says, for agents that learn a vector for each value.

        A field that points to an earlier decision is known by that decision. Unless a space
        says otherwise, no field does, and all that follow the position have a kind of their own.

        Args:
            state: in which it is taken.
            action: a legal one.

        Returns:
            Its fields, at least one.
        """
        names = getattr(action, "_fields", range(len(action)))
        return tuple(
            Field(str(name), int(value))
            for name, value in list(zip(names, action, strict=True))[1:]
        )

    @abc.abstractmethod
    def ended(self, actions: Sequence[Any]) -> Any:
        """What an episode would be if it ended here: a code, or a design that has none."""
