"""The recurrent cell of which all cells of a size are paths.

A path says for each node which earlier one it reads and by which function. Matrices stand in the
plan once for each node; which one it is, of all that a bank has for the node, follows from the
design (`blockqnn.networks.spaces.recurrent.plan.product_name`).
"""

from __future__ import annotations

from blockqnn.networks.operations.recurrent import HIGHWAYS, Recurrent
from blockqnn.networks.operations.recurrent_choices import FUNCTIONS, RecurrentChoice
from blockqnn.networks.recurrent.placing import CellBuilder
from blockqnn.networks.spaces.recurrent.families import DARTS, ENAS, UNREAD_NODES, Family
from blockqnn.networks.spaces.recurrent.meaning import CellDesign
from blockqnn.networks.spaces.recurrent.plan import begin_highways, end_highways

FAMILIES = (ENAS, DARTS)
"""Whose cells share weights."""

_CELL = "cell"


def unshared(family: Family) -> str:
    """Why cells of a family share no weights; empty where they do."""
    if family in FAMILIES:
        return ""
    return (
        f"Weights are shared by cells whose nodes read one earlier node each, and those of the "
        f"space {family.name} do not"
    )


def place_all(cell: CellBuilder, family: Family, nodes: int, rules: str) -> int:
    """Places the cell of which all cells of so many nodes are paths.

    Args:
        cell: begun.
        family: of the cells.
        nodes: of each of them.
        rules: which nodes a cell writes the mean of.

    Returns:
        The position of the vector that it writes.
    """
    both, state = begin_highways(cell)
    if _decides_first(family):
        values = [_node(cell, 0, both, state)]
    else:
        values = [cell.place("node0", HIGHWAYS["tanh"], (both, state))]
    for number in range(1, nodes):
        source = cell.choice(
            f"node{number}/source", RecurrentChoice.CHOSEN, values, f"{_CELL}/{number}/source"
        )
        dropped = cell.dropped(f"node{number}/dropped", source)
        both = cell.product(f"node{number}/product", dropped, 2)
        values.append(_node(cell, number, both, source))
    if rules == UNREAD_NODES:
        out = cell.choice("mean", RecurrentChoice.CHOSEN_MEAN, values, f"{_CELL}/output")
        return end_highways(cell, out)
    return end_highways(cell, cell.place("mean", Recurrent.MEAN, tuple(values[1:] or values)))


def path(family: Family, design: CellDesign) -> dict[str, tuple[int, ...]]:
    """See `Sharing.path`: for each node what it reads and its function, and what goes out."""
    found: dict[str, tuple[int, ...]] = {}
    for number, node in enumerate(design.nodes):
        if number:
            found[f"{_CELL}/{number}/source"] = _one(node.inputs[0], number)
        if number or _decides_first(family):
            place = FUNCTIONS.index(node.function)
            found[f"{_CELL}/{number}/function"] = _one(place, len(FUNCTIONS))
    found[f"{_CELL}/output"] = tuple(int(n in design.unread) for n in range(len(design.nodes)))
    return found


def _node(cell: CellBuilder, number: int, both: int, source: int) -> int:
    return cell.choice(
        f"node{number}",
        RecurrentChoice.CHOSEN_NODE,
        (both, source),
        f"{_CELL}/{number}/function",
        len(FUNCTIONS),
    )


def _decides_first(family: Family) -> bool:
    """Whether the function of the first node is a decision."""
    return family.questions(1)[0].node == 0


def _one(place: int, count: int) -> tuple[int, ...]:
    return tuple(int(each == place) for each in range(count))
