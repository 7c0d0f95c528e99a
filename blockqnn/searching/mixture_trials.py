"""The trial of an epoch of a mixture, and what the store keeps of the epoch."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from blockqnn.networks.shares import entropy, shares_of
from blockqnn.networks.spaces.contract import Code, SearchSpace
from blockqnn.reward import guessing_reward
from blockqnn.searching.rewards import reward_of
from blockqnn.searching.size import size_of
from blockqnn.settings import SearchSettings
from blockqnn.trial import Outcome, Status, Trial, child_seed


def record_of(
    found: dict[str, Any], space: SearchSpace, seconds: float
) -> tuple[Code, dict[str, Any]]:
    """The design that an epoch came to, and what is kept of it.

    Args:
        found: by the epoch, as the evaluator returns it.
        space: of the designs.
        seconds: that it took.

    Returns:
        The code; and what was found with the counts of operations, on how many edges `none` is
        first, the entropy of each row in nats, why the design is no network, if so, and the number
        of convolutions, or of what else a cell of the space needs.
    """
    shares = shares_of(found["alpha"])
    code = space.check(space.derived(shares))
    tally = space.tally(code)
    return code, {
        **found,
        "seconds": seconds,
        "tally": tally,
        "none": sum(
            own[0] == max(own)
            for row in space.mixture_rows()
            if (own := shares.get(row.name)) is not None
        ),
        "entropy": {name: entropy(own) for name, own in shares.items()},
        "empty": space.design(code).emptiness,
        "convolutions": sum(own[what] for own in tally.values() for what in space.essential),
    }


def trial_of(
    number: int,
    code: Code,
    outcome: Outcome,
    accuracy: float,
    settings: SearchSettings,
    space: SearchSpace,
    begun: float,
) -> Trial:
    """The design of an epoch, with the accuracy that it has with the mixture's weights.

    Args:
        number: of the trial.
        code: of the design.
        outcome: of the epoch.
        accuracy: of the design with the mixture's weights, in percent.
        settings: of the search.
        space: of the designs.
        begun: when the epoch began, by `time.time`.

    Returns:
        The trial; infeasible where the design is empty.
    """
    design = space.design(code)
    size = size_of(design, settings)
    empty = design.emptiness
    trial = Trial(
        number,
        number,
        0.0,
        code,
        hash=design.hash,
        seed=child_seed(settings.seed, design.hash),
        status=Status.INFEASIBLE if empty else Status.COMPLETED,
        reason=empty or None,
        density=design.density,
        parameters=size.cost.parameters,
        flops=size.cost.flops,
        block_flops=size.cost.block_flops,
        depth=size.cost.depth,
        train_seconds=outcome.train_seconds,
        device=outcome.device,
        worker=outcome.worker,
        finished=max(time.time(), begun),
    )
    guessing = guessing_reward(settings.layout.classes, settings.reward)
    if empty:
        return dataclasses.replace(trial, reward=guessing)
    judged = dataclasses.replace(outcome, accuracies=(accuracy,), score=None)
    reward = reward_of(trial, judged, settings.reward, guessing)
    return dataclasses.replace(trial, accuracies=(accuracy,), reward=reward)
