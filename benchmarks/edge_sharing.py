"""What operations of one edge that read the same map could share: its ReLU, or a convolution.

A mixture computes all operations of an edge on one map. `relu`: the separable and dilated
convolutions of DARTS with a ReLU each, as small programs, beside one ReLU before all of them.
`1x1`: the 1x1 and the 3x3 convolution of NAS-Bench-201, beside one 3x3 convolution of twice as many
outputs, of which the middle of the first half is the 1x1 kernel.

Each is computed forward and back, in turns. The table has milliseconds of processor, medians of the
turns, the median ratio of shared to apart, and the largest difference of any value or gradient,
relative to the largest of its array.
"""

from __future__ import annotations

import dataclasses
import functools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._arguments import listed, make_parser
from blockqnn.listing import number, table
from blockqnn.networks.convolution import convolution
from blockqnn.networks.operations.functions import DILATION
from blockqnn.networks.separable import separable_convolution

Arrays = dict[str, jax.Array]
Pass = Callable[[jax.Array, Sequence[Arrays], Sequence[jax.Array]], tuple[Any, Any, jax.Array]]
"""From the map, the arrays of each operation and the gradients of what each gives to their values,
the gradients of their arrays and that of the map."""

SEPARABLE = ((3, 1), (5, 1), (3, DILATION), (5, DILATION))
"""Side of the window and dilation of what reads the map of an edge of DARTS."""


@dataclasses.dataclass(frozen=True)
class Kept:
    """An operation as two compiled programs.

    Attributes:
        forward: from the map and arrays to the value.
        backward: from these and the gradient of the value to those of the map and the arrays.
    """

    forward: Callable[[jax.Array, Arrays], jax.Array]
    backward: Callable[[jax.Array, Arrays, jax.Array], tuple[jax.Array, Arrays]]


def programs(function: Callable[[jax.Array, Arrays], jax.Array]) -> Kept:
    """The programs of an operation; the way back computes it again, as small programs do."""

    def back(x: jax.Array, arrays: Arrays, gradient: jax.Array) -> Any:
        """By its own derivative."""
        return jax.vjp(function, x, arrays)[1](gradient)

    return Kept(jax.jit(function), jax.jit(back))


def together(operations: Sequence[Kept]) -> Pass:
    """Operations one after the other, which read one map."""

    def run(x: jax.Array, arrays: Any, gradients: Any) -> Any:
        """Forward and back."""
        values = [each.forward(x, own) for each, own in zip(operations, arrays, strict=True)]
        passed, of_arrays = [], []
        for each, own, gradient in zip(operations, arrays, gradients, strict=True):
            of_map, found = each.backward(x, own, gradient)
            passed.append(of_map)
            of_arrays.append(found)
        return values, of_arrays, _sum(passed)

    return run


_sum = jax.jit(lambda arrays: functools.reduce(jnp.add, arrays))
_relu = programs(lambda x, _: jax.nn.relu(x))


def after_one_relu(operations: Sequence[Kept]) -> Pass:
    """The same with one ReLU before all of them."""
    inner = together(operations)

    def run(x: jax.Array, arrays: Any, gradients: Any) -> Any:
        """Forward and back."""
        values, of_arrays, passed = inner(_relu.forward(x, {}), arrays, gradients)
        return values, of_arrays, _relu.backward(x, {}, passed)[0]

    return run


def relu_case(side: int, filters: int, batch_size: int) -> tuple[Pass, Pass, Any]:
    """DARTS's operations with a ReLU each, with one for all, and what both are given."""

    def operation(dilation: int, own_relu: bool) -> Kept:
        def function(x: jax.Array, arrays: Arrays) -> jax.Array:
            """Computes it."""
            x = jax.nn.relu(x) if own_relu else x
            return separable_convolution(x, arrays["depthwise"], arrays["kernel"], 1, dilation)

        return programs(function)

    apart = together([operation(dilation, True) for _, dilation in SEPARABLE])
    shared = after_one_relu([operation(dilation, False) for _, dilation in SEPARABLE])
    random = np.random.default_rng(0)
    arrays = [
        {
            "depthwise": _drawn(random, window, window, 1, filters),
            "kernel": _drawn(random, 1, 1, filters, filters),
        }
        for window, _ in SEPARABLE
    ]
    return apart, shared, _given(random, arrays, batch_size, side, filters)


