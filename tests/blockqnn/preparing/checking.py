"""What a command made of the small archive, or why it did not."""

import pathlib

import numpy as np

from blockqnn.data.datasets import describe, load_search_parts
from blockqnn.full_training.settings import FullData
from blockqnn.full_training.splits import describe_full, open_test
from blockqnn.preparing.archives import TEST
from blockqnn.preparing.records import order_of
from blockqnn.settings import DataSettings
from tests.blockqnn.preparing.small_archive import FILES


def refusal(blockqnn, *arguments):
    status, _, err = blockqnn("prepare", "cifar10", "--data_dir=data", *arguments)
    assert (status, err.count("\n"), err[:10]) == (2, 1, "blockqnn: ")
    assert not pathlib.Path("data/cifar10/3.0.2").exists()
    return err


def prepared(blockqnn, *arguments):
    status, out, err = blockqnn("prepare", "cifar10", "--data_dir=data", *arguments)
    assert (status, err) == (0, "")
    assert [path.name for path in pathlib.Path("data/cifar10").iterdir()] == ["3.0.2"]
    return out


def as_pixels(rows, labels=1):
    return rows[:, labels:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def check_images(data_dir="data"):
    """All images of both splits are there, each with its label."""
    source = DataSettings("cifar10", data_dir)
    assert (describe(source).shape, describe(source).classes) == ((32, 32, 3), 10)
    full = FullData(source)
    assert describe_full(full).class_names[3:5] == ("cat", "deer")
    test = open_test(full)
    images = test.read(np.arange(20))
    order = order_of(TEST, 20)
    np.testing.assert_array_equal(images.images, as_pixels(FILES["test.bin"])[order])
    assert images.labels.tolist() == [number % 10 for number in order]
    train, validation = load_search_parts(source)
    rows = np.concatenate([FILES["one.bin"], FILES["two.bin"]])
    label = {image.tobytes(): row[0] for image, row in zip(as_pixels(rows), rows, strict=True)}
    both = [*zip(train.images, train.labels, strict=True)]
    both += zip(validation.images, validation.labels, strict=True)
    assert {image.tobytes(): value for image, value in both} == label
