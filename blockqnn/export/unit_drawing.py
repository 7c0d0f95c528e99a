"""A unit as a drawing of text, whose numbers are those of its attributes in source code."""

from __future__ import annotations

from blockqnn.drawing.terminal import in_text
from blockqnn.export.unit_class import UnitClass, short_name
from blockqnn.networks import graph as graphs
from blockqnn.networks.graph import Graph, Node
from blockqnn.networks.operations.steps import strides_of, window_of
from blockqnn.networks.plan import Operation, PlacedLayer

_KIND = {
    Operation.CONVOLUTION: graphs.CONVOLUTION,
    Operation.PCC: graphs.CONVOLUTION,
    Operation.SEPARABLE: graphs.CONVOLUTION,
    Operation.DILATED_SEPARABLE: graphs.CONVOLUTION,
    Operation.DILATED: graphs.CONVOLUTION,
    Operation.CROSSED: graphs.CONVOLUTION,
    Operation.ROW: graphs.CONVOLUTION,
    Operation.COLUMN: graphs.CONVOLUTION,
    Operation.FACTORISED_REDUCTION: graphs.CONVOLUTION,
    Operation.PLAIN_FACTORISED_REDUCTION: graphs.CONVOLUTION,
    Operation.MAX_POOLING: graphs.MAX_POOLING,
    Operation.AVERAGE_POOLING: graphs.AVERAGE_POOLING,
    Operation.DOWNSAMPLING: graphs.MAX_POOLING,
    Operation.AVERAGE_DOWNSAMPLING: graphs.AVERAGE_POOLING,
    Operation.ADD: graphs.ADD,
    Operation.CONCAT: graphs.CONCAT,
    Operation.ZERO: graphs.ZERO,
}
"""Kinds of nodes; operations without one look like an identity with a name."""


def unit_drawing(of: UnitClass) -> str:
    """Draws what a class computes.

    Args:
        of: the class.

    Returns:
        Lines without a line break after the last.
    """
    unit = of.example
    layers = list(zip(unit.layers, unit.inputs, strict=True))
    outputs: tuple[int, ...] = (unit.output,)
    label = graphs.OUTPUT
    if layers and unit.layers[-1].operation is Operation.CONCAT:
        outputs, label = unit.inputs[-1], "output: concat"
        layers.pop()
    nodes = [Node(graphs.INPUT, graphs.INPUT)]
    nodes += [
        Node(
            _KIND.get(layer.operation.with_scale, graphs.IDENTITY),
            _label(layer),
            layer.kernel,
            inputs,
        )
        for layer, inputs in layers
    ]
    nodes.append(Node(graphs.OUTPUT, label, 0, outputs))
    return in_text(Graph(tuple(nodes)))


def _in_pixels(sides: tuple[int, int]) -> str:
    return "x".join(map(str, sides))


def _label(layer: PlacedLayer) -> str:
    size = f" {_in_pixels(window_of(layer))}" if layer.kernel else ""
    stride = f", stride {layer.stride}" if layer.stride > 1 else ""
    if layer.stride_across:
        stride = f", strides {_in_pixels(strides_of(layer))}"
    return short_name(layer) + size + stride
