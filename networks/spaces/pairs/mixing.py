"""Cells of pairs in which all operations of all edges are mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blockqnn.networks.plan import PlanBuilder
from blockqnn.networks.spaces.mixing import (
    CONVOLUTION,
    POOL,
    SKIP,
    Row,
    Shares,
    node_rows,
    place_edge,
    place_node,
    strongest,
)
from blockqnn.networks.spaces.pairs.codes import Cell
from blockqnn.networks.spaces.pairs.families import OPERATIONS, Family, Kind, Outputs
from blockqnn.networks.spaces.pairs.meaning import Cells
from blockqnn.networks.spaces.pairs.placing import Placing
from blockqnn.networks.spaces.pairs.rules import Rules

HALVES = 2
"""Of a node, which keeps so many edges."""
_COUNTED = {
    Kind.IDENTITY: SKIP,
    Kind.MAX_POOLING: POOL,
    Kind.AVERAGE_POOLING: POOL,
}


def family_rows(family: Family, partial: int) -> tuple[Row, ...]:
    """The rows of a family: an edge from every earlier state to every node of every cell."""
    return tuple(
        row
        for cell in family.cells
        for node in range(family.inputs, family.states)
        for row in node_rows(cell, node, range(node), family.operations, partial)
    )


def all_cells(family: Family) -> Cells:
    """What stands in the place of a design: cells of which all nodes go out."""
    outputs = tuple(range(family.inputs, family.states))
    apart = family.outputs is Outputs.EACH_NODE
    cells = (Cell(name, (), outputs, family.inputs, apart) for name in family.cells)
    return Cells(family.name, tuple(cells))


def kept(family: Family, shares: Shares) -> dict[str, str]:
    """See `Mixing.kept`: of each node the two strongest edges."""
    partial = 2 if any("<-" not in name for name in shares) else 1
    found: dict[str, str] = {}
    for cell in family.cells:
        for node in range(family.inputs, family.states):
            rows = node_rows(cell, node, range(node), family.operations, partial)
            found |= {row.name: operation for row, operation in strongest(shares, rows, HALVES)}
    return found


def as_text(family: Family, kept: Mapping[str, str]) -> str:
    """The code that keeps two edges into each node, as text for the family's parser."""
    words = [family.name]
    for cell in family.cells:
        words += [cell] if len(family.cells) > 1 else []
        for node in range(family.inputs, family.states):
            names = [(state, f"{cell}/{node}<-{state}") for state in range(node)]
            halves = [f"{kept[name]}({state})" for state, name in names if name in kept]
            words += [str(node), "+".join(halves)]
    return " ".join(words)


def tally(cells: Sequence[Cell]) -> dict[str, dict[str, int]]:
    """See `Mixing.tally`."""
    found = {}
    for cell in cells:
        counts = {SKIP: 0, POOL: 0, CONVOLUTION: 0}
        for pair in cell.nodes:
            for _, operation in pair.halves:
                counts[_COUNTED.get(operation.kind, CONVOLUTION)] += 1
        found[cell.name] = counts
    return found


class MixedPlacing(Placing):
    """Places one cell with every operation on an edge from every earlier state."""

    def __init__(
        self,
        family: Family,
        partial: int,
        builder: PlanBuilder,
        name: str,
        rules: Rules,
        filters: int,
        reduces: bool,
        share: float = 0.0,
    ):
        """Prepares to place.

        Args:
            family: of the cells.
            partial: one in so many channels is mixed.
            builder: see `Placing`.
            name: likewise.
            rules: likewise.
            filters: likewise.
            reduces: likewise.
            share: likewise.
        """
        super().__init__(builder, name, rules, filters, reduces, share)
        self._family, self._partial, self._width_of_cell = family, partial, filters

    def _states(self, cell: Cell, given: Sequence[int]) -> list[int]:
        """What is given, and all nodes."""
        states, self._given = list(given), len(given)
        for node in range(len(given), self._family.states):
            rows = node_rows(cell.name, node, range(node), self._family.operations, self._partial)
            edges = [self._edge(node, state, states[state], rows[state]) for state in range(node)]
            weighing = rows[-1] if rows[-1].weighs_edges else None
            states.append(place_node(self._builder, f"{self._name}/node{node}", edges, weighing))
        return states

    def _edge(self, node: int, state: int, source: int, row: Row) -> int:
        stride = self._stride if state < self._given else 1

        def operations(read: int, filters: int) -> list[int]:
            """Places all of them; see `place_edge`."""
            self._filters, found = filters, []
            for name in row.choices[1:]:
                # Whatever of a design reads this state for this node has these arrays.
                self._half_name = f"node{node}/from{state}/{name}"
                self._shared = f"node{node}/from{state}"
                found.append(self._half(self._half_name, OPERATIONS[name], read, stride))
            self._half_name, self._filters = "", self._width_of_cell
            return found

        name = f"{self._name}/node{node}/from{state}"
        return place_edge(self._builder, name, source, row, self._partial, stride, operations)
