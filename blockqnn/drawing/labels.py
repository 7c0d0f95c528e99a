"""Numbers beside the nodes of a drawing."""

from __future__ import annotations

from blockqnn.listing import in_units

_LONGEST = 10**6


def width_text(channels: int) -> str:
    """A width in channels: exact while that is short."""
    return str(channels) if channels < _LONGEST else in_units(channels)
