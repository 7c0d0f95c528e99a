"""The data sets that need no preparation, and what is refused."""

import socket

import numpy as np
import pytest
from sklearn.datasets import load_digits

from blockqnn.data.datasets import describe, load_search_parts
from blockqnn.data.images import ImageInfo
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings


@pytest.fixture
def no_network(monkeypatch):
    """Whoever opens a connection fails the test."""

    def refuse(*_, **__):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def as_set(images):
    return {image.tobytes() for image in images}


def test_digits_are_scikit_learns_scaled_to_bytes():
    train, validation = load_search_parts(DataSettings("digits"))
    assert describe(DataSettings("digits")) == ImageInfo((8, 8, 1), 10)
    assert len(train) + len(validation) == 1500
    for part in (train, validation):
        assert part.images.shape[1:] == (8, 8, 1)
        assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int32)
    images = np.concatenate([train.images, validation.images])
    assert (images.min(), images.max()) == (0, 255)
    original = load_digits().images[:1500]
    assert images.mean() == pytest.approx(original.mean() * 255 / 16, rel=1e-3)
    assert images.std() == pytest.approx(original.std() * 255 / 16, rel=1e-3)


def test_every_digit_has_its_own_label():
    known = {
        np.rint(image * 255 / 16).astype(np.uint8).tobytes(): int(label)
        for image, label in zip(*load_digits(return_X_y=True), strict=True)
    }
    for part in load_search_parts(DataSettings("digits")):
        assert [known[image.tobytes()] for image in part.images] == part.labels.tolist()


def test_a_search_never_sees_the_last_297_digits():
    held_back = np.rint(load_digits().images[1500:] * 255 / 16).astype(np.uint8)
    assert len(held_back) == 297
    for part in load_search_parts(DataSettings("digits")):
        assert not as_set(part.images) & as_set(held_back)


def test_the_parts_of_the_digits_share_no_image_and_are_stratified():
    train, validation = load_search_parts(DataSettings("digits"))
    assert not as_set(train.images) & as_set(validation.images)
    for digit in range(10):
        total = np.sum(train.labels == digit) + np.sum(validation.labels == digit)
        assert abs(np.sum(validation.labels == digit) - total / 6) <= 0.5


def test_the_settings_of_the_split_reach_it():
    everything, held_out = load_search_parts(DataSettings("digits"))
    few, same = load_search_parts(DataSettings("digits", train_examples=100))
    _, other = load_search_parts(DataSettings("digits", split_seed=1))
    assert len(few) == 100
    assert as_set(few.images) < as_set(everything.images)
    assert np.array_equal(same.images, held_out.images)
    assert not np.array_equal(other.images[:100], held_out.images[:100])


@pytest.mark.parametrize(
    ("name", "info", "examples"),
    [
        ("synthetic", ImageInfo((8, 8, 1), 10), 600),
        ("synthetic:4x6x3:5:90", ImageInfo((4, 6, 3), 5), 90),
        ("synthetic:1x1x1:2:4", ImageInfo((1, 1, 1), 2), 4),
        ("synthetic:2x2x1:100", ImageInfo((2, 2, 1), 100), 1200),
    ],
)
def test_synthetic_data_has_the_shape_of_its_name(name, info, examples):
    settings = DataSettings(name)
    assert describe(settings) == info
    train, validation = load_search_parts(settings)
    assert len(train) + len(validation) == examples
    assert train.images.shape[1:] == info.shape
    assert (train.images.dtype, train.labels.dtype) == (np.uint8, np.int32)
    assert set(train.labels) == set(validation.labels) == set(range(info.classes))


def test_synthetic_data_is_the_same_every_time_and_can_be_learned():
    (train, validation), (again, _) = (
        load_search_parts(DataSettings("synthetic:4x4x2:3:120")) for _ in range(2)
    )
    assert np.array_equal(train.images, again.images)
    means = np.stack([train.images[train.labels == c].mean(0) for c in range(3)])
    distances = np.square(validation.images[:, None] - means[None]).sum((2, 3, 4))
    assert np.mean(distances.argmin(1) == validation.labels) > 0.95
    assert len(as_set(train.images)) == len(train)


@pytest.mark.parametrize(
    "name",
    [
        "synthetics",
        "synthetic:",
        "synthetic:8x8:10",
        "synthetic:8x8x1",
        "synthetic:8x8x1:10:",
        "synthetic:-8x8x1:10",
        "synthetic:0x8x1:10",
        "synthetic:8x0x1:10",
        "synthetic:8x8x0:10",
        "synthetic:8x8x1:1",
        "synthetic:8x8x1:10:19",
        "synthetic:8x8x1:10:600:1",
    ],
)
def test_a_wrong_name_of_synthetic_data_is_refused_by_saying_what_is_allowed(name):
    for use in (describe, load_search_parts):
        with pytest.raises(UserError) as refusal:
            use(DataSettings(name))
        assert repr(name) in str(refusal.value)
        assert "at least" in str(refusal.value) or "HEIGHTxWIDTH" in str(refusal.value)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", ["no_such_set", "cifar10", "Digits", "../x", "a b", "", "/", "x:"])
def test_what_is_not_prepared_is_refused_in_one_sentence_without_the_network(tmp_path, name):
    for use in (describe, load_search_parts):
        with pytest.raises(UserError) as refusal:
            use(DataSettings(name, data_dir=str(tmp_path)))
        message = str(refusal.value)
        assert f"{name!r} in {tmp_path}" in message
        assert ("prepare cifar10" if name == "cifar10" else "digits") in message
        assert "\n" not in message
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_network")
def test_a_dry_run_needs_no_images_of_a_well_known_data_set(tmp_path):
    settings = DataSettings("cifar100", data_dir=str(tmp_path))
    assert describe(settings, images_needed=False) == ImageInfo((32, 32, 3), 100)
    with pytest.raises(UserError):
        describe(settings, images_needed=True)
