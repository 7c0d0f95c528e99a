"""Cells of pairs stacked into a network, and alone.

A cell reads the outputs of the two cells before it. Every stage but the first begins with a
reduction; of three stages those are the cells after a third and two thirds of all.
"""

from __future__ import annotations

from blockqnn.networks.layout import CELLS_IMAGENET, Layout
from blockqnn.networks.plan import Operation, Plan, PlanBuilder
from blockqnn.networks.spaces.pairs.meaning import Cells
from blockqnn.networks.spaces.pairs.placing import Placing
from blockqnn.networks.spaces.pairs.rules import RULES, Rules

_STEM_WIDTH = 3
"""Channels of the stem for small images, in filters of the first cell."""
_STEM = "stem/"


def cells_plan(design: Cells, layout: Layout, rules: str) -> Plan:
    """Stacks cells into a network.

    Args:
        design: normal and reduction cell, or one for both.
        layout: of the kind `cells` or `cells_imagenet`.
        rules: one of `RULES`.

    Returns:
        The plan.
    """
    builder = PlanBuilder()
    builder.place("image", Operation.IMAGE, (), layout.image_shape)
    stack = _Stack(builder, design, RULES[rules])
    filters = layout.filters
    if layout.kind != CELLS_IMAGENET:
        stack.small_stem(_STEM_WIDTH * filters[0])
    elif RULES[rules].stem_cells:
        stack.stem_of_cells(filters[0])
    else:
        stack.stem_of_convolutions(filters[0])
    count = number_of_cells(design, layout)
    first = [count * stage // len(filters) for stage in range(len(filters))]
    for number in range(count):
        stage = sum(number >= each for each in first)
        reduces = stage > 1 and number == first[stage - 1]
        name = f"stage{stage}/cell{number - first[stage - 1] + 1}"
        stack.cell(name, filters[stage - 1], reduces)
    stack.head(layout.classes)
    return tuple(builder.layers)


class _Stack:
    """Places stem, cells and head; holds the last two outputs."""

    def __init__(self, builder: PlanBuilder, design: Cells, rules: Rules):
        self._builder, self._design, self._rules = builder, design, rules
        self._older: int | None = None
        self._newer = 0

    def small_stem(self, channels: int) -> None:
        """A convolution, which the first cell reads."""
        stem = self._convolution("stem/convolution", 0, channels)
        self._older, self._newer = (stem if self._rules.stem_twice else None), stem

    def stem_of_cells(self, filters: int) -> None:
        """A convolution with stride, then two reduction cells."""
        here = self._builder.place(
            "stem/convolution/convolution",
            Operation.VALID_CONVOLUTION,
            (0,),
            kernel=3,
            stride=2,
            filters=self._rules.stem_filters,
        )
        self._newer = self._builder.place("stem/convolution/norm", Operation.BATCH_NORM, (here,))
        for number, share in enumerate((4, 2), start=1):
            self.cell(f"{_STEM}cell{number}", max(1, filters // share), True)

    def stem_of_convolutions(self, filters: int) -> None:
        """Three convolutions with stride, the last two of which the first cell reads."""
        here = self._convolution("stem/convolution1", 0, filters // 2, 2)
        here = self._builder.place("stem/convolution2/relu", Operation.RELU, (here,))
        self._older = self._convolution("stem/convolution2", here, filters, 2)
        here = self._builder.place("stem/convolution3/relu", Operation.RELU, (self._older,))
        self._newer = self._convolution("stem/convolution3", here, filters, 2)

    def cell(self, name: str, filters: int, reduces: bool) -> None:
        """A cell that reads the last two outputs."""
        cell = self._design.cells[-1 if reduces else 0]
        placing = Placing(self._builder, name, self._rules, filters, reduces)
        output = placing.place(cell, self._older, self._newer)
        skips = reduces and self._rules.skips_reduction and not name.startswith(_STEM)
        self._older, self._newer = (self._older if skips else self._newer), output

    def head(self, classes: int) -> None:
        """The classifier."""
        here = self._newer
        if self._rules.rectifies:
            here = self._builder.place("head/relu", Operation.RELU, (here,))
        here = self._builder.place("head/pooling", Operation.GLOBAL_POOLING, (here,))
        self._builder.place("head/linear", self._rules.classifier, (here,), filters=classes)

    def _convolution(self, name: str, source: int, filters: int, stride: int = 1) -> int:
        here = self._builder.convolution(
            f"{name}/convolution", Operation.CONVOLUTION, source, 3, filters, stride
        )
        return self._builder.place(f"{name}/norm", Operation.BATCH_NORM, (here,))


def number_of_cells(design: Cells, layout: Layout) -> int:
    """How many cells a network has, the reductions included."""
    if layout.cells:
        return layout.cells
    stages = len(layout.filters)
    return stages * layout.repeats + (stages - 1 if len(design.cells) > 1 else 0)


def alone_plan(design: Cells, channels: int, filters: int) -> Plan:
    """The normal cell alone, both of whose inputs are prepared, whatever their width.

    Args:
        design: whose normal cell it is.
        channels: of the map that it reads as both inputs.
        filters: of its operations.

    Returns:
        The plan, from a map to a map.
    """
    builder = PlanBuilder()
    here = builder.place("image", Operation.IMAGE, (), (8, 8, channels))
    Placing(builder, "cell", RULES["darts"], filters, False).place(design.cells[0], here, here)
    return tuple(builder.layers)
