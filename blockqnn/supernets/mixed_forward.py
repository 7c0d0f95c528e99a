"""A mixture computed layer by layer inside one program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from blockqnn.networks.layers import compute
from blockqnn.networks.mixed_plan import edges_of
from blockqnn.networks.normalisation import Arrays
from blockqnn.networks.operations.steps import ROW
from blockqnn.networks.plan import Plan
from blockqnn.supernets.alpha import Rows


def mixed_forward(
    plan: Plan,
    parameters: Sequence[Arrays],
    statistics: Sequence[Arrays],
    rows: Rows,
    images: jax.Array,
    rematerialise: bool = False,
    devices: str | None = None,
) -> tuple[jax.Array, list[Arrays]]:
    """Computes a mixture in training.

    Args:
        plan: of it.
        parameters: for each layer its trained arrays.
        statistics: for each layer its running statistics.
        rows: of alpha.
        images: [B, H, W, C], normalised.
        rematerialise: whether what is within an edge is computed again on the way back.
        devices: as for `blockqnn.networks.layers.compute_by_batch`.

    Returns:
        Logits [B, classes] and the statistics after it.
    """
    edges = edges_of(plan) if rematerialise else {}
    inside = {position for positions in edges.values() for position in positions}
    outputs: dict[int, jax.Array] = {0: images}
    after = list(statistics)

    def one(position: int, own: Arrays, running: Arrays, read: Mapping[int, jax.Array]) -> Any:
        """Computes a layer."""
        layer = plan[position]
        own = {ROW: rows[layer.mixture]} if layer.mixture else own
        inputs = [read[i] for i in layer.inputs]
        return compute(layer, own, running, inputs, training=True, devices=devices)

    for position in range(1, len(plan)):
        if position in inside:
            continue
        if not edges.get(position):
            outputs[position], after[position] = one(
                position, parameters[position], statistics[position], outputs
            )
            continue
        members = (*edges[position], position)
        read = {i for member in members for i in plan[member].inputs} - set(members)

        def edge(
            own: Any, row: Any, given: dict[int, jax.Array], members: tuple[int, ...] = members
        ) -> Any:
            """Computes what is within an edge, and its mixture."""
            found, running = dict(given), []
            for member in members:
                arrays = {ROW: row} if plan[member].mixture else own[member]
                found[member], statistics_after = compute(
                    plan[member],
                    arrays,
                    statistics[member],
                    [found[i] for i in plan[member].inputs],
                    training=True,
                    devices=devices,
                )
                running.append(statistics_after)
            return found[members[-1]], running

        output, running = jax.checkpoint(edge)(
            {member: parameters[member] for member in members},
            rows[plan[position].mixture],
            {i: outputs[i] for i in read},
        )
        outputs[position] = output
        for member, statistics_after in zip(members, running, strict=True):
            after[member] = statistics_after
    return outputs[len(plan) - 1], after
