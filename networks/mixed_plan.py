"""A plan with mixtures seen as edges: which layers belong to the choice that a mixture makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from blockqnn.networks.plan import Operation, PlacedLayer, Plan

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


def narrowed(plan: Plan, left: Mapping[str, Sequence[int]]) -> Plan:
    """A plan some of whose mixtures have some of their inputs alone.

    Args:
        plan: with mixtures.
        left: by the name of a row which inputs its mixtures keep, by their places among them.

    Returns:
        The plan without what nobody reads then. All that is left stands where it stood, by its
        name, so what designs share has the same keys; a narrowed mixture has a choice for each
        input that it keeps, and as many before them as it had.
    """
    layers = [_narrowed(layer, left.get(layer.mixture)) for layer in plan]
    read = {len(layers) - 1}
    for position in range(len(layers) - 1, -1, -1):
        if position in read:
            read.update(layers[position].inputs)
    places = {old: new for new, old in enumerate(sorted(read))}
    return tuple(
        dataclasses.replace(layers[old], inputs=tuple(places[i] for i in layers[old].inputs))
        for old in places
    )


def _narrowed(layer: PlacedLayer, kept: Sequence[int] | None) -> PlacedLayer:
    if kept is None or not layer.mixture:
        return layer
    return dataclasses.replace(
        layer,
        inputs=tuple(layer.inputs[place] for place in kept),
        input_shapes=tuple(layer.input_shapes[place] for place in kept),
        choices=layer.choices - len(layer.inputs) + len(kept),
    )
