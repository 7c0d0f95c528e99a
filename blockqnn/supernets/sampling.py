"""The designs that train a supernet, where no agent draws them: nothing here imports JAX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from blockqnn.networks.spaces.contract import Code, SearchSpace


def uniform_path(space: SearchSpace, fixed: Mapping[str, str], random: np.random.Generator) -> Code:
    """A design all of whose decisions are drawn uniformly, but for some edges.

    Args:
        space: of the design.
        fixed: the operation on each edge that is not drawn.
        random: source of the draws.

    Returns:
        The code.
    """
    actions: list[Any] = []
    state = space.start
    while not actions or not space.is_end(state):
        legal = [action for group in space.choices(state) for action in group]
        state = legal[int(random.integers(len(legal)))]
        actions.append(state)
    code = space.check(actions)
    return space.of_edges(space.on_edges(code) | dict(fixed)) if fixed else code


def fair_paths(
    space: SearchSpace, fixed: Mapping[str, str], count: int, random: np.random.Generator
) -> tuple[Code, ...]:
    """Designs in rounds in which every operation of every edge has its turn once.

    Chu, Zhang, Xu, "FairNAS", ICCV 2021, there with one update a round; here each design of a
    round has an update of its own.

    Args:
        space: with edges.
        fixed: the operation on each edge that is not drawn.
        count: of designs.
        random: source of the draws.

    Returns:
        The codes; the last round may be cut short.
    """
    rounds = max(len(operations) for operations in space.edges.values())
    found: list[Code] = []
    while len(found) < count:
        drawn = {
            edge: [operations[i % len(operations)] for i in random.permutation(rounds)]
            for edge, operations in space.edges.items()
        }
        for turn in range(rounds):
            chosen = {edge: order[turn] for edge, order in drawn.items()} | dict(fixed)
            found.append(space.of_edges(chosen))
    return tuple(found[:count])
