"""Data sets in NumPy archives of the user's, and what is refused of them."""

import dataclasses

import numpy as np
import pytest

from blockqnn.data.datasets import (
    contents,
    describe,
    load_search_parts,
    open_split,
    search_part_sizes,
    source_of,
)
from blockqnn.data.images import ImageInfo
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings

LABELS = np.arange(60) % 3
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 6, 5, 3), np.uint8)


@pytest.fixture
def archive(tmp_path):
    """Writes arrays and returns the settings that name them."""

    def archive(**arrays):
        path = tmp_path / "own.npz"
        np.savez(path, **arrays)
        return DataSettings(f"npz:{path}")

    return archive


def test_all_training_images_are_split_with_their_labels(archive):
    settings = archive(train_images=IMAGES, train_labels=LABELS, test_images=IMAGES[:3])
    assert describe(settings) == ImageInfo((6, 5, 3), 3)
    train, validation = load_search_parts(settings)
    assert (len(train), len(validation)) == (51, 9)
    assert search_part_sizes(settings) == (50, 10), "each class is rounded for itself"
    known = {image.tobytes(): label for image, label in zip(IMAGES, LABELS, strict=True)}
    found = []
    for part in (train, validation):
        assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int32)
        assert [known[image.tobytes()] for image in part.images] == part.labels.tolist()
        found += [image.tobytes() for image in part.images]
    assert set(found) == set(known)


def test_images_without_channels_have_one_and_compressed_archives_are_read(tmp_path):
    path = tmp_path / "grey.npz"
    np.savez_compressed(path, train_images=IMAGES[..., 0], train_labels=LABELS.astype(np.uint8))
    settings = DataSettings(f"npz:{path}")
    assert describe(settings).shape == (6, 5, 1)
    assert load_search_parts(settings)[0].images.shape == (51, 6, 5, 1)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"train_labels": LABELS}, r"has no train_images; it has train_labels\.npy; wanted are"),
        ({"train_images": IMAGES}, "has no train_labels"),
        ({"train_images": IMAGES[0], "train_labels": LABELS}, r"\[60\] beside 6 images"),
        ({"train_images": IMAGES[:0], "train_labels": LABELS[:0]}, r"shape \[0, 6, 5, 3\]"),
        ({"train_images": IMAGES, "train_labels": LABELS[1:]}, r"\[59\] beside 60 images"),
        ({"train_images": IMAGES, "train_labels": LABELS / 2}, "no whole numbers"),
        ({"train_images": IMAGES, "train_labels": LABELS * 2}, "goes from 0 to 4 with 3 different"),
        ({"train_images": IMAGES, "train_labels": LABELS * 2}, "return_inverse=True"),
        ({"train_images": IMAGES, "train_labels": LABELS - 1}, "goes from -1 to 1"),
        ({"train_images": IMAGES, "train_labels": LABELS * 0}, r"1 different label \(0\)"),
        ({"train_images": IMAGES, "train_labels": np.ones((60, 3))}, "a single one each"),
        ({"train_images": IMAGES, "train_labels": LABELS * 1j}, "integers or names"),
        ({"train_images": IMAGES / 255, "train_labels": LABELS}, r"\(255 \* images\)\.round"),
        ({"train_images": IMAGES / 127.5 - 1, "train_labels": LABELS}, r"127\.5 \* \(images \+ 1"),
        ({"train_images": IMAGES * 1.0, "train_labels": LABELS}, r": images\.round\(\)\.astype"),
        ({"train_images": IMAGES * 9.0 - 9, "train_labels": LABELS}, "before they were normalised"),
        ({"train_images": IMAGES * np.nan, "train_labels": LABELS}, "not finite"),
        ({"train_images": IMAGES.reshape(60, -1), "train_labels": LABELS}, r"\.reshape\(-1, HEIG"),
        ({"train_images": IMAGES.transpose(1, 2, 3, 0), "train_labels": LABELS}, r"es, -1, 0\)"),
        ({"x_train": IMAGES, "train_x": IMAGES, "y_train": LABELS}, "which both seem to be the"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused_by_name(archive, arrays, words):
    settings = archive(**arrays)
    with pytest.raises(UserError, match=words) as refusal:
        describe(settings)
    assert settings.dataset in str(refusal.value)


@pytest.mark.parametrize("shape", [(9, 3, 3, 3), (9, 4, 4, 4), (9, 2, 8, 8), (9, 3, 64, 4)])
def test_axes_that_are_not_certain_are_refused_with_what_to_do(archive, shape):
    settings = archive(train_images=np.zeros(shape, np.uint8), train_labels=np.arange(9) % 3)
    with pytest.raises(UserError, match=r"not certain .*numpy\.moveaxis\(images, 1, -1\)"):
        describe(settings)


@pytest.mark.parametrize(
    ("shape", "taken"),
    [
        ((9, 3, 10, 12), (10, 12, 3)),
        ((9, 1, 28, 28), (28, 28, 1)),
        ((9, 4, 10, 12), (10, 12, 4)),
        ((9, 3, 4, 4), (4, 4, 3)),
        ((9, 10, 12, 3), (10, 12, 3)),
        ((9, 4, 4, 3), (4, 4, 3)),
        ((9, 8, 8, 12), (8, 8, 12)),
        ((9, 6, 5, 2), (6, 5, 2)),
    ],
)
def test_axes_are_told_apart_where_that_is_certain(archive, shape, taken):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    settings = archive(train_images=pixels, train_labels=np.arange(9) % 3)
    assert describe(settings).shape == taken
    found = read(settings).images
    moved = pixels if taken == shape[1:] else np.moveaxis(pixels, 1, -1)
    assert np.array_equal(found, moved)
    assert ("[N, C, H, W]" in contents(settings).in_words()) == (taken != shape[1:])


def read(settings, split="train"):
    """All images of a split."""
    opened = open_split(settings, split)
    return opened.read(np.arange(len(opened)))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (LABELS[:, None], ("0", "1", "2")),
        (LABELS[None], ("0", "1", "2")),
        (LABELS.astype(float), ("0", "1", "2")),
        (LABELS.astype(">i8"), ("0", "1", "2")),
        (LABELS + 1, ("1", "2", "3")),
        (np.eye(3)[LABELS], ("0", "1", "2")),
        (np.eye(3, dtype=bool)[LABELS], ("0", "1", "2")),
        (np.array(["b", "cé", "d"])[LABELS], ("b", "cé", "d")),
        (np.array(["b", "ce\u0301", "d"])[LABELS], ("b", "cé", "d")),
        (np.array([b"b", "cé".encode(), b"d"])[LABELS], ("b", "cé", "d")),
    ],
)
def test_labels_are_taken_in_every_form_that_is_certain(archive, labels, names):
    settings = archive(train_images=IMAGES, train_labels=labels)
    assert source_of(settings).class_names() == names
    assert np.array_equal(read(settings).labels, LABELS)
    assert contents(settings).class_sizes == (20, 20, 20)


