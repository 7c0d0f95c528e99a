"""All of a training split, and the test split: the one place where that is read.

A search reads its images through `blockqnn.data.datasets.load_search_parts` and
imports nothing of this package, so the test split stays out of its reach.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np

from blockqnn.data import array_source, folder_source, tfds_source
from blockqnn.data.datasets import (
    DIGITS_TRAINING_IMAGES,
    all_digits,
    describe,
    synthetic,
    training_images,
)
from blockqnn.data.images import ImageInfo, Images, split_indices
from blockqnn.errors import UserError
from blockqnn.full_training.records import RecordSplit, record_shape
from blockqnn.full_training.settings import FullData

_TEST_NOISE = 1
"""Seed of synthetic test images, which have the patterns of the training images."""


class Split(Protocol):
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


@dataclasses.dataclass(frozen=True)
class Part:
    """Some images of a split.

    Attributes:
        split: that they are from.
        indices: which, int [N].
    """

    split: Split
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, places: np.ndarray) -> Images:
        """The images at `places` of this part, in that order."""
        return self.split.read(self.indices[places])


class ArraySplit:
    """A split that is in memory."""

    def __init__(self, images: Images):
        """Takes the images.

        Args:
            images: all of the split.
        """
        self._images = images

    @property
    def shape(self) -> tuple[int, int, int]:
        """See `Split.shape`."""
        height, width, channels = self._images.images.shape[1:]
        return height, width, channels

    def __len__(self) -> int:
        return len(self._images)

    def labels(self) -> np.ndarray:
        """See `Split.labels`."""
        return self._images.labels

    def read(self, indices: np.ndarray) -> Images:
        """See `Split.read`."""
        return self._images.take(indices)


@dataclasses.dataclass(frozen=True)
class FullInfo:
    """What is known of a data set before its images are read.

    Attributes:
        stored: height, width and channels of the images as they are read.
        seen: of what the network is given.
        classes: number of classes.
        class_names: in the order of the labels; empty where they have none.
        examples: images of the training split.
        test_split: whose images are for the test; empty where there is none.
        validation_split: of a data set that TFDS does not read, likewise; a search of it
            judges by that instead of holding images out.
        other_splits: all splits but that of training.
    """

    stored: tuple[int, int, int]
    seen: tuple[int, int, int]
    classes: int
    class_names: tuple[str, ...]
    examples: int
    test_split: str
    validation_split: str = ""
    other_splits: tuple[str, ...] = ()


def describe_full(data: FullData) -> FullInfo:
    """Looks a data set up without reading its images.

    Args:
        data: which data set, and how its images are cut.

    Returns:
        What is known of it.

    Raises:
        UserError: if there is no such data set, or it does not fit what is asked for.
    """
    name = data.source.dataset
    names: tuple[str, ...] = ()
    validation = ""
    if tfds_source_reads(name):
        builder = tfds_source.open_builder(name, data.source.data_dir)
        _, label_key = tfds_source.feature_keys(builder, name)
        feature, splits = builder.info.features[label_key], builder.info.splits
        stored, classes = record_shape(builder, name, data.source.resize), feature.num_classes
        names = tuple(feature.names)
        examples, test = splits["train"].num_examples, _tfds_test_split(data, splits)
        others = tuple(sorted(set(splits) - {"train"}))
    else:
        if data.test_split:
            raise UserError(f"--test_split is for data sets of TFDS, not {name}.")
        info: ImageInfo = describe(data.source)
        stored, classes = info.shape, info.classes
        examples, test = _count(name), "test" if _has(name, "test") else ""
        others = tuple(split for split in ("validation", "test") if _has(name, split))
        validation = "validation" if "validation" in others else ""
        if name.startswith(folder_source.PREFIX):
            names = tuple(folder_source.class_names(name))
    side = data.image_size
    if side > min(stored[:2]):
        raise UserError(
            f"--image_size is {side}, but the images of {name} are {stored[0]}x{stored[1]}; "
            "allowed: at most that, or 0 for all of an image."
        )
    seen = (side, side, stored[2]) if side else stored
    return FullInfo(stored, seen, classes, names, examples, test, validation, others)


def open_training(data: FullData) -> tuple[Part, Part | None]:
    """Opens the training split, cut in two where images are held out.

    The cut is by class, so all labels are read for it; images stay where they are.

    Args:
        data: which data set, and whether to hold images out.

    Returns:
        The training part, and the validation part or None.

    Raises:
        UserError: if the data set cannot be read.
    """
    split = _open(data, "train")
    if not data.hold_out:
        if data.source.train_examples:
            raise UserError("--train_examples needs --hold_out.")
        return Part(split, np.arange(len(split))), None
    indices = split_indices(split.labels(), data.source.train_examples, data.source.split_seed)
    train, validation = (Part(split, part) for part in indices)
    return train, validation


def open_test(data: FullData) -> Part:
    """Opens the test split, which nothing but the final measurement and `evaluate` may do.

    Args:
        data: which data set.

    Returns:
        All of its test images.

    Raises:
        UserError: if there is none, or it cannot be read.
    """
    name = describe_full(data).test_split
    if not name:
        raise UserError(f"The data set {data.source.dataset} has no test split.")
    return open_whole(data, name)


def open_whole(data: FullData, split: str) -> Part:
    """All images of a split, by its name; raises like `open_test`."""
    opened = _open(data, split)
    return Part(opened, np.arange(len(opened)))


def in_memory(part: Part) -> Part:
    """The same part with its images decoded, in memory."""
    images = part.read(np.arange(len(part)))
    return Part(ArraySplit(images), np.arange(len(part)))


def tfds_source_reads(name: str) -> bool:
    """Whether a data set is one that TFDS has prepared."""
    ours = (array_source.PREFIX, folder_source.PREFIX, "synthetic")
    return name != "digits" and not name.startswith(ours)


def _open(data: FullData, split: str) -> Split:
    name = data.source.dataset
    if tfds_source_reads(name):
        builder = tfds_source.open_builder(name, data.source.data_dir)
        return RecordSplit(builder, name, split, data.source.resize)
    images = training_images(name) if split == "train" else _other_images(name, split)
    assert images is not None
    return ArraySplit(images)


def _count(name: str) -> int:
    """How many training images there are."""
    if name.startswith(array_source.PREFIX):
        return array_source.count(name)
    if name.startswith(folder_source.PREFIX):
        return folder_source.count(name)
    images = training_images(name)
    assert images is not None
    return len(images)


def _has(name: str, split: str) -> bool:
    """Whether a data set that TFDS does not read has a split besides that of training."""
    if split == "validation":
        return False
    if name.startswith(array_source.PREFIX):
        return array_source.has_test_split(name)
    if name.startswith(folder_source.PREFIX):
        return folder_source.has_test_split(name)
    return True


def _other_images(name: str, split: str) -> Images:
    if name == "digits":
        images, labels = all_digits()
        return Images(images[DIGITS_TRAINING_IMAGES:], labels[DIGITS_TRAINING_IMAGES:])
    if name.startswith("synthetic"):
        return synthetic(name, _TEST_NOISE)
    if name.startswith(folder_source.PREFIX):
        return folder_source.read(name, split)
    return array_source.read(name, split)


def _tfds_test_split(data: FullData, splits: Any) -> str:
    if data.test_split:
        if data.test_split not in splits or data.test_split == "train":
            others = ", ".join(sorted(set(splits) - {"train"})) or "none"
            raise UserError(f"--test_split is {data.test_split!r}; there are: {others}.")
        return data.test_split
    return next((name for name in ("test", "validation") if name in splits), "")
