"""What a search space says of weights that its designs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.networks.layout import Layout


class Sharing:
    """Of a search space: whether and where its designs share weights."""

    edges: Mapping[str, Sequence[str]] = {}
    """Places where every design has one of some operations, by name, whatever it has elsewhere;
    none where what may be decided depends on what was decided before."""

    def on_edges(self, code: Any) -> dict[str, str]:
        """The operation that a code has on each of the space's `edges`."""
        return {}

    def of_edges(self, operations: Mapping[str, str]) -> Any:
        """The code with these operations, one for each of the space's `edges`.

        Args:
            operations: by edge.

        Returns:
            The code.

        Raises:
            ValueError: if the space has no edges, so that operations on them say no design.
        """
        raise ValueError("there are no edges in this space, whose operations could be a design")

    def unshared(self, layout: Layout) -> str:
        """Why designs in a layout cannot share weights, as a sentence; empty where they can."""
        return ""
