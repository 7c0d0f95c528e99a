"""Which folders are classes, which are splits, and which are neither."""

import dataclasses
import unicodedata

import numpy as np
import pytest
from PIL import Image

from blockqnn.data.datasets import check_parts, contents, describe, image_sizes, load_search_parts
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings

_level = iter(range(10**6))


def fill(folder, count=3, size=(3, 3)):
    """Puts different images into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        value = next(_level)
        colour = (value % 251, value // 251 % 256, 7)
        Image.new("RGB", (size[1], size[0]), colour).save(folder / f"{number}.png")


def classes(place, names=("cat", "dog"), count=3):
    for name in names:
        fill(place / name, count)


def found(root, **more):
    return contents(DataSettings(f"folder:{root}", **more))


@pytest.mark.parametrize("train", ["train", "Train", "TRAINING", "training_set"])
@pytest.mark.parametrize("validation", ["val", "valid", "Validation"])
@pytest.mark.parametrize("test", ["test", "Testing", "TEST"])
def test_splits_are_known_by_their_usual_names(tmp_path, train, validation, test):
    classes(tmp_path / train, count=4)
    classes(tmp_path / validation, count=2)
    classes(tmp_path / test, count=1)
    here = found(tmp_path)
    assert (here.train, here.validation, here.test) == (8, 4, 2)
    assert here.class_names == ("cat", "dog")


def test_a_validation_split_judges_unless_it_is_not_wanted(tmp_path):
    classes(tmp_path / "train", count=6)
    classes(tmp_path / "val", count=2)
    settings = DataSettings(f"folder:{tmp_path}")
    assert [len(part) for part in load_search_parts(settings)] == [12, 4]
    few = dataclasses.replace(settings, train_examples=4, validation_examples=2)
    for part, count in zip(load_search_parts(few), (2, 1), strict=True):
        assert np.bincount(part.labels).tolist() == [count, count]
    held = dataclasses.replace(settings, own_validation=False)
    assert [len(part) for part in load_search_parts(held)] == [10, 2]


def test_a_class_called_like_a_split_is_named_and_can_be_had_or_passed_over(tmp_path):
    classes(tmp_path, ("car", "plane", "train"))
    with pytest.raises(UserError) as refusal:
        found(tmp_path)
    for words in ("train in ", "car and plane", "--class_folders=train", "--skip_folders=train"):
        assert words in str(refusal.value)
    assert found(tmp_path, class_folders=("train",)).class_names == ("car", "plane", "train")
    assert found(tmp_path, skip_folders=("train",)).class_names == ("car", "plane")


def test_unlabelled_images_beside_classes_are_named(tmp_path):
    classes(tmp_path, ("OK", "NG", "test"))
    with pytest.raises(UserError, match=r"--class_folders=test.*--skip_folders=test"):
        found(tmp_path)
    assert found(tmp_path, skip_folders=("test",)).class_names == ("NG", "OK")


def test_classes_beside_a_validation_split_are_named(tmp_path):
    classes(tmp_path)
    classes(tmp_path / "val")
    with pytest.raises(UserError, match=r"holds images beside the splits val"):
        found(tmp_path)


def test_two_classes_called_like_splits_can_be_had(tmp_path):
    classes(tmp_path, ("train", "test"))
    with pytest.raises(UserError, match="--class_folders=test,train"):
        found(tmp_path)
    assert found(tmp_path, class_folders=("test", "train")).class_names == ("test", "train")


def test_two_folders_of_one_split_are_refused(tmp_path):
    for name in ("train", "val", "validation"):
        classes(tmp_path / name)
    with pytest.raises(UserError, match=r"val and .*validation are both folders of validation"):
        found(tmp_path)


def test_a_test_split_without_training_images_is_refused(tmp_path):
    classes(tmp_path / "test")
    with pytest.raises(UserError, match="has test and no folder train"):
        found(tmp_path)


def test_unlabelled_test_images_are_passed_over_and_counted(tmp_path):
    classes(tmp_path / "train")
    fill(tmp_path / "test", 5)
    here = found(tmp_path)
    assert (here.train, here.test) == (6, 0)
    assert here.passed_over == {"images without a class in test": 5}


@pytest.mark.parametrize(
    "litter",
    ["__MACOSX", "@eaDir", ".ipynb_checkpoints", ".git", "$RECYCLE.BIN", "lost+found", "#recycle"],
)
def test_what_systems_leave_is_passed_over(tmp_path, litter):
    classes(tmp_path)
    fill(tmp_path / litter / "cat")
    fill(tmp_path / "cat" / litter)
    for name in ("Thumbs.db", ".DS_Store", "._0.png", "desktop.ini"):
        (tmp_path / "cat" / name).write_bytes(b"\0\5\x16\7")
    here = found(tmp_path)
    assert (here.train, here.class_names, here.passed_over) == (6, ("cat", "dog"), {})


def test_files_that_cannot_be_read_are_counted_by_suffix(tmp_path):
    classes(tmp_path)
    for name in ("a.heic", "b.HEIC", "notes.txt", "README"):
        (tmp_path / "dog" / name).write_bytes(b"x")
    (tmp_path / "labels.csv").write_bytes(b"x")
    fill(tmp_path, 2)
    here = found(tmp_path)
    assert here.passed_over == {
        ".csv": 1,
        ".heic": 2,
        ".txt": 1,
        "files without a suffix": 1,
        "images beside the folders of classes": 2,
    }
    assert "passed over: 1 .csv, 2 .heic, 1 .txt, 1 files without" in here.in_words()


def test_suffixes_count_in_any_case(tmp_path):
    classes(tmp_path)
    for old, new in (("0", "0.PNG"), ("1", "1.Png")):
        (tmp_path / "cat" / f"{old}.png").rename(tmp_path / "cat" / new)
    Image.new("RGB", (3, 3)).save(tmp_path / "cat" / "9.jfif", "JPEG")
    assert found(tmp_path).train == 7


def test_class_names_are_compared_in_one_unicode_form(tmp_path):
    for split, form in (("train", "NFC"), ("test", "NFD")):
        classes(tmp_path / split, [unicodedata.normalize(form, n) for n in ("größe", "klein")])
    here = found(tmp_path)
    assert (here.class_names, here.test) == (("größe", "klein"), 6)
    with pytest.raises(UserError, match=r"train has 1 folder \(klein\)"):
        found(tmp_path, skip_folders=(unicodedata.normalize("NFD", "größe"),))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda r: fill(r / "owl", 0), "owl has no image; read are files of"),
        (lambda r: fill(r / "cat" / "young"), "cat has folders of images in it, such as young"),
    ],
)
def test_odd_classes_are_named(tmp_path, make, words):
    classes(tmp_path)
    make(tmp_path)
    with pytest.raises(UserError, match=words):
        found(tmp_path)


def test_a_class_of_files_that_cannot_be_read_says_which(tmp_path):
    classes(tmp_path)
    (tmp_path / "owl").mkdir()
    (tmp_path / "owl" / "a.heic").write_bytes(b"x")
    with pytest.raises(UserError, match=r"owl has no image that can be read \(1 .heic\)"):
        found(tmp_path)


def test_images_without_folders_are_told_what_is_wanted(tmp_path):
    fill(tmp_path, 4)
    with pytest.raises(UserError, match="holds 4 images and no folders; wanted is a folder for"):
        found(tmp_path)


def test_a_class_with_too_few_images_is_named_with_its_number(tmp_path):
    classes(tmp_path)
    fill(tmp_path / "owl", 1)
    assert found(tmp_path).smallest_class == ("owl", 1)
    assert "1 (owl) to 3 of a class" in found(tmp_path).in_words()
    settings = DataSettings(f"folder:{tmp_path}")
    with pytest.raises(UserError, match="the class owl has 1 training image; needed are at least"):
        check_parts(settings)
    with pytest.raises(UserError, match="of which owl has 1 image"):
        load_search_parts(settings)


def test_other_splits_of_another_size_or_class_are_found_at_the_start(tmp_path):
    classes(tmp_path / "train")
    fill(tmp_path / "test" / "dog", 1, (4, 3))
    with pytest.raises(UserError, match=r"test/dog/0.png has 4x3 pixels; the training images"):
        found(tmp_path)
    assert found(tmp_path, resize=(3, 3)).test == 1
    fill(tmp_path / "val" / "Cat", 1)
    with pytest.raises(UserError, match=r"val/Cat is a class that .*train does not have"):
        found(tmp_path)


def test_a_folder_may_be_called_like_a_size_and_hold_colons_and_blanks(tmp_path, monkeypatch):
    for name in ("a:8x8", "my images: 2024"):
        classes(tmp_path / name)
        assert describe(DataSettings(f"folder:{tmp_path / name}")).shape == (3, 3, 3)
    assert describe(DataSettings(f"folder:{tmp_path / 'a:8x8'}:2x1")).shape == (2, 1, 3)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert describe(DataSettings("folder:~/my images: 2024")).shape == (3, 3, 3)


def test_sizes_may_differ_where_they_are_only_looked_at(tmp_path):
    fill(tmp_path / "cat", 2, (4, 6))
    fill(tmp_path / "dog", 1, (8, 10))
    sizes = image_sizes(DataSettings(f"folder:{tmp_path}"))
    assert (sizes.one, sizes.median) == (None, (4, 6))
    assert (sizes.smallest, sizes.largest) == ((4, 6), (8, 10))
    assert image_sizes(DataSettings(f"folder:{tmp_path}:5x5")).one == (5, 5)


def test_links_to_classes_are_followed(tmp_path):
    classes(tmp_path / "store")
    (tmp_path / "own").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "own" / name).symlink_to(tmp_path / "store" / name)
    assert found(tmp_path / "own").train == 6


def test_images_in_two_splits_or_classes_are_counted(tmp_path):
    classes(tmp_path / "train")
    classes(tmp_path / "test")
    copy = (tmp_path / "train" / "cat" / "0.png").read_bytes()
    (tmp_path / "test" / "cat" / "0.png").write_bytes(copy)
    (tmp_path / "train" / "dog" / "9.png").write_bytes(copy)
    assert found(tmp_path).notes == (
        "WARNING: 1 image of test is also in training.",
        "WARNING: 1 image stands in more than one class.",
    )
