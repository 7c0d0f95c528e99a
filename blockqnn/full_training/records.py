"""A split that TFDS has prepared, read record by record, by several threads if need be."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from blockqnn.data import tfds_source
from blockqnn.data.images import Images
from blockqnn.errors import UserError

_CHUNK = 1000

Size = tuple[int, int]
"""Height and width in pixels."""


class RecordSplit:
    """A split that TFDS has prepared, read record by record."""

    def __init__(self, builder: Any, name: str, split: str, resize: Size | None):
        """Opens the files of a split.

        Args:
            builder: as `tfds_source.open_builder` returns it.
            name: of the data set.
            split: which.
            resize: height and width that an image is made into; None for images as they are.

        Raises:
            UserError: if the files cannot be opened.
        """
        import tensorflow_datasets as tfds

        self._name, self._resize = f"The {split} split of {name!r} in {builder.data_path}", resize
        self._image_key, self._label_key = tfds_source.feature_keys(builder, name)
        self._classes = builder.info.features[self._label_key].num_classes
        self.shape = record_shape(builder, name, resize)
        try:
            self._records = builder.as_data_source(
                split=split, decoders={self._image_key: tfds.decode.SkipDecoding()}
            )
            self._length = len(self._records)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise self._unreadable(error) from error

    def __len__(self) -> int:
        return self._length

    def labels(self) -> np.ndarray:
        """See `Split.labels`."""
        chunks = [np.arange(i, min(i + _CHUNK, len(self))) for i in range(0, len(self), _CHUNK)]
        labels = [r[self._label_key] for chunk in chunks for r in self._read(chunk)]
        return np.array(labels, np.int32)

    def read(self, indices: np.ndarray) -> Images:
        """See `Split.read`."""
        from PIL import Image

        height, width, channels = self.shape
        images = np.empty((len(indices), height, width, channels), np.uint8)
        labels = np.empty(len(indices), np.int32)
        for place, record in enumerate(self._read(indices)):
            labels[place] = record[self._label_key]
            try:
                with Image.open(io.BytesIO(record[self._image_key])) as image:
                    decoded = image.convert(tfds_source.IMAGE_MODES[channels])
            except (OSError, SyntaxError, ValueError) as error:
                raise self._unreadable(error) from error
            if self._resize:
                decoded = central_part(decoded, self._resize)
            images[place] = np.asarray(decoded).reshape(self.shape)
        if labels.size and not 0 <= labels.min() <= labels.max() < self._classes:
            raise UserError(f"{self._name} has images without a label.")
        return Images(images, labels)

    def _read(self, indices: np.ndarray) -> Any:
        try:
            return self._records.__getitems__(indices.tolist())
        except (OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> UserError:
        return UserError(f"{self._name} cannot be read: {' '.join(str(error).split())[:300]}.")


def record_shape(builder: Any, name: str, resize: Size | None) -> tuple[int, int, int]:
    """Height, width and channels of images as `RecordSplit` reads them.

    Args:
        builder: as `tfds_source.open_builder` returns it.
        name: of the data set.
        resize: height and width that an image is made into; None for images as they are.

    Returns:
        The shape.

    Raises:
        UserError: if the images have no fixed size and are not resized.
    """
    if not resize:
        return tfds_source.image_info(builder, name).shape
    image_key, _ = tfds_source.feature_keys(builder, name)
    channels = builder.info.features[image_key].shape[-1]
    if channels not in tfds_source.IMAGE_MODES:
        raise UserError(f"The images of {name!r} have {channels} channels; allowed: 1, 3 or 4.")
    return (*resize, channels)


def central_part(image: Any, size: Size) -> Any:
    """An image scaled so that it just covers a size, and the middle of that.

    Args:
        image: a `PIL.Image`.
        size: height and width in pixels.

    Returns:
        A `PIL.Image` of that size.
    """
    from PIL import ImageOps
    from PIL.Image import Resampling

    return ImageOps.fit(image, (size[1], size[0]), Resampling.BILINEAR)
