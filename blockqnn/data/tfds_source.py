"""Image data sets that tensorflow-datasets has prepared, read without TensorFlow.

Only what is on disk is looked at: nothing here downloads, so a data set that
is missing is refused at once, with or without a network.
"""

from __future__ import annotations

import pathlib
import re
from typing import Any

from blockqnn.data.images import ImageInfo
from blockqnn.errors import UserError
from blockqnn.invocation import command

IMAGE_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's name for images by their number of channels."""
# So that a dry run, which reads no image, needs no prepared data.
WELL_KNOWN = {
    "mnist": ImageInfo((28, 28, 1), 10),
    "fashion_mnist": ImageInfo((28, 28, 1), 10),
    "svhn_cropped": ImageInfo((32, 32, 3), 10),
    "cifar10": ImageInfo((32, 32, 3), 10),
    "cifar100": ImageInfo((32, 32, 3), 100),
}

PREPARABLE = ("cifar10", "cifar100")
"""Data sets that the verb `prepare` makes without TensorFlow."""

WELL_KNOWN_SIZES = {
    "mnist": 60_000,
    "fashion_mnist": 60_000,
    "svhn_cropped": 73_257,
    "cifar10": 50_000,
    "cifar100": 50_000,
}
"""Images of their training splits."""


def place_of(data_dir: str) -> pathlib.Path:
    """Where prepared data sets are.

    Args:
        data_dir: as the user gave it; empty for the default of TFDS.

    Returns:
        The directory.
    """
    if data_dir:
        return pathlib.Path(data_dir).expanduser()
    import tensorflow_datasets as tfds

    return pathlib.Path(tfds.core.constants.DATA_DIR).expanduser()


def open_builder(name: str, data_dir: str) -> Any:
    """The builder of a prepared data set, made from its files alone.

    Args:
        name: of the data set.
        data_dir: where TFDS keeps data sets; empty for its default.

    Returns:
        A `tfds.core.DatasetBuilder` that can only read.

    Raises:
        UserError: if it is not prepared, or in a format that only TensorFlow reads.
    """
    import tensorflow_datasets as tfds

    place = place_of(data_dir)
    try:
        builder = tfds.core.read_only_builder.builder_from_files(name, data_dir=str(place))
    except Exception as error:
        # TFDS parses the name and the files of a stranger: anything may be raised.
        plain = _plain(name)
        if plain in PREPARABLE:
            where = (f"--data_dir={data_dir}",) if data_dir else ()
            other = "" if plain == name else f", whose name is {plain}"
            raise UserError(
                f"There is no data set {name!r} in {place}; prepare it once{other}: "
                f"{command('prepare', plain, *where)}"
            ) from error
        raise UserError(
            f"There is no data set {name!r} in {place}; allowed: digits, "
            "synthetic:HxWxC:CLASSES, npz:PATH, folder:PATH, or an image data set that TFDS has "
            "prepared there as array_record (BUILD.md, 'Data sets', says how; --data_dir says "
            "where)."
        ) from error
    readable = tfds.core.FileFormat.with_random_access()
    if not builder.info.available_file_formats() & readable:
        raise UserError(
            f"The data set {name!r} in {place} is prepared as "
            f"{builder.info.file_format.value}, which only TensorFlow reads; prepare it as "
            "array_record in another --data_dir (BUILD.md, 'Data sets', says how)."
        )
    return builder


def _plain(name: str) -> str:
    """A name without a version, as people write it: CIFAR-10 is cifar10."""
    return re.sub(r"[^a-z0-9]", "", name.partition(":")[0].partition("/")[0].lower())


def feature_keys(builder: Any, name: str) -> tuple[str, str]:
    """The names of the image and of the label among a data set's features.

    Args:
        builder: of the data set.
        name: of the data set, for the message.

    Returns:
        Two keys of an example.

    Raises:
        UserError: if it has no labelled images, or no training split.
    """
    import tensorflow_datasets as tfds

    features = builder.info.features
    images = [key for key in features if isinstance(features[key], tfds.features.Image)]
    labels = [key for key in features if isinstance(features[key], tfds.features.ClassLabel)]
    for found, usual in ((images, "image"), (labels, "label")):
        # CIFAR-100 has fine and coarse labels: the usual name goes first.
        found.sort(key=lambda key: key != usual)
    if not images or not labels or "train" not in builder.info.splits:
        raise UserError(
            f"The data set {name!r} is not one of labelled images with a training split: its "
            f"features are {', '.join(features)}."
        )
    return images[0], labels[0]


def image_info(builder: Any, name: str) -> ImageInfo:
    """What the files of a data set say of its images.

    Args:
        builder: of the data set.
        name: of the data set, for the message.

    Returns:
        Shape of the images and number of classes.

    Raises:
        UserError: if the images have no fixed size, or an odd number of channels.
    """
    image_key, label_key = feature_keys(builder, name)
    features = builder.info.features
    shape = tuple(features[image_key].shape)
    if len(shape) != 3 or None in shape or shape[2] not in IMAGE_MODES:
        raise UserError(
            f"The images of {name!r} have shape {shape}; allowed: one fixed height and width, and "
            "1, 3 or 4 channels."
        )
    return ImageInfo((shape[0], shape[1], shape[2]), features[label_key].num_classes)
