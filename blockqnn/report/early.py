"""When it is too early to say what a search has found."""

from __future__ import annotations

from collections.abc import Sequence

from blockqnn.trial import Trial

_SHARE = 1 / 3
"""Of the schedule that must be over before anything is said of the agent."""


def too_early(
    trials: Sequence[Trial],
    iterations: int,
    planned: int | None,
    finished: bool,
    used: float | None = None,
) -> str | None:
    """Why nothing can be said yet of what the agent has learned.

    Args:
        trials: in order of number.
        iterations: that have ended.
        planned: iterations in all, or None if that is not known.
        finished: whether the search has come to its end.
        used: share of the budget that is used up, where one ends the search.

    Returns:
        A sentence, or None where it is late enough: at the end, or when random
        actions have become fewer and a third of the schedule is over.
    """
    if finished:
        return None
    if not trials or trials[-1].epsilon >= 1:
        return (
            "It is too early to say what the agent has learned: epsilon is 1, so that every block "
            "up to now was written at random."
        )
    if used is not None and used < _SHARE:
        return (
            f"It is too early to say what the agent has learned: {100 * used:.0f} % of the budget "
            "is used up, less than a third."
        )
    if planned and iterations < _SHARE * planned:
        return (
            f"It is too early to say what the agent has learned: {iterations:,} of {planned:,} "
            "iterations are over, less than a third."
        )
    return None
