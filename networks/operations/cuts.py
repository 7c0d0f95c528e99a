"""How operations are cut into steps over parts; `blockqnn.networks.parts` says what these are.

Every rule gets a cutter, the position of its layer in the plan, the layer and
the parts of each of its inputs; it places steps and returns the parts of the
output. `each_part` and `one_step` serve operations that have nothing special.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from blockqnn.networks.operations.steps import Computation, Shape, Step, StepKind

if TYPE_CHECKING:
    from blockqnn.networks.plan import PlacedLayer, Plan

Parts = tuple[int, ...]
"""A feature map: positions of the steps that write its parts, in the order of their channels."""

MAP_GROUPS = (4, 2, 1)
"""How many equal parts one convolution may read."""
VECTOR_GROUPS = (16, 8, 4, 2, 1)
"""How many equal parts of the pooled features one product of the classifier may read."""
_MOST_SUMMANDS = 4


class Cutter:
    """Holds the steps that are placed already, each once, and places more."""

    def __init__(self, plan: Plan):
        """Begins without steps.

        Args:
            plan: what is cut.
        """
        self.plan = plan
        self.steps: list[Step] = []
        self._known: dict[Step, int] = {}

    def place(
        self, kind: Computation, inputs: Sequence[int], shape: Shape, **attributes: object
    ) -> int:
        """Places a step, unless there is the same one already.

        Args:
            kind: see `Step`.
            inputs: see there.
            shape: see there.
            **attributes: more of its fields.

        Returns:
            Its position.
        """
        shapes = tuple(self.steps[i].shape for i in inputs)
        step = Step(kind, tuple(inputs), shapes, shape, **attributes)  # type: ignore[arg-type]
        if step not in self._known:
            # Maps share parts, so one part may be pooled for several: once is enough.
            self._known[step] = len(self.steps)
            self.steps.append(step)
        return self._known[step]

    def place_sum(self, kind: Computation, parts: Sequence[int], shape: Shape, layer: int) -> int:
        """Places a step that begins with a sum, with few summands: each number is a signature."""
        while len(parts) > _MOST_SUMMANDS:
            first = self.place(StepKind.SUM, parts[:_MOST_SUMMANDS], shape)
            parts = [first, *parts[_MOST_SUMMANDS:]]
        return self.place(kind, parts, shape, layer=layer)

    def place_convolutions(
        self, number: int, layer: PlacedLayer, parts: Parts, kind: Computation
    ) -> list[int]:
        """Places a convolution for each group of parts; the layer's is the sum of them."""
        return [
            self.place(
                kind,
                group,
                layer.shape,
                kernel=layer.kernel,
                layer=number,
                stride=layer.stride,
                across=layer.across,
                stride_across=layer.stride_across,
                rows=rows,
            )
            for group, rows in self.groups(parts, MAP_GROUPS)
        ]

    def place_each(self, kind: Computation, layer: PlacedLayer, parts: Parts) -> Parts:
        """Places a step for each part, which keeps its width."""
        return tuple(
            self.place(
                kind,
                (part,),
                (*layer.shape[:-1], self.width(part)),
                kernel=layer.kernel,
                stride=layer.stride,
            )
            for part in parts
        )

    def take(self, queue: list[int], width: int) -> int:
        """Takes the next part off the end of a queue, cut to a width; its rest stays."""
        part = queue.pop()
        shape = self.steps[part].shape
        if shape[-1] == width:
            return part
        first, rest = (
            self.place(StepKind.SLICE, (part,), (*shape[:-1], channels), first_channel=start)
            for start, channels in ((0, width), (width, shape[-1] - width))
        )
        queue.append(rest)
        return first

    def groups(
        self, parts: Parts, sizes: tuple[int, ...]
    ) -> list[tuple[Parts, tuple[tuple[int, ...], ...]]]:
        """Groups of different parts of one width, with the rows that belong to each part."""
        rows: dict[int, list[int]] = {}
        channel = 0
        for part in parts:
            rows.setdefault(part, []).append(channel)
            channel += self.width(part)
        groups = []
        for width in sorted({self.width(part) for part in rows}):
            alike = [part for part in rows if self.width(part) == width]
            while alike:
                size = next(size for size in sizes if size <= len(alike))
                group, alike = alike[:size], alike[size:]
                groups.append((tuple(group), tuple(tuple(rows[part]) for part in group)))
        return groups

    def joined(self, parts: Parts) -> int:
        """One part that is the whole map."""
        if len(parts) == 1:
            return parts[0]
        channels = sum(self.width(part) for part in parts)
        return self.place(StepKind.JOIN, parts, (*self.steps[parts[0]].shape[:-1], channels))

    def width(self, part: int) -> int:
        """Channels of a part."""
        return self.steps[part].shape[-1]


Cut = Callable[[Cutter, int, "PlacedLayer", Sequence[Parts]], Parts]


def one_step(cutter: Cutter, number: int, layer: PlacedLayer, inputs: Sequence[Parts]) -> Parts:
    """The layer as one step, for which the parts of each input are joined.

    It suits every operation, but each width that occurs is compiled anew.
    """
    whole = [cutter.joined(parts) for parts in inputs]
    step = cutter.place(
        layer.operation,
        whole,
        layer.shape,
        kernel=layer.kernel,
        # What has neither arrays nor statistics is the same wherever it stands.
        layer=number if layer.parameter_shapes or layer.normalises else 0,
        stride=layer.stride,
        rows=((0,),) if layer.operation.by_rows else (),
    )
    return (step,)


