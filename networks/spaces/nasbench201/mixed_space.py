"""Of the space of NAS-Bench-201's cells: its mixtures."""

from __future__ import annotations

import abc
from collections.abc import Mapping

from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.mixing import Mixing, Row, Shares, refuse_partial
from blockqnn.networks.spaces.nasbench201 import mixing
from blockqnn.networks.spaces.nasbench201.codes import CellCode
from blockqnn.networks.spaces.nasbench201.stacking import mixture_plan


class MixedCells(Mixing, abc.ABC):
    """The part of `CellSpace` that mixes operations."""

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
