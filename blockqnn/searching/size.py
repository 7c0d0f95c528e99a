"""What a suggested design's child comes to, and why it is not to be trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from blockqnn.networks.cost import Cost, Limits, cost, infeasible_reason
from blockqnn.networks.layout import Layout
from blockqnn.networks.sizing import Match, matched
from blockqnn.networks.spaces.contract import Design
from blockqnn.settings import Recipe, SearchSettings


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
    return sized(design, settings.layout, settings.match, settings.limits, settings.recipe)


def sized(
    design: Design, layout: Layout, match: Match | None, limits: Limits, recipe: Recipe
) -> Size:
    """Sizes a design's child.

    Args:
        design: that was suggested.
        layout: of children whose filters are not scaled.
        match: the size that all are brought to; None for none.
        limits: what a child may cost.
        recipe: how it is trained.

    Returns:
        What it comes to.
    """
    misses = None
    filters: tuple[int, ...] = ()
    # What has nothing to train has no size that filters could change.
    if match is not None and not design.emptiness:
        found = matched(design, layout, match)
        layout, misses = found.layout, found.reason
        filters = layout.filters
    spent = cost(design, layout)
    number_bytes = 2 if recipe.bfloat16 else 4
    reason = infeasible_reason(design, spent, limits, recipe.batch_size, number_bytes)
    return Size(spent, filters, misses or reason)


def costs(designs: Iterable[Design], layout: Layout, match: Match | None) -> list[Cost]:
    """What the children of several designs cost.

    Args:
        designs: that were suggested; empty ones are left out.
        layout: of children whose filters are not scaled.
        match: the size that all are brought to; None for none.

    Returns:
        The costs, without those of designs that miss the size unless all of them do.
    """
    whole = [design for design in designs if not design.emptiness]
    if match is None:
        return [cost(design, layout) for design in whole]
    found = [(design, matched(design, layout, match)) for design in whole]
    near = [(design, size) for design, size in found if size.reason is None]
    return [cost(design, size.layout) for design, size in near or found]
