"""The plans of blocks: stacked into child networks, and alone.

Figure 3 of the BlockQNN paper. How many channels a layer has is told by
`graph.layer_width`, which drawings of codes as written ask as well.
"""

from __future__ import annotations

from blockqnn.networks.layout import IMAGENET, Layout
from blockqnn.networks.plan import Operation, Plan, PlanBuilder, Shape
from blockqnn.networks.spaces.nsc.canonical import CanonicalBlock
from blockqnn.networks.spaces.nsc.codes import LayerType
from blockqnn.networks.spaces.nsc.graph import layer_width

_OPERATION = {
    LayerType.CONVOLUTION: Operation.PCC,
    LayerType.MAX_POOLING: Operation.MAX_POOLING,
    LayerType.AVERAGE_POOLING: Operation.AVERAGE_POOLING,
    LayerType.ADD: Operation.ADD,
    LayerType.CONCAT: Operation.CONCAT,
}


def make_plan(block: CanonicalBlock, layout: Layout) -> Plan:
    """Stacks a block into a child network.

    Args:
        block: the block in canonical form.
        layout: what to build around it.

    Returns:
        The plan. Every PCC of a stage has that stage's filters; the outputs of
        a block are concatenated without projection.
    """
    builder = PlanBuilder()
    here = builder.place("image", Operation.IMAGE, (), layout.image_shape)
    here = builder.convolution(
        "stem/convolution1", Operation.CONVOLUTION, here, 3, layout.filters[0]
    )
    if layout.kind == IMAGENET:
        here = builder.downsampling("stem/pooling1", here)
        here = builder.convolution(
            "stem/convolution2", Operation.CONVOLUTION, here, 3, layout.filters[0]
        )
        here = builder.downsampling("stem/pooling2", here)
    for stage, filters in enumerate(layout.filters, start=1):
        if stage > 1:
            here = builder.downsampling(f"stage{stage}/pooling", here)
        for repeat in range(1, layout.repeats + 1):
            with builder.norms(scale=not layout.unscaled):
                here = place_block(builder, f"stage{stage}/block{repeat}", block, here, filters)
    builder.head(here, layout.classes)
    return tuple(builder.layers)


def block_plan(block: CanonicalBlock, layout: Layout) -> Plan:
    """One block alone, as the reward's FLOPs see it.

    Args:
        block: the block in canonical form.
        layout: gives the image's height and width and the filters.

    Returns:
        The block at the first stage, with that stage's filters as input width.
    """
    halvings = 2 if layout.kind == IMAGENET else 0
    filters = layout.filters[0]
    return placed_alone(
        block, (layout.height >> halvings, layout.width >> halvings, filters), filters
    )


def placed_alone(block: CanonicalBlock, shape: Shape, filters: int) -> Plan:
    """One block that reads an image.

    Args:
        block: the block in canonical form.
        shape: of the image: height, width and channels.
        filters: channels of its convolutions.

    Returns:
        The plan.
    """
    builder = PlanBuilder()
    here = builder.place("image", Operation.IMAGE, (), shape)
    place_block(builder, "block", block, here, filters)
    return tuple(builder.layers)


def place_block(
    builder: PlanBuilder, name: str, block: CanonicalBlock, source: int, filters: int
) -> int:
    """Adds a block that reads `source`; returns the position of its output."""
    placed = [source]
    for number, layer in enumerate(block.layers, start=1):
        inputs = tuple(placed[i] for i in layer.inputs)
        operation = _OPERATION[LayerType(layer.type)]
        widths = [builder.layers[i].shape[-1] for i in inputs]
        channels = layer_width(LayerType(layer.type), widths, filters)
        shape = (*builder.layers[source].shape[:2], channels)
        layer_name = f"{name}/layer{number}"
        placed.append(builder.place(layer_name, operation, inputs, shape, layer.kernel))
    outputs = tuple(placed[i] for i in block.outputs)
    if len(outputs) == 1:
        return outputs[0]
    channels = sum(builder.layers[i].shape[-1] for i in outputs)
    shape = (*builder.layers[source].shape[:2], channels)
    return builder.place(f"{name}/output", Operation.CONCAT, outputs, shape)
