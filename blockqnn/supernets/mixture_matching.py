"""How far the operations of an edge of a mixture agree about all other weights, by gradients.

Hu et al., "Generalizing Few-Shot NAS with Gradient Matching", ICLR 2022, for a mixture: each
operation in turn has the whole of its edge, and the others mix as alpha says.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from blockqnn.networks.mixed_plan import edges_of
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.contract import Row
from blockqnn.shared_work import MixtureEpoch
from blockqnn.supernets.alpha import Rows, decided
from blockqnn.supernets.matching import distance
from blockqnn.supernets.mixture_execution import MixtureExecution


def row_distances(
    execution: MixtureExecution,
    rows: Sequence[Row],
    alpha: Rows,
    order: Sequence[np.ndarray],
    work: MixtureEpoch,
) -> dict[str, np.ndarray]:
    """For each edge `1 - cos` of the gradients under two of its operations, the mean over batches.

    Args:
        execution: of the mixture, whose weights stay as they are.
        rows: of it.
        alpha: their numbers.
        order: for each batch int32 [B], images of the training part.
        work: says which operations of which rows are compared.

    Returns:
        By row float64 [O, O], symmetric, 0 on the diagonal.
    """
    plan = execution.plan
    inside = {name: keys_inside(plan, name) for name in work.compared}
    sums = {name: np.zeros((len(own), len(own))) for name, own in work.compared.items()}
    for indices in order:
        for name, operations in work.compared.items():
            found = []
            for operation in operations:
                forced = decided(rows, alpha, {name: operation})
                gradients = execution.gradients(forced, np.asarray(indices, np.int32))
                # What the edge itself computes with has a gradient under one operation alone.
                found.append(
                    {
                        key: array
                        for key, array in gradients.items()
                        if key.rpartition(" ")[0] not in inside[name]
                    }
                )
            for a in range(len(found)):
                for b in range(a):
                    sums[name][a, b] += distance(found[a], found[b])
    return {name: (own + own.T) / len(order) for name, own in sums.items()}


def keys_inside(plan: Plan, row: str) -> set[str]:
    """The keys of all layers on the edges of a row, in all cells."""
    return {
        plan[position].bank_key
        for mixture, members in edges_of(plan).items()
        if plan[mixture].mixture == row
        for position in members
    }
