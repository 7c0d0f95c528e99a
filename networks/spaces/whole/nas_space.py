"""NAS's networks as search spaces, with strides and without."""

from __future__ import annotations

from typing import Any, Self

from blockqnn.networks.graph import Graph
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.contract import Promise
from blockqnn.networks.spaces.whole.codes import WholeCode
from blockqnn.networks.spaces.whole.families import NARROWEST
from blockqnn.networks.spaces.whole.meaning import (
    IMAGE,
    NasLayer,
    NasNetwork,
    nas_as_written,
    nas_meaning,
    nas_order,
)
from blockqnn.networks.spaces.whole.nas_plan import nas_alone, nas_plan
from blockqnn.networks.spaces.whole.picture import Widths, nas_graph
from blockqnn.networks.spaces.whole.rules import ZEROS
from blockqnn.networks.spaces.whole.space import WholeSpace
from blockqnn.networks.spaces.whole.stages import require_layers


class NasSpace(WholeSpace):
    """Networks whose layers say their window, their filters, and which layers they read."""

    rules = tuple(ZEROS)

    @property
    def example(self) -> str:  # type: ignore[override]
        """See `SearchSpace.example`."""
        strides = ",1,1" if len(self.family.questions) > 3 else ""
        return f"1 (3,3{strides},36;0) 2 (3,3{strides},48;1) 3 (5,7{strides},24;1,2)"

    def unshared(self, layout: Layout) -> str:
        """See `Sharing.unshared`: a layer concatenates what it reads."""
        return f"Layers of {self.name} read widths of their own, so networks hardly share a layer"

    def _of(self, layers: int) -> Self:
        return type(self)(self.family, layers)

    def design(self, code: WholeCode) -> NasNetwork:
        """See `SearchSpace.design`."""
        return nas_meaning(nas_as_written(self.family, code))

    def plan(self, design: NasNetwork, layout: Layout) -> Plan:
        """See `SearchSpace.plan`."""
        self.require_layout(layout)
        rules = self.rules_of(layout)
        require_layers(self.unit, len(design.layers), len(layout.filters))
        return nas_plan(design, layout, rules)

    def alone(self, design: NasNetwork, channels: int, filters: int) -> Plan:
        """See `SearchSpace.alone`: `filters` are those of the narrowest layers."""
        return nas_alone(design, channels, filters, self.rules[0])

    def usual_layout(self, code: WholeCode, layout: Layout) -> Layout:
        """See `SearchSpace.usual_layout`: the filters that codes name."""
        return self.as_usual(layout, (NARROWEST,))

    def promise(self, design: NasNetwork) -> Promise:
        """See `SearchSpace.promise`."""
        kernels = tuple(max(layer.height, layer.width) for layer in design.layers)
        return Promise(kernels, sum(len(layer.inputs) - 1 for layer in design.layers))

    def graph(self, code: WholeCode, filters: Widths | int | None = None) -> Graph:
        """See `SearchSpace.graph`."""
        return nas_graph(nas_as_written(self.family, code), _widths(filters))

    def design_graph(self, design: NasNetwork, filters: Widths | int | None = None) -> Graph:
        """See `SearchSpace.design_graph`."""
        return nas_graph(design, _widths(filters))

    def places(self, code: WholeCode) -> dict[int, int]:
        """See `SearchSpace.places`."""
        written = nas_as_written(self.family, code)
        found = dict(enumerate(nas_order(written), start=1))
        if len(written.unread) > 1:
            found[len(found) + 1] = len(found) + 1
        return found

    def facts(self, code: WholeCode) -> dict[str, Any]:
        """See `SearchSpace.facts`."""
        design, written = self.design(code), nas_as_written(self.family, code)
        graph = self.design_graph(design)
        return {
            "code": self.write(code),
            "layers": [
                {**layer._asdict(), "inputs": list(layer.inputs)} for layer in written.layers
            ],
            "unread": list(written.unread),
            "hash": design.hash,
            "nodes": len(graph.nodes),
            "edges": len(graph.edges),
            "density": design.density,
        }

    def in_words(self, code: WholeCode) -> tuple[list[str], list[str]]:
        """See `SearchSpace.in_words`: a line for each layer."""
        written = nas_as_written(self.family, code)
        lines = []
        for number, layer in enumerate(written.layers, start=1):
            out = "  -> classifier" if number in written.unread else ""
            lines.append(
                f"  layer {number:<3} {layer.label}, {layer.filters} filters, {_read(layer)}{out}"
            )
        design = self.design(code)
        return lines, [f"hash {design.hash}, density {design.density:.3f}"]


def _read(layer: NasLayer) -> str:
    if layer.inputs == (IMAGE,):
        return "reads the image"
    return f"reads {', '.join(map(str, layer.inputs))}"


def _widths(filters: Widths | int | None) -> Widths | None:
    return Widths(filters, (filters,)) if isinstance(filters, int) else filters
