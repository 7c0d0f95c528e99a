"""The images of `benchmarks.better_block`, as archives that every verb reads."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np

FOLDS = 5


@dataclasses.dataclass(frozen=True)
class Fold:
    """Images to search and train on, and others to judge by.

    Attributes:
        name: of the fold.
        path: of a NumPy archive with `train_images`, `train_labels`, `test_images`,
            `test_labels`.
    """

    name: str
    path: pathlib.Path


def folds(setting: str, side: int, data_dir: str, out: pathlib.Path, count: int) -> list[Fold]:
    """Writes the archives, unless they are there.

    Args:
        setting: `digits` or `cifar10`.
        side: height and width of the images in pixels.
        data_dir: where TFDS keeps CIFAR-10.
        out: folder that they are written to.
        count: of the digits' folds that are wanted.

    Returns:
        The folds: one of CIFAR-10, `count` of the digits.
    """
    if setting == "cifar10":
        path = out / f"cifar10-{side}.npz"
        if not path.exists():
            _keep(path, *_cifar10(data_dir, side))
        return [Fold("all", path)]
    found = [Fold(f"fold{number}", out / f"digits-{number}.npz") for number in range(FOLDS)]
    images, labels = _digits()
    place = np.random.default_rng(0).permutation(len(labels)) % FOLDS
    for number, fold in enumerate(found[:count]):
        if not fold.path.exists():
            test = place == number
            _keep(fold.path, images[~test], labels[~test], images[test], labels[test])
    return found[:count]


def _keep(path: pathlib.Path, *arrays: np.ndarray) -> None:
    names = ("train_images", "train_labels", "test_images", "test_labels")
    unfinished = path.with_suffix(".new.npz")
    named: dict[str, Any] = dict(zip(names, arrays, strict=True))
    np.savez(unfinished, **named)
    unfinished.replace(path)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    # 0 to 16 there.
    images = np.minimum(digits.images * 16, 255).astype(np.uint8)
    return images[..., None], digits.target.astype(np.int64)


def read_cifar10(data_dir: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """A split of CIFAR-10.

    Args:
        data_dir: where TFDS keeps it; empty for its usual place.
        split: `train` or `test`.

    Returns:
        Images uint8 [N, 32, 32, 3] and labels int64 [N].
    """
    import tensorflow_datasets as tfds

    source = tfds.data_source("cifar10", data_dir=data_dir or None, split=split, download=False)
    images, labels = zip(*((each["image"], each["label"]) for each in source), strict=True)
    return np.stack(images), np.array(labels, np.int64)


def _cifar10(data_dir: str, side: int) -> tuple[np.ndarray, ...]:
    found: list[np.ndarray] = []
    for split in ("train", "test"):
        images, labels = read_cifar10(data_dir, split)
        factor = images.shape[1] // side
        small = images.reshape(len(images), side, factor, side, factor, 3).mean((2, 4))
        found += [np.round(small).astype(np.uint8), labels]
    return tuple(found)
