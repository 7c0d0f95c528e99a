"""Motifs: what is to be found in a design, by names in words.

They are read off the design's graph, so that two codes of one design have the
same. A branch is a tensor that several readers take, the output among them. Whatever a design is
given is an input of its own, and the joining of what goes out is no Concat inside.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from blockqnn.networks.graph import (
    ADD,
    AVERAGE_POOLING,
    CONCAT,
    CONVOLUTION,
    ENDING,
    GIVEN,
    MAX_POOLING,
    Graph,
    Node,
    expanded,
)

_POOLING = (MAX_POOLING, AVERAGE_POOLING)
_JOINING = (ADD, CONCAT)


def motifs(graph: Graph) -> dict[str, bool]:
    """Which motifs a design has.

    Args:
        graph: of the design.

    Returns:
        Every motif by name, in the order of `MOTIFS`, and whether the design has it.
    """
    view = _View(expanded(graph))
    return {name: found(view) for name, found in MOTIFS.items()}


class _View:
    """A graph with the readers of each node and what lies before each."""

    def __init__(self, graph: Graph):
        self.outputs = graph.outputs
        self.layers: list[Node | None] = [
            None,
            *(None if node.role == GIVEN else node for node in graph.layers),
        ]
        """None where a node is an input."""
        self.readers: list[list[int]] = [[] for _ in graph.nodes]
        for source, target in graph.ends:
            # What is given is drawn behind the input, and made of nothing.
            if graph.nodes[target].role != GIVEN:
                self.readers[source].append(target)

    def is_convolution(self, node: int) -> bool:
        return self._kind(node) == CONVOLUTION

    def is_pooling(self, node: int) -> bool:
        return self._kind(node) in _POOLING

    def is_joining(self, node: int) -> bool:
        return self._kind(node) in _JOINING

    def kernel(self, node: int) -> int:
        layer = self.layers[node]
        return max(layer.window) if layer else 0

    def of(self, kind: str) -> list[Node]:
        """The layers of a kind, without what joins the outputs."""
        return [
            layer for layer in self.layers if layer and layer.kind == kind and layer.role != ENDING
        ]

    def has_several_leaves(self) -> bool:
        return len(self.outputs) > 1 or any(
            layer is not None and layer.role == ENDING for layer in self.layers
        )

    def reads(self) -> list[tuple[int, int]]:
        """Source and target of each edge between two layers."""
        return [
            (source, target)
            for target, layer in enumerate(self.layers)
            if layer
            for source in layer.inputs
            if self.layers[source] is not None
        ]

    def reached(self, through: Callable[[int], bool]) -> set[int]:
        """The inputs and all that can be reached from them through layers of one sort."""
        found = {node for node, layer in enumerate(self.layers) if layer is None}
        for node, layer in enumerate(self.layers):
            if layer and through(node) and found.intersection(layer.inputs):
                found.add(node)
        return found

    def _kind(self, node: int) -> str:
        layer = self.layers[node] if node < len(self.layers) else None
        return layer.kind if layer else ""


def _has_shortcut(view: _View) -> bool:
    return not view.reached(view.is_joining).isdisjoint(view.outputs)


def _is_residual(view: _View) -> bool:
    """An Add of a tensor and of what convolutions made of that tensor."""

    def made_of(start: int, end: int) -> bool:
        """Whether convolutions lead from one node to the other."""
        reached = {start}
        made: set[int] = set()
        for node, layer in enumerate(view.layers):
            if layer and reached.intersection(layer.inputs):
                reached.add(node)
                if view.is_convolution(node) or made.intersection(layer.inputs):
                    made.add(node)
        return end in made

    return any(
        made_of(start, end)
        for add in view.of(ADD)
        for start, end in itertools.permutations(add.inputs, 2)
    )


def _side_by_side(view: _View, one: Callable[[int], bool], other: Callable[[int], bool]) -> bool:
    """Whether some tensor is read by two different layers, one of each sort."""
    return any(
        a != b and one(a) and other(b) for readers in view.readers for a in readers for b in readers
    )


MOTIFS: Mapping[str, Callable[[_View], bool]] = {
    "several branches": lambda view: any(len(readers) > 1 for readers in view.readers),
    "several leaves": _View.has_several_leaves,
    "shortcut from input to output": _has_shortcut,
    "residual Add around convolutions": _is_residual,
    "Add of two convolutions": lambda view: any(
        all(map(view.is_convolution, add.inputs)) for add in view.of(ADD)
    ),
    "Concat inside": lambda view: bool(view.of(CONCAT)),
    "convolutions in sequence": lambda view: any(
        view.is_convolution(source) and view.is_convolution(target)
        for source, target in view.reads()
    ),
    "convolutions side by side": lambda view: _side_by_side(
        view, view.is_convolution, view.is_convolution
    ),
    "kernels of several sizes side by side": lambda view: any(
        len({view.kernel(reader) for reader in readers if view.is_convolution(reader)}) > 1
        for readers in view.readers
    ),
    "1x1 before a larger kernel": lambda view: any(
        view.is_convolution(source)
        and view.is_convolution(target)
        and view.kernel(source) == 1 < view.kernel(target)
        for source, target in view.reads()
    ),
    "pooling beside convolution": lambda view: _side_by_side(
        view, view.is_pooling, view.is_convolution
    ),
    "pooling after convolution": lambda view: any(
        view.is_convolution(source) and view.is_pooling(target) for source, target in view.reads()
    ),
}
"""Name of a motif to what finds it."""
