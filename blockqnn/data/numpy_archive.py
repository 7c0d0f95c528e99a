"""The arrays of a NumPy archive by their part: their shapes first, themselves where needed.

Nothing is unpickled. Several customs of naming the arrays are known.
"""

from __future__ import annotations

import pathlib
import re
import zipfile
from typing import IO, NoReturn

import numpy as np

from blockqnn.data.source import TEST, TRAIN, VALIDATION
from blockqnn.errors import UserError

IMAGES, LABELS = "images", "labels"
_SPLITS = {"tr": TRAIN, "va": VALIDATION, "te": TEST}
_SPLIT = "(?P<split>train|training|val|valid|validation|test|testing)"
_WHAT = "(?:(?P<images>images?|imgs?|x|data)|(?P<labels>labels?|targets?|y))"
_KEYS = tuple(
    re.compile(pattern)
    for pattern in (f"{_SPLIT}[ _-]?{_WHAT}", f"{_WHAT}[ _-]?{_SPLIT}", f"{_WHAT}(?P<split>)")
)
WANTED = (
    "wanted are train_images, uint8 [N, H, W, C] or [N, H, W], and "
    "train_labels, integers [N] from 0, and for a test split test_images and test_labels of the "
    "same kind"
)


class NumpyArchive:
    """A file that numpy.savez or numpy.savez_compressed has written."""

    def __init__(self, name: str, path: pathlib.Path):
        """Finds out which of its arrays is what.

        Args:
            name: of the data set, for messages.
            path: of the file.

        Raises:
            UserError: if it is no archive, or its arrays are not sure to be what they seem.
        """
        self.name, self.path = name, path
        with self._opened() as archive:
            self._entries = {
                info.filename.removesuffix(".npy"): info
                for info in archive.infolist()
                if info.filename.endswith(".npy")
            }
            self._files = archive.namelist()
        self._keys: dict[tuple[str, str], str] = {}
        for key in sorted(self._entries):
            if (part := _part(key)) is None:
                continue
            usual = f"{part[0]}_{part[1]}"
            if part in self._keys and usual not in (key, self._keys[part]):
                self.refuse(
                    f"{path} has {self._keys[part]} and {key}, which both seem to be the {part[1]} "
                    f"of {part[0]}; keep one, or call it {usual}"
                )
            if part not in self._keys or key == usual:
                self._keys[part] = key

    def has(self, split: str, what: str) -> bool:
        """Whether there is an array of images or labels of a split."""
        return (split, what) in self._keys

    def key(self, split: str, what: str) -> str:
        """How that array is called; refuses what is not there."""
        if (split, what) not in self._keys:
            has = ", ".join(sorted(self._files)[:10]) or "nothing"
            self.refuse(f"{self.path} has no {split}_{what}; it has {has}; {WANTED}")
        return self._keys[split, what]

    def header(self, key: str) -> tuple[tuple[int, ...], np.dtype]:
        """Shape and type of an array, without reading it."""
        with self._member(key) as file:
            try:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_2_0
                if version == (1, 0):
                    read = np.lib.format.read_array_header_1_0
                shape, _, dtype = read(file)
            except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
                self.refuse(f"{key} in {self.path} is no array ({error})")
        return shape, dtype

    def array(self, key: str) -> np.ndarray:
        """An array; objects are refused, whatever they are."""
        with self._member(key) as file:
            try:
                return np.lib.format.read_array(file, allow_pickle=False)
            except (ValueError, EOFError, OSError, zipfile.BadZipFile, MemoryError) as error:
                self.refuse(f"{key} in {self.path} cannot be read ({error})")

    def checksum(self, key: str) -> str:
        """Length and sum of an array's bytes as the archive has them, compressed or not."""
        return f"{self._entries[key].file_size}:{self._entries[key].CRC:08x}"

    def refuse(self, why: str) -> NoReturn:
        """Refuses the data set by `why`, a sentence without its end; raises UserError always."""
        raise UserError(f"--dataset {self.name}: {' '.join(why.split()).rstrip('.')}.")

    def _member(self, key: str) -> IO[bytes]:
        with self._opened() as archive:
            return archive.open(f"{key}.npy")

    def _opened(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except zipfile.BadZipFile as error:
            if self._begins_with(b"\x93NUMPY"):
                self.refuse(
                    f"{self.path} is a single array, without labels; {WANTED}: "
                    "numpy.savez(PATH, train_images=..., train_labels=...)"
                )
            self.refuse(f"{self.path} is no NumPy archive ({error})")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            self.refuse(f"{self.path} cannot be read ({why})")

    def _begins_with(self, magic: bytes) -> bool:
        with self.path.open("rb") as file:
            return file.read(len(magic)) == magic and file.read(100) != b""


def _part(key: str) -> tuple[str, str] | None:
    """Split, and images or labels, that a name stands for; None for a name of something else."""
    for pattern in _KEYS:
        match = pattern.fullmatch(key.casefold())
        if match is not None:
            split = _SPLITS[match["split"][:2]] if match["split"] else TRAIN
            return split, IMAGES if match["images"] else LABELS
    return None
