"""Networks of equal size: the filters that bring a design to a number of parameters or FLOPs.

Topologies are compared fairly where none is larger than another. All stages of a
layout are scaled by one factor, which lies on a small grid, so that the children
of a search share compiled programs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Plan
from blockqnn.networks.plan_counts import flops, parameters
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import design_plan

TOLERANCE = 0.1
"""A network is of the wanted size if it differs by no larger share of it."""

STEPS_PER_OCTAVE = 8
"""Factors on the grid from one to its double; parameters grow with their square."""

_MISSES = "no filters come within"

_LEAST_STEP, _LAST_STEP = -4 * STEPS_PER_OCTAVE, 5 * STEPS_PER_OCTAVE

FIGURES: Mapping[str, Callable[[Plan], int]] = MappingProxyType(
    {"parameters": parameters, "flops": flops}
)
"""What may be matched, and what counts it; see `blockqnn.networks.plan_counts`."""


@dataclasses.dataclass(frozen=True)
class Match:
    """The size that every child is to have.

    Attributes:
        figure: one of `FIGURES`.
        target: how many, at least 1.
    """

    figure: str
    target: int

    def __str__(self) -> str:
        return f"{self.figure}:{self.target}"

    @property
    def noun(self) -> str:
        """The figure for people."""
        return "FLOPs" if self.figure == "flops" else self.figure

    @property
    def words(self) -> str:
        """The target for people."""
        return f"{self.target:,} {self.noun}"

    @property
    def most(self) -> int:
        """The largest amount that is near enough."""
        return self.target + int(TOLERANCE * self.target)


@dataclasses.dataclass(frozen=True)
class Matched:
    """A layout as near to the wanted size as the grid allows.

    Attributes:
        layout: with the chosen filters.
        amount: what its network comes to, in the figure of the match.
        reason: why it is too far away, for the user; None where it is near enough.
    """

    layout: Layout
    amount: int
    reason: str | None


def matched(design: Design, layout: Layout, match: Match) -> Matched:
    """Scales all stages by one factor until the network has the wanted size, or nearly.

    Args:
        design: what is stacked.
        layout: whose filters are scaled.
        match: the wanted size.

    Returns:
        The layout of the grid that is nearest in ratio.
    """

    def amount(step: int) -> int:
        return FIGURES[match.figure](design_plan(design, scaled(layout, step)))

    low, high = _LEAST_STEP, _LAST_STEP
    while high - low > 1:
        middle = (low + high) // 2
        if amount(middle) <= match.target:
            low = middle
        else:
            high = middle
    amounts = {step: amount(step) for step in (low, high)}
    nearest = min(amounts, key=lambda step: abs(math.log(max(1, amounts[step]) / match.target)))
    chosen, reached = scaled(layout, nearest), amounts[nearest]
    reason = None
    if abs(reached - match.target) > TOLERANCE * match.target:
        filters = ",".join(map(str, chosen.filters))
        reason = (
            f"{_MISSES} {100 * TOLERANCE:.0f} % of {match.words}, the nearest being "
            f"{filters} with {reached:,}"
        )
    return Matched(chosen, reached, reason)


def can_scale(design: Design, layout: Layout, match: Match) -> bool:
    """Whether filters change the size of a design's network.

    Args:
        design: what is stacked.
        layout: whose filters are scaled.
        match: the figure that is looked at.

    Returns:
        Whether they do.
    """
    count = FIGURES[match.figure]
    sizes = {count(design_plan(design, scaled(layout, step))) for step in (0, STEPS_PER_OCTAVE)}
    return len(sizes) > 1


def is_about_match(reason: str) -> bool:
    """Whether `matched` gave this reason, because no filters bring a design near the size."""
    return reason.startswith(_MISSES)


def scaled(layout: Layout, step: int) -> Layout:
    """A layout whose filters are multiplied by a factor of the grid.

    Args:
        layout: whose filters are scaled.
        step: of the grid; the factor is 2 to the power of step / `STEPS_PER_OCTAVE`.

    Returns:
        The layout, with at least one filter in each stage.
    """
    factor = 2.0 ** (step / STEPS_PER_OCTAVE)
    filters = tuple(max(1, round(count * factor)) for count in layout.filters)
    return dataclasses.replace(layout, filters=filters)
