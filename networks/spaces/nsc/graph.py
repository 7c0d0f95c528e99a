"""A block as a graph: as it was written, or in canonical form.

A code numbers its layers and says nothing of its output; a canonical block
names its outputs. Drawings, widths and comparisons need one form for both.
"""

from __future__ import annotations

import dataclasses

from blockqnn.networks.spaces.nsc.canonical import CanonicalBlock, CanonicalLayer
from blockqnn.networks.spaces.nsc.codes import Code, LayerType


@dataclasses.dataclass(frozen=True)
class BlockGraph:
    """A block's layers and what is joined into its output.

    Attributes:
        layers: layer i is node i; each reads earlier nodes, 0 being the
            block's input. Of a code as written they may compute nothing.
        outputs: nodes that are concatenated into the output, ascending and
            with repetitions.
    """

    layers: tuple[CanonicalLayer, ...]
    outputs: tuple[int, ...]

    @property
    def output(self) -> int:
        """The number of the output's node, one above the last layer's."""
        return len(self.layers) + 1

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Source and target of each edge, those into the output last."""
        inner = [
            (source, node)
            for node, layer in enumerate(self.layers, start=1)
            for source in layer.inputs
        ]
        return inner + [(source, self.output) for source in self.outputs]


def block_graph(block: Code | CanonicalBlock) -> BlockGraph:
    """The graph of a block.

    Args:
        block: a code, of which every layer becomes a node, or a canonical form.

    Returns:
        The graph; the nodes have the numbers that they have in the block.
    """
    if isinstance(block, CanonicalBlock):
        return BlockGraph(block.layers, block.outputs)
    layers = block[:-1]
    used = {source for layer in layers for source in layer.predecessors}
    return BlockGraph(
        tuple(CanonicalLayer(layer.type, layer.kernel, layer.predecessors) for layer in layers),
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


def widths(graph: BlockGraph, filters: int, channels: int | None = None) -> tuple[int, ...]:
    """How many channels each tensor of a block has.

    Args:
        graph: the block.
        filters: channels of every convolution of the stage.
        channels: of the block's input; None for `filters`, as at the first stage.

    Returns:
        Channels of the input, of each layer's output, and of the block's output.
    """
    found = [filters if channels is None else channels]
    for layer in graph.layers:
        inputs = [found[source] for source in layer.inputs]
        found.append(layer_width(LayerType(layer.type), inputs, filters))
    return (*found, sum(found[source] for source in graph.outputs))
