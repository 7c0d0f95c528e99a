"""Which images a network is trained on, and which ones it is judged by in the end.

Where a data set has a test split, that judges. Where it has none, its own
validation split does; and where it has neither, one training image in six of
each class is held out, by the rule and the seed by which a search holds images
out: nothing that a block's search trained on is judged then. What judges is
opened and looked through before the first step, not after the last.
"""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np

from blockqnn.children.checkpoint_metadata import Metadata
from blockqnn.data.images import VALIDATION_SHARE, split_indices
from blockqnn.errors import UserError
from blockqnn.full_training.settings import HELD_OUT, NOTHING, TEST, VALIDATION, FullData
from blockqnn.full_training.splits import FullInfo, Part, Split, open_test, open_whole

_DECODED_AT_ONCE = 512 * 2**20
"""Bytes of pixels up to which every image of a split is decoded to see whether it can be."""

_SAMPLE = 200
"""Images that are decoded of a larger split."""

_DIGEST_SAMPLE = 100

_PIECE = 500


@dataclasses.dataclass(frozen=True)
class Parts:
    """The images of a training.

    Attributes:
        train: to train on.
        validation: measured after each epoch; None for none.
        judged: measured once at the end; None for none.
    """

    train: Part
    validation: Part | None
    judged: Part | None


def judge_of(data: FullData, info: FullInfo, begun: Metadata | None = None) -> str:
    """What a training is judged on.

    Args:
        data: what was asked for.
        info: which splits there are.
        begun: of a training that goes on; one of an earlier version held nothing out for
            the test.

    Returns:
        `test`, `validation`, `held_out` or `nothing`.
    """
    if begun is not None and "judged_on" in begun.data:
        return str(begun.data["judged_on"])
    if not data.test:
        return NOTHING
    if info.test_split:
        return TEST
    if begun is not None:
        return NOTHING
    return VALIDATION if info.validation_split else HELD_OUT


def holds_out(data: FullData, info: FullInfo, judge: str) -> bool:
    """Whether some images of the training split are not trained on."""
    return judge == HELD_OUT or (data.hold_out and not info.validation_split)


def training_examples(data: FullData, info: FullInfo, judge: str) -> int:
    """How many images are trained on; off by one a class where images are held out."""
    if not holds_out(data, info, judge):
        return info.examples
    rest = info.examples - round(info.examples / VALIDATION_SHARE)
    return min(rest, data.source.train_examples or rest)


def open_parts(data: FullData, info: FullInfo, judge: str) -> Parts:
    """Opens all that a training needs, from its first step to its last measurement.

    Args:
        data: which data set.
        info: what is known of it.
        judge: as `judge_of` returns it.

    Returns:
        The parts; the images of what judges can be read.

    Raises:
        UserError: if a split cannot be read, or does not fit the training split.
    """
    whole = open_whole(data, "train")
    train, rest = whole, None
    if holds_out(data, info, judge):
        train, rest = cut(whole.split, data)
    judged = {HELD_OUT: rest, NOTHING: None}.get(judge)
    if judge == TEST:
        judged = open_test(data)
    elif judge == VALIDATION:
        judged = open_whole(data, info.validation_split)
    validation = None
    if data.hold_out:
        validation = open_whole(data, info.validation_split) if info.validation_split else rest
    for part in (judged, validation):
        if part is not None and part is not rest:
            check_part(part, info.stored, info.classes, data.source.dataset)
    return Parts(train, validation, judged)


def cut(split: Split, data: FullData) -> tuple[Part, Part]:
    """The images of a training split that are trained on, and those that are held out."""
    source = data.source
    train, rest = split_indices(split.labels(), source.train_examples, source.split_seed)
    return Part(split, train), Part(split, rest)


def check_part(part: Part, stored: tuple[int, int, int], classes: int, dataset: str) -> None:
    """Looks through images that are needed later on, all of them unless they are very many.

    Args:
        part: the images.
        stored: height, width and channels that they must have.
        classes: number of classes.
        dataset: their name, for the message.

    Raises:
        UserError: if there are none, one cannot be decoded, or shape or labels differ.
    """
    shape = part.split.shape
    if not len(part):
        raise UserError(f"A split of {dataset} that is to be measured has no images.")
    if shape != stored:
        raise UserError(
            f"A split of {dataset} that is to be measured has images of {by_size(shape)}; those "
            f"to train on are {by_size(stored)}."
        )
    places = np.arange(len(part))
    if len(part) * int(np.prod(shape)) > _DECODED_AT_ONCE:
        places = np.unique(np.linspace(0, len(part) - 1, _SAMPLE).astype(int))
    for start in range(0, len(places), _PIECE):
        labels = part.read(places[start : start + _PIECE]).labels
        if labels.min() < 0 or labels.max() >= classes:
            raise UserError(
                f"A split of {dataset} that is to be measured has labels from {labels.min()} to "
                f"{labels.max()}; allowed are those from 0 to {classes - 1}."
            )


def part_digest(part: Part) -> str:
    """Tells whether the images of a part are the same again, by some of them.

    Args:
        part: the images.

    Returns:
        Hexadecimal digits, from the number of images and from labels and pixels of a sample.
    """
    chosen = np.unique(np.linspace(0, len(part) - 1, _DIGEST_SAMPLE).astype(int))
    found = part.read(chosen)
    said = hashlib.sha256(f"{len(part)} {found.images.shape}".encode())
    said.update(found.labels.astype("<i4").tobytes())
    said.update(np.ascontiguousarray(found.images).tobytes())
    return said.hexdigest()


def by_size(shape: tuple[int, int, int]) -> str:
    """A shape as one says it: 64x64x3."""
    return "x".join(map(str, shape))
