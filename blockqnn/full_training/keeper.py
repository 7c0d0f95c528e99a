"""The checkpoints of one training: written, found again, the damaged ones passed over."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

from blockqnn.children.checkpoint import (
    FOLDER,
    TRAINING,
    WEIGHTS,
    DamagedError,
    checkpoints,
    read_arrays,
    verify,
    write_checkpoint,
)
from blockqnn.children.checkpoint_metadata import Metadata, read_metadata
from blockqnn.errors import UserError
from blockqnn.full_training.program import Program, State


@dataclasses.dataclass(frozen=True)
class Resumed:
    """A training that was saved.

    Attributes:
        metadata: of its newest good checkpoint.
        path: of that.
    """

    metadata: Metadata
    path: pathlib.Path


class Keeper:
    """Writes the checkpoints of a training and keeps the newest."""

    def __init__(self, directory: pathlib.Path, keep: int):
        """Takes the directory of a training.

        Args:
            directory: of the training.
            keep: newest checkpoints that are kept.
        """
        self._directory, self._keep = directory, keep

    def save(self, program: Program, state: State, metadata: Metadata) -> None:
        """Writes a checkpoint, and then deletes the oldest.

        Args:
            program: that trains.
            state: of the training.
            metadata: what it is.

        Raises:
            UserError: if it cannot be written.
        """
        weights, training = program.saved(state)
        path = self._directory / FOLDER / f"step-{metadata.step:09}"
        try:
            # There may be one that was damaged, after which this step was made again.
            _delete(path)
            write_checkpoint(path, metadata, weights, training)
        except OSError as error:
            raise UserError(f"The checkpoint {path} cannot be written: {error}.") from error
        for old in checkpoints(self._directory)[: -self._keep]:
            _delete(old)

    def clean(self) -> None:
        """Deletes what a process that died has left unfinished."""
        for path in (self._directory / FOLDER).glob("*.unfinished"):
            shutil.rmtree(path, ignore_errors=True)


def newest_good(directory: pathlib.Path, warn: Callable[[str], None]) -> Resumed | None:
    """Finds the newest checkpoint that is as it was written.

    Args:
        directory: of the training.
        warn: is told of each damaged one.

    Returns:
        It, or None where there is no checkpoint at all.

    Raises:
        UserError: if all are damaged, or the newest good one is of another format.
    """
    found = checkpoints(directory)
    for path in reversed(found):
        try:
            verify(path)
        except DamagedError as damage:
            warn(str(damage))
            continue
        return Resumed(read_metadata(path), path)
    if found:
        raise UserError(
            f"All checkpoints in {directory / FOLDER} are damaged; delete the folder to begin "
            "anew, or name another --out_dir."
        )
    return None


def state_of(program: Program, resumed: Resumed) -> State:
    """The state of a training that was saved, on the devices."""
    weights: dict[str, Any] = read_arrays(resumed.path / WEIGHTS)
    training: dict[str, Any] = read_arrays(resumed.path / TRAINING)
    return program.restored(resumed.metadata.step, weights, training)


def _delete(path: pathlib.Path) -> None:
    """Deletes a checkpoint, which under its name is whole to the last moment."""
    rest = path.with_name(path.name + ".unfinished")
    shutil.rmtree(rest, ignore_errors=True)
    if path.exists():
        path.rename(rest)
        shutil.rmtree(rest, ignore_errors=True)
