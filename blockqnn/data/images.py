"""Image-classification data in memory, and how it is split.

The search sees a training and a validation part, both cut from the training
split. Nothing here reads a test split.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from blockqnn.errors import UserError

VALIDATION_SHARE = 6
"""One image in so many is held out: the paper's "training and test 5:1"."""

LEAST_IMAGES = 2
"""Of a class, of which one is trained on and one is held out."""


@dataclasses.dataclass(frozen=True)
class ImageInfo:
    """What is known of a data set before its images are read.

    Attributes:
        shape: height, width and channels of every image.
        classes: number of classes.
        of_words: whether the data are a text, whose words the classes are.
    """

    shape: tuple[int, int, int]
    classes: int
    of_words: bool = False


@dataclasses.dataclass(frozen=True)
class Images:
    """Labelled images.

    Attributes:
        images: uint8 [N, H, W, C].
        labels: int32 [N], from 0 to classes - 1.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> Images:
        """The images at `indices`, in that order."""
        return Images(self.images[indices], self.labels[indices])


def channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel.

    Args:
        images: uint8 [N, H, W, C].

    Returns:
        Two float32 arrays [C] on the scale of 0 to 255. A channel that is
        constant gets the deviation 1.
    """
    counts = [np.bincount(images[..., c].ravel(), minlength=256) for c in range(images.shape[-1])]
    shares = np.stack(counts) / images[..., 0].size
    values = np.arange(256.0)
    mean = shares @ values
    deviation = np.sqrt(np.maximum(shares @ values**2 - mean**2, 0.0))
    return mean.astype(np.float32), np.where(deviation > 0, deviation, 1).astype(np.float32)


def split_indices(
    labels: np.ndarray,
    train_examples: int,
    seed: int,
    validation_examples: int = 0,
    names: Sequence[str] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Chooses the images to train on and those that are held out.

    One in six of each class is held out, at least one. Where fewer images of a
    part are wanted, they are stratified too, while the other part stays as it is.

    Args:
        labels: int [N] of the training split.
        train_examples: most images to train on; 0 for all that are not held out.
        seed: of the choice.
        validation_examples: most images of those that are held out; 0 for all.
        names: of the classes, for messages.

    Returns:
        Indices of the training part and of the validation part, ascending.

    Raises:
        UserError: if there are too few images.
    """
    by_class = _shuffled_classes(labels, seed)
    if min(map(len, by_class), default=0) < LEAST_IMAGES:
        few = [label for label, count in zip(*_counts(labels), strict=True) if count < LEAST_IMAGES]
        which = f", of which {names[few[0]] if names else few[0]} has 1 image" if few else ""
        raise UserError(
            f"The training split has {len(labels):,} images of {len(by_class):,} classes"
            f"{which}; needed are at least {LEAST_IMAGES} in every class, one to train on and one "
            "to hold out."
        )
    held = [max(1, round(len(members) / VALIDATION_SHARE)) for members in by_class]
    validation = [m[:h] for m, h in zip(by_class, held, strict=True)]
    rest = [m[h:] for m, h in zip(by_class, held, strict=True)]
    chosen = (
        _stratified(rest, train_examples, "train_examples"),
        _stratified(validation, validation_examples, "validation_examples"),
    )
    return np.sort(np.concatenate(chosen[0])), np.sort(np.concatenate(chosen[1]))


def stratified_indices(labels: np.ndarray, examples: int, seed: int, flag: str) -> np.ndarray:
    """Chooses images of a split in proportion to its classes.

    Args:
        labels: int [N] of the split.
        examples: most images; 0 for all.
        seed: of the choice.
        flag: that asks for so many, for messages.

    Returns:
        Their indices, ascending.

    Raises:
        UserError: if they are fewer than the classes.
    """
    return np.sort(np.concatenate(_stratified(_shuffled_classes(labels, seed), examples, flag)))


def _counts(labels: np.ndarray) -> tuple[list[int], list[int]]:
    found, counts = np.unique(labels, return_counts=True)
    return found.tolist(), counts.tolist()


def _shuffled_classes(labels: np.ndarray, seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.permutation(np.flatnonzero(labels == c)) for c in np.unique(labels)]


def _stratified(by_class: list[np.ndarray], wanted: int, flag: str) -> list[np.ndarray]:
    """Takes `wanted` indices in proportion to the classes, by largest remainder; all for 0."""
    total = sum(map(len, by_class))
    if not 0 < wanted < total:
        return by_class
    if wanted < len(by_class):
        raise UserError(
            f"--{flag} is {wanted}; allowed: at least one for each of the {len(by_class)} classes, "
            f"or 0 for all {total:,}."
        )
    exact = np.array([wanted * len(members) / total for members in by_class])
    counts = np.maximum(np.floor(exact).astype(int), 1)
    order = np.argsort(counts - exact, kind="stable")
    position = 0
    while (missing := wanted - counts.sum()) != 0:
        here = order[position % len(order)] if missing > 0 else counts.argmax()
        counts[here] += np.sign(missing)
        position += 1
    return [members[:count] for members, count in zip(by_class, counts, strict=True)]
