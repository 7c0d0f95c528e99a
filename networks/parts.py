"""A plan cut into steps over parts, so that few shapes serve every block.

Concatenations multiply the widths that layers meet: nearly every block brings
a width that no block before it had, and each would need programs of its own.
Here a feature map is a sequence of *parts*, arrays of the width in which a
convolution wrote them. Concatenation joins two sequences and computes nothing;
pooling works part by part, and so does Add, where the narrower map's missing
parts are passed on as they are. A convolution of a sequence is the sum of the
convolutions of its groups, each of one, two or four equal parts:

    conv([p1 ... pn], kernel) = sum over groups g of conv(concat(g), kernel[:, :, g])

so the shapes of all steps of all blocks of a layout form a small, finite set.
The linear classifier after the global pooling is cut in the same way.

Where a part occurs more than once in a sequence, which random blocks are full
of, it is read once, with the sum of the kernel's rows that belong to it. Those
rows all have one gradient, so an optimiser that treats every number alike
moves them by one amount d, and their sum by as many times d as there are rows
(`Step.copies`).
"""

from __future__ import annotations

import dataclasses

from blockqnn.networks.operations.cuts import Cutter, Parts, one_step
from blockqnn.networks.operations.steps import Step, StepKind
from blockqnn.networks.plan import Plan

__all__ = ["Step", "StepKind", "cut_into_layers", "cut_into_steps"]


def cut_into_steps(plan: Plan) -> tuple[Step, ...]:
    """Cuts a plan into steps over parts.

    Args:
        plan: of a child network.

    Returns:
        The steps in an order in which they can be computed. The first is the
        image, the last writes the logits. What nobody reads is left out.
    """
    cutter = Cutter(plan)
    maps: list[Parts] = []
    for number, layer in enumerate(plan):
        maps.append(layer.operation.cut(cutter, number, layer, [maps[i] for i in layer.inputs]))
    return _without_unread(cutter.steps)


def cut_into_layers(plan: Plan) -> tuple[Step, ...]:
    """Cuts a plan into steps of which none holds less than all arrays of a layer.

    So what a step holds does not depend on the layers around it, as weights that networks
    share must not. Each width that is read is compiled anew; where widths are fixed there
    are few.

    Args:
        plan: of a child network.

    Returns:
        As `cut_into_steps`.
    """
    cutter = Cutter(plan)
    maps: list[Parts] = []
    for number, layer in enumerate(plan):
        holds = layer.parameter_shapes or layer.normalises
        cut = one_step if holds else layer.operation.cut
        maps.append(cut(cutter, number, layer, [maps[i] for i in layer.inputs]))
    return _without_unread(cutter.steps)


def _without_unread(steps: list[Step]) -> tuple[Step, ...]:
    """The steps that the last one depends on, with their positions among one another."""
    read = {0, len(steps) - 1}
    for number in range(len(steps) - 1, 0, -1):
        if number in read:
            read.update(steps[number].inputs)
    place = {old: new for new, old in enumerate(sorted(read))}
    return tuple(
        dataclasses.replace(steps[old], inputs=tuple(place[i] for i in steps[old].inputs))
        for old in place
    )
