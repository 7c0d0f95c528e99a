"""Data that need no files: scikit-learn's digits, and made-up patterns."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from blockqnn.data.contents import ImageSizes
from blockqnn.data.images import ImageInfo, Images
from blockqnn.data.source import TEST, TRAIN, ArraySplit
from blockqnn.errors import UserError

DIGITS = "digits"
DIGITS_TRAINING_IMAGES = 1500
"""The first 1,500 of scikit-learn's 1,797 digits; the other 297 are the test split."""

SYNTHETIC = "synthetic"
_DIGITS_TEST_IMAGES = 297
_TEST_NOISE = 1
"""Seed of synthetic test images, which have the patterns of the training images."""

_NAME = re.compile(r"synthetic(?::(\d{1,4})x(\d{1,4})x(\d{1,4}):(\d{1,5})(?::(\d{1,7}))?)?")
_USUAL = (8, 8, 1, 10, 600)


class _BuiltIn:
    """What both have in common."""

    def __init__(self, name: str, shape: tuple[int, int, int], classes: int, train: int, test: int):
        self._name, self._info = name, ImageInfo(shape, classes)
        self._counts = {TRAIN: train, TEST: test}

    def info(self) -> ImageInfo:
        """See `Source.info`."""
        return self._info

    def class_names(self) -> tuple[str, ...]:
        """See `Source.class_names`."""
        return tuple(map(str, range(self._info.classes)))

    def counts(self) -> Mapping[str, int]:
        """See `Source.counts`."""
        return self._counts

    def class_sizes(self) -> Sequence[int]:
        """See `Source.class_sizes`."""
        return ()

    def sizes(self) -> ImageSizes:
        """See `Source.sizes`."""
        height, width, _ = self._info.shape
        return ImageSizes((height,) * self._counts[TRAIN], (width,) * self._counts[TRAIN])

    def passed_over(self) -> Mapping[str, int]:
        """See `Source.passed_over`."""
        return {}

    def check(self) -> tuple[str, ...]:
        """See `Source.check`."""
        return ()

    def digest(self, split: str) -> str:
        """See `Source.digest`; what is built in is known by its name."""
        return hashlib.sha256(f"{self._name} {split}".encode()).hexdigest()


class DigitsSource(_BuiltIn):
    """Scikit-learn's handwritten digits."""

    def __init__(self) -> None:
        """Names the data; nothing is read yet."""
        super().__init__(DIGITS, (8, 8, 1), 10, DIGITS_TRAINING_IMAGES, _DIGITS_TEST_IMAGES)

    def open(self, split: str) -> ArraySplit:
        """See `Source.open`."""
        images, labels = all_digits()
        part = slice(None, DIGITS_TRAINING_IMAGES)
        if split != TRAIN:
            part = slice(DIGITS_TRAINING_IMAGES, None)
        return ArraySplit(Images(images[part], labels[part]))


class SyntheticSource(_BuiltIn):
    """A random pattern for each class, under noise."""

    def __init__(self, name: str):
        """Reads the name.

        Args:
            name: `synthetic:HEIGHTxWIDTHxCHANNELS:CLASSES[:EXAMPLES]`.

        Raises:
            UserError: if it cannot be read.
        """
        height, width, channels, classes, examples = synthetic_numbers(name)
        known = f"{SYNTHETIC}:{height}x{width}x{channels}:{classes}:{examples}"
        super().__init__(known, (height, width, channels), classes, examples, examples)

    def open(self, split: str) -> ArraySplit:
        """See `Source.open`."""
        return ArraySplit(synthetic(self._name, 0 if split == TRAIN else _TEST_NOISE))


@functools.cache
def _bunch() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images, bunch.target


def all_digits() -> tuple[np.ndarray, np.ndarray]:
    """Scikit-learn's digits, uint8 [1797, 8, 8, 1], and their labels, int32 [1797]."""
    images, labels = _bunch()
    return np.rint(images * (255 / 16)).astype(np.uint8)[..., None], labels.astype(np.int32)


def synthetic_numbers(name: str) -> tuple[int, int, int, int, int]:
    """Height, width, channels, classes and images that a name stands for.

    Args:
        name: as a user writes it.

    Returns:
        The five numbers.

    Raises:
        UserError: if the name cannot be read.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise UserError(
            f"--dataset is {name!r}; a synthetic data set is written "
            "synthetic:HEIGHTxWIDTHxCHANNELS:CLASSES[:EXAMPLES], as in synthetic:8x8x1:10:600."
        )
    if match[1] is None:
        return _USUAL
    height, width, channels, classes = (int(match[i]) for i in range(1, 5))
    examples = int(match[5]) if match[5] else max(_USUAL[-1], 12 * classes)
    if min(height, width, channels) < 1 or classes < 2 or examples < 2 * classes:
        raise UserError(
            f"--dataset is {name!r}; allowed: height, width and channels of at least 1, at least 2 "
            "classes, and at least 2 examples of each."
        )
    return height, width, channels, classes, examples


def synthetic(name: str, seed: int) -> Images:
    """A random pattern for each class, under noise.

    Args:
        name: as a user writes it; the patterns follow from it.
        seed: of the noise and of the order of labels.

    Returns:
        As many images as the name says.

    Raises:
        UserError: if the name cannot be read.
    """
    height, width, channels, classes, examples = synthetic_numbers(name)
    random = np.random.default_rng(0)
    patterns = random.uniform(0, 160, (classes, height, width, channels))
    if seed:
        random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(examples) % classes).astype(np.int32)
    images = patterns[labels] + random.uniform(0, 95, (examples, height, width, channels))
    return Images(images.astype(np.uint8), labels)
