"""Records of an archive, written as TFDS would have prepared them, without TensorFlow.

The files, the features and the order of the images are those of TFDS, so that a
search goes on with the same images whoever has prepared them.
"""

from __future__ import annotations

import hashlib
import io
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from blockqnn.preparing.archives import IMAGE_SHAPE, TEST, TRAIN, Archive
from blockqnn.preparing.reporting import Report

_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
_EACH = 500
"""Images after which the report is told."""


def write_prepared(
    directory: pathlib.Path, archive: Archive, files: Mapping[str, np.ndarray], report: Report
) -> None:
    """Writes a data set that `tensorflow_datasets` reads.

    Args:
        directory: of its version, which exists and is empty.
        archive: whose data set.
        files: as `unpacking.read_files` returns them.
        report: is told how many images are written.

    Raises:
        OSError: if something cannot be written.
        RuntimeError: if the record files cannot be.
    """
    import tensorflow_datasets as tfds

    features = tfds.features.FeaturesDict(
        {
            "id": tfds.features.Text(),
            "image": tfds.features.Image(shape=IMAGE_SHAPE),
            **{
                name: tfds.features.ClassLabel(names=list(classes))
                for name, classes in archive.labels
            },
        }
    )
    features.save_config(directory)
    splits, written = [], 0
    for split in (TRAIN, TEST):
        records = np.concatenate([files[f.name] for f in archive.files if f.split == split])
        path = directory / f"{archive.dataset}-{split}.array_record-00000-of-00001"
        length = _write_split(path, archive, split, records, report, written)
        written += len(records)
        splits.append(
            {
                "name": split,
                "filepathTemplate": _TEMPLATE,
                "numBytes": str(length),
                "shardLengths": [str(len(records))],
            }
        )
    (directory / "dataset_info.json").write_text(
        json.dumps(_described(archive, splits), indent=2), encoding="utf-8"
    )


def order_of(split: str, images: int) -> list[int]:
    """The order in which TFDS stores images that are numbered from 0.

    Args:
        split: its name is the salt.
        images: how many.

    Returns:
        Their numbers.
    """
    salted = hashlib.md5(split.encode(), usedforsecurity=False)

    def place(number: int) -> bytes:
        hashed = salted.copy()
        hashed.update(str(number).encode())
        return hashed.digest()

    return sorted(range(images), key=place)


def _write_split(
    path: pathlib.Path,
    archive: Archive,
    split: str,
    records: np.ndarray,
    report: Report,
    written: int,
) -> int:
    """Writes the file of a split; returns the bytes of its examples."""
    from array_record.python.array_record_module import ArrayRecordWriter

    length = 0
    # One record a group, as TFDS has it: each can be read by itself.
    writer = ArrayRecordWriter(str(path), "group_size:1")
    try:
        for count, number in enumerate(order_of(split, len(records)), start=1):
            example = _example(archive, f"{split}_{number:05d}", records[number])
            length += len(example)
            writer.write(example)
            if count % _EACH == 0 or count == len(records):
                report.at(written + count)
    finally:
        writer.close()
    return length


def _example(archive: Archive, name: str, record: np.ndarray) -> bytes:
    """An image with its labels as TFDS serialises it."""
    from PIL import Image
    from tensorflow_datasets.proto import tf_example_pb2, tf_feature_pb2

    def texts(value: bytes) -> Any:
        return tf_feature_pb2.Feature(bytes_list=tf_feature_pb2.BytesList(value=[value]))

    def integers(value: int) -> Any:
        return tf_feature_pb2.Feature(int64_list=tf_feature_pb2.Int64List(value=[value]))

    height, width, channels = IMAGE_SHAPE
    labels = len(archive.labels)
    pixels = record[labels:].reshape(channels, height, width).transpose(1, 2, 0)
    png = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(png, "png")
    values = {"id": texts(name.encode()), "image": texts(png.getvalue())}
    for (label, _), value in zip(archive.labels, record[:labels].tolist(), strict=True):
        values[label] = integers(value)
    example = tf_example_pb2.Example(features=tf_feature_pb2.Features(feature=values))
    # The order of a map's entries is otherwise another one in every process.
    serialised: bytes = example.SerializeToString(deterministic=True)
    return serialised


def _described(archive: Archive, splits: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "citation": "Krizhevsky, A.: Learning multiple layers of features from tiny images. "
        "Technical report, University of Toronto, 2009.",
        "description": f"{archive.title}: {archive.images(TRAIN):,} training and "
        f"{archive.images(TEST):,} test images of 32x32 in {archive.classes} classes.",
        "downloadSize": str(archive.size),
        "fileFormat": "array_record",
        "location": {"urls": ["https://www.cs.toronto.edu/~kriz/cifar.html"]},
        "moduleName": archive.module,
        "name": archive.dataset,
        "splits": splits,
        "supervisedKeys": {"tuple": {"items": [{"featureKey": "image"}, {"featureKey": "label"}]}},
        "version": archive.version,
    }
