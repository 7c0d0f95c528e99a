"""A training's directory: its lock, flags, figures and result."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blockqnn.children.checkpoint_metadata import Metadata
from blockqnn.errors import UserError
from blockqnn.full_training.settings import FullData

METRICS, RESULT, FLAG_FILE, LOCK = "metrics.jsonl", "result.json", "train.flags", "lock"


def refuse_unwritable(path: pathlib.Path, needed: int = 0) -> None:
    """Finds out whether a directory can be made or written to, without making it.

    Args:
        path: of the directory, which need not exist.
        needed: bytes that will be written there.

    Raises:
        UserError: if it cannot be used, or there is too little room.
    """
    there = path
    try:
        while not there.exists() and there != there.parent:
            there = there.parent
        good = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    except (OSError, ValueError) as error:
        raise UserError(f"--out_dir {path} cannot be used: {error}.") from error
    if not good:
        why = f"{there} cannot be written to" if there.is_dir() else f"{there} is no directory"
        raise UserError(f"--out_dir {path} cannot be used: {why}.")
    free = shutil.disk_usage(there).free
    if needed > free:
        raise UserError(
            f"--out_dir {path} cannot be used: its checkpoints need about {needed / 1e9:.3g} GB, "
            f"and {free / 1e9:.3g} GB are free there; --keep_checkpoints says how many are kept."
        )


@contextlib.contextmanager
def opened(path: pathlib.Path, *folders: str) -> Iterator[None]:
    """Makes a directory, and keeps other processes from training in it.

    Args:
        path: of the directory.
        folders: that it is to have.

    Yields:
        Nothing.

    Raises:
        UserError: if it cannot be used, or another process trains in it.
    """
    try:
        for each in (path, *(path / folder for folder in folders)):
            each.mkdir(parents=True, exist_ok=True)
        lock = (path / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(f"--out_dir {path} cannot be used: {error.strerror or error}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise UserError(
                f"Another process trains in {path} ({holder}); wait for it, end it, or name "
                "another --out_dir."
            ) from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {platform.node()}\n")
        lock.flush()
        yield


def refuse_other_training(path: pathlib.Path, found: Metadata, wanted: Metadata) -> None:
    """Refuses to go on with a checkpoint of another block or other flags.

    Args:
        path: of the training's directory.
        found: what its newest good checkpoint is.
        wanted: what is to be trained.

    Raises:
        UserError: naming what differs.
    """
    other = "; name another --out_dir to begin anew."
    if found.hash != wanted.hash:
        raise UserError(
            f"{path} holds a training of another block, {found.code}; given is {wanted.code}{other}"
        )
    digests = found.data_digest, wanted.data_digest
    moved = all(digests) and digests[0] == digests[1]
    for name, value in wanted.flags.items():
        if name == "dataset" and moved:
            continue
        if found.flags.get(name, value) != value:
            raise UserError(
                f"The training in {path} was begun with --{name}={found.flags[name]}; given is "
                f"--{name}={value}. Give the old value to continue it{other}"
            )
    names = [facts.data["source"]["dataset"] for facts in (found, wanted)]
    if names[0] != names[1] and not moved:
        raise UserError(
            f"{path} holds a training on another data set: {names[0]}; given is {names[1]}{other}"
        )
    if all(digests) and not moved:
        raise UserError(
            f"{wanted.data['source']['dataset']} has changed since the training in {path} was "
            f"begun. Bring the old images back to continue it{other}"
        )
    before, after = _comparable(found, moved), _comparable(wanted, moved)
    if "judged_on" not in found.data:
        after["data"].pop("judged_on", None)
    for name, value in after.items():
        if before[name] != value:
            raise UserError(
                f"{path} holds a training with another {name.replace('_', ' ')}: "
                f"{before[name]}; wanted is {value}{other}"
            )


def _comparable(metadata: Metadata, moved: bool) -> dict[str, Any]:
    """What must be equal, with what checkpoints of earlier versions do not say yet."""
    names = ("layout", "data", "recipe", "seed", "steps_per_epoch")
    facts = {name: getattr(metadata, name) for name in names}
    usual = json.loads(json.dumps(dataclasses.asdict(FullData())))
    facts["recipe"] = {"clip_norm": 0.0} | metadata.recipe
    data = dict(metadata.data)
    source = usual["source"] | data.get("source", {})
    # Earlier versions kept the side of a square here.
    if side := data.pop("resize", 0):
        source["resize"] = [side, side]
    # Where a machine keeps the data set does not belong to what is trained.
    source.pop("data_dir", None)
    if moved:
        source.pop("dataset", None)
    facts["data"] = usual | data | {"source": source}
    return facts


class Figures:
    """The file with a JSON object for each epoch."""

    def __init__(self, path: pathlib.Path, history: Sequence[Mapping[str, Any]]):
        """Makes the file hold what a checkpoint knows, so that no epoch stands in it twice.

        Args:
            path: of the training's directory.
            history: of the epochs so far.
        """
        self._path = path / METRICS
        replace_text(self._path, "".join(json.dumps(epoch) + "\n" for epoch in history))

    def add(self, epoch: Mapping[str, Any]) -> None:
        """Adds an epoch."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(epoch) + "\n")


def read_result(path: pathlib.Path) -> dict[str, Any] | None:
    """What a finished training found; None if it has not finished.

    Args:
        path: of the training's directory.

    Returns:
        The object in its `result.json`.

    Raises:
        UserError: if the file is damaged.
    """
    try:
        result: dict[str, Any] = json.loads((path / RESULT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path / RESULT} cannot be read: {error}.") from error
    return result


def write_result(path: pathlib.Path, result: Mapping[str, Any]) -> None:
    """Writes what a training found; it is now finished."""
    replace_text(path / RESULT, json.dumps(result, indent=1) + "\n")


def replace_text(path: pathlib.Path, text: str) -> None:
    """Writes a file so that it is either the old one or the new one."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
