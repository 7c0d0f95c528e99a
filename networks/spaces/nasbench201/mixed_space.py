"""Of the space of NAS-Bench-201's cells: its mixtures."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.mixing import Mixing, Row, Shares, refuse_partial
from blockqnn.networks.spaces.nasbench201 import mixing
from blockqnn.networks.spaces.nasbench201.codes import Cell, CellCode
from blockqnn.networks.spaces.nasbench201.stacking import mixture_plan
from blockqnn.networks.spaces.sharing import Sharing


class MixedCells(Sharing, Mixing, abc.ABC):
    """The part of `CellSpace` that has all operations on every edge."""

    @abc.abstractmethod
    def require_layout(self, layout: Layout) -> None:
        """See `SearchSpace.require_layout`."""

    def unmixed(self, layout: Layout) -> str:
        """See `Mixing.unmixed`."""
        return ""

    def mixture_rows(self, partial: int = 1) -> tuple[Row, ...]:
        """See `Mixing.mixture_rows`."""
        return mixing.cell_rows(partial)

    def mixture_plan(self, layout: Layout, partial: int = 1) -> Plan:
        """See `Mixing.mixture_plan`."""
        self.require_layout(layout)
        refuse_partial(layout.filters, partial)
        return mixture_plan(layout, partial)

    def kept(self, shares: Shares) -> dict[str, str]:
        """See `Mixing.kept`: on each edge the operation of the largest share."""
        return mixing.kept(shares)

    def of_kept(self, kept: Mapping[str, str]) -> CellCode:
        """See `Mixing.of_kept`."""
        return mixing.of_kept(kept)

    def tally(self, code: CellCode) -> dict[str, dict[str, int]]:
        """See `Mixing.tally`."""
        return mixing.tally(code)

    def unplanned(self, layout: Layout) -> str:
        """See `Sharing.unplanned`."""
        return ""

    def paths_plan(self, design: Any, layout: Layout) -> Plan:
        """See `Sharing.paths_plan`: the mixture's, of which a path has one input for each edge."""
        return self.mixture_plan(layout)

    def takes_one(self, row: str) -> bool:
        """See `Sharing.takes_one`."""
        return True

    def path(self, design: Cell) -> dict[str, tuple[int, ...]]:
        """See `Sharing.path`."""
        return mixing.path(design.code)
