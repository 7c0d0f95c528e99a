"""What is computed, by a layer or by a step of it, and where its function is found.

Nothing here imports JAX: a function is named by its module and loaded when it
is first called.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable
from typing import Any, Protocol, Self

Shape = tuple[int, ...]
"""Height, width and channels of a feature map, or channels of a vector."""


ROW = "row"
"""The name by which a mixture gets the numbers that its weights are made of."""

MASK = "mask"
"""The name by which a dropout gets the mask that it multiplies by."""


class Placed(Protocol):
    """A layer of a plan or a step of one, as far as a function depends on it."""

    @property
    def kernel(self) -> int:
        """Side of its window in pixels, 0 where there is none."""

    @property
    def stride(self) -> int:
        """Of a convolution, in both directions."""

    @property
    def across(self) -> int:
        """Columns of its window, where they are not as many as its rows; else 0."""

    @property
    def stride_across(self) -> int:
        """Of a convolution from column to column, where it is another one; else 0."""

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        """The shape of each input."""

    @property
    def shape(self) -> Shape:
        """The shape of the output."""

    @property
    def parameter_shapes(self) -> dict[str, Shape]:
        """The shape of each trained array."""


def window_of(placed: Placed) -> tuple[int, int]:
    """Rows and columns of the window of what is placed."""
    return placed.kernel, placed.across or placed.kernel


def is_oblong(placed: Placed) -> bool:
    """Whether its window, or how far that moves, differs down and across."""
    return bool(placed.across or placed.stride_across)


def strides_of(placed: Placed) -> tuple[int, int]:
    """How far its window moves from row to row and from column to column."""
    return placed.stride, placed.stride_across or placed.stride


def padding_of(placed: Placed) -> tuple[int, int]:
    """Rows above and below, and columns on both sides, as with stride 1."""
    down, across = window_of(placed)
    return down // 2, across // 2


def loaded(reference: str) -> Any:
    """What a reference such as `package.module:name` names, importing its module."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def no_arrays(placed: Placed) -> dict[str, Shape]:
    """Nothing is trained."""
    return {}


def bias_of_channels(placed: Placed) -> dict[str, Shape]:
    """A `bias` for each channel of the output."""
    return {"bias": placed.shape[-1:]}


def scale_and_bias(placed: Placed) -> dict[str, Shape]:
    """A `scale` and a `bias` for each channel of the output."""
    return {"scale": placed.shape[-1:], "bias": placed.shape[-1:]}


def window_kernel(placed: Placed) -> dict[str, Shape]:
    """The `kernel` of a convolution of all inputs' channels, HWIO."""
    read = sum(shape[-1] for shape in placed.input_shapes)
    return {"kernel": (*window_of(placed), read, placed.shape[-1])}


def matrix_kernel(placed: Placed) -> dict[str, Shape]:
    """The `kernel` of a product with all inputs' channels, in x out."""
    read = sum(shape[-1] for shape in placed.input_shapes)
    return {"kernel": (read, placed.shape[-1])}


def whole_kernel(placed: Placed) -> dict[str, Shape]:
    """The `kernel` of a convolution whose window is as large as its input, HWIO."""
    height, width, read = placed.input_shapes[0]
    return {"kernel": (height, width, read, placed.shape[-1])}


def separable_kernels(placed: Placed) -> dict[str, Shape]:
    """A `depthwise` kernel [K, K, 1, I], and the `kernel` [1, 1, I, O] that follows it."""
    read, written = sum(shape[-1] for shape in placed.input_shapes), placed.shape[-1]
    side = placed.kernel
    return {"depthwise": (side, side, 1, read), "kernel": (1, 1, read, written)}


def crossed_kernels(placed: Placed) -> dict[str, Shape]:
    """A `kernel` of one row [1, K, I, O], then `kernel_down` of one column [K, 1, O, O]."""
    read, written = sum(shape[-1] for shape in placed.input_shapes), placed.shape[-1]
    side = placed.kernel
    return {"kernel": (1, side, read, written), "kernel_down": (side, 1, written, written)}


def row_kernel(placed: Placed) -> dict[str, Shape]:
    """The `kernel` of a convolution of one row, [1, K, I, O]."""
    return {"kernel": (1, *window_kernel(placed)["kernel"][1:])}


def column_kernel(placed: Placed) -> dict[str, Shape]:
    """The `kernel` of a convolution of one column, [K, 1, I, O]."""
    side, _, *channels = window_kernel(placed)["kernel"]
    return {"kernel": (side, 1, *channels)}


