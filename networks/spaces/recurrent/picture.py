"""Recurrent cells as graphs: what happens to one word.

The graph's input is the word; the state that the word before has left, and the memory, are nodes
of their own that stand behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from blockqnn.networks import graph as graphs
from blockqnn.networks.graph import Graph, Node

if TYPE_CHECKING:
    from blockqnn.networks.spaces.recurrent.meaning import CellDesign

STATE, MEMORY = "state h", "memory c"
_KINDS = {"add": graphs.ADD, "mul": graphs.MULTIPLY, "": graphs.ACTIVATION}

_F, _A, _M = graphs.ACTIVATION, graphs.ADD, graphs.MULTIPLY
_KNOWN: dict[str, tuple[bool, tuple[tuple[str, str, tuple[int, ...]], ...], int]] = {
    "elman": (False, ((_F, "tanh", (0, 1)),), 2),
    "gru": (
        False,
        (
            (_F, "sigmoid: reset", (0, 1)),
            (_F, "sigmoid: update", (0, 1)),
            (_M, "reset the state", (1, 2)),
            (_F, "tanh: new", (0, 4)),
            (_A, "update", (1, 3, 5)),
        ),
        6,
    ),
    "lstm": (
        True,
        (
            (_F, "sigmoid: input", (0, 1)),
            (_F, "sigmoid: forget", (0, 1)),
            (_F, "tanh: new", (0, 1)),
            (_F, "sigmoid: output", (0, 1)),
            (_M, "forget", (2, 4)),
            (_M, "enter", (3, 5)),
            (_A, "memory c'", (7, 8)),
            (_F, "tanh", (9,)),
            (_M, "state h'", (6, 10)),
        ),
        11,
    ),
}
"""Of each cell that people designed: whether it has a memory, its nodes, and which goes out."""


def cell_graph(design: CellDesign, width: int | None = None) -> Graph:
    """The graph of a cell.

    Args:
        design: the cell.
        width: of its state; None for a graph without widths.

    Returns:
        The graph, with a node for each node of the cell, in order, behind those of `given`.
    """
    nodes = [Node(graphs.INPUT, graphs.INPUT, width=width)]

    def add(kind: str, label: str, inputs: tuple[int, ...], role: str = graphs.LAYER) -> int:
        nodes.append(Node(kind, label, 0, inputs, width=width, role=role))
        return len(nodes) - 1

    for name in (STATE, MEMORY)[: given(design) - 1]:
        add(graphs.IDENTITY, name, (0,), graphs.GIVEN)
    if design.known:
        _, own, output = _KNOWN[design.known]
        for kind, label, inputs in own:
            add(kind, label, inputs)
    else:
        output = _placed(design, add)
    nodes.append(Node(graphs.OUTPUT, graphs.OUTPUT, 0, (output,), width=width))
    return Graph(tuple(nodes))


def given(design: CellDesign) -> int:
    """How many nodes of the graph are there before those of the cell."""
    has_memory = _KNOWN[design.known][0] if design.known else design.memory is not None
    return 3 if has_memory else 2


def places(design: CellDesign) -> tuple[int, ...]:
    """For each node of a cell its position in the graph."""
    found, here = [], given(design)
    for number in range(len(design.nodes)):
        found.append(here)
        here += 2 if design.memory is not None and number == design.memory.read else 1
    return tuple(found)


def _placed(design: CellDesign, add: Callable[..., int]) -> int:
    """Places the nodes; returns what goes out."""
    memory = design.memory
    out: list[int] = []
    for number, node in enumerate(design.nodes):
        inputs = tuple(out[each] for each in node.inputs) or (0, 1)
        label = f"{node.combination}, {node.function}" if node.combination else node.function
        if memory is not None and number == memory.written:
            label = f"{label} -> c'"
        here = add(_KINDS[node.combination], label, inputs)
        if memory is not None and number == memory.read:
            label = f"{memory.combination}, {memory.function}"
            here = add(_KINDS[memory.combination], label, (2, here))
        out.append(here)
    if memory is not None or len(out) == 1:
        return out[-1]
    if len(out) == 2:
        return out[1]
    return add(graphs.ADD, "mean", tuple(out[1:]), graphs.ENDING)
