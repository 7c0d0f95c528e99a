"""Cells of NAS-Bench-201 as a search space: one edge is decided after the other."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.networks import graph as graphs
from blockqnn.networks.graph import Carried, Graph, Node, expanded
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.action_list import ActionList, Field
from blockqnn.networks.spaces.contract import Promise, SearchSpace
from blockqnn.networks.spaces.nasbench201 import codes
from blockqnn.networks.spaces.nasbench201.codes import (
    CONVOLUTION_1X1,
    CONVOLUTION_3X3,
    EDGES,
    NODES,
    NONE,
    OPERATIONS,
    POOLING,
    SKIP,
    START,
    Cell,
    CellCode,
    EdgeOperation,
)
from blockqnn.networks.spaces.nasbench201.mixed_space import MixedCells
from blockqnn.networks.spaces.nasbench201.stacking import cell_plan, placed_alone

PUBLISHED: Mapping[str, CellCode] = {
    # The highest mean test accuracy after 200 epochs of all 15,625 cells.
    "nasbench201-cifar10": codes.parse_cell(
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
        "+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
    ),
    "nasbench201-cifar100": codes.parse_cell(
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
        "+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    ),
}
"""Name to cell."""

_CARRIED: Mapping[int, Carried | None] = {
    SKIP: None,
    CONVOLUTION_1X1: Carried(graphs.CONVOLUTION, "conv 1x1", 1),
    CONVOLUTION_3X3: Carried(graphs.CONVOLUTION, "conv 3x3", 3),
    POOLING: Carried(graphs.AVERAGE_POOLING, "avg 3x3", 3),
}
"""What an edge carries in a graph; an edge with `none` is no edge."""


class EdgeActions(ActionList):
    """The operations of an edge; all are legal on every edge."""

    length = len(EDGES)
    highest = (len(EDGES), len(OPERATIONS) - 1)

    def __len__(self) -> int:
        return len(OPERATIONS)

    def action(self, number: int, position: int) -> EdgeOperation:
        """See `ActionList.action`."""
        return EdgeOperation(position, number)

    def number(self, action: Sequence[int]) -> int:
        """See `ActionList.number`."""
        if action[1] not in range(len(OPERATIONS)):
            raise KeyError(tuple(action))
        return int(action[1])

    def mask(self, position: int) -> np.ndarray:
        """See `ActionList.mask`."""
        return np.ones(len(self), np.bool_)


class CellSpace(MixedCells, SearchSpace):
    """All 15,625 cells as a decision process: one edge after the other."""

    name = "nasbench201"
    title = "cells of NAS-Bench-201"
    unit = "cell"
    layouts: Mapping[str, str] = {"nasbench201": "NAS-Bench-201"}
    example = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    feature_names = (
        *(f"{name} from node {a} to {b}" for a, b in EDGES for name in OPERATIONS),
        *(f"edges with {name}" for name in OPERATIONS),
    )

    edges = {f"{target}<-{source}": OPERATIONS for source, target in EDGES}  # noqa: RUF012

    @property
    def start(self) -> EdgeOperation:
        """The state in which every cell begins."""
        return START

    def choices(self, state: EdgeOperation) -> tuple[tuple[EdgeOperation, ...], ...]:
        """The operations of the next edge, each a group of its own."""
        return _choices(state[0] + 1)

    def is_end(self, action: EdgeOperation) -> bool:
        """Whether the cell is complete with this action."""
        return action[0] == len(EDGES)

    def numbered(self) -> EdgeActions:
        """See `SearchSpace.numbered`: the operations, whichever the edge."""
        return EdgeActions()

    def fields(self, state: EdgeOperation, action: EdgeOperation) -> tuple[Field, ...]:
        """See `SearchSpace.fields`: the operation; edges point nowhere, all nodes are there."""
        return (Field("operation", action[1]),)

    def ended(self, actions: Sequence[Any]) -> CellCode:
        """See `SearchSpace.ended`: edges that are not decided carry nothing."""
        left = range(len(actions) + 1, len(EDGES) + 1)
        return (*_named(actions), *(EdgeOperation(edge, NONE) for edge in left))

    def owns(self, code: Sequence[Sequence[int]]) -> bool:
        """See `SearchSpace.owns`: six decisions of two integers."""
        return len(code) == len(EDGES) and len(code[0]) == len(EdgeOperation._fields)

    def recognises(self, text: str) -> bool:
        """See `SearchSpace.recognises`."""
        return text.lstrip().startswith("|")

    def check(self, actions: Iterable[Sequence[int]]) -> CellCode:
        """See `SearchSpace.check`."""
        return codes.check_cell(actions)

    def parse(self, text: str) -> CellCode:
        """See `SearchSpace.parse`."""
        return codes.parse_cell(text)

    def write(self, code: Sequence[Sequence[int]]) -> str:
        """See `SearchSpace.write`."""
        return codes.write_cell(_named(code))

    def parse_prefix(self, text: str) -> CellCode:
        """See `SearchSpace.parse_prefix`."""
        return codes.parse_prefix(text)

    def write_prefix(self, actions: Sequence[Sequence[int]]) -> str:
        """See `SearchSpace.write_prefix`."""
        return codes.write_prefix(actions)

    def action_title(self, action: EdgeOperation) -> str:
        """See `SearchSpace.action_title`."""
        source, target = EDGES[action[0] - 1]
        return f"{OPERATIONS[action[1]]} from node {source} to node {target}"

    def action_kind(self, action: EdgeOperation) -> tuple[int, str]:
        """See `SearchSpace.action_kind`: the operation of an edge."""
        return action[0], OPERATIONS[action[1]]

    def on_edges(self, code: CellCode) -> dict[str, str]:
        """See `SearchSpace.on_edges`."""
        carried = (OPERATIONS[operation] for _, operation in code)
        return dict(zip(self.edges, carried, strict=True))

    def of_edges(self, operations: Mapping[str, str]) -> CellCode:
        """See `SearchSpace.of_edges`."""
        return tuple(
            EdgeOperation(number, OPERATIONS.index(operations[edge]))
            for number, edge in enumerate(self.edges, start=1)
        )

    def design(self, code: CellCode) -> Cell:
        """See `SearchSpace.design`: the cell itself, since the benchmark tells all apart."""
        return Cell(_named(code))

    def plan(self, design: Cell, layout: Layout) -> Plan:
        """See `SearchSpace.plan`."""
        self.require_layout(layout)
        return cell_plan(design, layout)

    def require_layout(self, layout: Layout) -> None:
        """See `SearchSpace.require_layout`; a pixel of a stage stands for four of that before."""
        SearchSpace.require_layout(self, layout)
        multiple = 2 ** (len(layout.filters) - 1)
        if layout.height % multiple or layout.width % multiple:
            raise LayoutError(
                f"The layout {layout.kind} halves images {len(layout.filters) - 1} times, so their "
                f"sides must be multiples of {multiple}; given {layout.height}x{layout.width}."
            )

    def rewarded_plan(self, design: Cell, layout: Layout) -> Plan:
        """See `SearchSpace.rewarded_plan`: the whole child, since a cell may compute nothing."""
        return self.plan(design, layout)

    def alone(self, design: Cell, channels: int, filters: int) -> Plan:
        """See `SearchSpace.alone`; nodes are sums, so a cell keeps the channels that it reads."""
        if channels != filters:
            raise LayoutError(
                f"A cell has as many filters as the map that it reads has channels; given "
                f"{channels} channels and {filters} filters."
            )
        return placed_alone(design, (8, 8, channels))

    def promise(self, design: Cell) -> Promise:
        """See `SearchSpace.promise`."""
        operations = [operation for _, operation in design.code]
        sides = {CONVOLUTION_1X1: 1, CONVOLUTION_3X3: 3}
        kernels = tuple(sides[each] for each in operations if each in sides)
        return Promise(kernels, operations.count(SKIP))

    def graph(self, code: CellCode, filters: int | None = None) -> Graph:
        """See `SearchSpace.graph`: nodes are sums, edges carry operations."""
        nodes = [Node(graphs.INPUT, graphs.INPUT, width=filters)]
        for target in range(1, NODES):
            arriving = [
                (EDGES[edge - 1][0], operation)
                for edge, operation in code
                if EDGES[edge - 1][1] == target and operation != NONE
            ]
            kind = graphs.OUTPUT if target == NODES - 1 else graphs.ADD
            sources = tuple(source for source, _ in arriving)
            carried = tuple(_CARRIED[operation] for _, operation in arriving)
            skips = carried.count(None)
            nodes.append(Node(kind, kind, 0, sources, carried, filters, identities=skips))
        return Graph(tuple(nodes))

    def design_graph(self, design: Cell, filters: int | None = None) -> Graph:
        """See `SearchSpace.design_graph`."""
        return self.graph(design.code, filters)

    def places(self, code: CellCode) -> dict[int, int]:
        """See `SearchSpace.places`: a cell means what was written."""
        return {node: node for node in range(1, expanded(self.graph(code)).output)}

    def layer_facts(self, code: CellCode, node: int) -> dict[str, Any]:
        """See `SearchSpace.layer_facts`."""
        layer = expanded(self.graph(code)).nodes[node]
        return {"layer": layer.label, "inputs": list(layer.inputs)}

    def facts(self, code: CellCode) -> dict[str, Any]:
        """See `SearchSpace.facts`."""
        cell = self.design(code)
        return {
            "code": self.write(code),
            "operations": [
                {"source": source, "target": target, "operation": OPERATIONS[operation]}
                for (source, target), (_, operation) in zip(EDGES, code, strict=True)
            ],
            "hash": cell.hash,
            "nodes": NODES,
            "edges": len(self.graph(code).edges),
            "density": cell.density,
        }

    def in_words(self, code: CellCode) -> tuple[list[str], list[str]]:
        """See `SearchSpace.in_words`: what each node sums up."""
        lines = ["  node 0  the cell's input"]
        for node in range(1, NODES):
            terms = [
                f"{OPERATIONS[operation]}(node {EDGES[edge - 1][0]})"
                for edge, operation in code
                if EDGES[edge - 1][1] == node and operation != NONE
            ]
            end = "  -> output" if node == NODES - 1 else ""
            lines.append(f"  node {node}  {' + '.join(terms) or 'zero'}{end}")
        cell = self.design(code)
        return lines, [f"hash {cell.hash}, density {cell.density:.3f}"]

    def mutated(self, actions: CellCode, random: np.random.Generator) -> CellCode:
        """The cell with another operation on one edge, both drawn uniformly."""
        place = int(random.integers(len(actions)))
        edge, old = actions[place]
        drawn = int(random.integers(len(OPERATIONS) - 1))
        new = EdgeOperation(edge, drawn + (drawn >= old))
        return (*actions[:place], new, *actions[place + 1 :])

    def identity(self, actions: CellCode) -> CellCode:
        """The cell itself: the benchmark has trained every one for itself."""
        return actions

    def features(self, actions: CellCode) -> tuple[float, ...]:
        """Which operation each edge carries, as zeros and a one, and how often each occurs."""
        carried = [operation for _, operation in actions]
        one_hot = [float(own == each) for own in carried for each in range(len(OPERATIONS))]
        return (*one_hot, *(float(carried.count(each)) for each in range(len(OPERATIONS))))

    @property
    def published(self) -> Mapping[str, CellCode]:
        """The best cells of the benchmark on CIFAR-10 and CIFAR-100."""
        return PUBLISHED


def _named(code: Sequence[Sequence[int]]) -> CellCode:
    """The same decisions with their names, as stores and agents return plain tuples."""
    return tuple(EdgeOperation(*each) for each in code)


@functools.cache
def _choices(edge: int) -> tuple[tuple[EdgeOperation, ...], ...]:
    return tuple((EdgeOperation(edge, number),) for number in range(len(OPERATIONS)))
