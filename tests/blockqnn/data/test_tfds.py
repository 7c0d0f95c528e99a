"""Data sets that TFDS has prepared: small ones made here, and the real CIFAR-10 if it is there."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow_datasets as tfds

from blockqnn.data.datasets import describe, load_search_parts
from blockqnn.data.images import ImageInfo, channel_statistics
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings
from tests.blockqnn.prepared_dataset import SHAPE, images_of, label_features, prepare
from tests.paths import SHARED_DATA

CIFAR = pathlib.Path(os.environ.get("BLOCKQNN_DATA_DIR") or SHARED_DATA / "tfds")
needs_cifar = pytest.mark.skipif(
    not (CIFAR / "cifar10").is_dir(),
    reason=f"no CIFAR-10 in {CIFAR}; BLOCKQNN_DATA_DIR says where it is",
)


@pytest.fixture
def splits_read(monkeypatch):
    """The names of the splits that were asked for."""
    asked = []
    builder = tfds.core.read_only_builder.ReadOnlyBuilder
    real = builder.as_data_source

    def spy(self, split=None, **options):
        asked.append(split)
        return real(self, split=split, **options)

    monkeypatch.setattr(builder, "as_data_source", spy)
    return asked


def as_set(images):
    return {image.tobytes() for image in images}


def test_images_and_labels_are_those_on_disk(tmp_path):
    prepare(tmp_path)
    settings = DataSettings("little", str(tmp_path))
    assert describe(settings) == ImageInfo(SHAPE, 3)
    train, validation = load_search_parts(settings)
    # Eight images of each class, of which round(8 / 6) = 1 is held out.
    assert (len(train), len(validation)) == (21, 3)
    label = {image.tobytes(): i % 3 for i, image in enumerate(images_of("train", 24))}
    for part in (train, validation):
        assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int32)
        assert [label[image.tobytes()] for image in part.images] == part.labels.tolist()
    assert as_set(train.images) | as_set(validation.images) == set(label)


def test_more_images_than_are_read_at_once_are_read_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("blockqnn.data.prepared_source._CHUNK", 7)
    prepare(tmp_path)
    train, validation = load_search_parts(DataSettings("little", str(tmp_path)))
    assert as_set(train.images) | as_set(validation.images) == as_set(images_of("train", 24))


def test_a_search_reads_the_training_split_alone(tmp_path, splits_read):
    prepare(tmp_path)
    train, validation = load_search_parts(DataSettings("little", str(tmp_path)))
    assert splits_read == ["train"]
    seen = as_set(train.images) | as_set(validation.images)
    assert not seen & as_set(images_of("test", 6))


def test_a_search_works_without_a_test_split(tmp_path):
    prepare(tmp_path)
    (tmp_path / "little" / "1.0.0" / "little-test.array_record-00000-of-00001").unlink()
    assert len(load_search_parts(DataSettings("little", str(tmp_path)))[0]) == 21


def test_the_settings_of_the_split_reach_it(tmp_path):
    prepare(tmp_path)
    train, validation = load_search_parts(DataSettings("little", str(tmp_path), train_examples=6))
    assert np.bincount(train.labels).tolist() == [2, 2, 2]
    assert len(validation) == 3
    others = [load_search_parts(DataSettings("little", str(tmp_path), 0, s))[1] for s in range(6)]
    assert len({other.images.tobytes() for other in others}) > 1


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_images_keep_their_channels(tmp_path, channels):
    prepare(tmp_path, features=label_features(2, (3, 6, channels)))
    settings = DataSettings("little", str(tmp_path))
    assert describe(settings) == ImageInfo((3, 6, channels), 2)
    train, validation = load_search_parts(settings)
    wanted = as_set(images_of("train", 24, (3, 6, channels)))
    assert as_set(train.images) | as_set(validation.images) == wanted


def test_the_label_is_the_one_of_that_name(tmp_path):
    coarse = {"coarse_label": tfds.features.ClassLabel(num_classes=2)}
    prepare(tmp_path, features={**coarse, **label_features(4)})
    settings = DataSettings("little", str(tmp_path))
    assert describe(settings).classes == 4
    assert set(load_search_parts(settings)[0].labels) == {0, 1, 2, 3}


def test_a_label_of_another_name_is_found(tmp_path):
    features = label_features(3)
    features["digit"] = features.pop("label")
    prepare(tmp_path, features=features)
    assert describe(DataSettings("little", str(tmp_path))).classes == 3


@pytest.mark.parametrize(
    ("features", "complaint"),
    [
        ({"image": tfds.features.Image(shape=SHAPE)}, "labelled images"),
        ({"label": tfds.features.ClassLabel(num_classes=2)}, "labelled images"),
        (label_features(3, (None, None, 3)), "one fixed height and width"),
    ],
    ids=["no label", "no image", "any size"],
)
def test_what_is_no_image_classification_of_one_size_is_refused(tmp_path, features, complaint):
    prepare(tmp_path, features=features)
    with pytest.raises(UserError, match=complaint):
        describe(DataSettings("little", str(tmp_path)))


def test_a_data_set_without_a_training_split_is_refused(tmp_path):
    prepare(tmp_path, splits=[("test", 5)])
    with pytest.raises(UserError, match="training split"):
        describe(DataSettings("little", str(tmp_path)))


def test_a_data_set_that_only_tensorflow_reads_is_refused(tmp_path):
    prepare(tmp_path, fileFormat="tfrecord")
    with pytest.raises(UserError, match=r"tfrecord, which only TensorFlow reads"):
        describe(DataSettings("little", str(tmp_path)))


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_training_split_that_cannot_be_read_is_refused_in_one_line(tmp_path, damage):
    prepare(tmp_path)
    damage(tmp_path / "little" / "1.0.0" / "little-train.array_record-00000-of-00001")
    with pytest.raises(UserError) as refusal:
        load_search_parts(DataSettings("little", str(tmp_path)))
    assert "'little'" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@needs_cifar
@pytest.mark.data
def test_the_parts_of_the_real_cifar10(splits_read):
    settings = DataSettings("cifar10", str(CIFAR))
    assert describe(settings) == ImageInfo((32, 32, 3), 10)
    train, validation = load_search_parts(settings)
    assert splits_read == ["train"]
    # 5,000 of each class, of which round(5000 / 6) = 833 are held out.
    assert (len(train), len(validation)) == (41_670, 8_330)
    assert np.bincount(train.labels).tolist() == [4_167] * 10
    mean, deviation = channel_statistics(np.concatenate([train.images, validation.images]))
    np.testing.assert_allclose(mean / 255, [0.49140, 0.48216, 0.44653], atol=1e-5)
    np.testing.assert_allclose(deviation / 255, [0.24703, 0.24349, 0.26159], atol=1e-5)
    test = tfds.data_source("cifar10", data_dir=str(CIFAR), split="test", download=False)
    unseen = {test[number]["image"].tobytes() for number in range(0, 10_000, 50)}
    assert len(unseen) == 200
    assert not unseen & (as_set(train.images) | as_set(validation.images))
