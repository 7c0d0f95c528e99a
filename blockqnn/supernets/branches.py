"""Of a plan of all paths: which layers belong to one way that a path may take.

A flat plan does not say it, but it follows: what only one input of a mixture depends on is
computed where a path takes that way, and nowhere else. Nothing here imports JAX.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from blockqnn.networks.plan import Plan


@dataclasses.dataclass(frozen=True)
class Way:
    """One input of a mixture.

    Attributes:
        end: position of the layer that the mixture reads.
        layers: positions, in order, of those that nothing else depends on; none where others
            read `end` too.
        reads: positions of what these read besides one another.
    """

    end: int
    layers: tuple[int, ...]
    reads: tuple[int, ...]


def ways_of(plan: Plan) -> dict[int, tuple[Way, ...]]:
    """The ways of all mixtures of a plan.

    Args:
        plan: of all paths.

    Returns:
        By the position of a mixture, a way for each of its inputs.
    """
    readers: list[set[int]] = [set() for _ in plan]
    for number, layer in enumerate(plan):
        for source in layer.inputs:
            readers[source].add(number)
    found = {}
    for number, layer in enumerate(plan):
        if layer.mixture:
            found[number] = tuple(_way(plan, readers, number, end) for end in layer.inputs)
    return found


def _way(plan: Plan, readers: list[set[int]], mixture: int, end: int) -> Way:
    own: set[int] = set()
    waiting = [end] if plan[mixture].inputs.count(end) == 1 else []
    while waiting:
        here = waiting.pop()
        # An earlier mixture is no part of a way: what it chooses is chosen for itself.
        if plan[here].mixture or not plan[here].inputs or readers[here] - own - {mixture}:
            continue
        if mixture in readers[here] and here != end:
            continue
        own.add(here)
        waiting += [source for source in plan[here].inputs if source not in own]
    layers = tuple(sorted(own))
    reads = {source for here in layers for source in plan[here].inputs} - own
    return Way(end, layers, tuple(sorted(reads)))


@dataclasses.dataclass(frozen=True)
class Rows:
    """Where the numbers of each row stand in one vector for all of them.

    Attributes:
        places: by the name of a row, the place of its first number, and how many there are.
        size: of the vector.
    """

    places: Mapping[str, tuple[int, int]]
    size: int


def rows_of(plan: Plan) -> Rows:
    """The rows of a plan's mixtures, one number for each input, in their order."""
    places: dict[str, tuple[int, int]] = {}
    size = 0
    for layer in plan:
        if layer.mixture and layer.mixture not in places:
            places[layer.mixture] = size, len(layer.inputs)
            size += len(layer.inputs)
    return Rows(places, size)
