"""Numbers that describe a block, for models that predict its accuracy."""

from __future__ import annotations

import math

from blockqnn.networks.layout import Layout
from blockqnn.networks.plan_counts import flops, parameters
from blockqnn.networks.spaces.nsc.canonical import CanonicalBlock
from blockqnn.networks.spaces.nsc.codes import LayerType
from blockqnn.networks.spaces.nsc.stacking import block_plan

_KINDS = (
    (LayerType.CONVOLUTION, 1),
    (LayerType.CONVOLUTION, 3),
    (LayerType.CONVOLUTION, 5),
    (LayerType.MAX_POOLING, 3),
    (LayerType.AVERAGE_POOLING, 3),
    (LayerType.ADD, 0),
    (LayerType.CONCAT, 0),
)
_LAYOUT = Layout(filters=(16,), repeats=1, height=8, width=8)

BLOCK_FEATURES = (
    *(f"{kind.title} {kernel}" for kind, kernel in _KINDS),
    "edges",
    "leaves",
    "density",
    "leaves that are the input",
    "convolutions that read the input",
    "convolutions on the longest path",
    "layers on the longest path",
    "side of the window that an output pixel sees",
    "convolutions before a leaf, on average",
    "logarithm of FLOPs",
    "logarithm of parameters",
)
"""What the numbers are, in order."""


def block_features(block: CanonicalBlock) -> tuple[float, ...]:
    """Describes a block.

    Args:
        block: in canonical form.

    Returns:
        A number for each of `BLOCK_FEATURES`; FLOPs and parameters are those of
        one block of 16 filters that reads 8x8 pixels and 16 channels.
    """
    counts = [sum((layer.type, layer.kernel) == kind for layer in block.layers) for kind in _KINDS]
    convolutions, layers, window = [0], [0], [0]
    for layer in block.layers:
        is_convolution = layer.type == LayerType.CONVOLUTION
        convolutions.append(max(convolutions[i] for i in layer.inputs) + is_convolution)
        layers.append(max(layers[i] for i in layer.inputs) + 1)
        # A window grows by one less than each kernel's side.
        window.append(max(window[i] for i in layer.inputs) + max(0, layer.kernel - 1))
    outputs = block.outputs
    plan = block_plan(block, _LAYOUT)
    return (
        *counts,
        block.edges,
        block.leaves,
        block.density,
        outputs.count(0),
        sum(layer.type == LayerType.CONVOLUTION and 0 in layer.inputs for layer in block.layers),
        max(convolutions[i] for i in outputs),
        max(layers[i] for i in outputs),
        max(window[i] for i in outputs) + 1,
        sum(convolutions[i] for i in outputs) / len(outputs),
        math.log1p(flops(plan)),
        math.log1p(parameters(plan)),
    )
