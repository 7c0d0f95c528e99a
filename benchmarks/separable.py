"""How long depthwise-separable convolutions take by each lowering, and by PyTorch.

Value and all three gradients of a depthwise and a pointwise convolution with as many channels
out as in, at shapes of cells: milliseconds of processor time, medians of alternating runs, and
seconds of compiling. Bind it to one core (`taskset --cpu-list 0`), as a search binds its workers.
A search takes `shifted` on a processor, and `grouped` elsewhere.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._arguments import make_parser
from blockqnn.listing import table
from blockqnn.networks.convolution import pointwise_convolution
from blockqnn.networks.processor import processor_name
from blockqnn.networks.separable import LOWERINGS


@dataclasses.dataclass(frozen=True)
class Shape:
    """A convolution.

    Attributes:
        side: height and width of the map in pixels.
        channels: of the map, in and out.
        kernel: side of the window in pixels.
        dilation: pixels from one tap to the next.
    """

    side: int
    channels: int
    kernel: int
    dilation: int = 1


SHAPES = [
    Shape(side, channels, kernel, dilation)
    for side, channels in ((8, 16), (8, 32), (16, 16), (16, 32), (4, 64), (32, 16))
    for kernel, dilation in ((3, 1), (5, 1), (7, 1), (5, 2))
]


def arrays(shape: Shape, batch: int) -> tuple[np.ndarray, ...]:
    """A map [B, H, W, C], a depthwise kernel [K, K, 1, C] and a pointwise one [1, 1, C, C]."""
    random = np.random.default_rng(0)
    sizes = (
        (batch, shape.side, shape.side, shape.channels),
        (shape.kernel, shape.kernel, 1, shape.channels),
        (1, 1, shape.channels, shape.channels),
    )
    return tuple(random.standard_normal(size).astype(np.float32) for size in sizes)


def by_lowering(name: str, shape: Shape, batch: int) -> tuple[Callable[[], object], float]:
    """A call by one of `LOWERINGS`, and the seconds that compiling it took."""
    given = [jnp.asarray(array) for array in arrays(shape, batch)]

    def both(*given: jax.Array) -> object:
        def convolved(x: jax.Array, depthwise: jax.Array, kernel: jax.Array) -> jax.Array:
            return pointwise_convolution(LOWERINGS[name](x, depthwise, 1, shape.dilation), kernel)

        value, backward = jax.vjp(convolved, *given)
        return value, backward(value)

    begun = time.process_time()
    compiled = jax.jit(both).lower(*given).compile()
    return lambda: jax.block_until_ready(compiled(*given)), time.process_time() - begun


def by_torch(shape: Shape, batch: int) -> Callable[[], object] | None:
    """A call by PyTorch, channels last; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    x, depthwise, kernel = (
        torch.from_numpy(array.transpose(axes).copy())
        .to(memory_format=torch.channels_last)
        .requires_grad_()
        for array, axes in zip(
            arrays(shape, batch), ((0, 3, 1, 2), (3, 2, 0, 1), (3, 2, 0, 1)), strict=True
        )
    )
    padding = shape.dilation * (shape.kernel // 2)

    def both() -> object:
        y = torch.nn.functional.conv2d(
            x, depthwise, None, 1, padding, shape.dilation, groups=shape.channels
        )
        y = torch.nn.functional.conv2d(y, kernel)
        return torch.autograd.grad(y, (x, depthwise, kernel), y.detach())

    return both


def main() -> None:
    """Measures and prints the table."""
    parser = make_parser("separable", __doc__)
    parser.add_argument("--batch", type=int, default=64, help="images")
    parser.add_argument("--runs", type=int, default=9, help="of each, of which the median counts")
    own = parser.parse_args()
    print(f"{processor_name()}, batches of {own.batch}")
    rows = []
    for shape in SHAPES:
        made = {name: by_lowering(name, shape, own.batch) for name in LOWERINGS}
        calls = {name: call for name, (call, _) in made.items()}
        theirs = by_torch(shape, own.batch)
        if theirs is not None:
            calls["PyTorch"] = theirs
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for run in range(own.runs + 1):
            for name, call in calls.items():
                begun = time.process_time()
                call()
                if run:
                    seconds[name].append(time.process_time() - begun)
        row = [f"{shape.side}x{shape.side}", str(shape.channels), str(shape.kernel)]
        row.append(str(shape.dilation))
        for found in seconds.values():
            row.append(f"{1e3 * statistics.median(found):.2f}")
        rows.append(row + [f"{compiling:.1f}" for _, compiling in made.values()])
        print(" ".join(rows[-1]), file=sys.stderr, flush=True)
    header = ["map", "channels", "window", "dilation", *(f"{name} ms" for name in seconds)]
    print(table([*header, *(f"compiling {name} s" for name in LOWERINGS)], rows))


if __name__ == "__main__":
    main()
