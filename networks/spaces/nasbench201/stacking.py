"""The skeleton of NAS-Bench-201: equal cells in stages, a residual block between two stages."""

from __future__ import annotations

from collections.abc import Callable

from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Operation, Plan, PlanBuilder, Shape
from blockqnn.networks.spaces.nasbench201.codes import (
    CONVOLUTION_1X1,
    CONVOLUTION_3X3,
    EDGES,
    NODES,
    NONE,
    POOLING,
    Cell,
    CellCode,
)
from blockqnn.networks.spaces.nasbench201.mixing import mixed_cell


def cell_plan(cell: Cell, layout: Layout) -> Plan:
    """Stacks a cell into the skeleton of the benchmark.

    Args:
        cell: which one.
        layout: of kind `nasbench201`; the benchmark has 16, 32 and 64 filters
            and 5 cells a stage.

    Returns:
        The plan, with the layers that nobody reads, which the benchmark
        counts among the parameters too.
    """
    return _stacked(layout, lambda builder, name, here: _cell(builder, name, cell.code, here))


def mixture_plan(layout: Layout, partial: int) -> Plan:
    """The skeleton with cells of all operations.

    Args:
        layout: as for `cell_plan`.
        partial: one in so many channels is mixed.

    Returns:
        The plan.
    """
    return _stacked(layout, lambda builder, name, here: mixed_cell(builder, name, partial, here))


def _stacked(layout: Layout, cell: Callable[[PlanBuilder, str, int], int]) -> Plan:
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
            with builder.norms(scale=not layout.unscaled):
                here = cell(builder, f"stage{stage}/cell{repeat}", here)
    here = _norm(builder, "head/norm", here)
    builder.head(here, layout.classes)
    return tuple(builder.layers)


def placed_alone(cell: Cell, shape: Shape) -> Plan:
    """One cell that reads an image of a shape: height, width and channels."""
    builder = PlanBuilder()
    here = builder.place("image", Operation.IMAGE, (), shape)
    end = _cell(builder, "cell", cell.code, here)
    if end != len(builder.layers) - 1:
        # Nobody may read what was placed last; the output is what comes last.
        builder.place("cell/output", Operation.CONCAT, (end,), shape)
    return tuple(builder.layers)


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
            if EDGES[edge - 1][1] != target or operation == NONE:
                continue
            here = nodes[EDGES[edge - 1][0]]
            layer = f"{name}/edge{edge}"
            if operation in (CONVOLUTION_1X1, CONVOLUTION_3X3):
                side = 1 if operation == CONVOLUTION_1X1 else 3
                here = builder.convolution(layer, Operation.PCC, here, side, shape[-1])
            elif operation == POOLING:
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
