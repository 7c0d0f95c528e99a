"""One image file: its size as it is seen, and its pixels on a background.

What a file says beside its pixels is heeded: the orientation of a photograph, and
transparency. What 8 bits a channel cannot hold, and files of several images, are refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pathlib
import re
import struct
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset(
    (
        *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".bmp", ".dib", ".gif"),
        *(".webp", ".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".tga", ".jp2", ".j2k"),
        *(".jpx", ".pcx", ".avif"),
    )
)
"""Of files that are read as images, in any case; others are passed over."""

_GREY = ("1", "L", "LA", "La")
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)
_PICTURES_OF_ONE_SCENE = "MPO"
"""Photographs of telephones, whose first picture is the photograph."""

_DEEP = re.compile(r"(?:L|LA|RGB|RGBA|RGBX|CMYK|I);(12|16|32)")
_TAIL_BYTES = 1 << 16
_OVERSAMPLING = 2


class UnreadableImageError(ValueError):
    """A file is no image that can be used; the message goes on from the file's name."""


@dataclasses.dataclass(frozen=True)
class Header:
    """What is known of an image before it is decoded.

    Attributes:
        height: in pixels, as it is seen.
        width: in pixels, as it is seen.
        coloured: whether it has colours.
        transparent: whether it may have transparent pixels.
    """

    height: int
    width: int
    coloured: bool
    transparent: bool


def header(file: pathlib.Path) -> Header:
    """Opens an image without decoding it.

    Args:
        file: its path.

    Returns:
        Its size and kind.

    Raises:
        UnreadableImageError: if it cannot be used.
    """
    try:
        found = file.stat()
    except OSError as error:
        raise _missing(file, error) from error
    return _header(file, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=1 << 18)
def _header(file: pathlib.Path, size: int, changed: int) -> Header:
    """Size and time are there to tell when the file is another one."""
    if not size:
        raise UnreadableImageError("is empty")
    with _opened(file) as image:
        turned = image.width != image.height and _orientation(file, image) in _TURNED
        height, width = (image.width, image.height) if turned else (image.height, image.width)
        return Header(height, width, image.mode in _COLOUR, image.has_transparency_data)


def pixels(
    file: pathlib.Path,
    channels: int,
    background: tuple[int, int, int],
    size: tuple[int, int] | None,
) -> np.ndarray:
    """Decodes an image.

    Args:
        file: its path.
        channels: 1 for grey, 3 for red, green and blue.
        background: red, green and blue behind transparent pixels.
        size: height and width that it is scaled to, the longer side being cut
            evenly at both ends; None for the image as it is.

    Returns:
        uint8 [H, W, channels].

    Raises:
        UnreadableImageError: if it cannot be used.
    """
    from PIL import Image, ImageOps

    with _opened(file) as image:
        if size is not None and image.mode in ("L", "RGB"):
            # A decoder of JPEG leaves out pixels by itself; twice the size, whichever way up.
            side = _OVERSAMPLING * max(size)
            image.draft(image.mode, (side, side))
        image.load()
        upright = ImageOps.exif_transpose(image)
        if upright.has_transparency_data:
            seen = upright.convert("RGBA")
            canvas = Image.new("RGBA", seen.size, (*background, 255))
            upright = Image.alpha_composite(canvas, seen)
        plain = upright.convert("RGB" if channels == 3 else "L")
        if size is not None:
            plain = ImageOps.fit(plain, (size[1], size[0]), Image.Resampling.BICUBIC)
        return np.asarray(plain).reshape(plain.height, plain.width, channels)


def _orientation(file: pathlib.Path, image: Image.Image) -> int:
    """How a photograph is to be turned, by EXIF's numbers; 1 for not at all."""
    if image.format == "TIFF":  # Pillow turns those itself, their sizes too.
        return 1
    if image.format == "PNG" and not {"exif", "XML:com.adobe.xmp"} & set(image.info):
        # It may stand behind the pixels, which Pillow would decode to look.
        with file.open("rb") as opened:
            opened.seek(-min(_TAIL_BYTES, file.stat().st_size), os.SEEK_END)
            if b"eXIf" not in opened.read():
                return 1
    return int(image.getexif().get(_ORIENTATION, 1) or 1)


@contextlib.contextmanager
def _opened(file: pathlib.Path) -> Iterator[Image.Image]:
    """An image; whatever goes wrong while it is open is its fault."""
    from PIL import Image, UnidentifiedImageError

    try:
        # Pillow warns of damage that it can pass over, and of large photographs.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # By its name Pillow would map it into memory, and misread a turned TIFF.
            with file.open("rb") as opened, Image.open(opened) as image:
                _refuse_more_than_one_of_8_bits(image)
                yield image
    except UnreadableImageError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImageError("is no image, whatever its name says") from error
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise UnreadableImageError(
            f"has more than {most:,} pixels, which may be meant to fill the memory; make it smaller"
        ) from error
    except MemoryError as error:
        raise UnreadableImageError("does not fit into memory") from error
    except FileNotFoundError as error:
        raise _missing(file, error) from error
    # Decoders of many formats raise what they like about a damaged file.
    except (
        *(OSError, ValueError, SyntaxError, EOFError, struct.error),
        *(TypeError, KeyError, IndexError, OverflowError, ZeroDivisionError),
    ) as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split()).rstrip(".")
        raise UnreadableImageError(f"cannot be read ({why or type(error).__name__})") from error


def _refuse_more_than_one_of_8_bits(image: Image.Image) -> None:
    raw = [
        text
        for tile in getattr(image, "tile", ())
        for text in (tile[3] if isinstance(tile[3], tuple) else (tile[3],))
        if isinstance(text, str)
    ]
    bits = [match[1] for text in (*raw, image.mode) if (match := _DEEP.match(text))]
    if image.mode not in _GREY + _COLOUR or bits:
        kind = f"{bits[0]} bits a channel" if bits else f"{image.mode}, in Pillow's words"
        raise UnreadableImageError(
            f"has pixels of more than 8 bits ({kind}), of which 8 would be kept; save it with 8 "
            "bits a channel"
        )
    if getattr(image, "is_animated", False) and image.format != _PICTURES_OF_ONE_SCENE:
        count = getattr(image, "n_frames", 2)
        raise UnreadableImageError(
            f"holds {count} images, as an animation or pages; save the one that is meant"
        )


def _missing(file: pathlib.Path, error: OSError) -> UnreadableImageError:
    if file.is_symlink() and not file.exists():
        return UnreadableImageError(f"is a link to {file.readlink()}, which is not there")
    return UnreadableImageError(f"cannot be read ({error.strerror or error})")
