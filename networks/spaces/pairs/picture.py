"""Cells of pairs as one graph: the normal cell, and after it the reduction cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from blockqnn.networks import graph as graphs
from blockqnn.networks.graph import Graph, Node
from blockqnn.networks.spaces.pairs.codes import Cell
from blockqnn.networks.spaces.pairs.families import CONCAT, INPUTS, CellOperation, Kind

_KINDS = {
    Kind.MAX_POOLING: graphs.MAX_POOLING,
    Kind.AVERAGE_POOLING: graphs.AVERAGE_POOLING,
}
_WORDS = {
    "id": "identity",
    "c13": "1x3, 3x1",
    "c17": "1x7, 7x1",
    "dconv3": "dilated 3x3",
    "dil3": "dil sep 3x3",
    "dil5": "dil sep 5x5",
}

COMBINED = (graphs.ADD, graphs.CONCAT, "add, layer norm", "add, instance norm")
"""What nodes are called that combine two halves."""

Tag = tuple[int, int, int]
"""What a node of a graph is: a cell's number, a state or `OUT`, and a half or `WHOLE`."""
OUT, WHOLE = -1, -1
GIVEN = -1
"""The number of a cell whose states are what the first one is given."""


class Tagged(NamedTuple):
    """A graph whose nodes are known.

    Attributes:
        graph: with a node for each operation.
        tags: position in it of what each tag names.
    """

    graph: Graph
    tags: dict[Tag, int]


def _inputs(count: int) -> list[str]:
    return [f"input {state}" for state in range(count)]


def label(operation: CellOperation) -> str:
    """A short text for an operation, such as `sep 3x3`."""
    side = f"{operation.kernel}x{operation.kernel}"
    return _WORDS.get(operation.name, f"{operation.name.rstrip('1357')} {side}")


def cells_graph(cells: Sequence[Cell], filters: int | None = None) -> Tagged:
    """The graph of one or two cells.

    The newer input is the graph's own, the older one a node of its own; where a cell reads more
    maps, each is. A reduction cell reads what the normal cell reads and what it writes, or its
    nodes, as after it in a network.

    Args:
        cells: in order.
        filters: of the first, for the widths; None for a graph without widths.

    Returns:
        The graph with tags.
    """
    nodes = [Node(graphs.INPUT, graphs.INPUT, width=filters)]
    tags: dict[Tag, int] = {}
    named = ["older input"] if cells[0].inputs == INPUTS else _inputs(cells[0].inputs)
    for state, name in enumerate(named):
        tags[GIVEN, state, WHOLE] = len(nodes)
        nodes.append(Node(graphs.IDENTITY, name, 0, (0,), width=filters, role=graphs.GIVEN))
    given = [*range(1, len(nodes)), 0][: cells[0].inputs]
    for number, cell in enumerate(cells):
        width = None if filters is None else filters * 2**number
        states = list(given)
        for pair in cell.nodes:
            state, halves = len(states), []
            for side, (read, operation) in enumerate(pair.halves):
                if operation.kind is Kind.IDENTITY:
                    halves.append(states[read])
                    continue
                kind = _KINDS.get(operation.kind, graphs.CONVOLUTION)
                tags[number, state, side] = len(nodes)
                halves.append(len(nodes))
                # A row of pixels and then a column of them, and never a square.
                crossed = operation.kind is Kind.CROSSED
                rows, across = (1, operation.kernel) if crossed else (operation.kernel, 0)
                nodes.append(
                    Node(kind, label(operation), rows, (states[read],), width=width, across=across)
                )
            joined = pair.combination == CONCAT
            kind = graphs.CONCAT if joined else graphs.ADD
            tags[number, state, WHOLE] = len(nodes)
            own = width if width is None else width * (1 + joined)
            passed = sum(operation.kind is Kind.IDENTITY for _, operation in pair.halves)
            nodes.append(
                Node(
                    *(kind, COMBINED[pair.combination], 0, tuple(halves)),
                    width=own,
                    identities=passed,
                )
            )
            states.append(len(nodes) - 1)
        out = [states[state] for state in cell.outputs]
        output = out[0]
        last = number == len(cells) - 1
        if len(out) > 1 and (last or not cell.apart):
            tags[number, OUT, WHOLE] = len(nodes)
            total = None if width is None else sum(nodes[each].width or 0 for each in out)
            nodes.append(
                Node(
                    *(graphs.CONCAT, f"{cell.name} cell", 0, tuple(out)),
                    width=total,
                    role=graphs.ENDING,
                )
            )
            output = len(nodes) - 1
        given = out if cell.apart else [given[-1], output]
    nodes.append(Node(graphs.OUTPUT, graphs.OUTPUT, 0, (output,), width=nodes[output].width))
    return Tagged(Graph(tuple(nodes)), tags)
