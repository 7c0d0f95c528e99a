"""Data sets by name: `digits`, `synthetic`, the user's own and what TFDS has prepared."""

from __future__ import annotations

import hashlib
import re

import numpy as np

from blockqnn.data import array_source, folder_source, tfds_source
from blockqnn.data.contents import Contents
from blockqnn.data.images import VALIDATION_SHARE, ImageInfo, Images, split_indices
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings

DIGITS_TRAINING_IMAGES = 1500
"""The first 1,500 of scikit-learn's 1,797 digits; the other 297 are the test split."""

_SYNTHETIC = re.compile(r"synthetic(?::(\d{1,4})x(\d{1,4})x(\d{1,4}):(\d{1,5})(?::(\d{1,7}))?)?")
_SYNTHETIC_DEFAULT = (8, 8, 1, 10, 600)


def describe(settings: DataSettings, images_needed: bool = True) -> ImageInfo:
    """Looks a data set up without reading its images.

    Args:
        settings: name and place of the data set.
        images_needed: whether they will be read.

    Returns:
        Shape of the images and number of classes.

    Raises:
        UserError: if there is no such data set, or it is not prepared.
    """
    if settings.dataset == "digits":
        return ImageInfo((8, 8, 1), 10)
    if settings.dataset.startswith("synthetic"):
        height, width, channels, classes, _ = _synthetic_numbers(settings.dataset)
        return ImageInfo((height, width, channels), classes)
    if settings.dataset.startswith(array_source.PREFIX):
        return array_source.describe(settings.dataset)
    if settings.dataset.startswith(folder_source.PREFIX):
        return folder_source.describe(settings.dataset)
    return tfds_source.describe(settings.dataset, settings.data_dir, images_needed)


def search_part_sizes(settings: DataSettings) -> tuple[int, int]:
    """How many images a search trains on and how many it holds out, without reading them.

    Args:
        settings: which data set, and how to split it.

    Returns:
        Images of the training part and of the validation part; the latter may
        be off by one a class, since each class is rounded for itself.

    Raises:
        UserError: if the number of images is not known.
    """
    if settings.dataset == "digits":
        total = DIGITS_TRAINING_IMAGES
    elif settings.dataset.startswith("synthetic"):
        *_, total = _synthetic_numbers(settings.dataset)
    elif settings.dataset.startswith(array_source.PREFIX):
        total = array_source.count(settings.dataset)
    elif settings.dataset.startswith(folder_source.PREFIX):
        total = folder_source.count(settings.dataset)
    elif settings.dataset in tfds_source.WELL_KNOWN_SIZES:
        total = tfds_source.WELL_KNOWN_SIZES[settings.dataset]
    else:
        raise UserError(f"How many images {settings.dataset!r} has is not known.")
    validation = round(total / VALIDATION_SHARE)
    return (
        min(total - validation, settings.train_examples or total),
        min(validation, settings.validation_examples or validation),
    )


def load_search_parts(settings: DataSettings) -> tuple[Images, Images]:
    """Reads what a search may see: the training split, cut in two.

    Args:
        settings: which data set, and how to split it.

    Returns:
        The training part and the validation part.

    Raises:
        UserError: if the data set cannot be read or is too small.
    """

    def choose(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return split_indices(
            labels, settings.train_examples, settings.split_seed, settings.validation_examples
        )

    images = training_images(settings.dataset)
    if images is None:
        source = tfds_source.TrainingSplit(settings.dataset, settings.data_dir)
        train, validation = choose(source.labels)
        return source.read(train), source.read(validation)
    train, validation = choose(images.labels)
    return images.take(train), images.take(validation)


def training_images(name: str) -> Images | None:
    """The training split of a data set that is small enough to be read as a whole.

    Args:
        name: of the data set.

    Returns:
        All of its images; None where TFDS is to be asked.

    Raises:
        UserError: if the data set cannot be read.
    """
    if name == "digits":
        images, labels = all_digits()
        return Images(images[:DIGITS_TRAINING_IMAGES], labels[:DIGITS_TRAINING_IMAGES])
    if name.startswith("synthetic"):
        return synthetic(name, seed=0)
    if name.startswith(array_source.PREFIX):
        return array_source.read(name)
    if name.startswith(folder_source.PREFIX):
        return folder_source.read(name)
    return None


def all_digits() -> tuple[np.ndarray, np.ndarray]:
    """Scikit-learn's digits, uint8 [1797, 8, 8, 1], and their labels, int32 [1797]."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    return images, bunch.target.astype(np.int32)


def _synthetic_numbers(name: str) -> tuple[int, int, int, int, int]:
    match = _SYNTHETIC.fullmatch(name)
    if match is None:
        raise UserError(
            f"--dataset is {name!r}; a synthetic data set is written "
            "synthetic:HEIGHTxWIDTHxCHANNELS:CLASSES[:EXAMPLES], as in synthetic:8x8x1:10:600."
        )
    if match[1] is None:
        return _SYNTHETIC_DEFAULT
    height, width, channels, classes = (int(match[i]) for i in range(1, 5))
    examples = int(match[5]) if match[5] else max(_SYNTHETIC_DEFAULT[-1], 12 * classes)
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
    height, width, channels, classes, examples = _synthetic_numbers(name)
    random = np.random.default_rng(0)
    patterns = random.uniform(0, 160, (classes, height, width, channels))
    if seed:
        random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(examples) % classes).astype(np.int32)
    images = patterns[labels] + random.uniform(0, 95, (examples, height, width, channels))
    return Images(images.astype(np.uint8), labels)


def contents(settings: DataSettings, images_needed: bool = True) -> Contents:
    """Looks all splits of a data set up, and refuses what could not be used later.

    Args:
        settings: which data set, and how its images are read.
        images_needed: whether they will be read.

    Returns:
        What was found, for the head of what a verb prints.

    Raises:
        UserError: if there is no such data set, or one of its splits cannot be used.
    """
    info = describe(settings, images_needed)
    train, validation = search_part_sizes(settings)
    return Contents(
        settings.dataset, info, tuple(map(str, range(info.classes))), train + validation
    )


def digest(settings: DataSettings, images_needed: bool = True) -> str:
    """What tells whether data are the same, wherever they lie; cheap.

    It covers what a search may see: the training split, and a validation split
    of its own where there is one, with names, sizes, labels and a sample of the bytes.

    Args:
        settings: which data set.
        images_needed: whether they will be read; if not, a data set of TFDS is
            known by its name.

    Returns:
        Hexadecimal digits.

    Raises:
        UserError: if there is no such data set.
    """
    return hashlib.sha256(settings.dataset.encode()).hexdigest()
