"""Which finals the preset `own` adds to a search, so that the whole ends in time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from blockqnn.runs.rounds import Round

_SIZES = (
    # From so many blocks on, each round as blocks and epochs in those of the search.
    (128, ((12, 3), (4, 9))),
    (84, ((6, 3), (2, 9))),
    (24, ((4, 4),)),
)
"""They take a third of the time at most; of fewer blocks the reward alone is the judge."""


def finals_for(room: float, most: float, epochs: int, workers: int) -> tuple[Round, ...]:
    """The finals that go with a search.

    Args:
        room: children of the search that the time is enough for, finals included.
        most: blocks that the search is to have at most.
        epochs: of the search.
        workers: children that are trained at once.

    Returns:
        Rounds; none where the search has few blocks.
    """
    for fewest, sizes in _SIZES:
        rounds = tuple(Round(blocks, times * epochs) for blocks, times in sizes)
        if min(most, room - cost_of(rounds, epochs, workers)) >= fewest:
            return rounds
    return ()


def cost_of(rounds: Sequence[Round], epochs: int, workers: int) -> float:
    """What finals cost.

    Args:
        rounds: of the finals.
        epochs: of the search.
        workers: children that are trained at once, some of which wait for the end of a round.

    Returns:
        How many children of the search take as long.
    """
    turns = (one.epochs * math.ceil(one.blocks * one.seeds / workers) for one in rounds)
    return workers * sum(turns) / epochs
