"""A block as a graph: as it was written, or in canonical form."""

from __future__ import annotations

from collections.abc import Sequence

from blockqnn.networks import graph as graphs
from blockqnn.networks.graph import Graph, Node
from blockqnn.networks.spaces.nsc.canonical import CanonicalBlock, CanonicalLayer
from blockqnn.networks.spaces.nsc.codes import Code, LayerType

_SHORT = {
    LayerType.CONVOLUTION: "conv",
    LayerType.MAX_POOLING: "max",
    LayerType.AVERAGE_POOLING: "avg",
}


def block_graph(block: Code | CanonicalBlock, filters: int | None = None) -> Graph:
    """The graph of a block.

    Args:
        block: a code, of which every layer becomes a node, or a canonical form.
        filters: channels of every convolution and of the block's input, as at
            the first stage; None for a graph without widths.

    Returns:
        The graph; its nodes have the numbers that they have in the block.
    """
    layers, outputs = _layers(block)
    channels = [None] * (len(layers) + 2) if filters is None else _widths(layers, outputs, filters)
    nodes = [Node(graphs.INPUT, graphs.INPUT, width=channels[0])]
    for layer, width in zip(layers, channels[1:], strict=False):
        kind = LayerType(layer.type)
        size = f" {layer.kernel}x{layer.kernel}" if layer.kernel else ""
        label = _SHORT.get(kind, kind.name.lower()) + size
        nodes.append(Node(kind.name.lower(), label, layer.kernel, layer.inputs, width=width))
    label = "output: concat" if len(outputs) > 1 else graphs.OUTPUT
    nodes.append(Node(graphs.OUTPUT, label, 0, outputs, width=channels[-1]))
    return Graph(tuple(nodes))


def _layers(block: Code | CanonicalBlock) -> tuple[Sequence[CanonicalLayer], tuple[int, ...]]:
    """The layers of a block, and what is joined into its output."""
    if isinstance(block, CanonicalBlock):
        return block.layers, block.outputs
    layers = block[:-1]
    used = {source for layer in layers for source in layer.predecessors}
    return (
        [CanonicalLayer(layer.type, layer.kernel, layer.predecessors) for layer in layers],
        tuple(layer.index for layer in layers if layer.index not in used),
    )


def layer_width(kind: LayerType, inputs: list[int], filters: int) -> int:
    """How many channels a layer's output has.

    Args:
        kind: of the layer.
        inputs: channels of each tensor that it reads.
        filters: channels of every convolution of the stage.

    Returns:
        Channels.
    """
    if kind is LayerType.CONVOLUTION:
        return filters
    if kind is LayerType.CONCAT:
        return sum(inputs)
    # Add pads the narrower input with zeros; what else there is has one input.
    return max(inputs)


def _widths(
    layers: Sequence[CanonicalLayer], outputs: tuple[int, ...], filters: int
) -> list[int | None]:
    """Channels of the input, of each layer's output, and of the block's output."""
    found = [filters]
    for layer in layers:
        inputs = [found[source] for source in layer.inputs]
        found.append(layer_width(LayerType(layer.type), inputs, filters))
    return [*found, sum(found[source] for source in outputs)]
