"""Cells of pairs as paths through cells with every operation on every edge."""

from __future__ import annotations

from collections.abc import Sequence

from blockqnn.networks.plan import Operation
from blockqnn.networks.spaces.mixing import Row
from blockqnn.networks.spaces.pairs.codes import Cell
from blockqnn.networks.spaces.pairs.families import OPERATIONS, Family
from blockqnn.networks.spaces.pairs.meaning import Cells
from blockqnn.networks.spaces.pairs.mixing import MixedPlacing


def unplanned(family: Family) -> str:
    """Why no one network has all cells of a family as its paths; empty where one has."""
    if family.combinations == 1:
        return ""
    return f"Nodes of the space {family.name} that concatenate are wider than those that add"


def all_states(family: Family, squeezes: bool) -> Cells:
    """What stands in the place of a design: cells of which all goes out that may go out.

    Args:
        family: of the cells.
        squeezes: whether the inputs of a cell may go out, besides its nodes.

    Returns:
        Cells without nodes of their own.
    """
    outputs = tuple(range(0 if squeezes else family.inputs, family.states))
    return Cells(family.name, tuple(Cell(name, (), outputs) for name in family.cells))


def path(family: Family, design: Cells) -> dict[str, tuple[int, ...]]:
    """See `Sharing.path`: which operations are on each edge, and what goes out."""
    found = {}
    for cell in design.cells:
        for node in range(family.inputs, family.states):
            here = cell.nodes[node - family.inputs : node - family.inputs + 1]
            for state in range(node):
                taken = _on_edge(family, here[0].halves if here else (), state)
                found[f"{cell.name}/{node}<-{state}"] = taken
        out = (int(state in cell.outputs) for state in range(family.states))
        found[f"{cell.name}/output"] = tuple(out)
    return found


def _on_edge(family: Family, halves: Sequence[tuple[int, object]], state: int) -> tuple[int, ...]:
    """For each operation whether a node has it on a state, and then whether it has it again."""
    names = [OPERATIONS[name] for name in family.operations]
    once = [sum(half == (state, each) for half in halves) for each in names]
    ways = [int(count > 0) for count in once]
    return (*ways, *(() if family.differ else (int(count > 1) for count in once)))


class PathPlacing(MixedPlacing):
    """Places one cell with every operation on every edge, of which a path takes a few."""

    def _edge(self, node: int, state: int, source: int, row: Row) -> int:
        """An edge on which two halves of a node may have one operation, each its own weights."""
        stride = self._stride if state < self._given else 1
        ways = []
        for again in ("",) if self._family.differ else ("", "again"):
            for name in row.choices[1:]:
                self._half_name = f"node{node}/from{state}{again}/{name}"
                self._shared = f"node{node}/from{state}{again}"
                ways.append(self._half(self._half_name, OPERATIONS[name], source, stride))
        self._half_name = ""
        return self._choice(f"node{node}/from{state}/mixture", ways, row.name)

    def _squeezed(self, states: Sequence[int], outputs: Sequence[int]) -> int:
        parts = [self._squeezed_part(*both) for both in zip(states, outputs, strict=True)]
        here = self._choice("squeezed/mixture", parts, f"{self._cell}/output")
        return self._add("squeezed/norm", Operation.BATCH_NORM, (here,))

    def _states(self, cell: Cell, given: Sequence[int]) -> list[int]:
        self._cell = cell.name
        return super()._states(cell, given)

    def _choice(self, name: str, ways: Sequence[int], row: str) -> int:
        return self._builder.place(
            f"{self._name}/{name}", Operation.MIXTURE, ways, mixture=row, choices=len(ways)
        )
