"""The best distinct returns that followed an action: the values of `q_learning_plus`."""

from __future__ import annotations

import bisect
from collections.abc import Sequence


def best_return(returns: Sequence[float], ceiling: float) -> float | None:
    """The Q-value of an action: `max R`, over the returns after it up to a ceiling.

    Args:
        returns: distinct returns of episodes with this action, ascending.
        ceiling: the largest return to look at.

    Returns:
        The largest that is not above the ceiling; None where there is none.
    """
    above = bisect.bisect_right(returns, ceiling)
    return returns[above - 1] if above else None


def keep_best(returns: list[float], r_T: float, count: int) -> bool:
    """Puts a return among the best distinct ones, in place.

    Args:
        returns: distinct returns, ascending.
        r_T: the new one.
        count: how many to keep.

    Returns:
        Whether they changed.
    """
    place = bisect.bisect_left(returns, r_T)
    if place < len(returns) and returns[place] == r_T:
        return False
    returns.insert(place, r_T)
    if len(returns) > count:
        del returns[0]
        return place > 0
    return True
