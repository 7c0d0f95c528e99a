"""The plan of a child network: one flat list of placed layers with shapes.

A search space makes a plan of a design and a layout, and everything else is
read off it: parameters, FLOPs and depth (`blockqnn.networks.cost`), the Flax
module, and every way of executing it. Nothing computes a shape twice.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

Shape = tuple[int, ...]
"""Height, width and channels of a feature map, or channels of a vector."""


class Operation(enum.Enum):
    """What a placed layer computes."""

    IMAGE = "image"
    CONVOLUTION = "convolution"
    PCC = "relu, convolution, batch norm"
    MAX_POOLING = "max pooling"
    AVERAGE_POOLING = "average pooling"
    ADD = "add"
    CONCAT = "concat"
    ZERO = "zero"
    BATCH_NORM = "batch norm"
    DOWNSAMPLING = "2x2 max pooling, stride 2"
    AVERAGE_DOWNSAMPLING = "2x2 average pooling, stride 2"
    RELU = "relu"
    GLOBAL_POOLING = "global average pooling"
    LINEAR = "linear"


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
    """

    name: str
    operation: Operation
    kernel: int
    inputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    shape: Shape
    stride: int = 1

    @property
    def normalises(self) -> bool:
        """Whether it has the scale, bias and running statistics of a batch norm."""
        return self.operation in (Operation.PCC, Operation.BATCH_NORM)

    @property
    def parameter_shapes(self) -> dict[str, Shape]:
        """Shape of each trained array: kernels are HWIO, or in x out."""
        if self.operation is Operation.LINEAR:
            return {"kernel": (*self.input_shapes[0], *self.shape), "bias": self.shape}
        shapes: dict[str, Shape] = {}
        filters = self.shape[-1]
        if self.operation in (Operation.CONVOLUTION, Operation.PCC):
            channels = self.input_shapes[0][-1]
            shapes["kernel"] = (self.kernel, self.kernel, channels, filters)
        if self.normalises:
            shapes |= {"scale": (filters,), "bias": (filters,)}
        return shapes

    @property
    def signature(self) -> tuple[Operation, int, tuple[Shape, ...], Shape, int]:
        """All that the computation depends on; equal signatures share an executable."""
        return self.operation, self.kernel, self.input_shapes, self.shape, self.stride


Plan = tuple[PlacedLayer, ...]
"""The layers of a child network in an order in which they can be computed.

The first is the image, the last the linear classifier.
"""


class PlanBuilder:
    """Places layers one after the other; `layers` are those that stand already."""

    def __init__(self) -> None:
        self.layers: list[PlacedLayer] = []

    def place(
        self,
        name: str,
        operation: Operation,
        inputs: Sequence[int],
        shape: Shape,
        kernel: int = 0,
        stride: int = 1,
    ) -> int:
        """Adds a layer; its fields are those of `PlacedLayer`.

        Args:
            name: see there.
            operation: see there.
            inputs: see there.
            shape: see there.
            kernel: see there.
            stride: see there.

        Returns:
            Its position.
        """
        shapes = tuple(self.layers[i].shape for i in inputs)
        layer = PlacedLayer(name, operation, kernel, tuple(inputs), shapes, shape, stride)
        self.layers.append(layer)
        return len(self.layers) - 1

    def convolution(
        self,
        name: str,
        operation: Operation,
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
        height, width, _ = self.layers[source].shape
        shape = (-(-height // stride), -(-width // stride), filters)
        return self.place(name, operation, (source,), shape, kernel, stride)

    def downsampling(
        self, name: str, source: int, operation: Operation = Operation.DOWNSAMPLING
    ) -> int:
        """Adds pooling of 2x2 pixels with stride 2; returns its position."""
        height, width, channels = self.layers[source].shape
        return self.place(name, operation, (source,), (height // 2, width // 2, channels), 2)

    def head(self, source: int, classes: int) -> None:
        """Adds the classifier that reads `source`: ReLU, global pooling, linear."""
        here = self.place("head/relu", Operation.RELU, (source,), self.layers[source].shape)
        channels = self.layers[here].shape[-1]
        here = self.place("head/pooling", Operation.GLOBAL_POOLING, (here,), (channels,))
        self.place("head/linear", Operation.LINEAR, (here,), (classes,))
