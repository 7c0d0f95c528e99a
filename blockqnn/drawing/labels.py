"""What stands in and beside the nodes of a drawing."""

from __future__ import annotations

from blockqnn.drawing.palette import INPUT, OUTPUT
from blockqnn.listing import in_units
from blockqnn.networks.spaces.nsc.codes import LayerType
from blockqnn.networks.spaces.nsc.graph import BlockGraph

_SHORT = {
    LayerType.CONVOLUTION: "conv",
    LayerType.MAX_POOLING: "max",
    LayerType.AVERAGE_POOLING: "avg",
}
_LONGEST = 10**6


def kinds(graph: BlockGraph) -> list[str]:
    """The kind of each node, as the palette calls it; the input first, the output last."""
    return [INPUT, *(LayerType(layer.type).name.lower() for layer in graph.layers), OUTPUT]


def labels(graph: BlockGraph) -> list[str]:
    """A short text for each node, such as `conv 3x3`; the input first, the output last."""
    found = [INPUT]
    for layer in graph.layers:
        kind = LayerType(layer.type)
        size = f" {layer.kernel}x{layer.kernel}" if layer.kernel else ""
        found.append(_SHORT.get(kind, kind.name.lower()) + size)
    return [*found, "output: concat" if len(graph.outputs) > 1 else OUTPUT]


def width_text(channels: int) -> str:
    """A width in channels: exact while that is short."""
    return str(channels) if channels < _LONGEST else in_units(channels)
