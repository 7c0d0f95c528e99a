"""What a source of labelled images is to the rest: its splits, and what is known of them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from blockqnn.data.contents import ImageSizes
from blockqnn.data.images import ImageInfo, Images

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)


class LabelledSplit(Protocol):
    """Labelled images of one split, read where they are asked for."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""

    def __len__(self) -> int:
        """How many images there are."""

    def labels(self) -> np.ndarray:
        """All labels, int32 [N]."""

    def read(self, indices: np.ndarray) -> Images:
        """The images at `indices`, in that order; may be called by several threads."""


class Source(Protocol):
    """Where images come from; each method raises UserError for what cannot be used."""

    def info(self) -> ImageInfo:
        """Shape of the images as they are read, and number of classes."""

    def class_names(self) -> tuple[str, ...]:
        """Names in the order of the labels."""

    def counts(self) -> Mapping[str, int]:
        """Number of labelled images by split, for those of `SPLITS` that there are."""

    def class_sizes(self) -> Sequence[int]:
        """Training images of each class; nothing where that is not cheap to say."""

    def open(self, split: str) -> LabelledSplit:
        """One of its splits."""

    def sizes(self) -> ImageSizes:
        """Heights and widths of the training images before they are scaled."""

    def passed_over(self) -> Mapping[str, int]:
        """Number of files or images that are not read, by reason."""

    def check(self) -> tuple[str, ...]:
        """Looks at all splits, as far as that is cheap, and says in sentences what is odd."""

    def digest(self, split: str) -> str:
        """What tells whether a split is the same, wherever it lies, in hexadecimal digits."""


@dataclasses.dataclass(frozen=True)
class ArraySplit:
    """A split that is in memory.

    Attributes:
        images: all of it.
    """

    images: Images

    @property
    def shape(self) -> tuple[int, int, int]:
        """See `LabelledSplit.shape`."""
        height, width, channels = self.images.images.shape[1:]
        return height, width, channels

    def __len__(self) -> int:
        return len(self.images)

    def labels(self) -> np.ndarray:
        """See `LabelledSplit.labels`."""
        return self.images.labels

    def read(self, indices: np.ndarray) -> Images:
        """See `LabelledSplit.read`."""
        return self.images.take(indices)


@dataclasses.dataclass(frozen=True)
class ScaledSplit:
    """A split whose images are scaled when they are read.

    Attributes:
        split: as it is.
        size: height and width.
    """

    split: LabelledSplit
    size: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """See `LabelledSplit.shape`."""
        return (*self.size, self.split.shape[2])

    def __len__(self) -> int:
        return len(self.split)

    def labels(self) -> np.ndarray:
        """See `LabelledSplit.labels`."""
        return self.split.labels()

    def read(self, indices: np.ndarray) -> Images:
        """See `LabelledSplit.read`."""
        found = self.split.read(indices)
        return Images(scaled(found.images, self.size), found.labels)


class ScaledSource:
    """A source of images of one size, which are scaled when they are read."""

    def __init__(self, source: Source, size: tuple[int, int]):
        """Wraps a source.

        Args:
            source: as it is.
            size: height and width.
        """
        self._source, self._size = source, size

    def info(self) -> ImageInfo:
        """See `Source.info`."""
        info = self._source.info()
        return ImageInfo((*self._size, info.shape[2]), info.classes)

    def class_names(self) -> tuple[str, ...]:
        """See `Source.class_names`."""
        return self._source.class_names()

    def counts(self) -> Mapping[str, int]:
        """See `Source.counts`."""
        return self._source.counts()

    def class_sizes(self) -> Sequence[int]:
        """See `Source.class_sizes`."""
        return self._source.class_sizes()

    def open(self, split: str) -> ScaledSplit:
        """See `Source.open`."""
        return ScaledSplit(self._source.open(split), self._size)

    def sizes(self) -> ImageSizes:
        """See `Source.sizes`."""
        return self._source.sizes()

    def passed_over(self) -> Mapping[str, int]:
        """See `Source.passed_over`."""
        return self._source.passed_over()

    def check(self) -> tuple[str, ...]:
        """See `Source.check`."""
        return self._source.check()

    def digest(self, split: str) -> str:
        """See `Source.digest`."""
        return self._source.digest(split)


def scaled(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Images of one size made into images of another, each channel for itself.

    Args:
        images: uint8 [N, H, W, C].
        size: height and width; the longer side is cut evenly at both ends.

    Returns:
        uint8 [N, height, width, C].
    """
    from PIL import Image, ImageOps

    height, width = size
    if images.shape[1:3] == size:
        return images
    found = np.empty((len(images), height, width, images.shape[3]), np.uint8)
    for number, image in enumerate(images):
        for channel in range(images.shape[3]):
            one = Image.fromarray(np.ascontiguousarray(image[..., channel]))
            fitted = ImageOps.fit(one, (width, height), Image.Resampling.BICUBIC)
            found[number, ..., channel] = np.asarray(fitted)
    return found


def expanded(text: str) -> pathlib.Path:
    """A path as it was typed, with `~` and `~user` in their places; unknown users stay."""
    try:
        return pathlib.Path(text).expanduser()
    except RuntimeError:  # There is no such user.
        return pathlib.Path(text)
