"""What a suggested design's child comes to, and why it is not to be trained."""

from __future__ import annotations

import dataclasses

from blockqnn.networks.cost import Cost, cost, infeasible_reason
from blockqnn.networks.sizing import matched
from blockqnn.networks.spaces.contract import Design
from blockqnn.settings import SearchSettings


@dataclasses.dataclass(frozen=True)
class Size:
    """A design as a child of a search.

    Attributes:
        cost: of its child network.
        filters: of each stage where children are of equal size; empty where the
            search's layout has them.
        reason: why it is not trained, for the user; None where it may be.
    """

    cost: Cost
    filters: tuple[int, ...]
    reason: str | None


def size_of(design: Design, settings: SearchSettings) -> Size:
    """Sizes a design's child as a search wants it.

    Args:
        design: that was suggested.
        settings: of the search.

    Returns:
        What it comes to.
    """
    layout, misses = settings.layout, None
    filters: tuple[int, ...] = ()
    # What has nothing to train has no size that filters could change.
    if settings.match is not None and not design.emptiness:
        found = matched(design, layout, settings.match)
        layout, misses = found.layout, found.reason
        filters = layout.filters
    spent = cost(design, layout)
    number_bytes = 2 if settings.recipe.bfloat16 else 4
    reason = infeasible_reason(
        design, spent, settings.limits, settings.recipe.batch_size, number_bytes
    )
    return Size(spent, filters, misses or reason)
