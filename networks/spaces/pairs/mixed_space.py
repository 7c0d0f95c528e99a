"""Of a space of cells of pairs: its mixtures, and the network of which designs are paths."""

from __future__ import annotations

import abc
import functools
from collections.abc import Mapping
from typing import Any

from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.family_space import FamilySpace
from blockqnn.networks.spaces.mixing import Row, Shares, refuse_partial
from blockqnn.networks.spaces.pairs import codes, mixing, paths
from blockqnn.networks.spaces.pairs.codes import PairCode
from blockqnn.networks.spaces.pairs.families import Family
from blockqnn.networks.spaces.pairs.meaning import Cells
from blockqnn.networks.spaces.pairs.rules import RULES
from blockqnn.networks.spaces.pairs.stacking import cells_plan


class MixedPairs(FamilySpace):
    """The part of `PairSpace` that has all operations on every edge."""

    family: Family
    kept_edges = mixing.HALVES

    @abc.abstractmethod
    def unshared(self, layout: Layout) -> str:
        """See `Sharing.unshared`."""

    @abc.abstractmethod
    def rules_in(self, design: Cells, layout: Layout) -> str:
        """By which rules cells are stacked; raises LayoutError where they cannot be."""

    def unmixed(self, layout: Layout) -> str:
        """See `Mixing.unmixed`: what hinders sharing hinders this."""
        return self.unshared(layout)

    def mixture_rows(self, partial: int = 1) -> tuple[Row, ...]:
        """See `Mixing.mixture_rows`: an edge from every earlier state, whatever nodes may read."""
        return mixing.family_rows(self.family, partial)

    def mixture_plan(self, layout: Layout, partial: int = 1) -> Plan:
        """See `Mixing.mixture_plan`."""
        if reason := self.unmixed(layout):
            raise LayoutError(f"{reason}.")
        cells = mixing.all_cells(self.family)
        rules = self.rules_in(cells, layout)
        refuse_partial(layout.filters, partial)
        placing = functools.partial(mixing.MixedPlacing, self.family, partial)
        return cells_plan(cells, layout, rules, placing)

    def kept(self, shares: Shares) -> dict[str, str]:
        """See `Mixing.kept`: for each node its two strongest edges, `none` left out."""
        return mixing.kept(self.family, shares)

    def of_kept(self, kept: Mapping[str, str]) -> PairCode:
        """See `Mixing.of_kept`."""
        return self.parse(mixing.as_text(self.family, kept))

    def tally(self, code: PairCode) -> dict[str, dict[str, int]]:
        """See `Mixing.tally`."""
        return mixing.tally(codes.cells_of(self.family, code))

    def unplanned(self, layout: Layout) -> str:
        """See `Sharing.unplanned`."""
        return self.unshared(layout) or paths.unplanned(self.family)

    def paths_plan(self, design: Any, layout: Layout) -> Plan:
        """See `Sharing.paths_plan`: as the mixture, with a choice of what goes out."""
        if reason := self.unplanned(layout):
            raise LayoutError(f"{reason}.")
        rules = self.rules_in(design, layout)
        cells = paths.all_states(self.family, RULES[rules].squeezes)
        placing = functools.partial(paths.PathPlacing, self.family, 1)
        return cells_plan(cells, layout, rules, placing)

    def takes_one(self, row: str) -> bool:
        """See `Sharing.takes_one`: so it is on edges where the halves of a node read two states."""
        return self.family.differ and "<-" in row

    def path(self, design: Cells) -> dict[str, tuple[int, ...]]:
        """See `Sharing.path`."""
        return paths.path(self.family, design)
