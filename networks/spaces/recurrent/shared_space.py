"""Of a space of recurrent cells: the networks of which designs are paths, or are mixed."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan import Plan
from blockqnn.networks.recurrent.placing import language_plan
from blockqnn.networks.spaces.family_space import FamilySpace
from blockqnn.networks.spaces.mixing import Row, Shares
from blockqnn.networks.spaces.recurrent import mixing, sharing
from blockqnn.networks.spaces.recurrent.codes import CellCode
from blockqnn.networks.spaces.recurrent.families import Family
from blockqnn.networks.spaces.recurrent.meaning import CellDesign, as_written


class SharedCells(FamilySpace):
    """The part of `RecurrentSpace` in which designs share weights."""

    family: Family
    size: int
    kept_edges = mixing.SOURCES
    essential = tuple(name for name in mixing.FUNCTIONS if name != mixing.IDENTITY)
    essential_words = "function but the identity"

    @abc.abstractmethod
    def rules_of(self, layout: Layout) -> str:
        """The rules of a layout, or the space's own; LayoutError if it has no such ones."""

    def unshared(self, layout: Layout) -> str:
        """See `Sharing.unshared`."""
        return sharing.unshared(self.family)

    def unplanned(self, layout: Layout) -> str:
        """See `Sharing.unplanned`."""
        return sharing.unshared(self.family)

    def paths_plan(self, design: CellDesign, layout: Layout) -> Plan:
        """See `Sharing.paths_plan`: matrices have the names of the design's layers."""
        if reason := self.unplanned(layout):
            raise LayoutError(f"{reason}.")
        self.require_layout(layout)
        rules, nodes = self.rules_of(layout), len(design.nodes)
        return language_plan(
            layout, lambda cell: sharing.place_all(cell, self.family, nodes, rules)
        )

    def takes_one(self, row: str) -> bool:
        """See `Sharing.takes_one`: all but the mean of what goes out."""
        return not row.endswith("/output")

    def path(self, design: CellDesign) -> dict[str, tuple[int, ...]]:
        """See `Sharing.path`."""
        return sharing.path(self.family, design)

    def unmixed(self, layout: Layout) -> str:
        """See `Mixing.unmixed`."""
        return mixing.unmixed(self.family)

    def mixture_rows(self, partial: int = 1) -> tuple[Row, ...]:
        """See `Mixing.mixture_rows`."""
        if mixing.unmixed(self.family):
            return ()
        return tuple(row for rows in mixing.rows_of(1 + self.size) for row in rows)

    def mixture_plan(self, layout: Layout, partial: int = 1) -> Plan:
        """See `Mixing.mixture_plan`; designs have other layers, and so no arrays of it."""
        if reason := self.unmixed(layout):
            raise LayoutError(f"{reason}.")
        if partial > 1:
            raise LayoutError(
                f"--partial_channels={partial} mixes a part of the channels of a map; vectors of "
                "recurrent cells are mixed whole."
            )
        self.require_layout(layout)
        return language_plan(layout, lambda cell: mixing.place_mixed(cell, 1 + self.size))

    def kept(self, shares: Shares) -> dict[str, str]:
        """See `Mixing.kept`: for each node its strongest edge, `none` left out."""
        return mixing.kept(shares, 1 + self.size)

    def of_kept(self, kept: Mapping[str, str]) -> CellCode:
        """See `Mixing.of_kept`."""
        return self.parse(mixing.as_text(kept))

    def tally(self, code: Any) -> dict[str, dict[str, int]]:
        """See `Mixing.tally`: how often each function."""
        return mixing.tally(as_written(self.family, code))
