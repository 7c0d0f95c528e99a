"""The table of operations. An operation is its function and one entry here.

A search space places operations; the plan, the counts, the Flax module and the
ways of executing a child ask their entries. Nothing here imports JAX.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from blockqnn.networks.operations.counts import (
    not_counted,
    of_all_kernels,
    of_crossed_kernels,
    of_the_kernel,
)
from blockqnn.networks.operations.cuts import (
    Cut,
    all_parts,
    batch_norm_of_one,
    convolution_by_groups,
    each_part,
    mixture_by_parts,
    one_step,
    pcc_by_groups,
    pooling_after_relu,
    product_by_groups,
    relu_before_pooling,
    sum_by_parts,
)
from blockqnn.networks.operations.flax_form import FlaxForm as FlaxForm
from blockqnn.networks.operations.shapes import (
    ShapeRule,
    as_the_rest,
    channels,
    grown,
    halved,
    is_given,
    narrowed,
    of_filters,
    one_place,
    same_shape,
    side_by_side,
    thinned,
    thinned_across,
    thinned_down,
    thinned_once,
    thinned_within,
    vector_of_filters,
    widest,
    within,
)
from blockqnn.networks.operations.steps import (
    Computation,
    Placed,
    Shape,
    bias_of_channels,
    column_kernel,
    crossed_kernels,
    half_kernels,
    matrix_kernel,
    row_kernel,
    scale_and_bias,
    separable_kernels,
    whole_kernel,
    window_kernel,
)


def _kernel_and_bias(placed: Placed) -> dict[str, Shape]:
    return matrix_kernel(placed) | bias_of_channels(placed)


_MODULES = "blockqnn.networks.operations.flax_modules:"
_FUNCTIONS = "blockqnn.networks.operations.functions:"
_DILATED = "relu_dilated_convolution"
_MIXED = "blockqnn.networks.operations.mixed_functions:"


_FUNCTION = FlaxForm("function", _MODULES + "OwnArrays")


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class OperationEntry(Computation):
    """All that is known of an operation. Its name is what exports and logs call it.

    Attributes:
        shape: the rule for the shape of the output.
        cut: into steps over parts; at least `one_step` is right for everything.
        multiply_accumulates: that count towards FLOPs, for one image, forward.
        flax: its form in Flax; without one of its own, its function and
            its arrays as they are.
        convolves: whether the depth of a network counts it.
        joins: whether drop-path may leave out some of its inputs.
        rectifies: whether it begins with a ReLU of each of its inputs.
        by_example: whether each example has an output of its own.
    """

    shape: ShapeRule = same_shape
    cut: Cut = one_step
    multiply_accumulates: Callable[[Placed], int] = not_counted
    flax: FlaxForm = _FUNCTION
    convolves: bool = False
    joins: bool = False
    rectifies: bool = False
    by_example: bool = True


def _relu_and_norm(
    name: str,
    function: str,
    arrays: Callable[[Placed], dict[str, Shape]],
    shape: ShapeRule = of_filters,
    multiply_accumulates: Callable[[Placed], int] = of_all_kernels,
) -> OperationEntry:
    """A ReLU, convolutions of a kind that only cells have, and batch norm."""
    return OperationEntry(
        name,
        _FUNCTIONS + function,
        arrays,
        normalises=True,
        shape=shape,
        multiply_accumulates=multiply_accumulates,
        convolves=True,
        rectifies=True,
    )


class Operation:
    """What a placed layer may compute."""

    IMAGE = OperationEntry("image", _FUNCTIONS + "image", shape=is_given)
    CONVOLUTION = OperationEntry(
        "convolution",
        _FUNCTIONS + "convolution_of_parts",
        window_kernel,
        by_rows=True,
        shape=of_filters,
        cut=convolution_by_groups,
        multiply_accumulates=of_the_kernel,
        flax=FlaxForm("convolution", _MODULES + "Convolution"),
        convolves=True,
    )
    VALID_CONVOLUTION = OperationEntry(
        "convolution without padding",
        _FUNCTIONS + "valid_convolution",
        window_kernel,
        shape=within,
        multiply_accumulates=of_the_kernel,
        convolves=True,
    )
    WHOLE = OperationEntry(
        "convolution of the whole map",
        _FUNCTIONS + "whole_convolution",
        whole_kernel,
        shape=one_place,
        multiply_accumulates=of_the_kernel,
        convolves=True,
    )
    WHOLE_PADDED = OperationEntry(
        "convolution by a window as large as the map",
        _FUNCTIONS + "whole_padded_convolution",
        whole_kernel,
        shape=of_filters,
        multiply_accumulates=of_the_kernel,
        convolves=True,
    )
    PCC = OperationEntry(
        "relu, convolution, batch norm",
        _FUNCTIONS + "relu_convolution",
        window_kernel,
        normalises=True,
        by_rows=True,
        shape=of_filters,
        cut=pcc_by_groups,
        multiply_accumulates=of_the_kernel,
        flax=FlaxForm("convolution", _MODULES + "ReluConvolution"),
        convolves=True,
        rectifies=True,
    )
    SEPARABLE = _relu_and_norm(
        "relu, separable convolution, batch norm", "relu_separable_convolution", separable_kernels
    )
    DILATED_SEPARABLE = _relu_and_norm(
        "relu, dilated separable convolution, batch norm",
        "relu_dilated_separable_convolution",
        separable_kernels,
    )
    DILATED = _relu_and_norm("relu, dilated convolution, batch norm", _DILATED, window_kernel)
    CROSSED = _relu_and_norm(
        "relu, 1xK and Kx1 convolution, batch norm",
        "relu_crossed_convolutions",
        crossed_kernels,
        multiply_accumulates=of_crossed_kernels,
    )
    ROW = _relu_and_norm(
        "relu, 1xK convolution, batch norm", "relu_row_convolution", row_kernel, thinned_across
    )
    COLUMN = _relu_and_norm(
        "relu, Kx1 convolution, batch norm", "relu_column_convolution", column_kernel, thinned_down
    )
    FACTORISED_REDUCTION = _relu_and_norm(
        "relu, factorised reduction, batch norm",
        "factorised_reduction",
        half_kernels,
        shape=thinned_once,
    )
    PLAIN_FACTORISED_REDUCTION = OperationEntry(
        "factorised reduction, batch norm",
        _FUNCTIONS + "plain_factorised_reduction",
        half_kernels,
        normalises=True,
        shape=thinned_once,
        multiply_accumulates=of_all_kernels,
        convolves=True,
    )
    ZEROS_AFTER = OperationEntry(
        "zeros below and to the right", _FUNCTIONS + "zeros_after", shape=grown, cut=each_part
    )
    ZEROS_AROUND = OperationEntry(
        "zeros around", _FUNCTIONS + "zeros_around", shape=grown, cut=each_part
    )
    MAX_POOLING = OperationEntry(
        "max pooling", _FUNCTIONS + "max_pooling", shape=thinned, cut=each_part
    )
    AVERAGE_POOLING = OperationEntry(
        "average pooling", _FUNCTIONS + "average_pooling", shape=thinned, cut=each_part
    )
    POOLING_WITHIN = OperationEntry(
        "average pooling without padding",
        _FUNCTIONS + "average_pooling_within",
        shape=thinned_within,
        cut=each_part,
    )
    ADD = OperationEntry("add", _FUNCTIONS + "add", shape=widest, cut=sum_by_parts, joins=True)
    CONCAT = OperationEntry(
        "concat", _FUNCTIONS + "concat", shape=side_by_side, cut=all_parts, joins=True
    )
    MIXTURE = OperationEntry("mixture", _MIXED + "mixture", cut=mixture_by_parts)
    FIRST_CHANNELS = OperationEntry("first channels", _MIXED + "first_channels", shape=narrowed)
    BESIDE_THE_REST = OperationEntry(
        "channels beside the rest, shuffled", _MIXED + "beside_the_rest", shape=as_the_rest
    )
    ZERO = OperationEntry("zero", _FUNCTIONS + "zero", cut=each_part)
    BATCH_NORM = OperationEntry(
        "batch norm", _FUNCTIONS + "identity", normalises=True, cut=batch_norm_of_one
    )
    LAYER_NORM = OperationEntry("layer norm", _FUNCTIONS + "layer_norm", scale_and_bias)
    INSTANCE_NORM = OperationEntry("instance norm", _FUNCTIONS + "instance_norm", scale_and_bias)
    DOWNSAMPLING = OperationEntry(
        "2x2 max pooling, stride 2", _FUNCTIONS + "downsampling", shape=halved, cut=each_part
    )
    AVERAGE_DOWNSAMPLING = OperationEntry(
        "2x2 average pooling, stride 2",
        _FUNCTIONS + "average_downsampling",
        shape=halved,
        cut=each_part,
    )
    RELU = OperationEntry("relu", _FUNCTIONS + "relu", cut=relu_before_pooling, rectifies=True)
    GLOBAL_POOLING = OperationEntry(
        "global average pooling",
        _FUNCTIONS + "global_pooling",
        shape=channels,
        cut=pooling_after_relu,
    )
    PRODUCT = OperationEntry(
        "linear without bias",
        _FUNCTIONS + "product",
        matrix_kernel,
        shape=vector_of_filters,
        multiply_accumulates=of_the_kernel,
    )
    LINEAR = OperationEntry(
        "linear",
        _FUNCTIONS + "linear",
        _kernel_and_bias,
        shape=vector_of_filters,
        cut=product_by_groups,
        multiply_accumulates=of_the_kernel,
        flax=FlaxForm("linear", _MODULES + "Linear"),
    )


def operations() -> dict[str, OperationEntry]:
    """Every operation of the table, by its name."""
    entries = [entry for entry in vars(Operation).values() if isinstance(entry, OperationEntry)]
    return {entry.name: entry for entry in entries}
