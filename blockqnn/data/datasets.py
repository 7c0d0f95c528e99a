"""Data sets by name: `digits`, `synthetic`, the user's own and what TFDS has prepared."""

from __future__ import annotations

import hashlib

from blockqnn.data import (
    array_source,
    built_in_sources,
    folder_source,
    prepared_source,
    text_source,
)
from blockqnn.data.contents import Contents, ImageSizes
from blockqnn.data.images import (
    LEAST_IMAGES,
    VALIDATION_SHARE,
    ImageInfo,
    Images,
    split_indices,
    stratified_indices,
)
from blockqnn.data.source import TEST, TRAIN, VALIDATION, LabelledSplit, ScaledSource, Source
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings


def source_of(settings: DataSettings, images_needed: bool = True) -> Source:
    """Whom images come from.

    Args:
        settings: which data set, and how its images are read.
        images_needed: whether they will be read.

    Returns:
        The source.

    Raises:
        UserError: if there is no such data set, or it is not prepared.
    """
    name = settings.dataset
    if name.strip() in (array_source.PREFIX, folder_source.PREFIX, text_source.PREFIX):
        raise UserError(f"--dataset {name} names no path; write it behind the colon.")
    if text_source.is_text(name):
        return text_source.TextSource(settings)
    found: Source
    if name == built_in_sources.DIGITS:
        found = built_in_sources.DigitsSource()
    elif name.startswith(built_in_sources.SYNTHETIC):
        found = built_in_sources.SyntheticSource(name)
    elif name.startswith(array_source.PREFIX):
        found = array_source.ArraySource(settings)
    elif name.startswith(folder_source.PREFIX):
        return folder_source.FolderSource(settings)
    else:
        return prepared_source.TfdsSource(settings, images_needed)
    return ScaledSource(found, settings.resize) if settings.resize else found


def describe(settings: DataSettings, images_needed: bool = True) -> ImageInfo:
    """Looks a data set up without reading its images.

    Args:
        settings: which data set, and how its images are read.
        images_needed: whether they will be read.

    Returns:
        Shape of the images and number of classes.

    Raises:
        UserError: if there is no such data set, or it is not prepared.
    """
    return source_of(settings, images_needed).info()


def image_sizes(settings: DataSettings, images_needed: bool = True) -> ImageSizes:
    """Heights and widths of the training images before they are scaled; they may differ.

    Args:
        settings: which data set.
        images_needed: whether they will be read.

    Returns:
        The sizes; where a data set's name has one, that one.

    Raises:
        UserError: if there is no such data set, or an image cannot be opened.
    """
    return source_of(settings, images_needed).sizes()


def open_split(settings: DataSettings, split: str) -> LabelledSplit:
    """Opens one split of a data set.

    Args:
        settings: which data set, and how its images are read.
        split: `train`, `validation` or `test`.

    Returns:
        Its images, read where they are asked for.

    Raises:
        UserError: if there is no such split, or it cannot be read.
    """
    return source_of(settings).open(split)


def has_own_validation(settings: DataSettings, images_needed: bool = True) -> bool:
    """Whether children are judged by a validation split that the data have themselves."""
    return settings.own_validation and VALIDATION in source_of(settings, images_needed).counts()


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
    try:
        counts = source_of(settings, images_needed=False).counts()
    except UserError as error:
        raise UserError(
            f"How many images {settings.dataset!r} has is not known: {error}"
        ) from error
    total, validation = counts[TRAIN], counts.get(VALIDATION, 0)
    if not (settings.own_validation and validation):
        validation = round(total / VALIDATION_SHARE)
        total -= validation
    return (
        min(total, settings.train_examples or total),
        min(validation, settings.validation_examples or validation),
    )


def load_search_parts(settings: DataSettings) -> tuple[Images, Images]:
    """Reads what a search may see: the training split, cut in two.

    Where the data have a validation split of their own, that is the second
    part, unless the settings say otherwise.

    Args:
        settings: which data set, and how to split it.

    Returns:
        The training part and the validation part.

    Raises:
        UserError: if the data set cannot be read or is too small.
    """
    source = source_of(settings)
    split = source.open(TRAIN)
    if settings.own_validation and VALIDATION in source.counts():
        other = source.open(VALIDATION)
        wanted = (
            (split, settings.train_examples, "train_examples"),
            (other, settings.validation_examples, "validation_examples"),
        )
        train, validation = (
            part.read(stratified_indices(part.labels(), examples, settings.split_seed, flag))
            for part, examples, flag in wanted
        )
        return train, validation
    indices = split_indices(
        split.labels(),
        settings.train_examples,
        settings.split_seed,
        settings.validation_examples,
        source.class_names(),
    )
    return split.read(indices[0]), split.read(indices[1])


def check_parts(settings: DataSettings, images_needed: bool = True) -> None:
    """Refuses data of which a search could not hold an image of each class out.

    Args:
        settings: which data set, and how to split it.
        images_needed: whether images will be read.

    Raises:
        UserError: naming a class with too few images.
    """
    source = source_of(settings, images_needed)
    if settings.own_validation and VALIDATION in source.counts():
        return
    for name, count in zip(source.class_names(), source.class_sizes(), strict=False):
        if count < LEAST_IMAGES:
            raise UserError(
                f"--dataset {settings.dataset}: the class {name} has {count} training image; "
                f"needed are at least {LEAST_IMAGES}, one to train on and one to hold out."
            )


def contents(settings: DataSettings, images_needed: bool = True) -> Contents:
    """Looks all splits of a data set up, and refuses what could not be used later.

    Args:
        settings: which data set, and how its images are read.
        images_needed: whether they will be read; if not, a well-known data set
            of TFDS need not be prepared, and only its training split is known.

    Returns:
        What was found, for the head of what a verb prints.

    Raises:
        UserError: if there is no such data set, or one of its splits cannot be used.
    """
    source = source_of(settings, images_needed)
    notes, info, counts = source.check(), source.info(), source.counts()
    return Contents(
        dataset=settings.dataset,
        info=info,
        class_names=source.class_names(),
        train=counts[TRAIN],
        validation=counts.get(VALIDATION, 0) if settings.own_validation else 0,
        test=counts.get(TEST, 0),
        passed_over=source.passed_over(),
        class_sizes=tuple(source.class_sizes()),
        notes=notes,
        scaled=settings.resize is not None,
    )


def digest(settings: DataSettings, images_needed: bool = True) -> str:
    """What tells whether data are the same, wherever they lie; cheap.

    It covers what a search may see: the training split, and the validation split
    where the data have one of their own that is used, with names, sizes, labels
    and a sample of the bytes.

    Args:
        settings: which data set.
        images_needed: whether they will be read.

    Returns:
        Hexadecimal digits; empty for data of TFDS that will not be read.

    Raises:
        UserError: if there is no such data set.
    """
    source = source_of(settings, images_needed)
    splits = [TRAIN]
    if settings.own_validation and VALIDATION in source.counts():
        splits.append(VALIDATION)
    found = [source.digest(split) for split in splits]
    return hashlib.sha256(" ".join(found).encode()).hexdigest() if all(found) else ""
