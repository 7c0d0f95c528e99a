"""A user's own images in folders, one for each class: `folder:PATH[:HEIGHTxWIDTH]`.

`PATH/CLASS/*.png`, or `PATH/train/CLASS/*.png` with `PATH/val/CLASS/*.png` and
`PATH/test/CLASS/*.png` beside it. Labels are the classes of the training split in
the order of their names. TFDS has a reader of such folders too, but that one needs
TensorFlow.
"""

from __future__ import annotations

import collections
import functools
import hashlib
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np

from blockqnn.data import repeats
from blockqnn.data.contents import ImageSizes
from blockqnn.data.folder_tree import ClassFolder, FolderError, Tree, TreeReader, one_form
from blockqnn.data.image_file import Header, UnreadableImageError, header, pixels
from blockqnn.data.images import ImageInfo, Images
from blockqnn.data.source import TRAIN, expanded
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings

PREFIX = "folder:"
_SIZE = re.compile(r"(?P<path>.*):(?P<height>\d{1,4})x(?P<width>\d{1,4})", re.DOTALL)
_WHOLE_BYTES = 1 << 25
"""Splits of at most so many bytes are looked at as a whole for their digest."""
_SAMPLED_FILES, _SAMPLED_BYTES = 500, 4096
_COMPARED_BYTES = 1 << 27
"""Splits of more bytes than this are not searched for equal files."""


