"""A plan cut into steps over parts, so that few shapes serve every block.

Concatenations multiply the widths that layers meet: nearly every block brings
a width that no block before it had, and each would need programs of its own.
Here a feature map is a sequence of *parts*, arrays of the width in which a
convolution wrote them. Concatenation joins two sequences and computes nothing;
pooling works part by part, and so does Add, where the narrower map's missing
parts are passed on as they are. A convolution of a sequence is the sum of the
convolutions of its groups, each of one, two or four equal parts:

    conv([p1 ... pn], kernel) = sum over groups g of conv(concat(g), kernel[:, :, g])

so the shapes of all steps of all blocks of a layout form a small, finite set.
The linear classifier after the global pooling is cut in the same way.

Where a part occurs more than once in a sequence, which random blocks are full
of, it is read once, with the sum of the kernel's rows that belong to it. Those
rows all have one gradient, so an optimiser that treats every number alike
moves them by one amount d, and their sum by as many times d as there are rows
(`Step.copies`).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from blockqnn.networks.plan import Operation, PlacedLayer, Plan, Shape

MAP_GROUPS = (4, 2, 1)
"""How many equal parts one convolution may read."""
VECTOR_GROUPS = (16, 8, 4, 2, 1)
"""How many equal parts of the pooled features one product of the classifier may read."""
_MOST_SUMMANDS = 4


class StepKind(enum.Enum):
    """What a step computes.

    A PCC of one group is one step, of several a convolution for each and then
    a batch norm of their sum.
    """

    IMAGE = "image"
    CONVOLUTION = "convolution"
    RELU_CONVOLUTION = "relu, convolution"
    BATCH_NORM = "sum, batch norm"
    PCC = "relu, convolution, batch norm"
    MAX_POOLING = "max pooling"
    AVERAGE_POOLING = "average pooling"
    DOWNSAMPLING = "2x2 max pooling, stride 2"
    AVERAGE_DOWNSAMPLING = "2x2 average pooling, stride 2"
    ZERO = "zero"
    SUM = "sum"
    SLICE = "slice of channels"
    RELU_POOLING = "relu, global average pooling"
    LOGITS = "matrix product"
    BIAS = "sum, bias"


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a child network; it writes one part.

    Attributes:
        kind: what it computes.
        inputs: positions of the steps whose parts it reads.
        input_shapes: the shape of each.
        shape: of the part that it writes: height, width and channels, or channels.
        kernel: side of its window in pixels, 0 where there is none.
        first_channel: of a slice, in its input.
        layer: position in the plan of the layer that it belongs to.
        stride: of a convolution.
        rows: for each input, where its channels begin in that layer's kernel, as
            often as it occurs there. Empty where the step has no kernel.
    """

    kind: StepKind
    inputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    shape: Shape
    kernel: int = 0
    first_channel: int = 0
    layer: int = 0
    stride: int = 1
    rows: tuple[tuple[int, ...], ...] = ()

    @property
    def signature(self) -> Step:
        """The step without its place; equal signatures share an executable."""
        return dataclasses.replace(self, inputs=(), layer=0, rows=())

    @property
    def normalises(self) -> bool:
        """Whether it has the scale, bias and running statistics of a batch norm."""
        return self.kind in (StepKind.BATCH_NORM, StepKind.PCC)

    @property
    def copies(self) -> tuple[int, ...]:
        """For each input, how many rows of the layer's kernel are summed up for it."""
        return tuple(len(starts) for starts in self.rows)


def cut_into_steps(plan: Plan) -> tuple[Step, ...]:
    """Cuts a plan into steps over parts.

    Args:
        plan: of a child network.

    Returns:
        The steps in an order in which they can be computed. The first is the
        image, the last writes the logits. What nobody reads is left out.
    """
    cutter = _Cutter()
    maps: list[tuple[int, ...]] = []
    for number, layer in enumerate(plan):
        maps.append(cutter.cut(number, layer, [maps[i] for i in layer.inputs]))
    return _without_unread(cutter.steps)


def _without_unread(steps: list[Step]) -> tuple[Step, ...]:
    """The steps that the last one depends on, with their positions among one another."""
    read = {0, len(steps) - 1}
    for number in range(len(steps) - 1, 0, -1):
        if number in read:
            read.update(steps[number].inputs)
    place = {old: new for new, old in enumerate(sorted(read))}
    return tuple(
        dataclasses.replace(steps[old], inputs=tuple(place[i] for i in steps[old].inputs))
        for old in place
    )


