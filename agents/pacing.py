"""Agents that are told how far a search is, where its length is not a number of iterations."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Paced(Protocol):
    """An agent whose epsilon follows the length of the search."""

    def pace(self, share: float) -> None:
        """Is told which share of the budget is used up, before it suggests.

        From then on it counts neither iterations nor episodes by itself.

        Args:
            share: from 0; 1 at the end.
        """


class Pacing:
    """What such agents have in common."""

    _share: float | None = None

    def pace(self, share: float) -> None:
        """See `Paced.pace`."""
        self._share = share

    def _place(self, counted: float, length: float) -> float:
        """How far the search is on a scale of `length`; `counted` where nobody tells."""
        # Shares are quotients: 14 of 29 must not come back as 13.999.
        return counted if self._share is None else round(self._share * length, 9)

    def _pacing_state(self) -> dict[str, Any]:
        """What `get_state` returns of it; nothing where nobody tells."""
        return {} if self._share is None else {"share": self._share}
