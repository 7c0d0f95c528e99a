"""What operations compute in PyTorch, to measure against."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from blockqnn.networks.operations.steps import padding_of, strides_of
from blockqnn.networks.operations.table import OperationEntry
from blockqnn.networks.plan import Operation, PlacedLayer

BATCH_NORM_MOMENTUM = 0.1
"""Share of the batch in the running statistics: one less what JAX's side keeps."""
BATCH_NORM_EPSILON = 1e-5


def _pcc(layer: PlacedLayer, arrays: nn.Module, x: torch.Tensor, training: bool) -> torch.Tensor:
    y = functional.conv2d(functional.relu(x), arrays.kernel, None, layer.stride, layer.kernel // 2)
    return _batch_norm(y, arrays, training)


def _separable(layer: PlacedLayer, arrays: Any, x: torch.Tensor, dilation: int) -> torch.Tensor:
    x, half = functional.relu(x), dilation * (layer.kernel // 2)
    y = functional.conv2d(x, arrays.depthwise, None, layer.stride, half, dilation, x.shape[1])
    return functional.conv2d(y, arrays.kernel)


def _factorised(layer: PlacedLayer, arrays: Any, x: torch.Tensor) -> torch.Tensor:
    x = functional.relu(x)
    # Beyond an odd last row or column there are zeros.
    shifted = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
    halves = (x, arrays.kernel), (shifted, arrays.kernel_shifted)
    return torch.cat([functional.conv2d(half, kernel, None, 2) for half, kernel in halves], 1)


BEFORE_NORM: dict[OperationEntry, Callable[[PlacedLayer, Any, torch.Tensor], torch.Tensor]] = {
    Operation.SEPARABLE: functools.partial(_separable, dilation=1),
    Operation.DILATED_SEPARABLE: functools.partial(_separable, dilation=2),
    Operation.FACTORISED_REDUCTION: _factorised,
}
"""What operations of several arrays compute before their batch norm."""


def _normalised(
    layer: PlacedLayer, arrays: nn.Module, inputs: list[torch.Tensor], training: bool
) -> torch.Tensor:
    before = BEFORE_NORM[layer.operation.with_scale](layer, arrays, inputs[0])
    return _batch_norm(before, arrays, training)


def _mixture(arrays: nn.Module, inputs: list[torch.Tensor]) -> torch.Tensor:
    shares = torch.softmax(arrays.row, 0)[-len(inputs) :]
    return sum(share * x for share, x in zip(shares, inputs, strict=True))


def _linear(x: torch.Tensor, arrays: nn.Module) -> torch.Tensor:
    # Autocast would compute this in bfloat16, which JAX's side does not.
    with torch.autocast(x.device.type, enabled=False):
        return functional.linear(x, arrays.kernel, arrays.bias)


def _batch_norm(x: torch.Tensor, arrays: nn.Module, training: bool) -> torch.Tensor:
    return functional.batch_norm(
        x,
        arrays.mean,
        arrays.variance,
        getattr(arrays, "scale", None),
        getattr(arrays, "bias", None),
        training,
        BATCH_NORM_MOMENTUM,
        BATCH_NORM_EPSILON,
    )


def _widen(x: torch.Tensor, channels: int) -> torch.Tensor:
    missing = channels - x.shape[1]
    return functional.pad(x, (0, 0, 0, 0, 0, missing)) if missing else x


# In NCHW what JAX's side computes: of a layer, its arrays, its inputs and whether it is trained.
FUNCTIONS: dict[OperationEntry, Callable[..., torch.Tensor]] = {
    Operation.CONVOLUTION: lambda layer, arrays, inputs, training: functional.conv2d(
        inputs[0], arrays.kernel, None, strides_of(layer), padding_of(layer)
    ),
    Operation.PCC: lambda layer, arrays, inputs, training: _pcc(layer, arrays, inputs[0], training),
    Operation.BATCH_NORM: lambda layer, arrays, inputs, training: _batch_norm(
        inputs[0], arrays, training
    ),
    Operation.ZERO: lambda layer, arrays, inputs, training: torch.zeros_like(inputs[0]),
    Operation.MAX_POOLING: lambda layer, arrays, inputs, training: functional.max_pool2d(
        inputs[0], layer.kernel, layer.stride, layer.kernel // 2
    ),
    Operation.AVERAGE_POOLING: lambda layer, arrays, inputs, training: functional.avg_pool2d(
        inputs[0], layer.kernel, layer.stride, layer.kernel // 2, count_include_pad=False
    ),
    **dict.fromkeys(BEFORE_NORM, _normalised),
    Operation.MIXTURE: lambda layer, arrays, inputs, training: _mixture(arrays, inputs),
    Operation.ADD: lambda layer, arrays, inputs, training: (
        _widen(inputs[0], layer.shape[-1]) + _widen(inputs[1], layer.shape[-1])
    ),
    Operation.CONCAT: lambda layer, arrays, inputs, training: torch.cat(inputs, dim=1),
    Operation.DOWNSAMPLING: lambda layer, arrays, inputs, training: functional.max_pool2d(
        inputs[0], 2
    ),
    Operation.AVERAGE_DOWNSAMPLING: lambda layer, arrays, inputs, training: functional.avg_pool2d(
        inputs[0], 2
    ),
    Operation.RELU: lambda layer, arrays, inputs, training: functional.relu(inputs[0]),
    Operation.GLOBAL_POOLING: lambda layer, arrays, inputs, training: (
        inputs[0].float().mean((2, 3))
    ),
    Operation.LINEAR: lambda layer, arrays, inputs, training: _linear(inputs[0], arrays),
}
