"""How random actions are drawn.

The BlockQNN paper does not say. Drawn uniformly over all codes of the next
layer, Add and Concat dominate and Terminal is rare, because there are so many
pairs of predecessors; drawn by type, blocks are shorter and more varied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from blockqnn.agents.contract import SearchSpace

BY_TYPE = "by_type"
UNIFORM = "uniform"
DISTRIBUTIONS = (BY_TYPE, UNIFORM)


def draw(random: np.random.Generator, groups: Sequence[Sequence[Any]], distribution: str) -> Any:
    """Draws an action.

    Args:
        random: source of randomness, advanced by one draw or two.
        groups: the actions to draw from, one group for each kind, none empty.
        distribution: `by_type`, a group uniformly and then one of its actions
            uniformly, or `uniform` over all actions.

    Returns:
        One of the actions.
    """
    if distribution == BY_TYPE:
        group = groups[int(random.integers(len(groups)))]
        return group[int(random.integers(len(group)))]
    position = int(random.integers(sum(map(len, groups))))
    for group in groups:
        if position < len(group):
            return group[position]
        position -= len(group)
    raise AssertionError("a position beyond the last action")


def draw_probabilities(groups: Sequence[Sequence[Any]], distribution: str) -> list[float]:
    """With which probability `draw` returns each action.

    Args:
        groups: as `draw` has them.
        distribution: `by_type` or `uniform`.

    Returns:
        The probabilities of the actions of all groups, in order.
    """
    size = sum(map(len, groups))
    return [
        1 / len(groups) / len(group) if distribution == BY_TYPE else 1 / size
        for group in groups
        for _ in group
    ]


def draw_episode(
    random: np.random.Generator, space: SearchSpace, distribution: str
) -> tuple[Any, ...]:
    """Draws an episode, every action of it at random.

    Args:
        random: source of randomness.
        space: the decision process.
        distribution: `by_type` or `uniform`, see `draw`.

    Returns:
        All of its actions.
    """
    actions: list[Any] = []
    state = space.start
    while not actions or not space.is_end(state):
        state = draw(random, space.choices(state), distribution)
        actions.append(state)
    return tuple(actions)


def random_state(random: np.random.Generator) -> dict[str, Any]:
    """The state of a generator as JSON can hold it."""
    state = random.bit_generator.state
    if state["bit_generator"] != "PCG64":
        raise ValueError(f"expected a PCG64 generator, given {state['bit_generator']}")
    return dict(state)


def generator(state: dict[str, Any]) -> np.random.Generator:
    """The generator whose state `random_state` returned."""
    bits = np.random.PCG64()
    bits.state = cast(Any, state)
    return np.random.Generator(bits)
