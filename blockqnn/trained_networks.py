"""Trained networks and their blocks, for `import blockqnn`."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blockqnn.networks.block import Block
    from blockqnn.networks.child import ChildNetwork


def load_network(path: str | os.PathLike[str]) -> ChildNetwork:
    """A trained network as an `nnx.Module`, in evaluation mode.

    >>> model = blockqnn.load_network("runs/trained")  # doctest: +SKIP

    Args:
        path: of a training's directory, whose newest checkpoint is meant, or of a checkpoint.

    Returns:
        A module from normalised images [B, H, W, C] to logits [B, classes].

    Raises:
        blockqnn.errors.UserError: if there is no checkpoint.
    """
    from blockqnn.children.checkpoint import load_checkpoint

    return load_checkpoint(pathlib.Path(path).expanduser()).network()


def load_block(path: str | os.PathLike[str], stage: int = 1, number: int = 1) -> Block:
    """One block of a trained network with its weights, in evaluation mode.

    >>> layer = blockqnn.load_block("runs/trained", stage=2)  # doctest: +SKIP

    Args:
        path: of a training's directory, whose newest checkpoint is meant, or of a checkpoint.
        stage: of the network, from 1.
        number: of the block in its stage, from 1.

    Returns:
        A module from maps [B, H, W, C] to maps [B, H, W, out_channels].

    Raises:
        blockqnn.errors.UserError: if there is no checkpoint, or no such block in it.
    """
    from blockqnn.children.trained_block import trained_block

    return trained_block(path, stage, number)
