"""Which finals the preset `own` adds to a search so that it ends in time, and how they train."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.flags.finals_recipe import SEARCH, canonical
from blockqnn.full_training.own_recipe import highest_rate, mirrored
from blockqnn.full_training.settings import FullRecipe
from blockqnn.runs.rounds import Round
from blockqnn.settings import ONE_CYCLE, PADDED
from blockqnn.supernet_settings import MOMENTUM

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


def recipe_for(named: Mapping[str, Any], batch_size: int, channels: int) -> str:
    """How they train: by momentum, nearly as `train_own` will, and not as the search does.

    Children are taught by Adam, and the training that counts is by momentum. Finals by Adam take
    blocks for good that momentum cannot train (docs/results.md, "A better block").

    Args:
        named: flags that the user has named, by name.
        batch_size: of the search.
        channels: of the images; only colour images are mirrored, as by `train_own`.

    Returns:
        A value of `--finals_recipe`; the search's where the user has named its optimiser.
    """
    if "optimiser" in named:
        return SEARCH
    paper = FullRecipe()
    windows = f",augmentation={PADDED}" if mirrored(channels) else ""
    return canonical(
        f"optimiser={MOMENTUM},learning_rate={highest_rate(batch_size)},schedule={ONE_CYCLE},"
        f"momentum={paper.momentum},weight_decay={paper.weight_decay}{windows}"
    )


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
