"""The epsilon schedule of the BlockQNN paper, and the same one for other lengths."""

from __future__ import annotations

Schedule = tuple[tuple[float, int], ...]

PAPER_SCHEDULE = (
    (1.0, 95),
    (0.9, 7),
    (0.8, 7),
    (0.7, 7),
    (0.6, 10),
    (0.5, 10),
    (0.4, 10),
    (0.3, 10),
    (0.2, 10),
    (0.1, 12),
)
"""Epsilon and for how many iterations it holds (Table 2)."""

PAPER_ITERATIONS = sum(count for _, count in PAPER_SCHEDULE)


def scaled_schedule(budget: int, batch: int) -> Schedule:
    """The paper's epsilon schedule (Table 2), shrunk to a budget.

    Args:
        budget: evaluations.
        batch: of an iteration.

    Returns:
        Pairs of epsilon and a number of iterations, which make up the budget;
        an epsilon that would hold for none is left out.
    """
    schedule, before, begun = [], 0, 0
    for epsilon, count in PAPER_SCHEDULE:
        before += count
        end = max(1, round(before * budget / batch / PAPER_ITERATIONS))
        if end > begun:
            schedule.append((epsilon, end - begun))
        begun = end
    return tuple(schedule)


def paper_batch(budget: int) -> int:
    """Blocks of an iteration, so that there are as many iterations as in the paper."""
    return max(1, round(budget / PAPER_ITERATIONS))
