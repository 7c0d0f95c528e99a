"""What arrays mean: which axis is which, and which class a label stands for.

What is certain is taken; what is not is refused in words that tell what to do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import numpy as np

_CHANNELS = (1, 3, 4)
_MOST_SHOWN = 5


class ArrayError(Exception):
    """An array is not what it should be; the message goes on from the array's name."""


def image_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Which axes of an array are number, height, width and channels.

    Args:
        shape: of the array.

    Returns:
        Numbers of axes: three, where there is one channel without an axis, or four.

    Raises:
        ArrayError: if that is not certain.
    """
    if len(shape) not in (3, 4) or min(shape) < 1:
        advice = ""
        if len(shape) == 2:
            advice = "; if a row is an image, give it back its sides: .reshape(-1, HEIGHT, WIDTH)"
        raise ArrayError(f"has shape {list(shape)}; wanted is [N, H, W, C] or [N, H, W]{advice}")
    if len(shape) == 3:
        return 0, 1, 2
    _, first, second, third = shape
    channels_last, channels_first = (0, 1, 2, 3), (0, 2, 3, 1)
    if third in _CHANNELS and first in _CHANNELS:
        certain = (first == second) != (second == third)
        if certain:
            return channels_last if first == second else channels_first
    elif third in _CHANNELS:
        return channels_last
    elif first in _CHANNELS:
        return channels_first
    elif third < min(first, second) or (first == second and second != third):
        return channels_last
    raise ArrayError(
        f"has shape {list(shape)}, of which it is not certain which axis has the channels; wanted "
        "is [N, H, W, C], and numpy.moveaxis(images, 1, -1) makes it of [N, C, H, W]"
    )


def as_bytes(array: np.ndarray) -> np.ndarray:
    """Pixels as uint8, if that loses nothing.

    Args:
        array: of any shape and type.

    Returns:
        The same numbers; true and false become 255 and 0.

    Raises:
        ArrayError: saying what to do.
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind in "iu":
        low, high = int(array.min()), int(array.max())
        if low >= 0 and high <= 255:
            return array.astype(np.uint8)
        raise ArrayError(
            f"is {array.dtype} with values from {low:,} to {high:,}; wanted is uint8, 0 to 255: "
            "scale them first"
        )
    if array.dtype.kind == "f":
        raise ArrayError(_float_advice(array))
    raise ArrayError(f"is {array.dtype}; wanted is uint8, 0 to 255")


def _float_advice(array: np.ndarray) -> str:
    begun = f"is {array.dtype}"
    if not np.isfinite(array).all():
        return f"{begun} with values that are not finite; wanted is uint8, 0 to 255"
    low, high = float(array.min()), float(array.max())
    begun = f"{begun} with values from {low:g} to {high:g}; wanted is uint8, 0 to 255"
    if low >= 0 and high <= 1:
        return f"{begun}: (255 * images).round().astype('uint8') makes it of values from 0 to 1"
    if low >= -1 and high <= 1:
        return (
            f"{begun}: (127.5 * (images + 1)).round().astype('uint8') makes it of values from "
            "-1 to 1"
        )
    if low >= 0 and high <= 255:
        return f"{begun}: images.round().astype('uint8') makes it"
    return f"{begun}: save the pixels as they were before they were normalised"


class Classes:
    """The classes that the labels of a training split name."""

    def __init__(self, labels: np.ndarray):
        """Finds the classes.

        Args:
            labels: of the training split, as `flat_labels` returns them.

        Raises:
            ArrayError: if it is not certain which classes there are.
        """
        self._values = np.unique(labels)
        count = len(self._values)
        if count < 2:
            raise ArrayError(
                f"has {count} different label{'' if count == 1 else 's'} "
                f"({_shown(self._values)}); wanted are at least two classes"
            )
        if labels.dtype.kind in "iu":
            low, high = int(self._values[0]), int(self._values[-1])
            if low not in (0, 1) or high - low != count - 1:
                raise ArrayError(
                    f"goes from {low} to {high} with {count} different labels; wanted is every "
                    "label from 0 to classes - 1: numpy.unique(labels, return_inverse=True)[1] "
                    "numbers those that there are"
                )
        self.names = tuple(map(str, self._values.tolist()))

    def numbers(self, labels: np.ndarray) -> np.ndarray:
        """Labels as numbers of classes.

        Args:
            labels: of any split, as `flat_labels` returns them.

        Returns:
            int32 [N], from 0.

        Raises:
            ArrayError: if there is one that is no class.
        """
        if (labels.dtype.kind == "U") != (self._values.dtype.kind == "U"):
            raise ArrayError(f"is {labels.dtype}, train_labels {self._values.dtype}")
        strange = np.setdiff1d(labels, self._values)
        if len(strange):
            raise ArrayError(
                f"has labels that the training labels do not have: {_shown(strange)}; those are "
                f"{_shown(self._values)}"
            )
        return np.searchsorted(self._values, labels).astype(np.int32)


def flat_labels(
    shape: tuple[int, ...], dtype: np.dtype, images: int, read: Callable[[], np.ndarray]
) -> np.ndarray:
    """One label for each image.

    Args:
        shape: of the array of labels.
        dtype: of the array.
        images: how many there are.
        read: reads the array, if it is not refused before.

    Returns:
        int64 [N], or text [N] in Unicode's composed form.

    Raises:
        ArrayError: if it is not certain what the labels are.
    """
    wanted = f"beside {images:,} images; wanted is one label each, integers or names [N]"
    if dtype.kind == "O":
        raise ArrayError(
            f"is object {list(shape)}, which is never read, as it may run what it likes; save it "
            "as plain numbers or text: labels.astype(str)"
        )
    if dtype.kind not in "iufbUS":
        raise ArrayError(f"is {dtype} {list(shape)} {wanted}")
    one_each = shape == (images,) or (len(shape) == 2 and sorted(shape) == sorted((1, images)))
    one_hot = len(shape) == 2 and shape[0] == images and shape[1] > 1 and dtype.kind not in "US"
    if not (one_each or one_hot):
        raise ArrayError(f"is {dtype} {list(shape)} {wanted}")
    labels = read()
    if one_hot and not one_each:
        ones = (labels != 0).sum(axis=1) == 1
        if not (ones.all() and (labels.max(axis=1) == 1).all()):
            raise ArrayError(
                f"is {dtype} {list(shape)} and no row of zeros with a single one each; an image "
                "has one label here"
            )
        return labels.argmax(axis=1)
    labels = labels.reshape(-1)
    if dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "U":
        return np.array([unicodedata.normalize("NFC", text) for text in labels.tolist()])
    if dtype.kind == "f" and not (np.isfinite(labels) & (labels == np.rint(labels))).all():
        raise ArrayError(f"is {dtype} with labels that are no whole numbers")
    return labels.astype(np.int64)


def _shown(values: np.ndarray) -> str:
    found = list(map(str, values.tolist()))
    if len(found) > _MOST_SHOWN:
        found = [*found[: _MOST_SHOWN - 2], "...", found[-1]]
    return ", ".join(found)
