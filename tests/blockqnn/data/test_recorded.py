"""Data are known by what they are, not by where they lie."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from blockqnn.data.datasets import digest
from blockqnn.data.recorded import as_recorded, check_record, record
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings
from tests.blockqnn.prepared_dataset import prepare

LABELS = np.arange(30) % 3
PIXELS = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3), np.uint8)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "own"
    for number, image in enumerate(PIXELS):
        place = root / "train" / f"class{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.bmp")
    return root


def named(path, **more):
    return DataSettings(f"folder:{path}", **more)


def test_the_same_files_have_one_digest_wherever_they_lie_and_whenever_written(
    folder, tmp_path, monkeypatch
):
    wanted = digest(named(folder))
    shutil.copytree(folder, tmp_path / "moved to" / "b", copy_function=shutil.copyfile)
    for file in (tmp_path / "moved to").rglob("*.bmp"):
        os.utime(file, (1, 1))
    monkeypatch.chdir(tmp_path)
    for name in (f"{folder}/", "own", "./own/", "moved to/b", "own/../own"):
        assert digest(named(name)) == wanted
    assert len(wanted) == 64
    (folder / "train" / "class0" / "notes.txt").write_text("not an image")
    assert digest(named(folder)) == wanted


def one_pixel(folder):
    path = folder / "train" / "class1" / "4.bmp"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def renamed(folder):
    (folder / "train" / "class1" / "4.bmp").rename(folder / "train" / "class1" / "5.bmp")


def another_class(folder):
    (folder / "train" / "class1" / "4.bmp").rename(folder / "train" / "class2" / "4.bmp")


def one_less(folder):
    (folder / "train" / "class1" / "4.bmp").unlink()


@pytest.mark.parametrize("change", [one_pixel, renamed, another_class, one_less])
def test_any_change_of_small_data_changes_the_digest(folder, change):
    before = digest(named(folder))
    change(folder)
    assert digest(named(folder)) != before


def test_large_data_are_sampled(folder, monkeypatch):
    monkeypatch.setattr("blockqnn.data.folder_source._WHOLE_BYTES", 0)
    before = digest(named(folder))
    one_pixel(folder)
    assert digest(named(folder)) != before, "small files are in the sample as a whole"
    before = digest(named(folder))
    one_less(folder)
    assert digest(named(folder)) != before


def archive(path, save=np.savez, **changes):
    save(path, **{"train_images": PIXELS, "train_labels": LABELS} | changes)
    return DataSettings(f"npz:{path}")


def test_archives_are_known_by_their_arrays_compressed_or_not(tmp_path):
    wanted = digest(archive(tmp_path / "a.npz"))
    assert digest(archive(tmp_path / "b.npz", np.savez_compressed)) == wanted
    assert digest(archive(tmp_path / "c.npz", other=LABELS)) == wanted
    changed = PIXELS.copy()
    changed[7, 1, 1, 1] ^= 1
    assert digest(archive(tmp_path / "d.npz", train_images=changed)) != wanted
    assert digest(archive(tmp_path / "e.npz", train_labels=(LABELS + 1) % 3)) != wanted


def test_what_tfds_has_prepared_is_known_by_its_files(tmp_path):
    for place, count in (("a", 24), ("b", 24), ("c", 27)):
        prepare(tmp_path / place, splits=(("train", count), ("test", 6)))
    one, same, other = (
        digest(DataSettings("little", str(tmp_path / place))) for place in ("a", "b", "c")
    )
    assert one == same != other
    assert digest(DataSettings("cifar10", str(tmp_path)), images_needed=False) == ""


def test_what_is_built_in_is_known_by_its_name():
    names = ("digits", "synthetic", "synthetic:8x8x1:10", "synthetic:8x8x1:10:500")
    one, two, three, four = (digest(DataSettings(name)) for name in names)
    assert two == three
    assert len({one, two, four}) == 3


def test_a_record_is_json_and_says_what_has_changed(folder):
    settings = named(folder)
    before = json.loads(json.dumps(record(settings)))
    assert before["classes"] == ["class0", "class1", "class2"]
    assert (before["train"], before["shape"]) == (30, [4, 4, 3])
    check_record(before, settings, "the run in r")
    check_record(None, settings, "the run in r")
    (folder / "train" / "aardvark").mkdir()
    Image.fromarray(PIXELS[0]).save(folder / "train" / "aardvark" / "1.bmp")
    with pytest.raises(UserError) as refusal:
        check_record(before, settings, "the run in r")
    assert str(refusal.value).startswith(
        "The data are not those with which the run in r was begun: new class aardvark; 30 training "
        "images then, 31 now. Put the old data back"
    )
    shutil.rmtree(folder / "train" / "aardvark")
    check_record(before, settings, "the run in r")
    one_pixel(folder)
    with pytest.raises(UserError, match="as many images of the same names, 30 for training, but"):
        check_record(before, settings, "the run in r")


def test_another_size_is_other_data_and_a_changed_test_split_only_where_it_counts(folder):
    before = record(named(folder))
    with pytest.raises(UserError, match="images of 4x4x3 then, 2x2x3 now"):
        check_record(before, named(f"{folder}:2x2"), "it")
    check_record(before, named(f"{folder}:4x4"), "it")
    shutil.copytree(folder / "train", folder / "test")
    with_test = record(named(folder))
    check_record(before, named(folder), "it", test=True)
    (folder / "test" / "class1" / "4.bmp").unlink()
    check_record(with_test, named(folder), "it")
    with pytest.raises(UserError, match="30 test images then, 29 now"):
        check_record(with_test, named(folder), "it", test=True)


def test_runs_that_held_images_out_go_on_so(folder):
    before = record(named(folder))
    shutil.copytree(folder / "train", folder / "val")
    now = named(folder)
    assert as_recorded(None, now) == dataclasses.replace(now, own_validation=False)
    held_out = as_recorded(before, now)
    assert not held_out.own_validation
    check_record(before, held_out, "it")
    assert as_recorded(record(now), now) == now
    with pytest.raises(UserError, match="0 validation images then, 30 now"):
        check_record(before, now, "it")


FOLDER = ("search", "--preset=smoke", "--evaluator=dry", "--executor=inline", "--run_dir=run")
LONGER = "--epsilon_schedule=1.0:1,0.5:1,0.1:2"


def test_a_search_goes_on_with_moved_data_and_refuses_changed_ones(blockqnn, folder, tmp_path):
    status, _, err = blockqnn(*FOLDER, f"--dataset=folder:{folder}")
    assert (status, err) == (0, "")
    trials = blockqnn.trials("run")
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    one_less(moved)
    status, _, err = blockqnn(*FOLDER, f"--dataset=folder:{moved}", LONGER)
    assert status == 2
    assert "30 training images then, 29 now" in err
    assert len(err.splitlines()) == 1
    assert blockqnn.trials("run") == trials, "nothing was lost or added"
    Image.fromarray(PIXELS[4]).save(moved / "train" / "class1" / "4.bmp")
    status, _, err = blockqnn(*FOLDER, f"--dataset=folder:{moved}/", LONGER)
    assert (status, err) == (0, "")
    assert len(blockqnn.trials("run")) > len(trials)
    assert f"--dataset=folder:{moved}/\n" in (blockqnn.directory / "run/search.flags").read_text()
    status, _, err = blockqnn(*FOLDER, "--dataset=digits", LONGER)
    assert status == 2
    assert "The data are not those with which" in err


def test_other_flags_of_the_data_still_make_another_search(blockqnn, folder):
    blockqnn(*FOLDER, f"--dataset=folder:{folder}")
    status, _, err = blockqnn(*FOLDER, f"--dataset=folder:{folder}", "--background=black", LONGER)
    assert status == 2
    assert "--background=white" in err


def test_a_class_with_one_image_is_refused_before_anything_is_trained(blockqnn, folder):
    (folder / "train" / "owl").mkdir()
    Image.fromarray(PIXELS[0]).save(folder / "train" / "owl" / "1.bmp")
    arguments = [argument for argument in FOLDER if "dry" not in argument]
    status, _, err = blockqnn(*arguments, f"--dataset=folder:{folder}")
    assert status == 2
    assert "the class owl has 1 training image" in err