def half_kernels(placed: Placed) -> dict[str, Shape]:
    """Two 1x1 kernels, `kernel` and `kernel_shifted`, each for half of the output's channels."""
    read, written = sum(shape[-1] for shape in placed.input_shapes), placed.shape[-1]
    second = written // 2
    return {"kernel": (1, 1, read, written - second), "kernel_shifted": (1, 1, read, second)}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Computation:
    """A function with the arrays that are trained for it.

    Two are equal only if they are the same one.

    Attributes:
        name: for the reader.
        function: where it is, as `package.module:name`. It gets what is
            placed, the trained arrays by name and the inputs, [B, H, W, C] or
            [B, C] of the compute dtype, and returns the output; all pure.
        arrays: the shape of each trained array. Initially a `kernel` is random,
            a `scale` 1 and every other array 0.
        normalises: whether batch norm follows the function. Its `scale`, `bias`
            and running statistics are not among `arrays`.
        by_rows: whether a step holds those rows of its layer's `kernel` that
            belong to its inputs, rather than the layer's arrays as they are.
        scales: whether that batch norm has a `scale` and a `bias`.
        without_scale: the same whose batch norm has neither; itself where there is nothing to
            leave out.
        with_scale: what it was before these were left out; itself as a rule.
    """

    name: str
    function: str
    arrays: Callable[[Placed], dict[str, Shape]] = no_arrays
    normalises: bool = False
    by_rows: bool = False
    scales: bool = True
    without_scale: Self = dataclasses.field(init=False)
    with_scale: Self = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        """Makes the form without scale and shift, once, since entries are known by identity."""
        plain = self
        if self.normalises and self.scales:
            plain = dataclasses.replace(self, name=f"{self.name} without scale", scales=False)
            object.__setattr__(plain, "with_scale", self)
        object.__setattr__(self, "without_scale", plain)
        object.__setattr__(self, "with_scale", self)

    @functools.cached_property
    def compute(self) -> Callable[..., Any]:
        """The function itself; the first access imports its module, and so JAX."""
        return loaded(self.function)

    def parameter_shapes(self, placed: Placed) -> dict[str, Shape]:
        """The shape of each trained array, those of batch norm included."""
        shapes = self.arrays(placed)
        if self.normalises and self.scales:
            shapes |= {"scale": placed.shape[-1:], "bias": placed.shape[-1:]}
        return shapes

    def __repr__(self) -> str:
        return f"<{self.name}>"


_FUNCTIONS = "blockqnn.networks.operations.functions:"


class StepKind:
    """What a step computes that is no operation of its own.

    A PCC of one group is one step, of several a convolution for each and then
    a batch norm of their sum, which has a scale where the PCC has one.
    """

    RELU_CONVOLUTION = Computation(
        "relu, convolution", _FUNCTIONS + "relu_convolution", window_kernel, by_rows=True
    )
    BATCH_NORM = Computation("sum, batch norm", _FUNCTIONS + "total", normalises=True)
    SUM = Computation("sum", _FUNCTIONS + "total")
    JOIN = Computation("concat", _FUNCTIONS + "concat")
    SLICE = Computation("slice of channels", _FUNCTIONS + "slice_of_channels")
    RELU_POOLING = Computation("relu, global average pooling", _FUNCTIONS + "relu_pooling")
    LOGITS = Computation("matrix product", _FUNCTIONS + "product", matrix_kernel, by_rows=True)
    BIAS = Computation("sum, bias", _FUNCTIONS + "biased_total", bias_of_channels)


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a child network; it writes one part.

    Attributes:
        kind: what it computes: an operation, or one of `StepKind`.
        inputs: positions of the steps whose parts it reads.
        input_shapes: the shape of each.
        shape: of the part that it writes: height, width and channels, or channels.
        kernel: side of its window in pixels, 0 where there is none.
        first_channel: of a slice, in its input.
        layer: position in the plan of the layer that it belongs to.
        stride: of a convolution.
        rows: for each input, where its channels begin in that layer's kernel, as
            often as it occurs there. Empty where the step has no kernel.
        across: columns of its window, where they are not as many as its rows; else 0.
        stride_across: from column to column, where it is another one; else 0.
        mixture: of a mixture, the name of the row that its weights are made of.
        choices: how many numbers that row has; 0 for what is no mixture.
    """

    kind: Computation
    inputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    shape: Shape
    kernel: int = 0
    first_channel: int = 0
    layer: int = 0
    stride: int = 1
    rows: tuple[tuple[int, ...], ...] = ()
    across: int = 0
    stride_across: int = 0
    mixture: str = ""
    choices: int = 0

    @property
    def signature(self) -> Step:
        """The step without its place; equal signatures share an executable."""
        return dataclasses.replace(self, inputs=(), layer=0, rows=(), mixture="")

    @property
    def normalises(self) -> bool:
        """Whether it has the running statistics of a batch norm, and as a rule its scale."""
        return self.kind.normalises

    @property
    def parameter_shapes(self) -> dict[str, Shape]:
        """Shape of each trained array that the step holds."""
        return self.kind.parameter_shapes(self)

    @property
    def copies(self) -> tuple[int, ...]:
        """For each input, how many rows of the layer's kernel are summed up for it."""
        return tuple(len(starts) for starts in self.rows)