def each_part(cutter: Cutter, number: int, layer: PlacedLayer, inputs: Sequence[Parts]) -> Parts:
    """A step for each part of the only input.

    It suits what has no arrays and computes every channel by itself.
    """
    return cutter.place_each(layer.operation, layer, inputs[0])


def convolution_by_groups(
    cutter: Cutter, number: int, layer: PlacedLayer, inputs: Sequence[Parts]
) -> Parts:
    """A convolution for each group of parts, and their sum."""
    sums = cutter.place_convolutions(number, layer, inputs[0], layer.operation)
    if len(sums) == 1:
        return (sums[0],)
    return (cutter.place_sum(StepKind.SUM, sums, layer.shape, layer=0),)


def pcc_by_groups(
    cutter: Cutter, number: int, layer: PlacedLayer, inputs: Sequence[Parts]
) -> Parts:
    """One step for one group; else a convolution for each, and batch norm of their sum."""
    if len(cutter.groups(inputs[0], MAP_GROUPS)) == 1:
        return tuple(cutter.place_convolutions(number, layer, inputs[0], layer.operation))
    sums = cutter.place_convolutions(number, layer, inputs[0], StepKind.RELU_CONVOLUTION)
    return (cutter.place_sum(_norm_of(layer), sums, layer.shape, layer=number),)


def batch_norm_of_one(
    cutter: Cutter, number: int, layer: PlacedLayer, inputs: Sequence[Parts]
) -> Parts:
    """The same step as after the convolutions of several groups, here of one summand."""
    part = cutter.joined(inputs[0])
    return (cutter.place(_norm_of(layer), (part,), layer.shape, layer=number),)


def _norm_of(layer: PlacedLayer) -> Computation:
    """A step of a layer's batch norm alone."""
    return StepKind.BATCH_NORM if layer.operation.scales else StepKind.BATCH_NORM.without_scale


def sum_by_parts(cutter: Cutter, number: int, layer: PlacedLayer, inputs: Sequence[Parts]) -> Parts:
    """Adds channel by channel; beyond the narrower map, the other's parts are the sum.

    Where one map ends within a part of the other, that part stays whole, and the end counts as
    followed by zeros. Cut in two, it would be read in pieces by all that comes after.
    """
    left, right = inputs
    # Both are queues of parts still to be added, the next one last.
    a, b = list(reversed(left)), list(reversed(right))
    output = []
    while a and b:
        wide, narrow = (a, b) if cutter.width(a[-1]) >= cutter.width(b[-1]) else (b, a)
        width = cutter.width(narrow[-1])
        part = wide.pop() if len(narrow) == 1 else cutter.take(wide, width)
        pair = part, narrow.pop()
        output.append(cutter.place(StepKind.SUM, pair, cutter.steps[part].shape))
    return (*output, *reversed(a or b))


def mixture_by_parts(
    cutter: Cutter, number: int, layer: PlacedLayer, inputs: Sequence[Parts]
) -> Parts:
    """Mixes channel by channel, by one row of weights; all inputs have one width."""
    queues = [list(reversed(parts)) for parts in inputs]
    output = []
    while all(queues):
        width = min(cutter.width(queue[-1]) for queue in queues)
        read = [cutter.take(queue, width) for queue in queues]
        shape = cutter.steps[read[0]].shape
        row = {"mixture": layer.mixture, "choices": layer.choices}
        output.append(cutter.place(layer.operation, read, shape, **row))
    return tuple(output)


def all_parts(cutter: Cutter, number: int, layer: PlacedLayer, inputs: Sequence[Parts]) -> Parts:
    """The parts of all inputs, one after the other, which computes nothing."""
    return tuple(part for parts in inputs for part in parts)


def relu_before_pooling(
    cutter: Cutter, number: int, layer: PlacedLayer, inputs: Sequence[Parts]
) -> Parts:
    """Nothing where only global pooling follows, which takes it on; else each part."""
    readers = [reader for reader in cutter.plan if number in reader.inputs]
    if all(reader.operation.cut is pooling_after_relu for reader in readers):
        return inputs[0]
    return each_part(cutter, number, layer, inputs)


def pooling_after_relu(
    cutter: Cutter, number: int, layer: PlacedLayer, inputs: Sequence[Parts]
) -> Parts:
    """Each part, with the ReLU where one stands before it."""
    if cutter.plan[layer.inputs[0]].operation.cut is relu_before_pooling:
        return cutter.place_each(StepKind.RELU_POOLING, layer, inputs[0])
    return each_part(cutter, number, layer, inputs)


def product_by_groups(
    cutter: Cutter, number: int, layer: PlacedLayer, inputs: Sequence[Parts]
) -> Parts:
    """A product for each group of parts, then the bias of their sum."""
    logits = [
        cutter.place(StepKind.LOGITS, group, layer.shape, layer=number, rows=rows)
        for group, rows in cutter.groups(inputs[0], VECTOR_GROUPS)
    ]
    return (cutter.place_sum(StepKind.BIAS, logits, layer.shape, layer=number),)
