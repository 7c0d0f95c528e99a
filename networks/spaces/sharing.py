"""What a search space says of weights that its designs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan import Plan


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

    def unplanned(self, layout: Layout) -> str:
        """Why no one network has all designs as its paths, as a sentence; empty where one has."""
        return "No one network has all designs of this space as its paths"

    def paths_plan(self, design: Any, layout: Layout) -> Plan:
        """The network of all designs that are as large as one, each of them a path through it.

        Args:
            design: one of them.
            layout: what to build around them.

        Returns:
            The plan. Where a path may go one way or another stands a mixture, whose row `path`
            knows; what a design uses has the key that it has in the design's own plan.

        Raises:
            LayoutError: if there is none.
        """
        raise LayoutError(f"{self.unplanned(layout)}.")

    def takes_one(self, row: str) -> bool:
        """Whether paths take one input at most at the mixtures of a row of `paths_plan`."""
        return False

    def path(self, design: Any) -> dict[str, tuple[int, ...]]:
        """Which inputs of each mixture of `paths_plan` a design's path goes through.

        Args:
            design: of this space.

        Returns:
            By the name of a row, in the order of the plan's mixtures, 1 for each input that the
            design reads and 0 for each that it does not.

        Raises:
            ValueError: if there is no such plan.
        """
        raise ValueError("there is no network of all designs of this space")
