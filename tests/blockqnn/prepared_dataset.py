"""Writes a small data set to disk as TFDS prepares it: array_record files of PNG images."""

import io
import json

import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2, tf_feature_pb2

SHAPE = (4, 5, 3)


def label_features(classes=3, shape=SHAPE):
    """The features of a plain data set of labelled images."""
    return {
        "image": tfds.features.Image(shape=shape),
        "label": tfds.features.ClassLabel(num_classes=classes),
    }


def images_of(split, count, shape=SHAPE):
    """Random images, other ones in every split."""
    random = np.random.default_rng(sum(split.encode()))
    return random.integers(0, 256, (count, *shape), np.uint8)


def prepare(data_dir, name="little", features=None, splits=(("train", 24), ("test", 6)), **info):
    """Prepares a data set whose i-th image has every label i modulo its classes.

    Args:
        data_dir: where TFDS is to find it.
        name: of the data set.
        features: TFDS features by name; None for `label_features()`.
        splits: names and numbers of images.
        **info: replaces what `dataset_info.json` says.
    """
    features = features or label_features()
    directory = data_dir / name / "1.0.0"
    directory.mkdir(parents=True)
    tfds.features.FeaturesDict(features).save_config(directory)
    described = {"name": name, "version": "1.0.0", "fileFormat": "array_record", "splits": []}
    for split, count in splits:
        described["splits"].append(
            {
                "name": split,
                "shardLengths": [str(count)],
                "numBytes": "1",
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            }
        )
        path = directory / f"{name}-{split}.array_record-00000-of-00001"
        writer = ArrayRecordWriter(str(path), "group_size:1")
        for example in _examples(features, split, count):
            writer.write(example.SerializeToString())
        writer.close()
    (directory / "dataset_info.json").write_text(json.dumps(described | info))


def _examples(features, split, count):
    shape = tuple(side or 4 for side in features["image"].shape) if "image" in features else SHAPE
    for number, image in enumerate(images_of(split, count, shape)):
        values = {}
        for key, feature in features.items():
            if isinstance(feature, tfds.features.Image):
                png = io.BytesIO()
                Image.fromarray(image if shape[2] > 1 else image[..., 0]).save(png, "png")
                values[key] = _bytes(png.getvalue())
            elif isinstance(feature, tfds.features.ClassLabel):
                values[key] = _integer(number % feature.num_classes)
            else:
                values[key] = _bytes(b"text")
        yield tf_example_pb2.Example(features=tf_feature_pb2.Features(feature=values))


def _bytes(value):
    return tf_feature_pb2.Feature(bytes_list=tf_feature_pb2.BytesList(value=[value]))


def _integer(value):
    return tf_feature_pb2.Feature(int64_list=tf_feature_pb2.Int64List(value=[value]))
