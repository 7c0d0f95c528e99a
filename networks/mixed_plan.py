"""A plan with mixtures seen as edges: which layers belong to the choice that a mixture makes."""

from __future__ import annotations

from blockqnn.networks.plan import Operation, Plan

Edges = dict[int, tuple[int, ...]]
"""By the position of a mixture those of the layers that only it reads, directly or through one
another, in the order of the plan."""


def edges_of(plan: Plan) -> Edges:
    """The layers of each edge.

    Args:
        plan: with mixtures.

    Returns:
        The edges; sums and other mixtures, which are what cells keep, belong to none.
    """
    readers: list[set[int]] = [set() for _ in plan]
    for position, layer in enumerate(plan):
        for source in layer.inputs:
            readers[source].add(position)
    owner: dict[int, int] = {}
    for position in range(len(plan) - 1, 0, -1):
        operation = plan[position].operation
        if operation is Operation.MIXTURE:
            owner[position] = position
        elif operation is not Operation.ADD:
            owners = {owner.get(reader) for reader in readers[position]}
            if len(owners) == 1 and (own := owners.pop()) is not None:
                owner[position] = own
    found: dict[int, list[int]] = {own: [] for own in sorted(set(owner.values()))}
    for position in sorted(owner):
        if owner[position] != position:
            found[owner[position]].append(position)
    return {own: tuple(inside) for own, inside in found.items()}
