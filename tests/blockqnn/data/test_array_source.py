"""Data sets in NumPy archives of the user's, and what is refused of them."""

import numpy as np
import pytest

from blockqnn.data import array_source
from blockqnn.data.datasets import describe, load_search_parts, search_part_sizes
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
        ({"train_images": IMAGES / 255, "train_labels": LABELS}, "train_images .* is float64 .60"),
        ({"train_images": IMAGES[0], "train_labels": LABELS}, r"\[6, 5, 3\] beside|6 images"),
        ({"train_images": IMAGES[:0], "train_labels": LABELS[:0]}, r"uint8 \[0, 6, 5, 3\]"),
        ({"train_images": IMAGES, "train_labels": LABELS[1:]}, r"\[59\] beside 60 images"),
        ({"train_images": IMAGES, "train_labels": LABELS[:, None]}, r"\[60, 1\] beside"),
        ({"train_images": IMAGES, "train_labels": LABELS / 2}, "train_labels .* is float64"),
        ({"train_images": IMAGES, "train_labels": LABELS + 1}, "go from 1 to 3 with 3 different"),
        ({"train_images": IMAGES, "train_labels": LABELS * 2}, "go from 0 to 4 with 3 different"),
        ({"train_images": IMAGES, "train_labels": LABELS - 1}, "go from -1 to 1"),
        ({"train_images": IMAGES, "train_labels": LABELS * 0}, "at least two classes"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused_by_name(archive, arrays, words):
    settings = archive(**arrays)
    with pytest.raises(UserError, match=words) as refusal:
        describe(settings)
    assert settings.dataset in str(refusal.value)


def test_the_test_split_is_read_where_there_is_one(archive):
    settings = archive(train_images=IMAGES, train_labels=LABELS)
    assert not array_source.has_test_split(settings.dataset)
    with pytest.raises(UserError, match="has no test_images"):
        array_source.read(settings.dataset, "test")
    settings = archive(
        train_images=IMAGES, train_labels=LABELS, test_images=IMAGES[7:9], test_labels=[2, 0]
    )
    assert array_source.has_test_split(settings.dataset)
    test = array_source.read(settings.dataset, "test")
    assert test.labels.tolist() == [2, 0]
    assert np.array_equal(test.images, IMAGES[7:9])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"test_images": IMAGES}, "has no test_labels"),
        ({"test_labels": LABELS}, "has no test_images"),
        ({"test_images": IMAGES[:, :5], "test_labels": LABELS}, r"\[5, 5, 3\], train_images"),
        ({"test_images": IMAGES, "test_labels": LABELS + 1}, "test_labels .* go from 1 to 3, tr"),
        ({"test_images": IMAGES, "test_labels": LABELS - 1}, "test_labels .* go from -1 to 1, tr"),
        ({"test_images": IMAGES, "test_labels": LABELS[1:]}, r"\[59\] beside 60 images"),
        ({"test_images": IMAGES / 255, "test_labels": LABELS}, "test_images .* is float64"),
    ],
)
def test_test_arrays_that_cannot_be_used_are_refused_by_name(archive, arrays, words):
    settings = archive(train_images=IMAGES, train_labels=LABELS, **arrays)
    assert array_source.has_test_split(settings.dataset)
    with pytest.raises(UserError, match=words):
        array_source.read(settings.dataset, "test")


class Evil:
    def __reduce__(self):
        return print, ("was run",)


def test_objects_are_never_unpickled(tmp_path, archive, capsys):
    objects = np.empty(60, object)
    objects[:] = [Evil()] * 60
    with pytest.raises(UserError, match=r"train_labels .* is object"):
        describe(archive(train_images=IMAGES, train_labels=objects))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 no archive", b"\x93NUMPY\x01\x00"])
def test_files_that_are_no_archives_are_refused_by_name(tmp_path, content):
    path = tmp_path / "file.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"--dataset npz:{path}: {path} (is no|cannot be)"):
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
