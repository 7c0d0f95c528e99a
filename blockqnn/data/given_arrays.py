"""Images that somebody has in memory, kept as an archive that `npz:PATH` reads."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from blockqnn.errors import UserError

FILE_NAME = "data.npz"
_SPLITS = ("train", "val", "test")
_NAMES = {f"{split}_{kind}": split for split in _SPLITS for kind in ("images", "labels")}
_SHORT = {"images": "train_images", "labels": "train_labels"}
_WANTED = (
    "wanted are (images, labels), ((images, labels), (test_images, test_labels)), or a mapping of "
    f"{', '.join(_NAMES)}"
)


def named_arrays(data: Any, validation: Any = None, test: Any = None) -> dict[str, np.ndarray]:
    """The arrays that a caller has given, by the names that an archive has for them.

    Args:
        data: a pair of images and labels; two such pairs, for training and for
            the test; or a mapping of names to arrays.
        validation: a pair of images and labels to judge by; None for none.
        test: a pair for the test; None for none.

    Returns:
        The arrays.

    Raises:
        UserError: if something is missing, given twice, or is no array.
    """
    pairs: list[tuple[str, Any]] = []
    found: dict[str, np.ndarray] = {}
    if isinstance(data, Mapping):
        for name, value in data.items():
            long = _SHORT.get(name, name)
            if long not in _NAMES or long in found:
                raise UserError(f"data has {name!r}; {_WANTED}.")
            found[long] = _array(long, value)
        if not {"train_images", "train_labels"} <= set(found):
            raise UserError(f"data has {', '.join(map(str, data)) or 'nothing'}; {_WANTED}.")
    elif _is_pair(data) and all(_is_pair(part) for part in data):
        pairs += [("train", data[0]), ("test", data[1])]
    else:
        pairs.append(("train", data))
    pairs += [(n, p) for n, p in (("val", validation), ("test", test)) if p is not None]
    for split, pair in pairs:
        if not _is_pair(pair):
            given = f"{type(pair).__name__} for {split}"
            raise UserError(f"data is {given}, not images with their labels; {_WANTED}.")
        for kind, value in zip(("images", "labels"), pair, strict=True):
            name = f"{split}_{kind}"
            if name in found:
                raise UserError(f"{name} are given twice; {_WANTED}.")
            found[name] = _array(name, value)
    return found


def keep(arrays: Mapping[str, np.ndarray], directory: pathlib.Path) -> bool:
    """Writes arrays into a directory, unless they are there.

    Args:
        arrays: as `named_arrays` returns them.
        directory: that holds `data.npz` then.

    Returns:
        Whether they had not been there.

    Raises:
        UserError: if others are there, or they cannot be written.
    """
    path = directory / FILE_NAME
    if path.exists():
        if not _holds(path, arrays):
            raise UserError(
                f"{path} has other images or labels than those given. Give the same ones to "
                "continue the run, or another run_dir to begin anew."
            )
        return False
    unfinished = directory / f".blockqnn-{os.getpid()}.npz"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            # Nothing in it may be pickled: `_array` has refused what would have to be.
            np.savez(unfinished, allow_pickle=False, **arrays)
            unfinished.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error
    return True


def _is_pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and not _is_number(value[0])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _array(name: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"{name} cannot be made a NumPy array: {error}.") from error
    if array.dtype.hasobject or array.ndim == 0:
        raise UserError(
            f"{name} are a {type(value).__name__} that is no array of numbers; {_WANTED}."
        )
    return array


def _holds(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether an archive has these arrays and no others."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return set(kept.files) == set(arrays) and all(
                kept[name].dtype == array.dtype and np.array_equal(kept[name], array)
                for name, array in arrays.items()
            )
    # A damaged archive may raise anything; it does not hold them.
    except Exception:
        return False
