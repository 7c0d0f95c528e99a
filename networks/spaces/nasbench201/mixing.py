"""Cells of NAS-Bench-201 in which all operations of all edges are mixed."""

from __future__ import annotations

from collections.abc import Mapping

from blockqnn.networks.plan import Operation, PlanBuilder
from blockqnn.networks.spaces.mixing import (
    CONVOLUTION,
    NONE,
    POOL,
    SKIP,
    Row,
    Shares,
    node_rows,
    place_edge,
    place_node,
)
from blockqnn.networks.spaces.nasbench201 import codes
from blockqnn.networks.spaces.nasbench201.codes import (
    EDGES,
    NODES,
    OPERATIONS,
    CellCode,
    EdgeOperation,
)

CELL = "cell"
_COUNTED = {
    codes.SKIP: SKIP,
    codes.POOLING: POOL,
    codes.CONVOLUTION_1X1: CONVOLUTION,
    codes.CONVOLUTION_3X3: CONVOLUTION,
}
_SIDES = {codes.CONVOLUTION_1X1: 1, codes.CONVOLUTION_3X3: 3}


def cell_rows(partial: int) -> tuple[Row, ...]:
    """The rows of the six edges, whose order is that of the code."""
    assert OPERATIONS[0] == "none", "rows begin with the operation that gives zeros"
    return tuple(
        row
        for node in range(1, NODES)
        for row in node_rows(CELL, node, range(node), OPERATIONS[1:], partial)
    )


def kept(shares: Shares) -> dict[str, str]:
    """On each edge the operation of the largest share, `none` not excluded.

    So do the benchmark's authors: what an edge carries is decided on it alone. Of equal
    operations the first wins.

    Args:
        shares: of the rows of all edges.

    Returns:
        By the names of the rows the operation.
    """
    found = {}
    for source, target in EDGES:
        own = shares[f"{CELL}/{target}<-{source}"]
        best = max(range(len(own)), key=lambda i: (own[i], -i))
        found[f"{CELL}/{target}<-{source}"] = OPERATIONS[best]
    return found


def of_kept(kept: Mapping[str, str]) -> CellCode:
    """The cell with some operations; an edge without one carries nothing."""
    return tuple(
        EdgeOperation(number, OPERATIONS.index(kept.get(f"{CELL}/{target}<-{source}", NONE)))
        for number, (source, target) in enumerate(EDGES, start=1)
    )


def path(code: CellCode) -> dict[str, tuple[int, ...]]:
    """See `Sharing.path`: in the row of each edge its operation, or nothing for `none`."""
    others = range(1, len(OPERATIONS))
    on = {EDGES[edge - 1]: operation for edge, operation in code}
    return {
        f"{CELL}/{target}<-{source}": tuple(int(each == on[source, target]) for each in others)
        for target in range(1, NODES)
        for source in range(target)
    }


def tally(code: CellCode) -> dict[str, dict[str, int]]:
    """See `Mixing.tally`."""
    counts = {SKIP: 0, POOL: 0, CONVOLUTION: 0}
    for _, operation in code:
        if operation in _COUNTED:
            counts[_COUNTED[operation]] += 1
    return {CELL: counts}


def mixed_cell(builder: PlanBuilder, name: str, partial: int, source: int) -> int:
    """Places a cell that reads `source`; returns the position of its last node."""
    nodes = [source]
    for target in range(1, NODES):
        rows = node_rows(CELL, target, range(target), OPERATIONS[1:], partial)
        edges = [
            _edge(
                builder, f"{name}/edge{1 + EDGES.index((here, target))}", nodes[here], row, partial
            )
            for here, row in zip(range(target), rows, strict=False)
        ]
        weighing = rows[-1] if rows[-1].weighs_edges else None
        nodes.append(place_node(builder, f"{name}/node{target}", edges, weighing))
    return nodes[-1]


def _edge(builder: PlanBuilder, name: str, source: int, row: Row, partial: int) -> int:
    def operations(read: int, filters: int) -> list[int]:
        """Places all of them; see `place_edge`."""
        found = []
        for number, operation in enumerate(OPERATIONS[1:], start=1):
            own = f"{name}/{operation}"
            here = read
            if number in _SIDES:
                # Cells with this operation on this edge have these arrays.
                here = builder.place(
                    own,
                    Operation.PCC,
                    (read,),
                    kernel=_SIDES[number],
                    filters=filters,
                    shared_as=name,
                )
            elif number == codes.POOLING:
                here = builder.place(own, Operation.AVERAGE_POOLING, (read,), kernel=3)
            found.append(here)
        return found

    return place_edge(builder, name, source, row, partial, 1, operations)
