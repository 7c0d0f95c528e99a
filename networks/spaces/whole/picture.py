"""Whole networks as graphs: a node for each layer, and an edge for each map that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from blockqnn.networks import graph as graphs
from blockqnn.networks.graph import Graph, Node
from blockqnn.networks.spaces.whole.families import Kind
from blockqnn.networks.spaces.whole.stages import nas_filters, stage_of

if TYPE_CHECKING:
    from blockqnn.networks.spaces.whole.meaning import MacroNetwork, NasNetwork

_KINDS = {
    Kind.AVERAGE_POOLING: graphs.AVERAGE_POOLING,
    Kind.MAX_POOLING: graphs.MAX_POOLING,
}


class Widths(NamedTuple):
    """What the widths of a graph are taken from.

    Attributes:
        image: channels of the image.
        stages: filters of each stage.
    """

    image: int
    stages: tuple[int, ...]


def nas_graph(design: NasNetwork, widths: Widths | None = None) -> Graph:
    """The graph of a network of NAS; node n is layer n.

    Args:
        design: the network.
        widths: None for a graph without widths.

    Returns:
        The graph, whose input is the image. What a layer reads is concatenated; the concatenation
        of what goes to the classifier is a node of its own, where it is several maps.
    """
    count = len(design.layers)
    nodes = [Node(graphs.INPUT, graphs.INPUT, width=widths and widths.image)]
    for number, layer in enumerate(design.layers, start=1):
        width = None
        if widths is not None:
            stage = widths.stages[_stage(number, count, widths.stages)]
            width = nas_filters(layer.filters, stage)
        across = layer.width if layer.width != layer.height else 0
        nodes.append(
            Node(
                *(graphs.CONVOLUTION, layer.label, layer.height, layer.inputs),
                width=width,
                across=across,
            )
        )
    unread = design.unread
    total = None if widths is None else sum(nodes[each].width or 0 for each in unread)
    if len(unread) > 1:
        joined = Node(graphs.CONCAT, graphs.CONCAT, 0, unread, width=total, role=graphs.ENDING)
        nodes.append(joined)
    nodes.append(Node(graphs.OUTPUT, graphs.OUTPUT, 0, (len(nodes) - 1,), width=total))
    return Graph(tuple(nodes))


def macro_graph(design: MacroNetwork, widths: Widths | None = None) -> Graph:
    """The graph of a network of ENAS.

    Args:
        design: the network.
        widths: None for a graph without widths.

    Returns:
        The graph, whose input is what the stem writes. A layer is its operation, and a node that
        joins skips to it where there are any.
    """
    count = len(design.layers)
    nodes = [Node(graphs.INPUT, graphs.INPUT, width=widths and widths.stages[0])]
    maps = [0]
    for number, layer in enumerate(design.layers, start=1):
        width = widths and widths.stages[_stage(number, count, widths.stages)]
        operation = layer.operation
        kind = _KINDS.get(operation.kind, graphs.CONVOLUTION)
        nodes.append(Node(kind, operation.label, operation.kernel, (maps[-1],), width=width))
        if layer.skips:
            read = (len(nodes) - 1, *(maps[each] for each in layer.skips))
            nodes.append(Node(graphs.CONCAT, "join", 0, read, width=width))
        maps.append(len(nodes) - 1)
    nodes.append(Node(graphs.OUTPUT, graphs.OUTPUT, 0, (maps[-1],), width=nodes[-1].width))
    return Graph(tuple(nodes))


def _stage(number: int, count: int, stages: Sequence[int]) -> int:
    # A drawing may have stages that its network has no room for.
    return stage_of(number, count, min(count, len(stages)))
