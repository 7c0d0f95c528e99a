"""XLA's own convolution on one core beside PyTorch's: billions of operations a second.

A row for each shape has the value, the gradient for the input and that for the kernel, batches of
64, medians of many calls. What XLA is told stands in XLA_FLAGS; without PyTorch its columns are
empty. Convolutions of children may take other lowerings, see `blockqnn bench --measure_lowerings`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._arguments import make_parser
from blockqnn.bench.profile import median_seconds
from blockqnn.listing import table
from blockqnn.networks.convolution import plain_convolution
from blockqnn.networks.processor import processor_name

BATCH = 64
SHAPES = ((32, 16, 3), (32, 16, 5), (16, 32, 3), (16, 32, 1), (8, 16, 3), (8, 64, 3))
"""Side of the map, channels in and out, side of the kernel."""


def rate(call: Callable[[], Any], operations: float) -> float:
    """Billions of operations a second."""
    return operations / median_seconds(call) / 1e9


def of_xla(x: np.ndarray, kernel: np.ndarray, operations: float) -> list[float]:
    """Value and both gradients by XLA."""
    arrays = jnp.asarray(x), jnp.asarray(kernel)
    value = jax.jit(plain_convolution)
    out = value(*arrays)

    def gradient(place: int) -> Callable[[], Any]:
        own = jax.jit(lambda x, k, g: jax.vjp(plain_convolution, x, k)[1](g)[place])
        return lambda: own(*arrays, out).block_until_ready()

    calls = [lambda: value(*arrays).block_until_ready(), gradient(0), gradient(1)]
    return [rate(call, operations) for call in calls]


def of_torch(x: np.ndarray, kernel: np.ndarray, operations: float) -> list[float]:
    """The same by PyTorch, channels last; nothing where it is not installed."""
    try:
        import torch
    except ImportError:
        return []
    torch.set_num_threads(1)
    last = torch.channels_last
    inputs = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).to(memory_format=last)
    weights = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).to(memory_format=last)
    half = kernel.shape[0] // 2
    out = torch.nn.functional.conv2d(inputs, weights, padding=half)

    def gradient(*wanted: bool) -> Callable[[], Any]:
        backward = torch.ops.aten.convolution_backward
        sizes = [1, 1], [half, half], [1, 1], False, [0, 0], 1
        return lambda: backward(out, inputs, weights, None, *sizes, [*wanted, False])

    def value() -> Any:
        return torch.nn.functional.conv2d(inputs, weights, padding=half)

    return [rate(c, operations) for c in (value, gradient(True, False), gradient(False, True))]


def main() -> None:
    """Measures, and prints the table."""
    make_parser("convolutions", __doc__).parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    random, rows = np.random.default_rng(0), []
    for side, channels, window in SHAPES:
        x = random.standard_normal((BATCH, side, side, channels), np.float32)
        kernel = random.standard_normal((window, window, channels, channels), np.float32)
        operations = 2 * x.size * kernel.size / channels
        own, theirs = of_xla(x, kernel, operations), of_torch(x, kernel, operations)
        cells = [f"{each:.0f}" for each in [*own, *theirs]]
        cells += [""] * (6 - len(cells))
        rows.append([*cells, f"{side}x{side}, {channels} channels, {window}x{window}"])
    heads = ("value", "for the input", "for the kernel")
    print(table([*heads, *(f"{head}, PyTorch" for head in heads), "convolution"], rows))
    print(f"\nGFLOP/s on one core, {processor_name()}, jax {jax.__version__}")


if __name__ == "__main__":
    main()