def merged_case(side: int, filters: int, batch_size: int) -> tuple[Pass, Pass, Any]:
    """NAS-Bench-201's convolutions apart, as one, and what both are given."""

    def one(x: jax.Array, arrays: Arrays) -> jax.Array:
        """ReLU and convolution."""
        return convolution(jax.nn.relu(x), arrays["kernel"])

    def both(x: jax.Array, arrays: Any) -> jax.Array:
        """The same with the kernels of both beside one another."""
        small = jnp.pad(arrays[0]["kernel"], ((1, 1), (1, 1), (0, 0), (0, 0)))
        kernel = jnp.concatenate([small, arrays[1]["kernel"]], axis=-1)
        return convolution(jax.nn.relu(x), kernel)

    whole = programs(both)

    def shared(x: jax.Array, arrays: Any, gradients: Any) -> Any:
        """Forward and back."""
        value = whole.forward(x, arrays)
        of_map, of_arrays = whole.backward(x, arrays, jnp.concatenate(gradients, axis=-1))
        return jnp.split(value, 2, axis=-1), of_arrays, of_map

    random = np.random.default_rng(0)
    arrays = [{"kernel": _drawn(random, window, window, filters, filters)} for window in (1, 3)]
    given = _given(random, arrays, batch_size, side, filters)
    return together([programs(one), programs(one)]), shared, given


CASES = {"relu": relu_case, "1x1": merged_case}


def _drawn(random: np.random.Generator, *shape: int) -> jax.Array:
    return jnp.asarray(random.standard_normal(shape), jnp.float32)


def _given(random: np.random.Generator, arrays: list[Arrays], *sizes: int) -> Any:
    batch_size, side, filters = sizes
    shape = batch_size, side, side, filters
    return _drawn(random, *shape), arrays, [_drawn(random, *shape) for _ in arrays]


def difference(one: Any, other: Any) -> float:
    """The largest difference of two trees, relative to the largest number of its array."""
    found = [
        float(jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(a)))
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    ]
    return max(found)


def measured(case: tuple[Pass, Pass, Any], turns: int, steps: int) -> list[float]:
    """Milliseconds of processor apart and shared, the ratio, and the difference of the results."""
    apart, shared, given = case
    # Which also compiles.
    differs = difference(apart(*given), shared(*given))
    found: list[list[float]] = [[], []]
    for _ in range(turns):
        for seconds, run in zip(found, (apart, shared), strict=True):
            begun = time.process_time()
            for _ in range(steps):
                jax.block_until_ready(run(*given))
            seconds.append(1e3 * (time.process_time() - begun) / steps)
    ratio = statistics.median(b / a for a, b in zip(*found, strict=True))
    return [*map(statistics.median, found), ratio, differs]


def main() -> None:
    """Measures, and prints a table."""
    parser = make_parser("edge_sharing", __doc__)
    parser.add_argument("--sides", type=listed(int), default="8,16,32", help="of maps, pixels")
    parser.add_argument("--filters", type=int, default=8, help="channels at the smallest side")
    parser.add_argument("--batch_size", type=int, default=64, help="images in a step")
    parser.add_argument("--turns", type=int, default=9, help="of each way")
    parser.add_argument("--steps", type=int, default=5, help="of a turn")
    own = parser.parse_args()
    rows = []
    for name, case in CASES.items():
        for side in own.sides:
            made = case(side, own.filters, own.batch_size)
            apart, shared, ratio, differs = measured(made, own.turns, own.steps)
            rows.append(
                [
                    *(number(each) for each in (apart, shared, ratio)),
                    f"{differs:.1e}",
                    f"{side}x{side}x{own.filters}",
                    name,
                ]
            )
    print(table(["apart ms", "shared ms", "ratio", "differs by", "map", "what"], rows))


if __name__ == "__main__":
    main()
