"""The cells of NAS-Bench-201: as a decision process, as text, and as child networks.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural
Architecture Search", ICLR 2020, section 2.1. A cell has four nodes; each of
the six edges from an earlier node to a later one carries one of five
operations, and a node is the sum of what its edges bring. A child network
stacks equal cells in three stages, with a residual block of stride 2 between.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from blockqnn.networks.layout import NASBENCH201, Layout, LayoutError
from blockqnn.networks.plan import Operation, Plan, PlanBuilder
from blockqnn.networks.spaces.nsc.codes import CodeError

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""What an edge may carry, by its number in a code."""
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Source and target node of each edge, in the order of decisions and of the text form."""
NODES = 4

_NONE, _SKIP, _CONVOLUTION_1X1, _CONVOLUTION_3X3, _POOLING = range(len(OPERATIONS))


class EdgeOperation(NamedTuple):
    """A decision.

    Attributes:
        edge: from 1 to 6; 0 stands for no decision yet.
        operation: a position in `OPERATIONS`.
    """

    edge: int
    operation: int


CellCode = tuple[EdgeOperation, ...]
"""A cell: one decision for each edge, in order."""

START = EdgeOperation(0, 0)
"""The state before the first decision."""


class CellSpace:
    """All 15,625 cells as a decision process: one edge after the other."""

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


@dataclasses.dataclass(frozen=True)
class Cell:
    """What a cell means.

    Attributes:
        code: its six decisions.
    """

    code: CellCode

    @property
    def density(self) -> float:
        """Edges that carry something over nodes."""
        return sum(operation != _NONE for _, operation in self.code) / NODES

    @property
    def emptiness(self) -> str:
        """Why there is nothing to train, for the user; empty where there is something."""
        return "" if self.density else "no operation"

    @functools.cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that name the cell."""
        return hashlib.sha256(write_cell(self.code).encode()).hexdigest()[:16]


def check_cell(rows: Iterable[Sequence[int]]) -> CellCode:
    """Checks decisions that make up a cell.

    Args:
        rows: pairs of an edge, from 1 to 6, and an operation, from 0 to 4.

    Returns:
        The cell.

    Raises:
        CodeError: if they do not make up one.
    """
    code = []
    for position, row in enumerate(rows, start=1):
        if len(row) != 2 or position > len(EDGES) or row[0] != position:
            raise CodeError(
                f"Edge {position}: a cell is six pairs (edge,operation) with edges counting up "
                f"from 1 to {len(EDGES)}, given {tuple(row)}."
            )
        if row[1] not in range(len(OPERATIONS)):
            allowed = ", ".join(f"{i} ({name})" for i, name in enumerate(OPERATIONS))
            raise CodeError(f"Edge {position}: operation is {row[1]}; allowed: {allowed}.")
        code.append(EdgeOperation(int(row[0]), int(row[1])))
    if len(code) != len(EDGES):
        raise CodeError(f"A cell has {len(EDGES)} edges, given {len(code)}.")
    return tuple(code)


_TEXT = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|", re.ASCII)


def parse_cell(text: str) -> CellCode:
    """Reads a cell in the text form of the benchmark.

    Args:
        text: such as `|none~0|+|none~0|none~1|+|none~0|none~1|none~2|`, which
            names the operations of the edges into each node, and their sources.

    Returns:
        The cell.

    Raises:
        CodeError: if the text is no cell.
    """
    match = _TEXT.fullmatch(text.strip())
    names = match.groups() if match else ()
    unknown = [name for name in names if name not in OPERATIONS]
    if match is None or unknown:
        given = repr(unknown[0]) if unknown else repr(text[:120])
        raise CodeError(
            f"A cell is written |OP~0|+|OP~0|OP~1|+|OP~0|OP~1|OP~2| with OP one of "
            f"{', '.join(OPERATIONS)}; given: {given}."
        )
    return tuple(EdgeOperation(i, OPERATIONS.index(name)) for i, name in enumerate(names, start=1))


