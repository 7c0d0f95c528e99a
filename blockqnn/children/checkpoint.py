"""A trained child network on disk: what it holds, and how it is read again.

A checkpoint is a directory. It appears under its name only when all of it has
been written, and says of each of its files what it must contain:

| entry | what |
|---|---|
| `metadata.json` | the fields of `Metadata`: block, layout, recipe, data set, normalisation, ... |
| `weights/` | Orbax: `parameters` and `statistics`, nested dicts of float32 arrays |
| `training/` | Orbax: what going on with the training needs besides; see `full_training.program` |
| `SHA256SUMS` | a checksum for every other file, as `sha256sum` writes and checks them |

The nested dicts follow the names of the plan's layers: the kernel of
`stage1/block2/layer3` is `parameters["stage1"]["block2"]["layer3"]["kernel"]`.
Kernels are HWIO, or in x out; `statistics` holds the running `mean` and
`variance` of batch normalisation. The network takes images from which
`mean` was taken and that were divided by `deviation`, both on the scale of 0 to
255. Nothing is pickled.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

from blockqnn.children.checkpoint_metadata import METADATA, Metadata, read_metadata
from blockqnn.children.named_weights import Arrays, by_layer
from blockqnn.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from blockqnn.networks.child import ChildNetwork

WEIGHTS, TRAINING, SUMS = "weights", "training", "SHA256SUMS"
FOLDER = "checkpoints"
"""Folder of a training's directory that holds its checkpoints."""


class DamagedError(UserError):
    """A checkpoint whose files are not those that were written."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A trained child network.

    Attributes:
        path: of its directory.
        metadata: what it is.
        parameters: trained arrays, a nested dict by layer names.
        statistics: running statistics, likewise.
    """

    path: pathlib.Path
    metadata: Metadata
    parameters: Arrays
    statistics: Arrays

    def network(self, bfloat16: bool = False) -> ChildNetwork:
        """The network with its weights, in evaluation mode.

        Args:
            bfloat16: compute in bfloat16; weights stay float32.

        Returns:
            An `nnx.Module` from normalised images [B, H, W, C] to logits [B, classes].
        """
        import jax.numpy as jnp

        from blockqnn.networks.child import ChildNetwork

        plan = self.metadata.plan
        network = ChildNetwork(plan, dtype=jnp.bfloat16 if bfloat16 else jnp.float32)
        network.set_weights(by_layer(plan, self.parameters), by_layer(plan, self.statistics))
        network.eval()
        return network

    def normalised(self, images: np.ndarray) -> np.ndarray:
        """Images as the network takes them.

        Args:
            images: uint8 [B, H, W, C].

        Returns:
            float32 [B, H, W, C].
        """
        import numpy as np

        mean = np.asarray(self.metadata.mean, np.float32)
        deviation = np.asarray(self.metadata.deviation, np.float32)
        return ((images.astype(np.float32) - mean) / deviation).astype(np.float32)


def load_checkpoint(path: pathlib.Path) -> Checkpoint:
    """Reads a trained child network.

    Args:
        path: of a checkpoint, or of a training's directory, whose newest is meant.

    Returns:
        The network's description and weights, as NumPy arrays.

    Raises:
        UserError: if there is no checkpoint, or it is damaged or of another format.
    """
    path = find_checkpoint(path)
    verify(path)
    metadata = read_metadata(path)
    weights = read_arrays(path / WEIGHTS)
    return Checkpoint(path, metadata, weights["parameters"], weights["statistics"])


def find_checkpoint(path: pathlib.Path) -> pathlib.Path:
    """The checkpoint that a path means; raises like `load_checkpoint`."""
    if (path / METADATA).is_file():
        return path
    found = checkpoints(path)
    if not found:
        raise UserError(
            f"There is no checkpoint in {path}; allowed: a checkpoint's directory, or that of a "
            "training (blockqnn train) with at least one."
        )
    return found[-1]


def checkpoints(path: pathlib.Path) -> list[pathlib.Path]:
    """The checkpoints of a training's directory, oldest first."""
    return sorted(p for p in (path / FOLDER).glob("step-*") if p.name[5:].isdecimal())


def write_checkpoint(
    path: pathlib.Path, metadata: Metadata, weights: Arrays, training: Arrays
) -> None:
    """Writes a checkpoint; a process that dies meanwhile leaves none of that name.

    Args:
        path: of the directory, which must not exist.
        metadata: what it is.
        weights: `parameters` and `statistics`, nested dicts of NumPy arrays.
        training: a nested dict of NumPy arrays.

    Raises:
        OSError: if it cannot be written.
    """
    text = json.dumps(dataclasses.asdict(metadata), indent=1)
    write_directory(path, {METADATA: text + "\n"}, {WEIGHTS: weights, TRAINING: training})


def write_directory(
    path: pathlib.Path, texts: Mapping[str, str], arrays: Mapping[str, Arrays]
) -> None:
    """Writes texts and arrays, with a checksum for every file.

    Args:
        path: of the directory, which must not exist, and does not before all is written.
        texts: by the name of their file.
        arrays: nested dicts of NumPy arrays, by the name of their directory.

    Raises:
        OSError: if it cannot be written.
    """
    import orbax.checkpoint as ocp

    unfinished = path.with_name(path.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name, text in texts.items():
        (unfinished / name).write_text(text, encoding="utf-8")
    with ocp.PyTreeCheckpointer() as checkpointer:
        for name, nested in arrays.items():
            checkpointer.save(unfinished.absolute() / name, nested)
    lines = [f"{_digest(file)}  {name}" for name, file in _files(unfinished).items()]
    (unfinished / SUMS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    # What a crash of the machine leaves behind must not be a name without contents.
    for file in (*_files(unfinished).values(), unfinished / SUMS, unfinished):
        _to_disk(file)
    unfinished.rename(path)
    _to_disk(path.parent)


def verify(path: pathlib.Path) -> None:
    """Compares the files of a checkpoint with their checksums.

    Args:
        path: of its directory.

    Raises:
        DamagedError: if a file was changed, is missing, or is not listed.
    """
    try:
        lines = (path / SUMS).read_text(encoding="utf-8").splitlines()
        wanted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        there = _files(path)
        for name in sorted(wanted.keys() | there.keys()):
            if name not in wanted or name not in there or _digest(there[name]) != wanted[name]:
                raise DamagedError(
                    f"The checkpoint {path} is damaged: {name} is not as it was written."
                )
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedError(f"The checkpoint {path} is damaged: {error}.") from error


def read_arrays(path: pathlib.Path) -> Arrays:
    """Reads one of a checkpoint's Orbax directories, verified before, as NumPy arrays."""
    import orbax.checkpoint as ocp

    with ocp.PyTreeCheckpointer() as checkpointer:
        return checkpointer.restore(path.absolute())


def _files(path: pathlib.Path) -> dict[str, pathlib.Path]:
    """The files of a checkpoint but that of the checksums, by name."""
    found = (file for file in path.rglob("*") if file.is_file())
    files = {file.relative_to(path).as_posix(): file for file in found}
    files.pop(SUMS, None)
    return dict(sorted(files.items()))


def _digest(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
