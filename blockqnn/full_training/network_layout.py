"""Which network a block becomes in a full training, and whether a recipe suits it."""

from __future__ import annotations

import dataclasses

from blockqnn.errors import UserError
from blockqnn.full_training.settings import AUTO, JOINS, FullRecipe, LayoutChoice
from blockqnn.full_training.splits import FullInfo
from blockqnn.inspection.block_reference import BlockReference
from blockqnn.networks.layout import OF_CELLS, Layout, LayoutError
from blockqnn.networks.plan import Plan

_DEFAULT = Layout(repeats=2, named=False)


def network_layout(choice: LayoutChoice, reference: BlockReference, info: FullInfo) -> Layout:
    """The layout of a network: as chosen, else as in the block's run, else the default.

    Args:
        choice: what was chosen.
        reference: the block.
        info: of the data set.

    Returns:
        The layout.

    Raises:
        LayoutError: if it does not fit the images.
    """
    known = reference.standing_in(_DEFAULT)
    height, width, channels = info.seen
    kind = known.kind if choice.kind == AUTO else choice.kind
    of_cells = kind in OF_CELLS
    if not of_cells and (choice.cells or choice.rules):
        name = "cells" if choice.cells else "cell_rules"
        raise LayoutError(
            f"--{name} belongs to layouts of cells ({' or '.join(OF_CELLS)}); this network's "
            f"layout is {kind} (--layout)."
        )
    same = kind == known.kind
    cells = choice.cells or (known.cells if same and not choice.repeats else 0)
    rules = choice.rules or (known.rules if same else "")
    chosen = choice.kind != AUTO or choice.filters or choice.repeats or choice.cells or choice.rules
    layout = dataclasses.replace(
        known,
        kind=kind,
        filters=choice.filters or known.filters,
        repeats=choice.repeats or known.repeats,
        height=height,
        width=width,
        channels=channels,
        classes=info.classes,
        cells=cells if of_cells else 0,
        rules=rules,
        named=known.named or bool(chosen),
    )
    return layout.of_kind(kind)


def check_paths(recipe: FullRecipe, plan: Plan, layout: Layout) -> None:
    """Refuses drop-path of a kind that a network has no paths for.

    Args:
        recipe: how it is trained.
        plan: of the network.
        layout: of the network.

    Raises:
        UserError: if no operation of a cell could be dropped.
    """
    if recipe.drop_path and recipe.drop_path_by != JOINS and not any(each.path for each in plan):
        raise UserError(
            f"--drop_path_by is {recipe.drop_path_by}, but no operation of this network in the "
            f"layout {layout.kind} ends a path of a cell; allowed: {JOINS}, or --drop_path=0."
        )
