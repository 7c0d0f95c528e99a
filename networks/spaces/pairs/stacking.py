"""Cells of pairs stacked into a network, and alone.

A cell reads the outputs of the two cells before it. Every stage but the first begins with a
reduction; of three stages those are the cells after a third and two thirds of all.
"""

from __future__ import annotations

from collections.abc import Callable

from blockqnn.networks.layout import CELLS_IMAGENET, Layout, LayoutError
from blockqnn.networks.operations.table import OperationEntry
from blockqnn.networks.plan import AUXILIARY, Operation, PlacedLayer, Plan, PlanBuilder
from blockqnn.networks.spaces.pairs.meaning import Cells
from blockqnn.networks.spaces.pairs.placing import Placing
from blockqnn.networks.spaces.pairs.rules import RULES, Rules

_STEM_WIDTH = 3
"""Channels of the stem for small images, in filters of the first cell."""
_STEM = "stem/"
_STEM_CELLS = 2
_SECOND = 2
_WINDOW, _NARROW, _WIDE = 5, 128, 768
"""Of an auxiliary head: side of its pooling, and channels of its convolutions."""


def cells_plan(
    design: Cells, layout: Layout, rules: str, placing: Callable[..., Placing] = Placing
) -> Plan:
    """Stacks cells into a network.

    Args:
        design: normal and reduction cell, or one for both.
        layout: of the kind `cells` or `cells_imagenet`.
        rules: one of `RULES`.
        placing: what places a cell, with the arguments of `Placing`.

    Returns:
        The plan.
    """
    return tuple(_stacked(design, layout, RULES[rules], placing).layers)


def auxiliary_head(design: Cells, layout: Layout, rules: str) -> Plan:
    """The classifier in the middle of a network that helps to train it.

    Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, section 5; in the form that
    networks of cells have it in.

    Args:
        design: as for `cells_plan`.
        layout: likewise.
        rules: likewise.

    Returns:
        Its layers, which stand behind those of the network.

    Raises:
        LayoutError: if the network has no second reduction, or not the cell that the head
            reads, or that one's maps are smaller than the head's first window.
    """
    stack = _stacked(design, layout, RULES[rules])
    network = len(stack.layers)
    stack.auxiliary(layout)
    return tuple(stack.layers[network:])


