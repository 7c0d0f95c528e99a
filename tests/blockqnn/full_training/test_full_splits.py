"""Splits of a full training; that a search neither sees test images nor imports what reads them."""

import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from sklearn.datasets import load_digits

from blockqnn.data import array_source
from blockqnn.data.datasets import load_search_parts
from blockqnn.errors import UserError
from blockqnn.full_training.records import central_part
from blockqnn.full_training.settings import FullData
from blockqnn.full_training.splits import (
    describe_full,
    in_memory,
    open_test,
    open_training,
)
from blockqnn.settings import DataSettings
from tests.blockqnn.prepared_dataset import SHAPE, images_of, label_features, prepare
from tests.test_layering import MODULES, imported


def named(name, data_dir="", **rest):
    return FullData(DataSettings(name, str(data_dir)), **rest)


def everything(part):
    return part.read(np.arange(len(part)))


def as_set(part):
    return {image.tobytes() for image in everything(part).images}


def reachable(*modules):
    """The project's modules that are imported, directly or through others."""
    found, left = set(), list(modules)
    while left:
        name = left.pop()
        module = name.removeprefix("blockqnn.")
        if name not in found and module in MODULES:
            found.add(name)
            left += imported(module)
    return found


def test_nothing_that_a_search_imports_reads_test_images():
    # The command line dispatches to all verbs; these do the searching.
    seen = reachable(
        "blockqnn.searching.command", "blockqnn.workers.worker", "blockqnn.evaluation.training"
    )
    assert {
        "blockqnn.searching.loop",
        "blockqnn.data.datasets",
        "blockqnn.data.tfds_source",
    } <= seen
    assert not [name for name in seen if name.startswith("blockqnn.full_training")]


def test_a_search_of_an_archive_reads_no_test_array(tmp_path, monkeypatch):
    path = tmp_path / "own.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 1), np.uint8)
    labels = np.arange(30) % 3
    np.savez(path, train_images=pixels, train_labels=labels, test_images=pixels, test_labels=labels)
    read, real = [], array_source._array
    monkeypatch.setattr(array_source, "_array", lambda *a: read.append(a[1]) or real(*a))
    load_search_parts(DataSettings(f"npz:{path}"))
    assert set(read) == {"train_images", "train_labels"}
    open_test(named(f"npz:{path}"))
    assert "test_images" in read


def test_the_test_split_of_the_digits_is_the_last_297_and_training_the_rest():
    train, validation = open_training(named("digits"))
    test = open_test(named("digits"))
    assert validation is None
    assert (len(train), len(test)) == (1500, 297)
    wanted = np.rint(load_digits().images[1500:] * 255 / 16).astype(np.uint8)[..., None]
    assert np.array_equal(everything(test).images, wanted)
    assert np.array_equal(everything(test).labels, load_digits().target[1500:])
    assert not as_set(train) & as_set(test)


def test_held_out_images_are_those_that_a_search_holds_out():
    data = FullData(DataSettings("digits", train_examples=200, split_seed=3), hold_out=True)
    for part, wanted in zip(open_training(data), load_search_parts(data.source), strict=True):
        assert np.array_equal(everything(part).images, wanted.images)
        assert np.array_equal(everything(part).labels, wanted.labels)
    with pytest.raises(UserError, match="--train_examples needs --hold_out"):
        open_training(dataclasses.replace(data, hold_out=False))


def test_synthetic_test_images_have_the_training_patterns_under_other_noise():
    data = named("synthetic:4x4x2:3:120")
    train, test = everything(open_training(data)[0]), everything(open_test(data))
    means = np.stack([train.images[train.labels == c].mean(0) for c in range(3)])
    distances = np.square(test.images[:, None] - means[None]).sum((2, 3, 4))
    assert np.mean(distances.argmin(1) == test.labels) > 0.95
    known = {image.tobytes() for image in train.images}
    assert not known & {image.tobytes() for image in test.images}