def write_cell(code: CellCode) -> str:
    """The text form of the benchmark."""
    nodes: list[str] = []
    for target in range(1, NODES):
        parts = [
            f"{OPERATIONS[operation]}~{EDGES[edge - 1][0]}"
            for edge, operation in code
            if EDGES[edge - 1][1] == target
        ]
        nodes.append(f"|{'|'.join(parts)}|")
    return "+".join(nodes)


def cell_plan(cell: Cell, layout: Layout) -> Plan:
    """Stacks a cell into the skeleton of the benchmark.

    Args:
        cell: which one.
        layout: of kind `nasbench201`; the benchmark has 16, 32 and 64 filters
            and 5 cells a stage.

    Returns:
        The plan, with the layers that nobody reads, which the benchmark
        counts among the parameters too.

    Raises:
        LayoutError: if the layout is of another kind.
    """
    if layout.kind != NASBENCH201:
        raise LayoutError(
            f"A cell of NAS-Bench-201 needs the layout {NASBENCH201}, given {layout.kind}."
        )
    builder = PlanBuilder()
    here = builder.place("image", Operation.IMAGE, (), layout.image_shape)
    here = builder.convolution(
        "stem/convolution", Operation.CONVOLUTION, here, 3, layout.filters[0]
    )
    here = _norm(builder, "stem/norm", here)
    for stage, filters in enumerate(layout.filters, start=1):
        if stage > 1:
            here = _reduction(builder, f"stage{stage}/reduction", here, filters)
        for repeat in range(1, layout.repeats + 1):
            here = _cell(builder, f"stage{stage}/cell{repeat}", cell.code, here)
    here = _norm(builder, "head/norm", here)
    builder.head(here, layout.classes)
    return tuple(builder.layers)


@functools.cache
def _choices(edge: int) -> tuple[tuple[EdgeOperation, ...], ...]:
    return tuple((EdgeOperation(edge, number),) for number in range(len(OPERATIONS)))


def _norm(builder: PlanBuilder, name: str, source: int) -> int:
    return builder.place(name, Operation.BATCH_NORM, (source,), builder.layers[source].shape)


def _reduction(builder: PlanBuilder, name: str, source: int, filters: int) -> int:
    """The residual block between two stages."""
    first = builder.convolution(f"{name}/layer1", Operation.PCC, source, 3, filters, stride=2)
    second = builder.convolution(f"{name}/layer2", Operation.PCC, first, 3, filters)
    pooled = builder.downsampling(f"{name}/pooling", source, Operation.AVERAGE_DOWNSAMPLING)
    shortcut = builder.convolution(f"{name}/shortcut", Operation.CONVOLUTION, pooled, 1, filters)
    shape = builder.layers[second].shape
    return builder.place(f"{name}/sum", Operation.ADD, (shortcut, second), shape)


def _cell(builder: PlanBuilder, name: str, code: CellCode, source: int) -> int:
    """A cell that reads `source`; returns the position of its last node."""
    shape = builder.layers[source].shape
    nodes = [source]
    for target in range(1, NODES):
        brought = []
        for edge, operation in code:
            if EDGES[edge - 1][1] != target or operation == _NONE:
                continue
            here = nodes[EDGES[edge - 1][0]]
            layer = f"{name}/edge{edge}"
            if operation in (_CONVOLUTION_1X1, _CONVOLUTION_3X3):
                side = 1 if operation == _CONVOLUTION_1X1 else 3
                here = builder.convolution(layer, Operation.PCC, here, side, shape[-1])
            elif operation == _POOLING:
                here = builder.place(layer, Operation.AVERAGE_POOLING, (here,), shape, 3)
            brought.append(here)
        if not brought:
            brought = [builder.place(f"{name}/zero{target}", Operation.ZERO, (source,), shape)]
        node = brought[0]
        for number, other in enumerate(brought[1:], start=1):
            sum_name = f"{name}/node{target}/sum{number}"
            node = builder.place(sum_name, Operation.ADD, (node, other), shape)
        nodes.append(node)
    return nodes[-1]
