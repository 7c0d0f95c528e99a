"""ENAS's whole networks as a search space."""

from __future__ import annotations

from typing import Any, Self

from blockqnn.networks.graph import Graph
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.contract import Promise
from blockqnn.networks.spaces.whole.codes import WholeCode
from blockqnn.networks.spaces.whole.families import ENAS_MACRO, Family, Kind
from blockqnn.networks.spaces.whole.macro_paths import OPERATION, PathBody, path
from blockqnn.networks.spaces.whole.macro_plan import macro_alone, macro_plan, stage_filters
from blockqnn.networks.spaces.whole.meaning import MacroNetwork, macro_meaning
from blockqnn.networks.spaces.whole.picture import Widths, macro_graph
from blockqnn.networks.spaces.whole.rules import AS_IN_CODE, MACRO_RULES, SUM_SKIPS
from blockqnn.networks.spaces.whole.space import WholeSpace
from blockqnn.networks.spaces.whole.stages import require_layers

_FINAL_FILTERS = 96


class MacroSpace(WholeSpace):
    """Networks whose layers name an operation, and the maps that are joined to its result."""

    rules = tuple(MACRO_RULES)
    example = "0 3:0 0:10 2:001 4:0101 5:11000"

    def __init__(self, family: Family = ENAS_MACRO, layers: int = 0):
        """Makes the space.

        Args:
            family: the row of the table.
            layers: of a network that is decided on; 0 for the usual number.
        """
        super().__init__(family, layers)

    def _of(self, layers: int) -> Self:
        return type(self)(self.family, layers)

    def design(self, code: WholeCode) -> MacroNetwork:
        """See `SearchSpace.design`."""
        return macro_meaning(code)

    def plan(self, design: MacroNetwork, layout: Layout) -> Plan:
        """See `SearchSpace.plan`."""
        self.require_layout(layout)
        rules = self.rules_of(layout)
        stages = len(stage_filters(layout.filters, rules))
        require_layers(self.unit, len(design.layers), stages)
        return macro_plan(design, layout, rules)

    def unshared(self, layout: Layout) -> str:
        """See `Sharing.unshared`: joined maps must have one width, however many they are."""
        if not MACRO_RULES[self.rules_of(layout)].concatenates:
            return ""
        return f"Layers of {self.name} have one width only under --network_rules={SUM_SKIPS}"

    def unplanned(self, layout: Layout) -> str:
        """See `Sharing.unplanned`."""
        return self.unshared(layout)

    def paths_plan(self, design: MacroNetwork, layout: Layout) -> Plan:
        """See `Sharing.paths_plan`: a network of as many layers, each with every operation."""
        if reason := self.unplanned(layout):
            raise LayoutError(f"{reason}.")
        self.plan(design, layout)  # Refuses what such a network cannot stand in.
        return macro_plan(design, layout, self.rules_of(layout), PathBody)

    def takes_one(self, row: str) -> bool:
        """See `Sharing.takes_one`."""
        return row.endswith(OPERATION)

    def path(self, design: MacroNetwork) -> dict[str, tuple[int, ...]]:
        """See `Sharing.path`."""
        return path(design)

    def alone(self, design: MacroNetwork, channels: int, filters: int) -> Plan:
        """See `SearchSpace.alone`: `filters` are those of the first stage."""
        return macro_alone(design, channels, filters, self.rules[0])

    def usual_layout(self, code: WholeCode, layout: Layout) -> Layout:
        """See `SearchSpace.usual_layout`: as its authors trained the published one."""
        known = code in self.published.values()
        return self.as_usual(layout, (_FINAL_FILTERS,), AS_IN_CODE if known else "")

    def drawn(self, layout: Layout) -> Widths:
        """See `SearchSpace.drawn`."""
        return Widths(layout.channels, stage_filters(layout.filters, self.rules_of(layout)))

    def promise(self, design: MacroNetwork) -> Promise:
        """See `SearchSpace.promise`."""
        windows = (Kind.CONVOLUTION, Kind.SEPARABLE)
        used = [layer.operation for layer in design.layers]
        kernels = tuple(each.kernel for each in used if each.kind in windows)
        return Promise(kernels, sum(len(layer.skips) for layer in design.layers))

    def graph(self, code: WholeCode, filters: Widths | int | None = None) -> Graph:
        """See `SearchSpace.graph`."""
        return self.design_graph(self.design(code), filters)

    def design_graph(self, design: MacroNetwork, filters: Widths | int | None = None) -> Graph:
        """See `SearchSpace.design_graph`."""
        if isinstance(filters, int):
            filters = Widths(filters, stage_filters((filters,), self.rules[0]))
        return macro_graph(design, filters)

    def places(self, code: WholeCode) -> dict[int, int]:
        """See `SearchSpace.places`: a code means what was written."""
        return {node: node for node in range(1, self.graph(code).output)}

    def facts(self, code: WholeCode) -> dict[str, Any]:
        """See `SearchSpace.facts`."""
        design = self.design(code)
        graph = self.design_graph(design)
        return {
            "code": self.write(code),
            "layers": [
                {"operation": layer.operation.name, "skips": list(layer.skips)}
                for layer in design.layers
            ],
            "hash": design.hash,
            "nodes": len(graph.nodes),
            "edges": len(graph.edges),
            "density": design.density,
        }

    def in_words(self, code: WholeCode) -> tuple[list[str], list[str]]:
        """See `SearchSpace.in_words`: a line for each layer."""
        design = self.design(code)
        lines = []
        for number, layer in enumerate(design.layers, start=1):
            joins = ", ".join("the stem" if each == 0 else f"layer {each}" for each in layer.skips)
            lines.append(
                f"  layer {number:<3} {layer.operation.label}{f', joins {joins}' if joins else ''}"
            )
        return lines, [f"hash {design.hash}, density {design.density:.3f}"]
