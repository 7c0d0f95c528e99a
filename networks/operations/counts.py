"""How many multiply-accumulates an operation takes, for one image, forward."""

from __future__ import annotations

import math

from blockqnn.networks.operations.steps import Placed


def not_counted(placed: Placed) -> int:
    """No multiply-accumulates that count."""
    return 0


def of_the_kernel(placed: Placed) -> int:
    """Every number of the kernel once at each position of the output."""
    return math.prod(placed.shape[:-1]) * math.prod(placed.parameter_shapes["kernel"])


def of_all_kernels(placed: Placed) -> int:
    """Every number of every kernel once at each position of the output."""
    kernels = (shape for shape in placed.parameter_shapes.values() if len(shape) > 1)
    return math.prod(placed.shape[:-1]) * sum(map(math.prod, kernels))


def of_crossed_kernels(placed: Placed) -> int:
    """The first at each position of its output, which has all rows, the second at each of both."""
    shapes = placed.parameter_shapes
    (height, _, _), (_, width, _) = placed.input_shapes[0], placed.shape
    across = height * width * math.prod(shapes["kernel"])
    return across + math.prod(placed.shape[:-1]) * math.prod(shapes["kernel_down"])
