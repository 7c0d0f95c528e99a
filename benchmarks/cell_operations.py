"""How long the operations of cells take as they are computed, by plain XLA, and by PyTorch.

Value and all gradients of dilated and of crossed convolutions, poolings, and factorised
reductions, at shapes of cells: milliseconds of processor time, medians of alternating runs.
Bind it to one core (`taskset --cpu-list 0`), as a search binds its workers. Depthwise-separable
convolutions have a benchmark of their own, `benchmarks.separable`.
"""

from __future__ import annotations

import dataclasses
import functools
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._arguments import make_parser
from blockqnn.listing import table
from blockqnn.networks.operations.functions import DILATION
from blockqnn.networks.operations.table import Operation, OperationEntry
from blockqnn.networks.plan import PlacedLayer

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")
SIDES = ((8, 32), (16, 16), (32, 16))
"""Height and width of a map, and its channels."""
CASES = (
    *((Operation.DILATED, 3, stride) for stride in (1, 2)),
    *((Operation.CROSSED, kernel, stride) for kernel in (3, 7) for stride in (1, 2)),
    *((Operation.MAX_POOLING, kernel, stride) for kernel in (3, 5, 7) for stride in (1, 2)),
    *((Operation.AVERAGE_POOLING, 3, stride) for stride in (1, 2)),
    (Operation.FACTORISED_REDUCTION, 0, 2),
)
"""Operation, side of its window, stride."""


@dataclasses.dataclass(frozen=True)
class Case:
    """An operation with its arrays.

    Attributes:
        layer: as a plan has it, with as many channels out as in.
        x: the map, [B, H, W, C].
        arrays: its kernels, HWIO.
    """

    layer: PlacedLayer
    x: np.ndarray
    arrays: dict[str, np.ndarray]

    @classmethod
    def of(
        cls,
        operation: OperationEntry,
        kernel: int,
        stride: int,
        side: int,
        channels: int,
        batch: int,
    ) -> Case:
        """The case at a shape."""
        random = np.random.default_rng(0)
        shape = (side, side, channels)
        out = operation.shape((shape,), kernel, stride, channels)
        layer = PlacedLayer("own", operation, kernel, (0,), (shape,), out, stride)
        sizes = operation.arrays(layer)
        arrays = {name: random.standard_normal(s).astype(np.float32) for name, s in sizes.items()}
        return cls(layer, random.standard_normal((batch, *shape)).astype(np.float32), arrays)


def ours(case: Case, x: jax.Array, arrays: dict[str, jax.Array]) -> jax.Array:
    """As children compute it, without batch norm."""
    return case.layer.operation.compute(case.layer, arrays, [x])


def by_xla(case: Case, x: jax.Array, arrays: dict[str, jax.Array]) -> jax.Array:
    """By XLA's own convolution and `reduce_window`."""
    kernel, stride = case.layer.kernel, case.layer.stride
    operation = case.layer.operation
    if operation in (Operation.MAX_POOLING, Operation.AVERAGE_POOLING):
        pooled = functools.partial(_pooled, side=kernel, stride=stride)
        if operation is Operation.MAX_POOLING:
            return pooled(x, -jnp.inf, jax.lax.max)
        ones = jnp.ones((1, *x.shape[1:3], 1), x.dtype)
        return pooled(x, 0.0, jax.lax.add) / pooled(ones, 0.0, jax.lax.add)
    x = jax.nn.relu(x)
    if operation is Operation.DILATED:
        return _convolved(x, arrays["kernel"], (stride, stride), DILATION)
    if operation is Operation.CROSSED:
        across = _convolved(x, arrays["kernel"], (1, stride))
        return _convolved(across, arrays["kernel_down"], (stride, 1))
    shifted = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, 1:, 1:]
    halves = ((x, "kernel"), (shifted, "kernel_shifted"))
    return jnp.concatenate([_convolved(h, arrays[name], (2, 2)) for h, name in halves], axis=-1)