def _stacked(
    design: Cells, layout: Layout, rules: Rules, placing: Callable[..., Placing] = Placing
) -> _Stack:
    """A whole network."""
    builder = PlanBuilder()
    builder.place("image", Operation.IMAGE, (), layout.image_shape)
    filters, count = layout.filters, number_of_cells(design, layout)
    stem_cells = _STEM_CELLS if layout.kind == CELLS_IMAGENET and rules.stem_cells else 0
    stack = _Stack(builder, design, rules, count + stem_cells, scales=not layout.unscaled)
    stack.placing = placing
    if layout.kind != CELLS_IMAGENET:
        stack.small_stem(_STEM_WIDTH * filters[0])
    elif rules.stem_cells:
        stack.stem_of_cells(filters[0])
    else:
        stack.stem_of_convolutions(filters[0])
    first = [count * stage // len(filters) for stage in range(len(filters))]
    for number in range(count):
        stage = sum(number >= each for each in first)
        reduces = stage > 1 and number == first[stage - 1]
        name = f"stage{stage}/cell{number - first[stage - 1] + 1}"
        stack.cell(name, filters[stage - 1], reduces)
    stack.head(layout.classes)
    return stack


class _Stack:
    """Places stem, cells and head; holds the last two outputs."""

    def __init__(
        self, builder: PlanBuilder, design: Cells, rules: Rules, cells: int, scales: bool = True
    ):
        self._builder, self._design, self._rules = builder, design, rules
        self._scales = scales
        self.placing: Callable[..., Placing] = Placing
        self._apart: tuple[int, ...] = ()
        self._cells, self._reductions = cells, list[int]()
        self._outputs: list[tuple[int, ...]] = []
        self._older: int | None = None
        self._newer = 0

    @property
    def layers(self) -> list[PlacedLayer]:
        """Those that stand already."""
        return self._builder.layers

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
        for number in range(1, _STEM_CELLS + 1):
            share = 2 ** (_STEM_CELLS + 1 - number)
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
        share = (len(self._outputs) + 1) / self._cells
        before = reduces and self._rules.reduces_before
        placing = self.placing(
            self._builder, name, self._rules, filters, reduces and not before, share
        )
        with self._builder.norms(self._scales):
            if before:
                self._reduce_newer(name, filters)
            if cell.apart:
                given = self._apart or (self._newer,) * cell.inputs
                self._apart = placing.place_apart(cell, given)
                # Who reads all of them as one map is the classifier alone.
                output = self._apart[-1]
            else:
                output = placing.place(cell, self._older, self._newer)
        if reduces and not name.startswith(_STEM):
            self._reductions.append(len(self._outputs))
        self._outputs.append(self._apart or (output,))
        skips = reduces and self._rules.skips_reduction and not name.startswith(_STEM)
        self._older, self._newer = (self._older if skips else self._newer), output

    def _reduce_newer(self, name: str, filters: int) -> None:
        """Brings the last output down; as it was, it is the older one, brought down by the cell."""
        self._older = self._newer
        self._newer = self._builder.place(
            f"{name}/newer",
            Operation.PLAIN_FACTORISED_REDUCTION,
            (self._newer,),
            filters=filters,
        )

    def head(self, classes: int) -> None:
        """The classifier."""
        here = self._together("head/joined", self._outputs[-1])
        if self._rules.rectifies:
            here = self._builder.place("head/relu", Operation.RELU, (here,))
        here = self._builder.place("head/pooling", Operation.GLOBAL_POOLING, (here,))
        self._builder.place("head/linear", self._rules.classifier, (here,), filters=classes)

    def auxiliary(self, layout: Layout) -> None:
        """The auxiliary head: a pooling, two convolutions and a classifier."""
        rules, large = self._rules, layout.kind == CELLS_IMAGENET
        here = self._read_by_auxiliary()
        height, width, _ = self.layers[here].shape
        if min(height, width) < _WINDOW:
            raise LayoutError(
                f"An auxiliary head begins with a window of {_WINDOW}x{_WINDOW} pixels, and the "
                f"maps of the cell that it reads here are {height}x{width}; larger images, or no "
                "head (--auxiliary_weight=0)."
            )
        here = self._beside("relu", Operation.RELU, here)
        here = self._beside(
            "pooling", Operation.POOLING_WITHIN, here, _WINDOW, rules.auxiliary_stride[large]
        )
        here = self._beside("narrow", Operation.CONVOLUTION, here, 1, filters=_NARROW)
        here = self._beside("narrow_norm", Operation.BATCH_NORM, here)
        here = self._beside("narrow_relu", Operation.RELU, here)
        whole = Operation.WHOLE_PADDED if rules.auxiliary_pooling else Operation.WHOLE
        here = self._beside("wide", whole, here, filters=_WIDE)
        if rules.auxiliary_norms[large]:
            here = self._beside("wide_norm", Operation.BATCH_NORM, here)
        here = self._beside("wide_relu", Operation.RELU, here)
        here = self._beside("mean", Operation.GLOBAL_POOLING, here)
        self._beside("linear", rules.classifier, here, filters=layout.classes)

    def _read_by_auxiliary(self) -> int:
        """Position of the output that the auxiliary head reads."""
        if len(self._reductions) < _SECOND:
            raise LayoutError(
                "An auxiliary head has its place at the second reduction, and this network has "
                f"{len(self._reductions)}; three stages (--filters) or no head "
                "(--auxiliary_weight=0)."
            )
        place = self._reductions[_SECOND - 1] + self._rules.auxiliary
        if place >= len(self._outputs):
            raise LayoutError(
                "The auxiliary head of these rules reads the cell after the second reduction, "
                "and there is none; more --cells, or no head (--auxiliary_weight=0)."
            )
        return self._together(f"{AUXILIARY}/joined", self._outputs[place])

    def _together(self, name: str, maps: tuple[int, ...]) -> int:
        """All that a cell lets out as one map."""
        return maps[0] if len(maps) == 1 else self._builder.place(name, Operation.CONCAT, maps)

    def _beside(
        self,
        name: str,
        operation: OperationEntry,
        source: int,
        kernel: int = 0,
        stride: int = 1,
        filters: int = 0,
    ) -> int:
        return self._builder.place(
            f"{AUXILIARY}/{name}",
            operation,
            (source,),
            kernel=kernel,
            stride=stride,
            filters=filters,
        )

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
    cell = design.cells[0]
    placing = Placing(builder, "cell", RULES["darts"], filters, False)
    if cell.apart:
        placing.together(placing.place_apart(cell, (here,) * cell.inputs))
    else:
        placing.place(cell, here, here)
    return tuple(builder.layers)