class FolderSource:
    """A folder of folders of images."""

    def __init__(self, settings: DataSettings):
        """Reads the name; the folder is looked at where something is asked.

        Args:
            settings: the name, and how images are read.

        Raises:
            UserError: if the name cannot be read.
        """
        self._name, self._settings = settings.dataset, settings
        self._root, self._named_size = self._parse(settings.dataset)
        self._size = settings.resize or self._named_size

    def info(self) -> ImageInfo:
        """See `Source.info`; opens every training image, but decodes none."""
        headers = self._headers(TRAIN)
        size = self._size
        if size is None:
            first = headers[0].height, headers[0].width
            for file, here in zip(self._files(TRAIN), headers, strict=True):
                if (here.height, here.width) != first:
                    usual = f"{first[0]}x{first[1]}"
                    self._refuse(
                        f"{file} has {here.height}x{here.width} pixels and {self._files(TRAIN)[0]} "
                        f"{usual}; name one size for all, as in --resize={usual}"
                    )
            size = first
        return ImageInfo((*size, 3 if self._coloured(headers) else 1), len(self.class_names()))

    def class_names(self) -> tuple[str, ...]:
        """See `Source.class_names`."""
        return tuple(folder.name for folder in self._classes(TRAIN))

    def counts(self) -> Mapping[str, int]:
        """See `Source.counts`."""
        return {split: len(self._files(split)) for split in self._tree.splits}

    def class_sizes(self) -> Sequence[int]:
        """See `Source.class_sizes`."""
        return [len(folder.files) for folder in self._classes(TRAIN)]

    def open(self, split: str) -> FolderSplit:
        """See `Source.open`."""
        if split not in self._tree.splits:
            self._refuse(f"{self._root} has no {split} split with folders of classes")
        return FolderSplit(self, self._files(split), self._labels(split))

    def sizes(self) -> ImageSizes:
        """See `Source.sizes`; a size that the name has is that of all."""
        headers = self._headers(TRAIN)
        if self._named_size is not None:
            height, width = self._named_size
            return ImageSizes((height,) * len(headers), (width,) * len(headers))
        return ImageSizes(tuple(h.height for h in headers), tuple(h.width for h in headers))

    def passed_over(self) -> Mapping[str, int]:
        """See `Source.passed_over`."""
        return dict(sorted(self._tree.passed_over.items()))

    def check(self) -> tuple[str, ...]:
        """See `Source.check`; opens every image of all splits, but decodes none."""
        info, notes = self.info(), []
        for split in self._tree.splits:
            headers = self._headers(split)
            for file, here in zip(self._files(split), headers, strict=True):
                if self._size is None and (here.height, here.width) != info.shape[:2]:
                    self._refuse(self._other_size(file, (here.height, here.width), info))
            coloured = sum(here.coloured for here in headers)
            if coloured and info.shape[2] == 1:
                notes.append(
                    f"{coloured:,} images of {split} are coloured; they are read as grey, like "
                    "those of training"
                )
            elif split == TRAIN and 0 < coloured < len(headers):
                notes.append(
                    f"{len(headers) - coloured:,} of {len(headers):,} training images are grey; "
                    "they are read as coloured"
                )
        return (*notes, *self._repeated())

    def digest(self, split: str) -> str:
        """See `Source.digest`; by names, sizes, and all bytes or a sample of them."""
        digest = hashlib.sha256()
        files = self._files(split)
        sizes = [self._byte_size(file) for file in files]
        for file, label, size in zip(files, self._labels(split).tolist(), sizes, strict=True):
            name = f"{self.class_names()[label]}/{one_form(file.name)}"
            digest.update(f"{len(name)} {name} {size}\n".encode("utf-8", "surrogateescape"))
        whole = sum(sizes) <= _WHOLE_BYTES
        step = 1 if whole else max(1, len(files) // _SAMPLED_FILES)
        for file, size in list(zip(files, sizes, strict=True))[::step]:
            starts = [0] if whole else sorted({0, size // 2, max(0, size - _SAMPLED_BYTES)})
            try:
                with file.open("rb") as opened:
                    for start in starts:
                        opened.seek(start)
                        digest.update(opened.read(-1 if whole else _SAMPLED_BYTES))
            except OSError as error:
                self._refuse(f"{file} cannot be read ({error.strerror or error})")
        return digest.hexdigest()

    def decoded(self, file: pathlib.Path) -> np.ndarray:
        """The pixels of one file, uint8 in the shape of all.

        Args:
            file: one of the source's.

        Returns:
            uint8 [H, W, C].

        Raises:
            UserError: if it cannot be read or has another size.
        """
        info = self.shape_and_classes
        try:
            image = pixels(file, info.shape[2], self._settings.background, self._size)
        except UnreadableImageError as error:
            self._refuse(f"{file} {error}")
        if image.shape != info.shape:
            self._refuse(self._other_size(file, (image.shape[0], image.shape[1]), info))
        return image

    @functools.cached_property
    def shape_and_classes(self) -> ImageInfo:
        """What `info` says, looked up once."""
        return self.info()

    def refuse_memory(self, count: int) -> NoReturn:
        """Says that so many images are too many."""
        height, width, channels = self.shape_and_classes.shape
        self._refuse(f"{count:,} images of {height}x{width}x{channels} do not fit into memory")

    def _coloured(self, headers: list[Header]) -> bool:
        red, green, blue = self._settings.background
        tinted = not red == green == blue
        return any(h.coloured or (tinted and h.transparent) for h in headers)

    def _other_size(self, file: pathlib.Path, size: tuple[int, int], info: ImageInfo) -> str:
        height, width, _ = info.shape
        return (
            f"{file} has {size[0]}x{size[1]} pixels; the training images have {height}x{width}: "
            f"name one size for all, as in --resize={height}x{width}"
        )

    def _repeated(self) -> list[str]:
        """Of files that are there twice: in two splits, or in two classes."""
        by_size: dict[int, list[tuple[str, int, pathlib.Path]]] = collections.defaultdict(list)
        for split in self._tree.splits:
            for file, label in zip(self._files(split), self._labels(split).tolist(), strict=True):
                by_size[self._byte_size(file)].append((split, label, file))
        same_size = {size: found for size, found in by_size.items() if len(found) > 1}
        if sum(size * len(found) for size, found in same_size.items()) > _COMPARED_BYTES:
            return []
        places: dict[bytes, list[tuple[str, int]]] = collections.defaultdict(list)
        for split, label, file in (each for found in same_size.values() for each in found):
            try:
                places[hashlib.sha256(file.read_bytes()).digest()].append((split, label))
            except OSError as error:
                self._refuse(f"{file} cannot be read ({error.strerror or error})")
        return repeats.in_words(places)

    def _byte_size(self, file: pathlib.Path) -> int:
        try:
            return file.stat().st_size
        except OSError as error:
            self._refuse(f"{file} cannot be read ({error.strerror or error})")

    @functools.cached_property
    def _tree(self) -> Tree:
        if not _is_directory(self._root):
            self._refuse(f"there is no folder {self._root}")
        flags = self._settings.class_folders, self._settings.skip_folders
        try:
            return TreeReader(self._root, *flags).read()
        except FolderError as error:
            self._refuse(str(error))

    def _classes(self, split: str) -> list[ClassFolder]:
        return self._tree.splits[split]

    def _files(self, split: str) -> list[pathlib.Path]:
        return [file for folder in self._classes(split) for file in folder.files]

    def _labels(self, split: str) -> np.ndarray:
        known = {name: label for label, name in enumerate(self.class_names())}
        counts = [len(folder.files) for folder in self._classes(split)]
        labels = [known[folder.name] for folder in self._classes(split)]
        return np.repeat(np.array(labels, np.int32), counts)

    def _headers(self, split: str) -> list[Header]:
        found = []
        for file in self._files(split):
            try:
                found.append(header(file))
            except UnreadableImageError as error:
                self._refuse(f"{file} {error}")
        return found

    def _parse(self, name: str) -> tuple[pathlib.Path, tuple[int, int] | None]:
        """The folder, and the height and width that images shall have."""
        text = name.removeprefix(PREFIX)
        match = _SIZE.fullmatch(text)
        # A folder may be called like a size.
        if match is None or _is_directory(expanded(text)):
            return expanded(text), None
        height, width = int(match["height"]), int(match["width"])
        if min(height, width) < 1:
            self._refuse("height and width are at least 1")
        return expanded(match["path"]), (height, width)

    def _refuse(self, why: str) -> NoReturn:
        raise UserError(f"--dataset {self._name}: {why}.")


class FolderSplit:
    """The files of one split, decoded where they are asked for."""

    def __init__(self, source: FolderSource, files: list[pathlib.Path], labels: np.ndarray):
        """Takes what was found.

        Args:
            source: that decodes them.
            files: of all classes, in the order of their classes and names.
            labels: int32 [N].
        """
        self._source, self._files, self._labels = source, files, labels

    @property
    def shape(self) -> tuple[int, int, int]:
        """See `LabelledSplit.shape`."""
        return self._source.shape_and_classes.shape

    def __len__(self) -> int:
        return len(self._files)

    def labels(self) -> np.ndarray:
        """See `LabelledSplit.labels`."""
        return self._labels

    def read(self, indices: np.ndarray) -> Images:
        """See `LabelledSplit.read`."""
        try:
            images = np.empty((len(indices), *self.shape), np.uint8)
        except (MemoryError, ValueError):
            self._source.refuse_memory(len(indices))
        for place, index in enumerate(indices.tolist()):
            images[place] = self._source.decoded(self._files[index])
        return Images(images, self._labels[indices])


def _is_directory(path: pathlib.Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # The name is too long, or holds a null byte.
        return False
