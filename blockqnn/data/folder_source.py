"""A user's own images in folders, one for each class: `folder:PATH[:HEIGHTxWIDTH]`.

`PATH/CLASS/*.png`, or `PATH/train/CLASS/*.png` with `PATH/test/CLASS/*.png`
beside it. Labels are the classes of the training split in the order of their
names. TFDS has a reader of such folders too, but that one needs TensorFlow.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from blockqnn.data.images import ImageInfo, Images
from blockqnn.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

PREFIX = "folder:"
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
)
"""Of files that are read as images; others are passed over."""

_SIZE = re.compile(r"(?P<path>.*):(?P<height>\d{1,4})x(?P<width>\d{1,4})")
_GREY = ("1", "L", "LA")
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")


@dataclasses.dataclass(frozen=True)
class _Split:
    """The files of one split.

    Attributes:
        files: of all classes, in the order of their classes and names.
        labels: int32 [N].
        classes: their names.
    """

    files: list[pathlib.Path]
    labels: np.ndarray
    classes: list[str]


def describe(name: str) -> ImageInfo:
    """Looks a folder up; opens every training image, but decodes none.

    Args:
        name: `folder:PATH` or `folder:PATH:HEIGHTxWIDTH`.

    Returns:
        Shape of the images and number of classes.

    Raises:
        UserError: if the folder cannot be used.
    """
    split = _split(name, "train")
    path, size = _parse(name)
    first: tuple[int, int] | None = None
    colour = False
    for file in split.files:
        with _opened(name, file) as image:
            here = image.height, image.width
            colour = colour or image.mode in _COLOUR
        first = first or here
        if size is None and here != first:
            usual = f"{first[0]}x{first[1]}"
            raise _refusal(
                name,
                f"{file} has {here[0]}x{here[1]} pixels and {split.files[0]} {usual}; name one "
                f"size for all, as in {PREFIX}{path}:{usual}",
            )
    height, width = size or first or (0, 0)
    return ImageInfo((height, width, 3 if colour else 1), len(split.classes))


def count(name: str) -> int:
    """How many training images a folder has; raises like `describe`."""
    return len(_split(name, "train").files)


def class_names(name: str) -> list[str]:
    """The names of the classes in the order of their labels; raises like `describe`."""
    return _split(name, "train").classes


def has_test_split(name: str) -> bool:
    """Whether there are folders of test images beside those of training images."""
    root = _parse(name)[0]
    return _is_directory(root / "train") and _is_directory(root / "test")


def read(name: str, split: str = "train") -> Images:
    """Reads a split of a folder.

    Args:
        name: `folder:PATH` or `folder:PATH:HEIGHTxWIDTH`; with the latter each
            image is scaled and its longer side is cut evenly at both ends.
        split: `train` or `test`.

    Returns:
        All of its images.

    Raises:
        UserError: if the folder or one of its files cannot be used.
    """
    from PIL import Image, ImageOps

    info = describe(name)
    found = _split(name, split)
    height, width, channels = info.shape
    try:
        images = np.empty((len(found.files), *info.shape), np.uint8)
    except (MemoryError, ValueError) as error:
        size = f"{len(found.files):,} images of {height}x{width}x{channels}"
        raise _refusal(name, f"{size} do not fit into memory") from error
    for place, file in enumerate(found.files):
        with _opened(name, file) as image:
            decoded = image.convert("RGB" if channels == 3 else "L")
        if _parse(name)[1] is not None:
            decoded = ImageOps.fit(decoded, (width, height), Image.Resampling.BICUBIC)
        if (decoded.height, decoded.width) != (height, width):
            raise _refusal(
                name,
                f"{file} has {decoded.height}x{decoded.width} pixels; the training images have "
                f"{height}x{width}",
            )
        images[place] = np.asarray(decoded).reshape(info.shape)
    return Images(images, found.labels)


def _parse(name: str) -> tuple[pathlib.Path, tuple[int, int] | None]:
    """The folder, and the height and width that images shall have."""
    text = name.removeprefix(PREFIX)
    match = _SIZE.fullmatch(text)
    if match is None:
        return pathlib.Path(text), None
    height, width = int(match["height"]), int(match["width"])
    if min(height, width) < 1:
        raise _refusal(name, "height and width are at least 1")
    return pathlib.Path(match["path"]), (height, width)


def _refusal(name: str, why: str) -> UserError:
    return UserError(f"--dataset {name}: {why}.")


def _split(name: str, split: str) -> _Split:
    root = _parse(name)[0]
    if not _is_directory(root):
        raise _refusal(name, f"there is no folder {root}")
    nested = _is_directory(root / "train")
    if not nested and split != "train":
        raise _refusal(name, f"{root} has no folders train and {split}")
    place = root / split if nested else root
    folders = [entry for entry in _entries(name, place) if _is_directory(entry)]
    classes = [folder.name for folder in folders]
    if split == "train":
        if len(classes) < 2:
            raise _refusal(
                name,
                f"{place} has {len(classes)} folders; wanted is one for each class, at least 2",
            )
        known = classes
    else:
        known = class_names(name)
        strange = sorted(set(classes) - set(known))
        if strange:
            raise _refusal(
                name, f"{place / strange[0]} is a class that {root / 'train'} does not have"
            )
    files: list[pathlib.Path] = []
    labels: list[int] = []
    for folder in folders:
        here = [f for f in _entries(name, folder) if f.suffix.lower() in SUFFIXES]
        if not here:
            raise _refusal(
                name, f"{folder} has no image; read are files of {', '.join(sorted(SUFFIXES))}"
            )
        files += here
        labels += [known.index(folder.name)] * len(here)
    if not files:
        raise _refusal(name, f"{place} has no folders of images")
    return _Split(files, np.array(labels, np.int32), known)


def _is_directory(path: pathlib.Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # The name is too long, or holds a null byte.
        return False


def _entries(name: str, folder: pathlib.Path) -> list[pathlib.Path]:
    """What a folder holds in order of name, without what is hidden."""
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise _refusal(name, f"{folder} cannot be read ({error.strerror or error})") from error


@contextlib.contextmanager
def _opened(name: str, file: pathlib.Path) -> Iterator[Image.Image]:
    """An image; whatever goes wrong while it is open is its fault."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            if image.mode not in _GREY + _COLOUR:
                raise ValueError(f"its pixels are {image.mode}, wanted are 8 bits a channel")
            yield image
    except UnidentifiedImageError as error:
        raise _refusal(name, f"{file} is no image") from error
    # Decoders of many formats raise what they like about a damaged file.
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        why = getattr(error, "strerror", None) or str(error).rstrip(".") or type(error).__name__
        raise _refusal(name, f"{file} cannot be read ({why})") from error
