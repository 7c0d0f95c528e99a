"""Which layers of a whole network stand in which stage, and what that does to their channels."""

from __future__ import annotations

from blockqnn.networks.layout import LayoutError
from blockqnn.networks.spaces.whole.families import NARROWEST

BODY = "whole/network"
"""What the names of all layers of a design begin with."""


def stage_of(layer: int, layers: int, stages: int) -> int:
    """The stage of a layer, from 0: all but the last have a whole part of the layers.

    Args:
        layer: its number, from 1.
        layers: of the network.
        stages: as many as there are numbers of filters.

    Returns:
        Its number.
    """
    return min((layer - 1) // (layers // stages), stages - 1)


def nas_filters(filters: int, stage: int) -> int:
    """Channels of a layer of NAS, from the filters of its code and those of its stage."""
    return max(1, round(filters * stage / NARROWEST))


def require_layers(unit: str, layers: int, stages: int) -> None:
    """Refuses more stages than layers, by LayoutError."""
    if layers < stages:
        raise LayoutError(
            f"A {unit} of {stages} stages has at least as many layers, given {layers}; fewer "
            "--filters, or more --max_layers."
        )
