"""The plan of a child network: one flat list of placed layers with shapes.

A search space makes a plan of a design and a layout, and everything else is
read off it: parameters, FLOPs and depth (`blockqnn.networks.cost`), the Flax
module, and every way of executing it. Nothing computes a shape twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from blockqnn.networks.operations.steps import Shape
from blockqnn.networks.operations.table import Operation, OperationEntry

__all__ = ["AUXILIARY", "Operation", "PlacedLayer", "Plan", "PlanBuilder", "Shape"]

AUXILIARY = "auxiliary"
"""What the names of all layers of an auxiliary head begin with, and of no other."""


@dataclasses.dataclass(frozen=True)
class PlacedLayer:
    """One layer of a child network.

    Attributes:
        name: where it stands, such as `stage1/block2/layer3`; unique in a plan.
        operation: what it computes.
        kernel: side of its window in pixels, 0 where there is none.
        inputs: positions in the plan of the layers that it reads.
        input_shapes: the shape of each input.
        shape: the shape of its output.
        stride: of a convolution; padding is as with stride 1.
        shared_as: the name by which designs share its arrays, where that is not `name`.
        across: columns of its window, where they are not as many as its rows; else 0.
        stride_across: from column to column, where it is another one; else 0.
        path: where in the network the path lies that ends here, from above 0 to 1 at the last
            of its cells: what drop-path by cells may leave out. 0 where none ends.
        mixture: of a mixture, the name of the row of numbers that its weights are made of.
        choices: how many numbers that row has; 0 for what is no mixture.
    """

    name: str
    operation: OperationEntry
    kernel: int
    inputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    shape: Shape
    stride: int = 1
    shared_as: str = ""
    across: int = 0
    stride_across: int = 0
    path: float = 0.0
    mixture: str = ""
    choices: int = 0

    @property
    def normalises(self) -> bool:
        """Whether it has the running statistics of a batch norm, and as a rule its scale."""
        return self.operation.normalises

    @property
    def bank_key(self) -> str:
        """Where it stands and what it is: designs that share weights share those of one key."""
        shapes = " ".join("x".join(map(str, shape)) for shape in self.input_shapes)
        window = f"{self.kernel}/{self.stride}"
        if self.across or self.stride_across:
            window += f" {self.across}/{self.stride_across}"
        what = f"{self.operation.name} {window} {shapes} -> {'x'.join(map(str, self.shape))}"
        return f"{self.shared_as or self.name}: {what}"

    @property
    def parameter_shapes(self) -> dict[str, Shape]:
        """Shape of each trained array: kernels are HWIO, or in x out."""
        return self.operation.parameter_shapes(self)

    @property
    def signature(self) -> tuple[object, ...]:
        """All that the computation depends on; equal signatures share an executable."""
        window = self.kernel, self.across, self.stride, self.stride_across
        return self.operation, self.input_shapes, self.shape, *window, self.choices


Plan = tuple[PlacedLayer, ...]
"""The layers of a child network in an order in which they can be computed.

The first is the image, the last the linear classifier.
"""


class PlanBuilder:
    """Places layers one after the other; `layers` are those that stand already.

    `scales` says whether the batch norms of what is placed have scale and shift.
    """

    def __init__(self) -> None:
        self.layers: list[PlacedLayer] = []
        self.scales = True

    @contextlib.contextmanager
    def norms(self, scale: bool) -> Iterator[None]:
        """Says for a while whether batch norms have scale and shift."""
        before, self.scales = self.scales, scale
        try:
            yield
        finally:
            self.scales = before

    def place(
        self,
        name: str,
        operation: OperationEntry,
        inputs: Sequence[int],
        shape: Shape | None = None,
        kernel: int = 0,
        stride: int = 1,
        filters: int = 0,
        shared_as: str = "",
        across: int = 0,
        stride_across: int = 0,
        mixture: str = "",
        choices: int = 0,
    ) -> int:
        """Adds a layer; its fields are those of `PlacedLayer`.

        Args:
            name: see there.
            operation: an entry of the table `Operation`.
            inputs: see there.
            shape: see there; None for what the operation's rule says.
            kernel: see there.
            stride: see there.
            filters: channels of the output, for operations that leave the choice.
            shared_as: see there.
            across: see there.
            stride_across: see there.
            mixture: see there.
            choices: see there.

        Returns:
            Its position.

        Raises:
            ValueError: if the image is given no shape.
        """
        if not self.scales:
            operation = operation.without_scale
        shapes = tuple(self.layers[i].shape for i in inputs)
        if shape is None:
            shape = operation.shape(shapes, kernel, stride, filters)
        layer = PlacedLayer(
            *(name, operation, kernel, tuple(inputs), shapes, shape),
            *(stride, shared_as, across, stride_across),
            mixture=mixture,
            choices=choices,
        )
        self.layers.append(layer)
        return len(self.layers) - 1

    def convolution(
        self,
        name: str,
        operation: OperationEntry,
        source: int,
        kernel: int,
        filters: int,
        stride: int = 1,
    ) -> int:
        """Adds a convolution, alone or as a PCC.

        Args:
            name: of the layer.
            operation: `CONVOLUTION` or `PCC`.
            source: position of the layer that it reads.
            kernel: side of its window in pixels.
            filters: channels of its output.
            stride: in both directions.

        Returns:
            Its position.
        """
        return self.place(name, operation, (source,), kernel=kernel, stride=stride, filters=filters)

    def end_path(self, here: int, share: float) -> None:
        """Says that a path ends with a layer; see `PlacedLayer.path`."""
        self.layers[here] = dataclasses.replace(self.layers[here], path=share)

    def downsampling(
        self, name: str, source: int, operation: OperationEntry = Operation.DOWNSAMPLING
    ) -> int:
        """Adds pooling of 2x2 pixels with stride 2; returns its position."""
        return self.place(name, operation, (source,), kernel=2)

    def head(self, source: int, classes: int) -> None:
        """Adds the classifier that reads `source`: ReLU, global pooling, linear."""
        here = self.place("head/relu", Operation.RELU, (source,))
        here = self.place("head/pooling", Operation.GLOBAL_POOLING, (here,))
        self.place("head/linear", Operation.LINEAR, (here,), filters=classes)
