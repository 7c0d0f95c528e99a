"""Which blocks no other block beats in accuracy and cost at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from blockqnn.trial import Status, Trial


def pareto_front(trials: Sequence[Trial], cost: Callable[[Trial], int]) -> list[Trial]:
    """The trained trials that none is both cheaper than and at least as accurate as.

    Args:
        trials: of a run.
        cost: what should be small.

    Returns:
        The front, cheapest first; of equal ones the earliest.
    """
    trained = [t for t in trials if t.status is Status.COMPLETED and t.accuracy is not None]
    front: list[Trial] = []
    for trial in sorted(trained, key=lambda t: (cost(t), -(t.accuracy or 0.0), t.number)):
        if not front or (trial.accuracy or 0.0) > (front[-1].accuracy or 0.0):
            front.append(trial)
    return front
