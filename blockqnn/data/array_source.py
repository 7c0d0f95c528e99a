"""A user's own images in a NumPy archive: `npz:PATH`.

The archive holds `train_images`, uint8 [N, H, W, C] or [N, H, W], and
`train_labels`, integers [N] from 0 to classes - 1; `val_images`, `val_labels`,
`test_images` and `test_labels` of the same kind may stand beside them.
"""

from __future__ import annotations

import collections
import functools
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from blockqnn.data import repeats
from blockqnn.data.array_meaning import ArrayError, Classes, as_bytes, flat_labels, image_axes
from blockqnn.data.contents import ImageSizes
from blockqnn.data.images import ImageInfo, Images
from blockqnn.data.numpy_archive import IMAGES, LABELS, NumpyArchive
from blockqnn.data.source import SPLITS, TRAIN, ArraySplit, expanded
from blockqnn.settings import DataSettings

PREFIX = "npz:"
_COMPARED_BYTES = 1 << 27
"""Archives of more bytes of images than this are not searched for equal ones."""


class ArraySource:
    """An archive of arrays."""

    def __init__(self, settings: DataSettings):
        """Opens the archive.

        Args:
            settings: the name of the data set.

        Raises:
            UserError: if it is no archive, or it is not sure which array is what.
        """
        path = expanded(settings.dataset.removeprefix(PREFIX))
        self._archive = NumpyArchive(settings.dataset, path)

    def info(self) -> ImageInfo:
        """See `Source.info`; reads the labels, but of the images the shape alone."""
        return ImageInfo(self._image_shape(TRAIN)[1:], len(self._classes.names))

    def class_names(self) -> tuple[str, ...]:
        """See `Source.class_names`."""
        return self._classes.names

    def counts(self) -> Mapping[str, int]:
        """See `Source.counts`."""
        return {split: self._image_shape(split)[0] for split in SPLITS if self._has(split)}

    def class_sizes(self) -> Sequence[int]:
        """See `Source.class_sizes`."""
        counts: list[int] = np.bincount(self._labels(TRAIN)).tolist()
        return counts

    def open(self, split: str) -> ArraySplit:
        """See `Source.open`."""
        labels = self._labels(split)
        self._check_shape(split)
        return ArraySplit(Images(self._images(split), labels))

    def sizes(self) -> ImageSizes:
        """See `Source.sizes`."""
        count, height, width, _ = self._image_shape(TRAIN)
        return ImageSizes((height,) * count, (width,) * count)

    def passed_over(self) -> Mapping[str, int]:
        """See `Source.passed_over`."""
        archive = self._archive
        return {
            f"images of {split} without labels": self._image_shape(split)[0]
            for split in SPLITS[1:]
            if archive.has(split, IMAGES) and not archive.has(split, LABELS)
        }

    def check(self) -> tuple[str, ...]:
        """See `Source.check`; reads the images too, unless they are many."""
        notes = []
        splits = list(self.counts())
        for split in splits:
            self._check_shape(split)
            self._labels(split)
        axes = self._axes(TRAIN)
        key = self._archive.key(TRAIN, IMAGES)
        channels = self._image_shape(TRAIN)[3]
        if axes == (0, 2, 3, 1):
            notes.append(f"{key} is taken as [N, C, H, W].")
        if channels == 4:
            notes.append("The fourth channel is taken as it is, not as transparency.")
        if sum(np.prod(self._image_shape(split)) for split in splits) <= _COMPARED_BYTES:
            notes += self._repeated(splits)
        return tuple(notes)

    def digest(self, split: str) -> str:
        """See `Source.digest`; by the sums that the archive has of its arrays."""
        archive = self._archive
        sums = [archive.checksum(archive.key(split, what)) for what in (IMAGES, LABELS)]
        return hashlib.sha256(" ".join(sums).encode()).hexdigest()

    def _has(self, split: str) -> bool:
        if split == TRAIN:
            return True
        archive = self._archive
        if archive.has(split, LABELS) and not archive.has(split, IMAGES):
            archive.key(split, IMAGES)
        return archive.has(split, LABELS)

    def _repeated(self, splits: list[str]) -> list[str]:
        places: dict[bytes, list[tuple[str, int]]] = collections.defaultdict(list)
        for split in splits:
            images = self._images(split)
            for image, label in zip(images, self._labels(split).tolist(), strict=True):
                name = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
                places[name].append((split, label))
        return repeats.in_words(places)

    def _check_shape(self, split: str) -> None:
        here, wanted = self._image_shape(split)[1:], self._image_shape(TRAIN)[1:]
        if here != wanted:
            archive = self._archive
            archive.refuse(
                f"{archive.key(split, IMAGES)} in {archive.path} have shape {list(here)}, "
                f"{archive.key(TRAIN, IMAGES)} {list(wanted)}"
            )

    def _axes(self, split: str) -> tuple[int, ...]:
        archive = self._archive
        key = archive.key(split, IMAGES)
        shape, dtype = archive.header(key)
        if archive.has(split, LABELS):
            labels = archive.header(archive.key(split, LABELS))[0]
            if len(shape) > 2 and labels and labels[0] == shape[-1] != shape[0]:
                archive.refuse(
                    f"{key} in {archive.path} has shape {list(shape)} beside {labels[0]:,} labels; "
                    "wanted is [N, H, W, C], of which numpy.moveaxis(images, -1, 0) makes the "
                    "first axis"
                )
        try:
            if dtype.kind not in "biuf":
                raise ArrayError(f"is {dtype} {list(shape)}; wanted is uint8, 0 to 255")
            if dtype.kind == "f":
                as_bytes(archive.array(key))
            return image_axes(shape)
        except ArrayError as error:
            archive.refuse(f"{key} in {archive.path} {error}")

    def _image_shape(self, split: str) -> tuple[int, int, int, int]:
        """Number, height, width and channels of a split's images."""
        shape, _ = self._archive.header(self._archive.key(split, IMAGES))
        count, height, width, *channels = (shape[axis] for axis in self._axes(split))
        return count, height, width, channels[0] if channels else 1

    def _images(self, split: str) -> np.ndarray:
        archive = self._archive
        key = archive.key(split, IMAGES)
        array = archive.array(key)
        try:
            pixels = as_bytes(array)
        except ArrayError as error:
            archive.refuse(f"{key} in {archive.path} {error}")
        arranged = pixels.transpose(self._axes(split)).reshape(self._image_shape(split))
        return np.ascontiguousarray(arranged)

    def _flat_labels(self, split: str) -> np.ndarray:
        archive = self._archive
        key = archive.key(split, LABELS)
        count = self._image_shape(split)[0]
        shape, dtype = archive.header(key)
        try:
            return flat_labels(shape, dtype, count, lambda: archive.array(key))
        except ArrayError as error:
            archive.refuse(f"{key} in {archive.path} {error}")

    def _labels(self, split: str) -> np.ndarray:
        archive = self._archive
        try:
            return self._classes.numbers(self._flat_labels(split))
        except ArrayError as error:
            archive.refuse(f"{archive.key(split, LABELS)} in {archive.path} {error}")

    @functools.cached_property
    def _classes(self) -> Classes:
        archive = self._archive
        labels = self._flat_labels(TRAIN)
        try:
            return Classes(labels)
        except ArrayError as error:
            archive.refuse(f"{archive.key(TRAIN, LABELS)} in {archive.path} {error}")
