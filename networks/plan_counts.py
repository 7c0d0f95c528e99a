"""What is counted from a plan: parameters, FLOPs and depth.

FLOPs are 2 x multiply-accumulates of convolutions and linear layers, for one
image, forward; taps that fall on padding count as if they were real. Batch
normalisation, ReLU, pooling, Add and Concat are not counted.
"""

from __future__ import annotations

import math

from blockqnn.networks.plan import Plan


def parameters(plan: Plan) -> int:
    """The number of trained numbers of a plan."""
    return sum(math.prod(shape) for layer in plan for shape in layer.parameter_shapes.values())


def shared_parameters(plan: Plan) -> int:
    """The number of trained numbers of a plan, some of whose layers have the same arrays."""
    own = {layer.bank_key: sum(map(math.prod, layer.parameter_shapes.values())) for layer in plan}
    return sum(own.values())


def flops(plan: Plan) -> int:
    """FLOPs of a plan for one image, forward; see the module for what counts."""
    return sum(2 * layer.operation.multiply_accumulates(layer) for layer in plan)


def depth(plan: Plan) -> int:
    """Convolutions on the longest path of a plan, the stem's included."""
    depths: list[int] = []
    for layer in plan:
        before = max((depths[i] for i in layer.inputs), default=0)
        depths.append(before + (layer.operation.convolves))
    return depths[-1]
