"""The recurrent cell of DARTS in which all functions of all edges are mixed.

Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, sections 2.2 and
3.1.2, appendix A.1.2; as in the authors' code the matrix of a node is that of all edges into it,
and batch norm without scale and shift follows every node, which designs do not have.
"""

from __future__ import annotations

from collections.abc import Mapping

from blockqnn.networks.operations.recurrent import HIGHWAYS, Recurrent
from blockqnn.networks.operations.recurrent_choices import FUNCTIONS, RecurrentChoice
from blockqnn.networks.recurrent.placing import CellBuilder
from blockqnn.networks.spaces.mixing import Row, Shares, node_rows, strongest
from blockqnn.networks.spaces.recurrent.families import DARTS, Family
from blockqnn.networks.spaces.recurrent.meaning import CellDesign
from blockqnn.networks.spaces.recurrent.plan import begin_highways, end_highways

IDENTITY = "identity"
SOURCES = 1
"""Earlier nodes that a node reads."""

_CELL = "cell"


def unmixed(family: Family) -> str:
    """Why there is no mixture of a family's cells; empty where there is."""
    if family is DARTS:
        return ""
    return (
        "A mixture of recurrent cells needs nodes that read one earlier node each, with a matrix "
        f"that all edges into a node share, and those of the space {family.name} are others"
    )


def rows_of(nodes: int) -> tuple[tuple[Row, ...], ...]:
    """For each node but the first the rows of the edges into it.

    Args:
        nodes: of a cell, the first included.

    Returns:
        Rows whose choices are `none` and the functions.
    """
    return tuple(
        tuple(node_rows(_CELL, number, range(number), FUNCTIONS, 1)) for number in range(1, nodes)
    )


def place_mixed(cell: CellBuilder, nodes: int) -> int:
    """Places the cell in which all functions of all edges are mixed.

    Args:
        cell: begun.
        nodes: of it, the first included.

    Returns:
        The position of the vector that it writes.
    """
    both, state = begin_highways(cell)
    first = cell.place("node0", HIGHWAYS["tanh"], (both, state))
    values = [cell.place("node0/norm", RecurrentChoice.NORMALISED, (first,))]
    dropped = [cell.dropped("node0/dropped", values[0])]
    for number, rows in enumerate(rows_of(nodes), start=1):
        name = f"node{number}"
        shared = f"{cell.name}/{name}/product"
        here = -1
        for source, row in enumerate(rows):
            edge = f"{name}<-{source}"
            both = cell.product(f"{edge}/product", dropped[source], 2, shared)
            brought = cell.choice(
                edge, RecurrentChoice.MIXED_NODE, (both, values[source]), row.name, len(row.choices)
            )
            here = cell.place(f"{edge}/sum", Recurrent.ADD, (here, brought)) if source else brought
        values.append(cell.place(f"{name}/norm", RecurrentChoice.NORMALISED, (here,)))
        dropped.append(cell.dropped(f"{name}/dropped", values[-1]))
    return end_highways(cell, cell.place("mean", Recurrent.MEAN, tuple(values[1:] or values)))


def kept(shares: Shares, nodes: int) -> dict[str, str]:
    """For each node its strongest edge with its strongest function, `none` left out."""
    return {
        row.name: function
        for rows in rows_of(nodes)
        for row, function in strongest(shares, rows, SOURCES)
    }


def as_text(kept: Mapping[str, str]) -> str:
    """The code of the cell that keeps a function on an edge into each node."""
    found = {}
    for name, function in kept.items():
        node, _, source = name.removeprefix(f"{_CELL}/").partition("<-")
        found[int(node)] = f"{function}({source})"
    return " ".join([DARTS.name, *(found[node] for node in sorted(found))])


def tally(design: CellDesign) -> dict[str, dict[str, int]]:
    """How often each function stands in a cell as it was written, behind its first node."""
    counts = dict.fromkeys(FUNCTIONS, 0)
    for node in design.nodes[1:]:
        counts[node.function] += 1
    return {_CELL: counts}