def test_names_are_sorted_and_labels_follow_them(archive):
    settings = archive(train_images=IMAGES, train_labels=np.array(["z", "a", "m"])[LABELS])
    assert source_of(settings).class_names() == ("a", "m", "z")
    assert read(settings).labels[:3].tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    "pixels", [IMAGES.astype(">i8"), np.asfortranarray(IMAGES), IMAGES.astype(np.uint16)]
)
def test_whole_numbers_from_0_to_255_are_taken_in_every_type(archive, pixels):
    settings = archive(train_images=pixels, train_labels=LABELS)
    assert np.array_equal(read(settings).images, IMAGES)
    assert read(settings).images.dtype == np.uint8


def test_numbers_beyond_a_byte_are_refused_and_true_is_white(archive):
    settings = archive(train_images=IMAGES.astype(int) * 16, train_labels=LABELS)
    with pytest.raises(UserError, match="values from 0 to 4,080; wanted is uint8"):
        contents(settings)
    settings = archive(train_images=IMAGES > 99, train_labels=LABELS)
    assert np.array_equal(read(settings).images, (IMAGES > 99) * 255)


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"),
        ("X_train", "Y_train", "X_valid", "Y_valid", "X_test", "Y_test"),
        ("train_x", "train_y", "validation_x", "validation_y", "test_x", "test_y"),
        ("train_data", "train_targets", "val_data", "val_targets", "test_data", "test_targets"),
    ],
)
def test_other_customs_of_naming_are_known_and_the_validation_split_judges(archive, names):
    parts = [
        array
        for part in (IMAGES[:30], IMAGES[30:45], IMAGES[45:])
        for array in (part, np.arange(len(part)) % 3)
    ]
    settings = archive(**dict(zip(names, parts, strict=True)))
    assert source_of(settings).counts() == {"train": 30, "validation": 15, "test": 15}
    train, validation = load_search_parts(settings)
    assert np.array_equal(train.images, IMAGES[:30])
    assert np.array_equal(validation.images, IMAGES[30:45])
    assert search_part_sizes(settings) == (30, 15)
    held = dataclasses.replace(settings, own_validation=False)
    assert [len(part) for part in load_search_parts(held)] == [24, 6]


