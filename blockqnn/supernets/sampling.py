"""The designs that train a supernet, where no agent draws them: nothing here imports JAX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.networks.spaces.contract import Code, SearchSpace

Allowed = Mapping[str, Sequence[str]]
"""By edge the operations that a part of a split supernet has; it has all on the other edges."""


def uniform_path(space: SearchSpace, allowed: Allowed, random: np.random.Generator) -> Code:
    """A design all of whose decisions are drawn uniformly, but for some edges.

    Args:
        space: of the design.
        allowed: the operations on some edges, one of which is drawn uniformly.
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
    if not allowed:
        return code
    drawn = {edge: _drawn(operations, random) for edge, operations in allowed.items()}
    return space.of_edges(space.on_edges(code) | drawn)


def _drawn(operations: Sequence[str], random: np.random.Generator) -> str:
    # A single one takes no random number, so that such parts are trained as ever.
    return operations[int(random.integers(len(operations))) if len(operations) > 1 else 0]


def fair_paths(
    space: SearchSpace, allowed: Allowed, count: int, random: np.random.Generator
) -> tuple[Code, ...]:
    """Designs in rounds in which every operation of every edge has its turn equally often.

    Chu, Zhang, Xu, "FairNAS", ICCV 2021, there with one update a round; here each design of a
    round has an update of its own. On an edge with fewer operations than others some have a turn
    more, others in the next round.

    Args:
        space: with edges.
        allowed: the operations on some edges.
        count: of designs.
        random: source of the draws.

    Returns:
        The codes; the last round may be cut short.
    """
    rounds = max(len(operations) for operations in space.edges.values())
    found: list[Code] = []
    while len(found) < count:
        drawn = {}
        for edge, every in space.edges.items():
            operations = allowed.get(edge, every)
            begun = len(found)
            order = random.permutation(rounds)
            drawn[edge] = [operations[(i + begun) % len(operations)] for i in order]
        for turn in range(rounds):
            found.append(space.of_edges({edge: order[turn] for edge, order in drawn.items()}))
    return tuple(found[:count])
