"""Which blocks of a run are trained for longer."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from blockqnn.trial import Trial


def stratified_sample(
    trials: Sequence[Trial], count: int, seed: int, preferred: Collection[int] = ()
) -> list[Trial]:
    """Draws blocks from the whole range of rewards.

    The trials are put in order of reward and cut into as many parts of equal
    size as blocks are wanted; from each part comes one at random.

    Args:
        trials: trained ones, at least `count`.
        count: blocks that are wanted.
        seed: of the choice.
        preferred: numbers of trials that are taken before others of their part,
            because they have been trained for longer already.

    Returns:
        The chosen trials, those of lowest reward first.
    """
    random = np.random.default_rng(seed)
    in_order = sorted(trials, key=lambda trial: (trial.reward or 0.0, trial.number))
    chosen = []
    for part in np.array_split(np.arange(len(in_order)), count):
        members = [in_order[place] for place in part]
        known = [trial for trial in members if trial.number in preferred]
        pool = known or members
        chosen.append(pool[int(random.integers(len(pool)))])
    return chosen
