"""A data set that tensorflow-datasets has prepared, as a source of images."""

from __future__ import annotations

import hashlib
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.data.contents import ImageSizes
from blockqnn.data.images import ImageInfo, Images
from blockqnn.data.source import SPLITS, TEST, TRAIN, VALIDATION
from blockqnn.data.tfds_source import (
    IMAGE_MODES,
    WELL_KNOWN,
    WELL_KNOWN_SIZES,
    feature_keys,
    image_info,
    open_builder,
)
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings

_CHUNK = 1000
_SAMPLED_BYTES = 1 << 16


class TfdsSource:
    """A data set by the name that TFDS has for it."""

    def __init__(self, settings: DataSettings, images_needed: bool):
        """Looks the data set up.

        Args:
            settings: name and place of the data set.
            images_needed: whether images will be read; if not, the well-known
                data sets need not be prepared.

        Raises:
            UserError: if it is not prepared, or has no labelled images.
        """
        self._name, self._settings = settings.dataset, settings
        self._known = None if images_needed else WELL_KNOWN.get(self._name)
        self._images_needed = images_needed
        if self._known is None:
            self._builder = open_builder(self._name, settings.data_dir)
            self._label_key = feature_keys(self._builder, self._name)[1]

    def info(self) -> ImageInfo:
        """See `Source.info`."""
        if self._known is not None:
            return self._resized(self._known)
        if self._settings.resize is None:
            return image_info(self._builder, self._name)
        image_key, label_key = feature_keys(self._builder, self._name)
        features = self._builder.info.features
        channels = features[image_key].shape[-1]
        if channels not in IMAGE_MODES:
            raise UserError(
                f"The images of {self._name!r} have {channels} channels; allowed: 1, 3 or 4."
            )
        return self._resized(ImageInfo((1, 1, channels), features[label_key].num_classes))

    def class_names(self) -> tuple[str, ...]:
        """See `Source.class_names`."""
        if self._known is not None:
            return tuple(map(str, range(self._known.classes)))
        return tuple(self._builder.info.features[self._label_key].names)

    def counts(self) -> Mapping[str, int]:
        """See `Source.counts`; a split `validation` is a test split where there is no `test`."""
        if self._known is not None:
            return {TRAIN: WELL_KNOWN_SIZES[self._name]}
        splits = self._builder.info.splits
        return {
            name: splits[other].num_examples
            for name in SPLITS
            if (other := self._split(name)) is not None
        }

    def class_sizes(self) -> Sequence[int]:
        """See `Source.class_sizes`."""
        return ()

    def open(self, split: str) -> TfdsSplit:
        """See `Source.open`."""
        other = self._split(split)
        if other is None:
            raise UserError(f"The data set {self._name!r} has no {split} split.")
        return TfdsSplit(self._builder, self._name, other, self.info(), self._settings.resize)

    def sizes(self) -> ImageSizes:
        """See `Source.sizes`; of images of any size it is not known."""
        info = self._known or image_info(self._builder, self._name)
        count = self.counts()[TRAIN]
        return ImageSizes((info.shape[0],) * count, (info.shape[1],) * count)

    def passed_over(self) -> Mapping[str, int]:
        """See `Source.passed_over`."""
        return {}

    def check(self) -> tuple[str, ...]:
        """See `Source.check`; what TFDS has prepared is of one kind."""
        self.info()
        return ()

    def digest(self, split: str) -> str:
        """See `Source.digest`; by what TFDS has written down, and the sizes of the files."""
        if not self._images_needed:
            return ""
        found = self._builder.info.splits[self._split(split)]
        digest = hashlib.sha256(f"{self._builder.info.full_name} {found.num_examples}".encode())
        for name in sorted(map(str, found.filepaths)):
            path = pathlib.Path(name)
            try:
                digest.update(f"{path.name} {path.stat().st_size}".encode())
                with path.open("rb") as file:
                    digest.update(file.read(_SAMPLED_BYTES))
            except OSError as error:
                raise UserError(
                    f"The {split} split of {self._name!r} cannot be read: {path}: "
                    f"{error.strerror or error}."
                ) from error
        return digest.hexdigest()

    def _resized(self, info: ImageInfo) -> ImageInfo:
        return ImageInfo((*(self._settings.resize or info.shape[:2]), info.shape[2]), info.classes)

    def _split(self, name: str) -> str | None:
        splits = self._builder.info.splits
        if TEST not in splits and name != TRAIN:
            return VALIDATION if name == TEST and VALIDATION in splits else None
        return name if name in splits else None


class TfdsSplit:
    """A split of a data set, read once, decoded where asked."""

    def __init__(
        self, builder: Any, name: str, split: str, info: ImageInfo, size: tuple[int, int] | None
    ):
        """Reads labels and encoded images.

        Args:
            builder: as `open_builder` returns it.
            name: of the data set.
            split: its name in the data set.
            info: of the images as they shall be read.
            size: height and width that they are scaled to; None for none.

        Raises:
            UserError: if the split cannot be read.
        """
        import tensorflow_datasets as tfds

        self._info, self._size = info, size
        image_key, label_key = feature_keys(builder, name)
        self._encoded: list[bytes] = []
        labels: list[int] = []
        try:
            source = builder.as_data_source(
                split=split, decoders={image_key: tfds.decode.SkipDecoding()}
            )
            for start in range(0, len(source), _CHUNK):
                stop = min(start + _CHUNK, len(source))
                for example in source.__getitems__(list(range(start, stop))):
                    self._encoded.append(example[image_key])
                    labels.append(int(example[label_key]))
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise UserError(
                f"The {'training' if split == TRAIN else split} split of {name!r} in "
                f"{builder.data_path} cannot be read: {' '.join(str(error).split())[:300]}."
            ) from error
        self._labels = np.array(labels, np.int32)

    @property
    def shape(self) -> tuple[int, int, int]:
        """See `LabelledSplit.shape`."""
        return self._info.shape

    def __len__(self) -> int:
        return len(self._labels)

    def labels(self) -> np.ndarray:
        """See `LabelledSplit.labels`."""
        return self._labels

    def read(self, indices: np.ndarray) -> Images:
        """See `LabelledSplit.read`."""
        from PIL import Image, ImageOps

        mode = IMAGE_MODES[self._info.shape[2]]
        images = np.empty((len(indices), *self._info.shape), np.uint8)
        for place, index in enumerate(indices.tolist()):
            decoded = Image.open(io.BytesIO(self._encoded[index])).convert(mode)
            if self._size is not None:
                fitted = self._size[1], self._size[0]
                decoded = ImageOps.fit(decoded, fitted, Image.Resampling.BICUBIC)
            images[place] = np.asarray(decoded).reshape(self._info.shape)
        return Images(images, self._labels[indices])
