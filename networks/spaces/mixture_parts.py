"""Parts of a mixture that was split along edges: on these each has some of the operations alone.

Zhao et al., "Few-shot Neural Architecture Search", ICML 2021. What is left to a part on an edge is
given by the name of the edge's row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from blockqnn.networks.layout import Layout
from blockqnn.networks.mixed_plan import narrowed
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.mixing import NONE, Mixing, Row

Left = Mapping[str, Sequence[str]]
"""By the name of a row the operations that a part has on its edge; all of them elsewhere."""


def part_rows(rows: Sequence[Row], left: Left) -> tuple[Row, ...]:
    """The rows of a part.

    Args:
        rows: of the mixture.
        left: to the part.

    Returns:
        Rows of the same names. `none` stays the first choice of each, and where it alone is left
        the first operation stays beside it: whether they are left, `is_left` says.
    """
    return tuple(
        dataclasses.replace(row, choices=(NONE, *_computed(row, left[row.name])))
        if row.name in left
        else row
        for row in rows
    )


def is_left(row: Row, choice: str, left: Left) -> bool:
    """Whether a part may give a choice of one of its rows a share."""
    return row.name not in left or choice in left[row.name]


def part_plan(space: Mixing, layout: Layout, partial: int, left: Left) -> Plan:
    """The network of a part.

    Args:
        space: of the designs.
        layout: what to build around the cells.
        partial: see `Mixing.mixture_rows`.
        left: to the part.

    Returns:
        The plan of the mixture without the operations that are not left. Arrays have the keys
        that they have in the whole mixture, those on the split edges too.

    Raises:
        LayoutError: if there is none.
    """
    plan = space.mixture_plan(layout, partial)
    # Inputs of a mixture are all choices but `none`.
    places = {
        row.name: [row.choices[1:].index(each) for each in _computed(row, left[row.name])]
        for row in space.mixture_rows(partial)
        if row.name in left
    }
    return narrowed(plan, places) if places else plan


def _computed(row: Row, left: Sequence[str]) -> tuple[str, ...]:
    """What a part computes on an edge, in the order of the row."""
    found = tuple(choice for choice in row.choices[1:] if choice in left)
    # A mixture needs something whose shape it has; its share is 0.
    return found or row.choices[1:2]
