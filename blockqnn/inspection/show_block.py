"""A block in words and figures."""

from __future__ import annotations

from typing import Any

from blockqnn.errors import UserError
from blockqnn.listing import counted, in_units
from blockqnn.networks.cost import Cost, cost
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Code, Design
from blockqnn.networks.spaces.registry import layouts, space_of, stacked

_MOST_BITS = 10_000
"""Numbers of more bits Python refuses to write in decimal."""


def writable_cost(design: Design, layout: Layout) -> Cost:
    """The cost of a child network whose figures can be written.

    Args:
        design: a block in canonical form, or a cell.
        layout: of the child network.

    Returns:
        Its cost.

    Raises:
        UserError: if it is too large.
    """
    spent = cost(design, layout)
    if spent.parameters.bit_length() > _MOST_BITS:
        raise UserError(
            "The child network is too large for its figures to be written; fewer --repeats."
        )
    return spent


def design_facts(code: Code, spent: Cost) -> dict[str, Any]:
    """A code and what it means, as JSON.

    Args:
        code: as it was written.
        spent: cost of its child network.

    Returns:
        Text form, what the space says of it, and figures; FLOPs in units.
    """
    return space_of(code).facts(code) | {
        "depth": spent.depth,
        "parameters": spent.parameters,
        "flops": spent.flops,
        "block_flops": spent.block_flops,
    }


def in_words(title: str, code: Code, layout: Layout, spent: Cost, head: int = 0) -> list[str]:
    """A code for people.

    Args:
        title: how to call it.
        code: as it was written.
        layout: of its child network.
        spent: cost of its child network.
        head: trained numbers of its auxiliary head; 0 where it has no place for one.

    Returns:
        Lines: its decisions, what it means, and its figures.
    """
    space = space_of(code)
    decisions, meaning = space.in_words(code)
    lines = [
        *(f"{title}: {space.write(code)}", "", *decisions, "", *meaning),
        f"in a child network: {layout_in_words(layout)}",
        f"  depth        {spent.depth} {'products' if layout.of_words else 'convolutions'}",
        f"  parameters   {spent.parameters:,}",
        f"  FLOPs        {in_units(spent.flops)}  (2 x multiply-accumulate, one "
        f"{'word' if layout.of_words else 'image'}, forward)",
    ]
    if head:
        lines.insert(-1, f"  beside       {head:,} in an auxiliary head, in training only")
    if spent.block_flops != spent.flops:
        lines.append(
            f"  {f'{space.unit} FLOPs':12} {in_units(spent.block_flops)}  "
            f"(one {space.unit} at the first stage)"
        )
    return lines


def layout_in_words(layout: Layout) -> str:
    """A layout in one phrase."""
    if layout.of_words:
        return _model_in_words(layout)
    stages = ",".join(map(str, layout.filters))
    rules = f"rules {layout.rules}, " if layout.rules else ""
    return (
        f"{layouts()[layout.kind]} layout, filters {stages}, {stacked(layout)}, {rules}"
        f"images {layout.height}x{layout.width}x{layout.channels}, {layout.classes} classes"
    )


def _model_in_words(layout: Layout) -> str:
    """A language model in one phrase."""
    widths = ",".join(map(str, layout.filters))
    count = len(layout.filters) * layout.repeats
    rules = f"rules {layout.rules}, " if layout.rules else ""
    tied = "a decoder of its own" if layout.untied else "tied to the embedding"
    return (
        f"language model, {counted(count, 'cell')} of {widths} numbers, {rules}{tied}, "
        f"vocabulary of {layout.classes:,}"
    )
