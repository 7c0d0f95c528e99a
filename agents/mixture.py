"""How likely an action is where it is not known about which return an agent is greedy.

`q_learning_plus` draws one of the best returns, and a position that explores,
once for a whole episode. What it has done so far tells something of both, so
the probability of what it does next is a mean over them, weighted by Bayes'
rule:

    p(a_t | a_<t) = sum_{l,k} p(l, k | a_<t) p(a_t | l, k),
    p(l, k | a_<t) ~ p(l, k) prod_{i<t} p(a_i | l, k).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from blockqnn.agents.contract import Action


class Level(NamedTuple):
    """One of the best returns.

    Attributes:
        length: actions of the episode that reached it; one of their positions explores.
        greedy: the greedy action at each position so far and the next one, None
            where there is none and a random one is taken.
    """

    length: int
    greedy: Sequence[Action | None]


def mixture_after(
    prefix: Sequence[Action],
    levels: Sequence[Level],
    drawn: Sequence[Mapping[Action, float]],
    epsilon: float,
) -> dict[Action, float]:
    """The probability of each action after a prefix.

    Args:
        prefix: the actions so far.
        levels: the best returns, each as likely as another.
        drawn: the probability of each legal action if it is random, at each
            position of the prefix and the next one.
        epsilon: probability of a random action where none must be.

    Returns:
        By action. A prefix that cannot come about tells nothing of the return
        and the position.
    """
    here = len(prefix)

    def probability(action: Action, level: Level, start: int, position: int) -> float:
        greedy, random = level.greedy[position], drawn[position].get(action, 0.0)
        if greedy is None or position == start:
            return random
        return epsilon * random + (1.0 - epsilon) * (action == greedy)

    prior, weights = [], []
    for level in levels:
        for start in range(level.length):
            prior.append((1 / len(levels) / level.length, level, start))
            steps = (probability(a, level, start, i) for i, a in enumerate(prefix))
            weights.append(prior[-1][0] * math.prod(steps))
    if not sum(weights):
        weights = [share for share, _, _ in prior]
    total = sum(weights)
    return {
        action: sum(
            weight * probability(action, level, start, here)
            for weight, (_, level, start) in zip(weights, prior, strict=True)
            if weight
        )
        / total
        for action in drawn[here]
    }