def test_prepared_splits_are_read_as_they_are_on_disk(tmp_path):
    prepare(tmp_path)
    data = named("little", tmp_path)
    info = describe_full(data)
    assert (info.stored, info.seen, info.classes) == (SHAPE, SHAPE, 3)
    assert (info.examples, info.test_split) == (24, "test")
    for (part, _), split, count in (
        (open_training(data), "train", 24),
        ((open_test(data), None), "test", 6),
    ):
        found = everything(part)
        assert np.array_equal(found.images, images_of(split, count))
        assert found.labels.tolist() == [i % 3 for i in range(count)]
        assert np.array_equal(part.split.labels(), found.labels)
        some = part.read(np.array([4, 1]))
        assert np.array_equal(some.images, images_of(split, count)[[4, 1]])
        assert np.array_equal(everything(in_memory(part)).images, found.images)


def test_validation_is_the_test_where_there_is_no_other_or_it_is_asked_for(tmp_path):
    prepare(tmp_path, splits=(("train", 12), ("validation", 6)))
    assert describe_full(named("little", tmp_path)).test_split == "validation"
    assert len(open_test(named("little", tmp_path))) == 6
    prepare(tmp_path, "both", splits=(("train", 12), ("validation", 3), ("test", 6)))
    assert describe_full(named("both", tmp_path)).test_split == "test"
    assert len(open_test(named("both", tmp_path, test_split="validation"))) == 3
    for wrong in ("train", "nope"):
        with pytest.raises(UserError, match="there are: test, validation"):
            describe_full(named("both", tmp_path, test_split=wrong))


def test_a_data_set_without_a_test_split_says_so(tmp_path):
    prepare(tmp_path, splits=(("train", 12),))
    assert describe_full(named("little", tmp_path)).test_split == ""
    with pytest.raises(UserError, match="little has no test split"):
        open_test(named("little", tmp_path))


def test_images_of_any_size_are_scaled_and_cut_to_a_square(tmp_path):
    prepare(tmp_path, features=label_features(3, (None, None, 3)))
    data = FullData(DataSettings("little", str(tmp_path), resize=(8, 8)), image_size=6)
    info = describe_full(data)
    assert (info.stored, info.seen) == ((8, 8, 3), (6, 6, 3))
    found = everything(open_training(data)[0])
    assert found.images.shape == (24, 8, 8, 3)
    wanted = Image.fromarray(images_of("train", 24, (4, 4, 3))[5]).resize((8, 8), 2)
    assert np.array_equal(found.images[5], np.asarray(wanted))
    with pytest.raises(UserError, match="one fixed height and width"):
        describe_full(named("little", tmp_path))


def test_the_middle_of_a_scaled_image_is_kept():
    pixels = np.zeros((6, 12, 3), np.uint8)
    pixels[:, 3:9] = 200
    square = np.asarray(central_part(Image.fromarray(pixels), (3, 3)))
    assert square.shape == (3, 3, 3)
    assert (square[:, 1] == 200).all()
    assert square.min() > 150


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (named("digits", image_size=9), "--image_size is 9, but the images of digits are 8x8"),
        (named("digits", test_split="x"), "--test_split is for data sets of TFDS"),
        (named("nope", "/nowhere"), "There is no data set 'nope' in /nowhere"),
    ],
)
def test_what_does_not_fit_is_refused(data, words):
    with pytest.raises(UserError, match=words):
        describe_full(data)


def test_images_without_a_label_are_refused(tmp_path, monkeypatch):
    prepare(tmp_path)
    part = open_test(named("little", tmp_path))
    monkeypatch.setattr(part.split, "_classes", 2)
    with pytest.raises(UserError, match="has images without a label"):
        everything(part)
    monkeypatch.undo()
    real = part.split._read
    monkeypatch.setattr(part.split, "_read", lambda i: [r | {"label": -1} for r in real(i)])
    with pytest.raises(UserError, match="has images without a label"):
        everything(part)


def test_names_of_classes_come_from_the_data_set(tmp_path):
    features = label_features(3)
    features["label"] = tfds.features.ClassLabel(names=["cat", "dog", "eel"])
    prepare(tmp_path, features=features)
    assert describe_full(named("little", tmp_path)).class_names == ("cat", "dog", "eel")
