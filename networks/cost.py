"""What a design's child network costs, and what it may cost."""

from __future__ import annotations

import dataclasses
import math

from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan_counts import depth, flops, parameters
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import auxiliary_head, design_plan, rewarded_plan, space_of

_ALLOWED = ", allowed are "


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of a child network.

    Attributes:
        parameters: number of trained numbers, batch norm's scale and shift included.
        flops: of one image, forward; see `blockqnn.networks.plan_counts`.
        block_flops: the same of what the reward looks at: one block at the
            first stage, with that stage's filters as input width; of cells,
            the whole child.
        depth: convolutions of the stem plus those on the longest path.
        activations: numbers in the outputs of all layers, for one image.
    """

    parameters: int
    flops: int
    block_flops: int
    depth: int
    activations: int


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a child may cost at most; 0 is no limit.

    Attributes:
        max_parameters: trained numbers.
        max_flops: of one image, forward.
        max_activation_bytes: outputs of all layers for one training batch.
    """

    max_parameters: int = 40_000_000
    max_flops: int = 0
    max_activation_bytes: int = 0


def cost(design: Design, layout: Layout) -> Cost:
    """Counts what the child network of a design costs.

    Args:
        design: a block in canonical form, or a cell.
        layout: of the child network.

    Returns:
        Its cost; nothing of a design that a table has measured, whose network nobody knows.
    """
    if space_of(design).tabular:
        return Cost(0, 0, 0, 0, 0)
    plan = design_plan(design, layout)
    return Cost(
        parameters=parameters(plan),
        flops=flops(plan),
        block_flops=flops(rewarded_plan(design, layout)),
        depth=depth(plan),
        activations=sum(math.prod(layer.shape) for layer in plan if layer.operation.by_example),
    )


def auxiliary_parameters(design: Design, layout: Layout) -> int:
    """What an auxiliary head adds to the trained numbers while a network is trained.

    Args:
        design: a block in canonical form, or a cell.
        layout: of the network.

    Returns:
        Its trained numbers, which `Cost` does not count; 0 where there is no place for a head.
    """
    try:
        return parameters(auxiliary_head(design, layout))
    except LayoutError:
        return 0


def infeasible_reason(
    design: Design, cost: Cost, limits: Limits, batch_size: int, bytes_per_number: int
) -> str | None:
    """Why a child is not to be trained.

    Args:
        design: a block in canonical form, or a cell.
        cost: of its child network.
        limits: what it may cost at most.
        batch_size: images in a training batch.
        bytes_per_number: of an activation.

    Returns:
        A phrase for the user, or None where nothing speaks against training.
    """
    if design.emptiness:
        return design.emptiness
    activation_bytes = cost.activations * batch_size * bytes_per_number
    for name, value, most in (
        ("parameters", cost.parameters, limits.max_parameters),
        ("FLOPs", cost.flops, limits.max_flops),
        ("activation bytes", activation_bytes, limits.max_activation_bytes),
    ):
        if 0 < most < value:
            return f"{value:,} {name}{_ALLOWED}{most:,}"
    return None


def is_about_size(reason: str) -> bool:
    """Whether `infeasible_reason` gave this reason because a limit was exceeded."""
    return _ALLOWED in reason