class _Cutter:
    """Appends the steps of one layer after the other."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._known: dict[Step, int] = {}

    def cut(
        self, number: int, layer: PlacedLayer, inputs: list[tuple[int, ...]]
    ) -> tuple[int, ...]:
        """Appends a layer's steps; returns the parts of its output."""
        match layer.operation:
            case Operation.IMAGE:
                return (self._place(StepKind.IMAGE, (), layer.shape),)
            case Operation.CONVOLUTION:
                return tuple(self._convolve(number, layer, inputs[0], StepKind.CONVOLUTION))
            case Operation.PCC:
                # Only one map is read with a stride, and it has one part.
                if layer.stride > 1 or len(self._groups(inputs[0], MAP_GROUPS)) == 1:
                    return tuple(self._convolve(number, layer, inputs[0], StepKind.PCC))
                sums = self._convolve(number, layer, inputs[0], StepKind.RELU_CONVOLUTION)
                return (self._sum(StepKind.BATCH_NORM, sums, layer.shape, layer=number),)
            case Operation.MAX_POOLING:
                return self._each(StepKind.MAX_POOLING, layer, inputs[0])
            case Operation.AVERAGE_POOLING:
                return self._each(StepKind.AVERAGE_POOLING, layer, inputs[0])
            case Operation.DOWNSAMPLING:
                return self._each(StepKind.DOWNSAMPLING, layer, inputs[0])
            case Operation.AVERAGE_DOWNSAMPLING:
                return self._each(StepKind.AVERAGE_DOWNSAMPLING, layer, inputs[0])
            case Operation.ZERO:
                return self._each(StepKind.ZERO, layer, inputs[0])
            case Operation.BATCH_NORM:
                (part,) = inputs[0]
                return (self._sum(StepKind.BATCH_NORM, [part], layer.shape, layer=number),)
            case Operation.ADD:
                return self._add(*inputs)
            case Operation.CONCAT:
                return tuple(part for parts in inputs for part in parts)
            case Operation.RELU:
                return inputs[0]  # Global pooling follows, which takes it on.
            case Operation.GLOBAL_POOLING:
                return self._each(StepKind.RELU_POOLING, layer, inputs[0])
            case Operation.LINEAR:
                logits = [
                    self._place(StepKind.LOGITS, group, layer.shape, layer=number, rows=rows)
                    for group, rows in self._groups(inputs[0], VECTOR_GROUPS)
                ]
                return (self._sum(StepKind.BIAS, logits, layer.shape, layer=number),)

    def _place(
        self, kind: StepKind, inputs: Sequence[int], shape: Shape, **attributes: object
    ) -> int:
        shapes = tuple(self.steps[i].shape for i in inputs)
        step = Step(kind, tuple(inputs), shapes, shape, **attributes)  # type: ignore[arg-type]
        if step not in self._known:
            # Maps share parts, so one part may be pooled for several: once is enough.
            self._known[step] = len(self.steps)
            self.steps.append(step)
        return self._known[step]

    def _sum(self, kind: StepKind, parts: list[int], shape: Shape, layer: int) -> int:
        """Places a step that begins with a sum, with few summands: each number is a signature."""
        while len(parts) > _MOST_SUMMANDS:
            first = self._place(StepKind.SUM, parts[:_MOST_SUMMANDS], shape)
            parts = [first, *parts[_MOST_SUMMANDS:]]
        return self._place(kind, parts, shape, layer=layer)

    def _convolve(
        self, number: int, layer: PlacedLayer, parts: tuple[int, ...], kind: StepKind
    ) -> list[int]:
        return [
            self._place(
                kind,
                group,
                layer.shape,
                kernel=layer.kernel,
                layer=number,
                stride=layer.stride,
                rows=rows,
            )
            for group, rows in self._groups(parts, MAP_GROUPS)
        ]

    def _each(self, kind: StepKind, layer: PlacedLayer, parts: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(
            self._place(kind, (part,), (*layer.shape[:-1], self._width(part)), kernel=layer.kernel)
            for part in parts
        )

    def _add(self, left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
        """Adds channel by channel; beyond the narrower map, the other's parts are the sum."""
        # Both are queues of parts still to be added, the next one last.
        a, b = list(reversed(left)), list(reversed(right))
        output = []
        while a and b:
            width = min(self._width(a[-1]), self._width(b[-1]))
            pair = self._take(a, width), self._take(b, width)
            output.append(self._place(StepKind.SUM, pair, self.steps[pair[0]].shape))
        return (*output, *reversed(a or b))

    def _take(self, queue: list[int], width: int) -> int:
        """Takes the next part off the queue, cut to a width; its rest stays."""
        part = queue.pop()
        shape = self.steps[part].shape
        if shape[-1] == width:
            return part
        first, rest = (
            self._place(StepKind.SLICE, (part,), (*shape[:-1], channels), first_channel=start)
            for start, channels in ((0, width), (width, shape[-1] - width))
        )
        queue.append(rest)
        return first

    def _groups(
        self, parts: tuple[int, ...], sizes: tuple[int, ...]
    ) -> list[tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]]:
        """Groups of different parts of one width, with the rows that belong to each part."""
        rows: dict[int, list[int]] = {}
        channel = 0
        for part in parts:
            rows.setdefault(part, []).append(channel)
            channel += self._width(part)
        groups = []
        for width in sorted({self._width(part) for part in rows}):
            alike = [part for part in rows if self._width(part) == width]
            while alike:
                size = next(size for size in sizes if size <= len(alike))
                group, alike = alike[:size], alike[size:]
                groups.append((tuple(group), tuple(tuple(rows[part]) for part in group)))
        return groups

    def _width(self, part: int) -> int:
        return self.steps[part].shape[-1]
