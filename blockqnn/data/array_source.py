"""A user's own images in a NumPy archive: `npz:PATH`.

The archive holds `train_images`, uint8 [N, H, W, C] or [N, H, W], and
`train_labels`, integers [N] from 0 to classes - 1; `test_images` and
`test_labels` of the same kind may stand beside them. Pickled objects in it are
refused, whatever they are.
"""

from __future__ import annotations

import pathlib
import zipfile
from typing import IO

import numpy as np

from blockqnn.data.images import ImageInfo, Images
from blockqnn.errors import UserError

PREFIX = "npz:"
_WANTED = (
    "wanted are train_images, uint8 [N, H, W, C] or [N, H, W], and "
    "train_labels, integers [N] from 0, and for a test split test_images and test_labels of the "
    "same kind"
)


def describe(name: str) -> ImageInfo:
    """Looks an archive up; reads its labels, but of its images the shape alone.

    Args:
        name: `npz:PATH`.

    Returns:
        Shape of the images and number of classes.

    Raises:
        UserError: if the archive cannot be used.
    """
    shape = _image_shape(name, "train")
    return ImageInfo((shape[1], shape[2], shape[3]), _classes(name))


def count(name: str) -> int:
    """How many training images an archive has; raises like `describe`."""
    return _image_shape(name, "train")[0]


def has_test_split(name: str) -> bool:
    """Whether an archive has test images or test labels; raises like `describe`."""
    there = _members(name)
    return bool({"test_images.npy", "test_labels.npy"} & set(there))


def read(name: str, split: str = "train") -> Images:
    """Reads a split of an archive.

    Args:
        name: `npz:PATH`.
        split: `train` or `test`.

    Returns:
        All of its images.

    Raises:
        UserError: if the archive cannot be used.
    """
    labels, classes = _labels(name, split), _classes(name)
    shape = _image_shape(name, split)
    if split != "train":
        wanted = _image_shape(name, "train")[1:]
        if shape[1:] != wanted:
            raise _refusal(
                name,
                f"{split}_images in {_path(name)} have shape {list(shape[1:])}, train_images "
                f"{list(wanted)}",
            )
        if labels.min() < 0 or labels.max() >= classes:
            raise _refusal(
                name,
                f"{split}_labels in {_path(name)} go from {labels.min()} to {labels.max()}, "
                f"train_labels from 0 to {classes - 1}",
            )
    return Images(_array(name, f"{split}_images").reshape(shape), labels)


def _path(name: str) -> pathlib.Path:
    return pathlib.Path(name.removeprefix(PREFIX))


def _refusal(name: str, why: str) -> UserError:
    return UserError(f"--dataset {name}: {why}.")


def _members(name: str) -> list[str]:
    """The names of the files in an archive."""
    path = _path(name)
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except zipfile.BadZipFile as error:
        raise _refusal(name, f"{path} is no NumPy archive ({error})") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise _refusal(name, f"{path} cannot be read ({why})") from error


def _member(name: str, array: str) -> IO[bytes]:
    """Opens one array of an archive."""
    path = _path(name)
    there = _members(name)
    if f"{array}.npy" not in there:
        has = ", ".join(sorted(there)[:10]) or "nothing"
        raise _refusal(name, f"{path} has no {array}; it has {has}; {_WANTED}")
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.open(f"{array}.npy")
    except zipfile.BadZipFile as error:
        raise _refusal(name, f"{path} is no NumPy archive ({error})") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise _refusal(name, f"{path} cannot be read ({why})") from error


def _header(name: str, array: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array, without reading it."""
    with _member(name, array) as file:
        try:
            version = np.lib.format.read_magic(file)
            if version == (1, 0):
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            else:
                shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise _refusal(name, f"{array} in {_path(name)} is no array ({error})") from error
    return shape, dtype


def _array(name: str, array: str) -> np.ndarray:
    with _member(name, array) as file:
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except (ValueError, EOFError, OSError, zipfile.BadZipFile, MemoryError) as error:
            raise _refusal(name, f"{array} in {_path(name)} cannot be read ({error})") from error


def _image_shape(name: str, split: str) -> tuple[int, int, int, int]:
    """Number, height, width and channels of a split's images; refuses what is no image."""
    shape, dtype = _header(name, f"{split}_images")
    if dtype != np.uint8 or len(shape) not in (3, 4) or min(shape) < 1:
        raise _refusal(name, f"{split}_images in {_path(name)} is {dtype} {list(shape)}; {_WANTED}")
    full = (*shape, 1)[:4]
    return full[0], full[1], full[2], full[3]


def _labels(name: str, split: str) -> np.ndarray:
    """int32 [N]."""
    images = _image_shape(name, split)[0]
    shape, dtype = _header(name, f"{split}_labels")
    if dtype.kind not in "iu" or shape != (images,):
        raise _refusal(
            name,
            f"{split}_labels in {_path(name)} is {dtype} {list(shape)} beside {images:,} images; "
            f"{_WANTED}",
        )
    return _array(name, f"{split}_labels").astype(np.int64).astype(np.int32)


def _classes(name: str) -> int:
    labels = _labels(name, "train")
    found = np.unique(labels)
    if found[0] != 0 or found[-1] != len(found) - 1 or len(found) < 2:
        raise _refusal(
            name,
            f"train_labels in {_path(name)} go from {found[0]} to {found[-1]} with {len(found)} "
            "different ones; wanted is every label from 0 to classes - 1, and at least two classes",
        )
    return len(found)
