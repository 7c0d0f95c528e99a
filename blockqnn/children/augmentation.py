"""Images changed at random before an epoch, by NumPy, so alike on every device.

An image is trained on once in an epoch, so that changing all of them before it is the same as
changing each batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from blockqnn.children.execution import DeviceImages
from blockqnn.settings import ENLARGED, PADDED, UNCHANGED

_PADDING = 8
"""An image is padded by its side over this: CIFAR's by 4 pixels, as is usual."""
_ENLARGED = 5, 4
"""By which factor an image is enlarged: CIFAR's to 40 pixels, as papers have it."""
_CHUNK = 1024
"""Images that are enlarged at a time, since each takes 20 times its bytes meanwhile."""


def augmented(part: DeviceImages, kind: str, seed: Sequence[int]) -> DeviceImages:
    """Changes each image of a part in its own way.

    Args:
        part: whose images are changed.
        kind: one of `AUGMENTATIONS`.
        seed: of the random choices.

    Returns:
        The part with other images of the same size, or itself where nothing is changed.
    """
    if kind == UNCHANGED:
        return part
    images, random = np.asarray(part.images), np.random.default_rng(seed)
    if kind == PADDED:
        fill = np.rint(np.asarray(part.mean)).astype(np.uint8)
        images = padded_crops(images, fill, random)
    elif kind == ENLARGED:
        images = enlarged_crops(images, random)
    images = mirrored(images, random)
    return dataclasses.replace(part, images=jnp.asarray(images))


def padded_crops(images: np.ndarray, fill: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Pads images on all sides by an eighth of these, and cuts windows of their size out.

    Args:
        images: uint8 [N, H, W, C].
        fill: colour of the padding, uint8 [C].
        random: chooses the windows, all being equally likely.

    Returns:
        uint8 [N, H, W, C].
    """
    count, height, width, channels = images.shape
    down, across = -(-height // _PADDING), -(-width // _PADDING)
    padded = np.empty((count, height + 2 * down, width + 2 * across, channels), np.uint8)
    padded[:] = fill
    padded[:, down : down + height, across : across + width] = images
    return _windows(padded, height, width, random)


def enlarged_crops(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Enlarges images by a quarter, linearly, and cuts windows of their old size out.

    Args:
        images: uint8 [N, H, W, C].
        random: chooses the windows, all being equally likely.

    Returns:
        uint8 [N, H, W, C].
    """
    height, width = images.shape[1:3]
    rows, columns = (_interpolation(side) for side in (height, width))
    found = []
    for begin in range(0, len(images), _CHUNK):
        chunk = images[begin : begin + _CHUNK].astype(np.float32)
        tall = np.einsum("rh,nhwc->nrwc", rows, chunk, optimize=True)
        large = np.einsum("sw,nrwc->nrsc", columns, tall, optimize=True)
        found.append(_windows(np.rint(large).astype(np.uint8), height, width, random))
    return np.concatenate(found)


def mirrored(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Mirrors half of some images, left for right.

    Args:
        images: [N, H, W, C].
        random: chooses which.

    Returns:
        [N, H, W, C].
    """
    chosen = random.random(len(images)) < 0.5
    return np.where(chosen[:, None, None, None], images[:, :, ::-1], images)


def _windows(
    images: np.ndarray, height: int, width: int, random: np.random.Generator
) -> np.ndarray:
    """A window of a size out of each image."""
    count, all_rows, all_columns = images.shape[:3]
    top = random.integers(all_rows - height + 1, size=count)
    left = random.integers(all_columns - width + 1, size=count)
    rows = (top[:, None] + np.arange(height))[:, :, None]
    columns = (left[:, None] + np.arange(width))[:, None, :]
    return images[np.arange(count)[:, None, None], rows, columns]


def _interpolation(side: int) -> np.ndarray:
    """The matrix [larger side, side] of linear interpolation, whose rows have the sum 1."""
    factor, by = _ENLARGED
    larger = -(-side * factor // by)
    places = np.clip((np.arange(larger) + 0.5) * side / larger - 0.5, 0, side - 1)
    below = np.minimum(places.astype(int), max(side - 2, 0))
    share = (places - below).astype(np.float32)
    matrix = np.zeros((larger, side), np.float32)
    matrix[np.arange(larger), below] = 1 - share
    matrix[np.arange(larger), np.minimum(below + 1, side - 1)] += share
    return matrix
