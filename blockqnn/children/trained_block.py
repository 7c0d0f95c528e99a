"""Blocks with the weights that they have in a trained network."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

from blockqnn.children.checkpoint import Checkpoint, load_checkpoint
from blockqnn.children.named_weights import by_layer
from blockqnn.errors import UserError
from blockqnn.networks.spaces.registry import MOST_LAYERS, parse, space_of
from blockqnn.networks.units import Unit, alone, units_of

if TYPE_CHECKING:
    from blockqnn.networks.block import Block


def trained_block(path: str | os.PathLike[str], stage: int, number: int) -> Block:
    """Takes one block out of a trained network.

    Args:
        path: of a training's directory, whose newest checkpoint is meant, or of a checkpoint.
        stage: of the network, from 1.
        number: of the block in its stage, from 1.

    Returns:
        The block with its weights, in evaluation mode.

    Raises:
        UserError: if there is no checkpoint, or no such block in it.
    """
    from flax import nnx

    from blockqnn.networks.block import Block

    checkpoint = load_checkpoint(pathlib.Path(path).expanduser())
    metadata = checkpoint.metadata
    code = parse(metadata.code, MOST_LAYERS)
    unit = _unit(checkpoint, stage, number)
    filters = metadata.child_layout.filters[stage - 1]
    design = metadata.design
    block = Block(code, unit.channels, filters, rngs=nnx.Rngs(0), design=design)
    space = space_of(code)
    # What the network's unit does not read is in neither of both.
    own = alone(space.alone(design, unit.channels, filters), space.unit)
    found = (
        by_layer(metadata.plan, arrays) for arrays in (checkpoint.parameters, checkpoint.statistics)
    )
    weights = []
    for all_of_them, initial in zip(found, block.weights(), strict=True):
        for there, here in zip(unit.positions, own.positions, strict=True):
            initial[here] = all_of_them[there]
        weights.append(initial)
    block.set_weights(*weights)
    block.eval()
    return block


def _unit(checkpoint: Checkpoint, stage: int, number: int) -> Unit:
    metadata = checkpoint.metadata
    code = parse(metadata.code, MOST_LAYERS)
    space, filters = space_of(code), metadata.child_layout.filters
    form = alone(space.alone(metadata.design, filters[0], filters[0]), space.unit).form
    found = [e for e in units_of(metadata.plan) if isinstance(e, Unit) and e.form == form]
    there = [unit for unit in found if unit.name.partition("/")[0] == f"stage{stage}"]
    if not 1 <= number <= len(there):
        repeats = metadata.child_layout.repeats
        raise UserError(
            f"The network in {checkpoint.path} has no {space.unit} {number} in stage {stage}; "
            f"allowed: stages 1 to {len(filters)} with {space.unit}s 1 to {repeats} each."
        )
    return there[number - 1]
