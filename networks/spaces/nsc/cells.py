"""Blocks stacked as cells are: each behind a 1x1 convolution, pooling where cells reduce."""

from __future__ import annotations

from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan import Operation, Plan, PlanBuilder
from blockqnn.networks.spaces.nsc.canonical import CanonicalBlock
from blockqnn.networks.spaces.nsc.stacking import place_block

_STEM_WIDTH = 3
"""Channels of the stem, in filters of the first stage, as networks of cells have it."""


def cells_plan(block: CanonicalBlock, layout: Layout) -> Plan:
    """Stacks a block as a normal cell.

    A block reads one map, so it gets the output of the one before it, brought to the filters of
    its stage by a ReLU, a 1x1 convolution and batch norm as a cell's newer input is. Pooling
    of 2x2 pixels stands in the place of each reduction cell, and is counted as one.

    Args:
        block: the block in canonical form.
        layout: of the kind `cells`.

    Returns:
        The plan.

    Raises:
        LayoutError: if a stage would have no block, or rules are named, of which blocks know none.
    """
    stages = len(layout.filters)
    count = layout.cells or stages * layout.repeats + stages - 1
    if layout.rules:
        raise LayoutError(
            f"Blocks are stacked without rules, given {layout.rules} (--cell_rules); those are "
            "for cells that read two maps."
        )
    if count < 2 * stages - 1:
        raise LayoutError(
            f"{stages} stages of blocks have {stages - 1} poolings between them, which count as "
            f"cells; allowed: at least {2 * stages - 1} cells in all, given {count} (--cells)."
        )
    builder = PlanBuilder()
    here = builder.place("image", Operation.IMAGE, (), layout.image_shape)
    here = builder.convolution(
        "stem/convolution", Operation.CONVOLUTION, here, 3, _STEM_WIDTH * layout.filters[0]
    )
    here = builder.place("stem/norm", Operation.BATCH_NORM, (here,))
    first = [count * stage // stages for stage in range(stages + 1)]
    for stage, filters in enumerate(layout.filters, start=1):
        if stage > 1:
            here = builder.downsampling(f"stage{stage}/pooling", here)
        for number in range(1, first[stage] - first[stage - 1] + (stage == 1)):
            with builder.norms(scale=not layout.unscaled):
                here = builder.convolution(
                    f"stage{stage}/input{number}", Operation.PCC, here, 1, filters
                )
                here = place_block(builder, f"stage{stage}/block{number}", block, here, filters)
    builder.head(here, layout.classes)
    return tuple(builder.layers)
