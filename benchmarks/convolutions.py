"""The lowerings of a convolution against one another: forward and both gradients.

usage: python -m benchmarks.convolutions

Each shape's lowerings are measured in turn, and the median of several rounds
is printed with its ratio to the plain one. Takes about a minute on two cores.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.listing import table
from networks.layers import plain_convolution, pointwise_convolution, unfolded_convolution

ROUNDS = 9
BATCH = 64
# Side of the map, channels in, channels out, side of the kernel.
SHAPES = (
    (8, 16, 16, 1),
    (32, 64, 32, 1),
    (8, 16, 16, 3),
    (2, 64, 64, 3),
    (4, 32, 32, 5),
    (2, 64, 64, 5),
    (8, 16, 16, 5),
)


def training_step(convolution: Callable[..., jax.Array]) -> Callable[..., object]:
    """Value and gradients of a convolution, jitted."""

    def step(x: jax.Array, kernel: jax.Array) -> object:
        y, pullback = jax.vjp(convolution, x, kernel)
        return y, pullback(jnp.ones_like(y))

    return jax.jit(step)


def main() -> None:
    """Measures every shape and prints the table."""
    random = np.random.default_rng(0)
    rows = []
    for side, inputs, outputs, kernel_side in SHAPES:
        x = jnp.asarray(random.standard_normal((BATCH, side, side, inputs)), jnp.float32)
        shape = (kernel_side, kernel_side, inputs, outputs)
        kernel = jnp.asarray(random.standard_normal(shape), jnp.float32)
        lowerings = {"plain": plain_convolution, "unfolded": unfolded_convolution}
        if kernel_side == 1:
            lowerings["pointwise"] = pointwise_convolution
        steps = {name: training_step(function) for name, function in lowerings.items()}
        seconds: dict[str, list[float]] = {name: [] for name in steps}
        for step in steps.values():
            jax.block_until_ready(step(x, kernel))
        for _ in range(ROUNDS):
            for name, step in steps.items():
                start = time.perf_counter()
                jax.block_until_ready(step(x, kernel))
                seconds[name].append(time.perf_counter() - start)
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        for name, median in medians.items():
            rows.append(
                [
                    f"{side}x{side}x{inputs} to {outputs}",
                    f"{kernel_side}x{kernel_side}",
                    f"{1e3 * median:.2f}",
                    f"{median / medians['plain']:.2f}",
                    name,
                ]
            )
    print(f"{jax.default_backend()}, batch {BATCH}, float32, forward and backward")
    print(table(["map", "kernel", "ms", "ratio to plain", "lowering"], rows))


if __name__ == "__main__":
    main()
