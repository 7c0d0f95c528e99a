"""NAS's networks placed in a plan, with the three repairs of section 3.3 of the paper.

A layer without input reads the image; maps of unequal size get zeros up to the largest; what no
layer reads goes to the classifier. Where a layout has several stages, every map that crosses from
one to the next is halved by max pooling, as the paper places pooling by hand.
"""

from __future__ import annotations

from collections.abc import Sequence

from blockqnn.networks.layout import Layout
from blockqnn.networks.operations.table import OperationEntry
from blockqnn.networks.plan import Operation, Plan, PlanBuilder
from blockqnn.networks.spaces.whole.meaning import IMAGE, NasLayer, NasNetwork
from blockqnn.networks.spaces.whole.rules import ZEROS
from blockqnn.networks.spaces.whole.stages import BODY, nas_filters, stage_of

_POOLED = 3
"""Side of the window of a pooling between stages."""


def nas_plan(design: NasNetwork, layout: Layout, rules: str) -> Plan:
    """A network from the image to the logits.

    Args:
        design: its layers.
        layout: `filters` has the channels of the narrowest layers of each stage.
        rules: one of `ZEROS`.

    Returns:
        The plan.
    """
    builder = PlanBuilder()
    builder.place("image", Operation.IMAGE, (), layout.image_shape)
    with builder.norms(scale=not layout.unscaled):
        here = _Body(builder, design, layout.filters, ZEROS[rules]).place()
    here = builder.place("head/pooling", Operation.GLOBAL_POOLING, (here,))
    builder.place("head/linear", Operation.LINEAR, (here,), filters=layout.classes)
    return tuple(builder.layers)


def nas_alone(design: NasNetwork, channels: int, filters: int, rules: str) -> Plan:
    """A network without its classifier, in one stage.

    Args:
        design: its layers.
        channels: of the map that it reads.
        filters: of the narrowest layers.
        rules: one of `ZEROS`.

    Returns:
        The plan, from a map to a map.
    """
    builder = PlanBuilder()
    builder.place("image", Operation.IMAGE, (), (8, 8, channels))
    _Body(builder, design, (filters,), ZEROS[rules]).place()
    return tuple(builder.layers)


class _Body:
    """Places the layers; the image is placed already."""

    def __init__(
        self,
        builder: PlanBuilder,
        design: NasNetwork,
        filters: Sequence[int],
        zeros: OperationEntry,
    ):
        self._builder, self._design, self._filters, self._zeros = builder, design, filters, zeros
        self._last = len(filters) - 1
        # Position of what each layer writes, by the stage in which it is read.
        self._maps: dict[tuple[int, int], int] = {(IMAGE, 0): 0}

    def place(self) -> int:
        """Places all layers; returns the position of what goes to the classifier."""
        for number, layer in enumerate(self._design.layers, start=1):
            stage = self._stage(number)
            self._maps[number, stage] = self._layer(f"{BODY}/layer{number}", layer, stage)
        return self._joined(f"{BODY}/output", self._design.unread, self._last)

    def _stage(self, number: int) -> int:
        if number == IMAGE:
            return 0
        return stage_of(number, len(self._design.layers), len(self._filters))

    def _layer(self, name: str, layer: NasLayer, stage: int) -> int:
        here = self._joined(name, layer.inputs, stage)
        height, width, _ = self._builder.layers[here].shape
        filters = nas_filters(layer.filters, self._filters[stage])
        square, even = layer.width == layer.height, layer.stride_across == layer.stride
        here = self._builder.place(
            f"{name}/convolution",
            Operation.CONVOLUTION,
            (here,),
            (-(-height // layer.stride), -(-width // layer.stride_across), filters),
            kernel=layer.height,
            stride=layer.stride,
            across=0 if square else layer.width,
            stride_across=0 if even else layer.stride_across,
        )
        here = self._builder.place(f"{name}/norm", Operation.BATCH_NORM, (here,))
        return self._builder.place(f"{name}/relu", Operation.RELU, (here,))

    def _joined(self, name: str, sources: Sequence[int], stage: int) -> int:
        """What is read of several layers: all of it, in depth."""
        maps = [self._in_stage(source, stage) for source in sources]
        shapes = [self._builder.layers[each].shape for each in maps]
        heights, widths, _ = zip(*shapes, strict=True)
        tallest, widest = (maps[sides.index(max(sides))] for sides in (heights, widths))
        same = []
        for source, here, shape in zip(sources, maps, shapes, strict=True):
            if shape[:2] != (max(heights), max(widths)):
                read = (here, tallest, widest)
                here = self._builder.place(f"{name}/zeros{source}", self._zeros, read)
            same.append(here)
        if len(same) == 1:
            return same[0]
        return self._builder.place(f"{name}/concat", Operation.CONCAT, same)

    def _in_stage(self, source: int, stage: int) -> int:
        """A layer's map as it is in a stage, which is pooled where that is a later one."""
        if (source, stage) not in self._maps:
            before = self._in_stage(source, stage - 1)
            whose = f"layer{source}" if source else "image"
            self._maps[source, stage] = self._builder.place(
                f"{BODY}/{whose}/pooling{stage}",
                Operation.MAX_POOLING,
                (before,),
                kernel=_POOLED,
                stride=2,
            )
        return self._maps[source, stage]
