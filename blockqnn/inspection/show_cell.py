"""A cell of NAS-Bench-201 in words and figures."""

from __future__ import annotations

from typing import Any

from blockqnn.inspection.show_block import layout_in_words
from blockqnn.listing import in_units
from blockqnn.networks.cost import Cost
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nasbench201 import EDGES, NODES, OPERATIONS, Cell, write_cell


def cell_facts(cell: Cell, spent: Cost) -> dict[str, Any]:
    """A cell as JSON.

    Args:
        cell: which one.
        spent: cost of its child network.

    Returns:
        Text form, operations and figures; FLOPs in units.
    """
    return {
        "code": write_cell(cell.code),
        "operations": [
            {"source": source, "target": target, "operation": OPERATIONS[operation]}
            for (source, target), (_, operation) in zip(EDGES, cell.code, strict=True)
        ],
        "hash": cell.hash,
        "density": cell.density,
        "depth": spent.depth,
        "parameters": spent.parameters,
        "flops": spent.flops,
        "block_flops": spent.block_flops,
    }


def cell_in_words(title: str, cell: Cell, layout: Layout, spent: Cost) -> list[str]:
    """A cell for people.

    Args:
        title: how to call it.
        cell: which one.
        layout: of its child network.
        spent: cost of its child network.

    Returns:
        Lines: what its nodes are, and its figures.
    """
    lines = [f"{title}: {write_cell(cell.code)}", "", "  node 0  the cell's input"]
    for node in range(1, NODES):
        terms = [
            f"{OPERATIONS[operation]}(node {source})"
            for (source, target), (_, operation) in zip(EDGES, cell.code, strict=True)
            if target == node and OPERATIONS[operation] != "none"
        ]
        end = "  -> output" if node == NODES - 1 else ""
        lines.append(f"  node {node}  {' + '.join(terms) or 'zero'}{end}")
    return [
        *lines,
        "",
        f"hash {cell.hash}, density {cell.density:.3f}",
        f"in a child network: {layout_in_words(layout)}",
        f"  depth        {spent.depth} convolutions",
        f"  parameters   {spent.parameters:,}",
        f"  FLOPs        {in_units(spent.flops)}  (2 x multiply-accumulate, one image, forward)",
    ]