def test_the_test_split_is_read_where_there_is_one(archive):
    settings = archive(train_images=IMAGES, train_labels=LABELS)
    assert "test" not in source_of(settings).counts()
    with pytest.raises(UserError, match="has no test_labels"):
        read(settings, "test")
    settings = archive(
        train_images=IMAGES, train_labels=LABELS, test_images=IMAGES[7:9], test_labels=[2, 0]
    )
    assert source_of(settings).counts()["test"] == 2
    test = read(settings, "test")
    assert test.labels.tolist() == [2, 0]
    assert np.array_equal(test.images, IMAGES[7:9])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"test_labels": LABELS}, "has no test_images"),
        ({"test_images": IMAGES[:, :5], "test_labels": LABELS}, r"\[5, 5, 3\], train_images"),
        ({"test_images": IMAGES, "test_labels": LABELS + 1}, "test_labels .* do not have: 3; tho"),
        ({"test_images": IMAGES, "test_labels": LABELS - 1}, "test_labels .* do not have: -1; th"),
        ({"test_images": IMAGES, "test_labels": LABELS[1:]}, r"\[59\] beside 60 images"),
        ({"test_images": IMAGES / 255, "test_labels": LABELS}, "test_images .* is float64"),
        ({"val_images": IMAGES, "val_labels": LABELS + 1}, "val_labels .* do not have: 3"),
    ],
)
def test_other_splits_that_cannot_be_used_are_refused_at_the_start(archive, arrays, words):
    settings = archive(train_images=IMAGES, train_labels=LABELS, **arrays)
    with pytest.raises(UserError, match=words):
        contents(settings)


def test_test_images_without_labels_are_passed_over(archive):
    settings = archive(train_images=IMAGES, train_labels=LABELS, test_images=IMAGES[:7])
    assert contents(settings).test == 0
    assert "passed over: 7 images of test without labels" in contents(settings).in_words()


def test_images_that_are_there_twice_are_counted(archive):
    settings = archive(
        train_images=np.concatenate([IMAGES, IMAGES[:4]]),
        train_labels=np.concatenate([LABELS, (LABELS[:4] + 1) % 3]),
        test_images=IMAGES[10:15],
        test_labels=LABELS[10:15],
    )
    assert contents(settings).notes == (
        "WARNING: 5 images of test are also in training.",
        "WARNING: 4 images stand in more than one class.",
    )


def test_images_are_scaled_to_a_size_that_is_named(archive):
    pixels = np.zeros((12, 8, 16, 1), np.uint8)
    pixels[:, :, 4:12] = 255
    settings = archive(train_images=pixels, train_labels=np.arange(12) % 3)
    settings = dataclasses.replace(settings, resize=(4, 4))
    assert describe(settings).shape == (4, 4, 1)
    assert "scaled to 4x4" in contents(settings).in_words()
    # The black sides are cut off; what the filter draws in of them is little.
    assert read(settings).images.shape == (12, 4, 4, 1)
    assert read(settings).images.min() > 200


class Evil:
    def __reduce__(self):
        return print, ("was run",)


def test_objects_are_never_unpickled(tmp_path, archive, capsys):
    objects = np.empty(60, object)
    objects[:] = [Evil()] * 60
    with pytest.raises(UserError, match=r"train_labels .* is object .*labels\.astype\(str\)"):
        describe(archive(train_images=IMAGES, train_labels=objects))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 no archive", b"\x93NUMPY\x01\x00"])
def test_files_that_are_no_archives_are_refused_by_name(tmp_path, content):
    path = tmp_path / "file.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        UserError, match=f"--dataset npz:{path}: {path} (is no|is a single array|cannot be)"
    ):
        describe(DataSettings(f"npz:{path}"))


def test_an_archive_that_is_cut_short_or_changed_is_refused(tmp_path, archive):
    settings = archive(train_images=IMAGES, train_labels=LABELS)
    path = tmp_path / "own.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is no NumPy archive"):
        describe(settings)
    changed = bytearray(whole)
    changed[1000] ^= 255
    path.write_bytes(changed)
    with pytest.raises(UserError, match=r"train_images .* cannot be read"):
        load_search_parts(settings)


def test_a_search_takes_an_archive(blockqnn, tmp_path):
    np.savez(tmp_path / "own.npz", train_images=IMAGES, train_labels=LABELS)
    out = blockqnn.search("--preset=smoke", f"--dataset=npz:{tmp_path / 'own.npz'}")
    assert "trained" in out
    status, _, err = blockqnn(
        "search", "--preset=smoke", "--run_dir=none", f"--dataset=npz:{tmp_path / 'absent.npz'}"
    )
    assert (status, err) == (
        2,
        f"blockqnn: --dataset npz:{tmp_path / 'absent.npz'}: {tmp_path / 'absent.npz'} cannot be "
        "read (No such file or directory).\n",
    )
    assert not (blockqnn.directory / "none").exists()
