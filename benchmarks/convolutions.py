"""The lowerings of a convolution against one another: the value and each gradient.

For each shape and each of value, gradient for the input and gradient for the
kernel, the candidates are measured in turn; printed is the median of several
rounds, its ratio to XLA's own operation, and which one `blockqnn.networks.convolution`
chooses. Memory and compiler options are those of a search; with --cores=1 it
computes as one worker of a search does. Takes about three minutes.
"""

from __future__ import annotations

import functools
import os
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._arguments import make_parser
from blockqnn.children.step_programs import compiler_options
from blockqnn.listing import table
from blockqnn.networks.convolution import (
    convolution,
    dense_convolution,
    dense_kernel_gradient,
    piecewise_kernel_gradient,
    plain_convolution,
    plain_kernel_gradient,
    pointwise_convolution,
)
from blockqnn.workers.allocation import keep_memory

ROUNDS = 15
BATCH = 64
# Side of the map, channels in, channels out, side of the kernel.
SHAPES = (
    (8, 16, 16, 1),
    (32, 64, 16, 1),
    (8, 16, 16, 3),
    (8, 64, 16, 3),
    (4, 64, 32, 3),
    (2, 64, 64, 3),
    (4, 64, 32, 5),
    (8, 16, 16, 5),
    (16, 32, 32, 3),
    (32, 16, 16, 3),
    (32, 64, 16, 3),
    (32, 16, 16, 5),
)

Function = Callable[..., jax.Array]


def turned(kernel: jax.Array) -> jax.Array:
    """Half a turn, and input for output."""
    return jnp.flip(kernel, (0, 1)).swapaxes(2, 3)


def candidates(kernel_side: int, side: int) -> dict[str, dict[str, Function]]:
    """For each of value and gradients, its lowerings as functions of input, kernel, gradient."""
    lowerings: dict[str, Function] = {"plain": plain_convolution}
    if kernel_side == 1:
        lowerings["product"] = pointwise_convolution
    elif side < kernel_side:
        lowerings["dense"] = dense_convolution
    values = {name: lambda x, k, g, f=f: f(x, k) for name, f in lowerings.items()}
    inputs = {name: lambda x, k, g, f=f: f(g, turned(k)) for name, f in lowerings.items()}
    kernels: dict[str, Function] = {
        "plain": lambda x, k, g: plain_kernel_gradient(x, g, kernel_side)
    }
    if kernel_side == 1:
        kernels["product"] = lambda x, k, g: jnp.einsum("bhwi,bhwo->io", x, g)[None, None]
    else:
        kernels["pieces"] = lambda x, k, g: piecewise_kernel_gradient(x, g, kernel_side)
        if side < kernel_side:
            kernels["dense"] = lambda x, k, g: dense_kernel_gradient(x, g, kernel_side)
    values["chosen"] = lambda x, k, g: convolution(x, k)
    inputs["chosen"] = lambda x, k, g: jax.vjp(lambda x: convolution(x, k), x)[1](g)[0]
    kernels["chosen"] = lambda x, k, g: jax.vjp(lambda k: convolution(x, k), k)[1](g)[0]
    return {"value": values, "input": inputs, "kernel": kernels}


def medians(functions: dict[str, Function], arrays: tuple[jax.Array, ...]) -> dict[str, float]:
    """Seconds of each function, measured in turn."""
    options = compiler_options()
    jitted = {name: jax.jit(f, compiler_options=options) for name, f in functions.items()}
    seconds: dict[str, list[float]] = {name: [] for name in jitted}
    for function in jitted.values():
        jax.block_until_ready(function(*arrays))
    for _ in range(ROUNDS):
        for name, function in jitted.items():
            start = time.perf_counter()
            jax.block_until_ready(function(*arrays))
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    """Measures every shape and prints the table."""
    parser = make_parser("convolutions", __doc__)
    parser.add_argument("--cores", type=int, default=0, help="to compute on; 0 for all")
    count = parser.parse_args().cores
    if count and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    keep_memory()
    random = np.random.default_rng(0)
    rows = []
    for side, inputs, outputs, kernel_side in SHAPES:
        make = functools.partial(random.standard_normal, dtype=np.float32)
        arrays = tuple(
            jnp.asarray(make(shape))
            for shape in (
                (BATCH, side, side, inputs),
                (kernel_side, kernel_side, inputs, outputs),
                (BATCH, side, side, outputs),
            )
        )
        for what, functions in candidates(kernel_side, side).items():
            found = medians(functions, arrays)
            for name, seconds in found.items():
                rows.append(
                    [
                        f"{side}x{side}x{inputs} to {outputs}",
                        f"{kernel_side}x{kernel_side}",
                        what,
                        f"{1e3 * seconds:.2f}",
                        f"{seconds / found['plain']:.2f}",
                        name,
                    ]
                )
    print(f"{jax.default_backend()}, batch {BATCH}, float32")
    print(table(["map", "kernel", "of", "ms", "ratio to plain", "lowering"], rows))


if __name__ == "__main__":
    main()