def _pooled(x: jax.Array, start: float, reduce: Any, side: int, stride: int) -> jax.Array:
    padding = ((0, 0), *((side // 2, side // 2),) * 2, (0, 0))
    window, strides = (1, side, side, 1), (1, stride, stride, 1)
    return jax.lax.reduce_window(x, start, reduce, window, strides, padding)


def _convolved(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int], dilation: int = 1
) -> jax.Array:
    padding = [(dilation * (side // 2),) * 2 for side in kernel.shape[:2]]
    return jax.lax.conv_general_dilated(
        x, kernel, strides, padding, rhs_dilation=(dilation,) * 2, dimension_numbers=_DIMENSIONS
    )


def with_gradients(function: Callable[..., jax.Array], case: Case) -> Callable[[], object]:
    """A compiled call of the value and all gradients."""

    def both(x: jax.Array, arrays: dict[str, jax.Array]) -> object:
        value, backward = jax.vjp(functools.partial(function, case), x, arrays)
        return value, backward(value)

    compiled = jax.jit(both)
    given = jax.device_put((case.x, case.arrays))
    return lambda: jax.block_until_ready(compiled(*given))


def by_torch(case: Case) -> Callable[[], object] | None:
    """A call by PyTorch, channels last; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    functional, layer = torch.nn.functional, case.layer
    x, *kernels = (
        torch.from_numpy(array.transpose(axes).copy())
        .to(memory_format=torch.channels_last)
        .requires_grad_()
        for array, axes in [
            (case.x, (0, 3, 1, 2)),
            *((array, (3, 2, 0, 1)) for array in case.arrays.values()),
        ]
    )
    half, stride = layer.kernel // 2, layer.stride

    def value() -> Any:
        """What the operation computes, without batch norm."""
        if layer.operation is Operation.MAX_POOLING:
            return functional.max_pool2d(x, layer.kernel, stride, half)
        if layer.operation is Operation.AVERAGE_POOLING:
            return functional.avg_pool2d(x, layer.kernel, stride, half, count_include_pad=False)
        y = functional.relu(x)
        if layer.operation is Operation.DILATED:
            return functional.conv2d(y, kernels[0], None, stride, DILATION * half, DILATION)
        if layer.operation is Operation.CROSSED:
            y = functional.conv2d(y, kernels[0], None, (1, stride), (0, half))
            return functional.conv2d(y, kernels[1], None, (stride, 1), (half, 0))
        shifted = functional.pad(y, (0, 1, 0, 1))[:, :, 1:, 1:]
        pairs = zip((y, shifted), kernels, strict=True)
        return torch.cat([functional.conv2d(h, kernel, None, 2) for h, kernel in pairs], 1)

    def both() -> object:
        y = value()
        return torch.autograd.grad(y, (x, *kernels), y.detach())

    return both


def measured(calls: dict[str, Callable[[], object]], runs: int) -> list[float]:
    """Median milliseconds of each call, the runs alternating."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for run in range(runs + 1):
        for name, call in calls.items():
            begun = time.process_time()
            call()
            if run:
                seconds[name].append(time.process_time() - begun)
    return [1e3 * statistics.median(found) for found in seconds.values()]


def main() -> None:
    """Measures and prints the table."""
    parser = make_parser("cell_operations", __doc__)
    parser.add_argument("--batch", type=int, default=64, help="images")
    parser.add_argument("--runs", type=int, default=9, help="of each, of which the median counts")
    own = parser.parse_args()
    rows: list[Sequence[str]] = []
    names = ["ours", "XLA", "PyTorch"]
    for side, channels in SIDES:
        for operation, kernel, stride in CASES:
            case = Case.of(operation, kernel, stride, side, channels, own.batch)
            calls = {
                name: with_gradients(how, case)
                for name, how in zip(names, (ours, by_xla), strict=False)
            }
            if (theirs := by_torch(case)) is not None:
                calls["PyTorch"] = theirs
            found = [f"{value:.2f}" for value in measured(calls, own.runs)]
            row = [
                f"{side}x{side}",
                str(channels),
                operation.name,
                str(kernel),
                str(stride),
                *found,
            ]
            rows.append(row)
            print("  ".join(row), file=sys.stderr, flush=True)
    header = ["map", "channels", "operation", "window", "stride", *(f"{name} ms" for name in names)]
    print(table(header[: len(rows[0])], rows))


if __name__ == "__main__":
    main()
