"""What a training needs at its end is looked at before its first step; data that have changed."""

import dataclasses
import shutil

import numpy as np
import pytest

from blockqnn.children.checkpoint_metadata import Metadata
from blockqnn.errors import UserError
from blockqnn.flags import training
from blockqnn.full_training import directory, evaluate, searched
from blockqnn.full_training.directory import refuse_unwritable
from blockqnn.full_training.evaluation_images import choose, open_images
from blockqnn.full_training.parts import part_digest
from blockqnn.full_training.preparing import described, prepare
from blockqnn.full_training.settings import SearchedData
from blockqnn.full_training.splits import ArraySplit, Part
from blockqnn.settings import DataSettings
from tests.blockqnn.full_training.own_images import digest_of_files, folder
from tests.blockqnn.small_trainings import images

LABELS = np.arange(12) % 3


def pixels(count=12, side=8, channels=3):
    return np.zeros((count, side, side, channels), np.uint8)


BAD_TESTS = {
    "another size": ({"test_images": pixels(side=9), "test_labels": LABELS}, "test_images"),
    "other channels": ({"test_images": pixels(channels=1), "test_labels": LABELS}, "test_images"),
    "a strange label": ({"test_images": pixels(), "test_labels": LABELS + 1}, "test_labels"),
    "a negative label": ({"test_images": pixels(), "test_labels": LABELS - 1}, "test_labels"),
    "too few labels": ({"test_images": pixels(), "test_labels": LABELS[:5]}, "test_labels"),
    "no labels": ({"test_images": pixels()}, "test_labels"),
}


@pytest.mark.parametrize("fault", BAD_TESTS)
def test_a_test_split_that_does_not_fit_is_refused_before_the_first_step(blockqnn, fault):
    arrays, word = BAD_TESTS[fault]
    np.savez("own.npz", train_images=pixels(), train_labels=LABELS, **arrays)
    before = blockqnn.files()
    status, out, err = blockqnn(
        "train", "residual", "--dataset=npz:own.npz", "--epochs=1", "--compilation_cache=off"
    )
    assert (status, err.count("\n")) == (2, 1)
    assert word in err
    assert "epoch 1/" not in out
    assert blockqnn.files() == before


def test_a_test_image_that_cannot_be_read_is_refused_before_the_first_step(blockqnn):
    folder(blockqnn.directory / "own" / "train", per_class=3)
    test = folder(blockqnn.directory / "own" / "test", per_class=2)
    last = test / "stripes" / "01.png"
    last.write_bytes(last.read_bytes()[:60])
    before = blockqnn.files()
    status, out, err = blockqnn(
        "train", "residual", "--dataset=folder:own", "--epochs=1", "--compilation_cache=off"
    )
    assert (status, err.count("\n")) == (2, 1)
    assert str(last.relative_to(blockqnn.directory)) in err
    assert "epoch 1/" not in out
    assert blockqnn.files() == before


def test_a_disk_that_is_too_small_for_the_checkpoints_is_refused(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(directory.shutil, "disk_usage", lambda _: usage)
    refuse_unwritable(tmp_path / "run", 10**9)
    with pytest.raises(UserError, match=r"need about 2 GB, and 1 GB are free there"):
        refuse_unwritable(tmp_path / "run", 2 * 10**9)


@pytest.fixture
def digests(monkeypatch):
    """Digests of folders by all of their bytes."""
    monkeypatch.setattr(searched.datasets, "digest", digest_of_files)


def begun(settings):
    """The metadata with which a training of these settings begins."""
    return described(prepare(settings)[0], settings, ([0.0] * 3, [1.0] * 3), 1)


def asked(place, *words):
    return training.parse(["residual", f"--dataset=folder:{place}", "--filters=2", *words])


def test_a_training_goes_on_with_the_same_data_elsewhere_and_not_with_others(tmp_path, digests):
    here = folder(tmp_path / "here")
    before = begun(asked(here))
    assert before.data_digest == digest_of_files(DataSettings(f"folder:{here}"))
    elsewhere = shutil.copytree(here, tmp_path / "elsewhere")
    directory.refuse_other_training(tmp_path, before, begun(asked(elsewhere)))
    directory.refuse_other_training(tmp_path, before, begun(asked(f"{here}/")))
    # A training of an earlier version kept no digest, and knew its data by name.
    early = dataclasses.replace(before, data_digest="")
    directory.refuse_other_training(tmp_path, early, begun(asked(here)))
    with pytest.raises(UserError, match=r"was begun with --dataset="):
        directory.refuse_other_training(tmp_path, early, begun(asked(elsewhere)))
    shutil.copy(here / "cross" / "00.png", here / "circle" / "99.png")
    with pytest.raises(UserError, match=r"has changed since the training in .* was begun"):
        directory.refuse_other_training(tmp_path, before, begun(asked(here)))


def test_data_of_a_run_that_have_changed_are_refused_unless_they_are_named(tmp_path, digests):
    here = folder(tmp_path / "here")
    settings = asked(here)
    source = settings.data.source
    known = SearchedData(tmp_path / "run", source, "train", digest_of_files(source))
    of_run = dataclasses.replace(settings, searched=known, named=frozenset())
    prepare(of_run)
    shutil.copy(here / "cross" / "00.png", here / "circle" / "99.png")
    with pytest.raises(UserError, match=r"is not what the run in .* was made on"):
        prepare(of_run)
    prepare(dataclasses.replace(of_run, named=frozenset(["dataset"])))
    # A run of an earlier version kept no digest.
    prepare(dataclasses.replace(of_run, searched=dataclasses.replace(known, digest="")))


def read(metadata, name, split="judged"):
    """Labels of the images that are chosen, and the split that was taken."""
    chosen = choose(metadata, DataSettings(name), split)
    part = open_images(chosen)
    return chosen, part.read(np.arange(len(part))).labels.tolist()


def test_evaluate_finds_moved_data_and_refuses_changed_ones(tmp_path, digests):
    here = folder(tmp_path / "here")
    metadata = begun(asked(here))
    elsewhere = shutil.move(here, tmp_path / "elsewhere")
    with pytest.raises(UserError, match="--dataset says where the data of the training are now"):
        read(metadata, "")
    chosen, labels = read(metadata, f"folder:{elsewhere}")
    assert (chosen.own, chosen.split, sorted(labels)) == (True, "held_out", [0, 0, 1, 1, 2, 2])
    shutil.copytree(elsewhere, here)
    assert read(metadata, "")[0].split == "held_out"
    (here / "circle" / "00.png").unlink()
    with pytest.raises(UserError, match="has changed since the training"):
        read(metadata, "")
    # As other data they can be measured, all of them.
    chosen, labels = read(metadata, f"folder:{here}")
    assert (chosen.own, chosen.split, len(labels)) == (False, "all", 35)


def test_labels_of_other_data_are_matched_by_name(tmp_path, digests):
    metadata = begun(asked(folder(tmp_path / "here")))
    other = folder(tmp_path / "other", classes=("cross", "stripes"), per_class=2)
    chosen, labels = read(metadata, f"folder:{other}")
    # There cross is 0 and stripes 1; the network calls them 1 and 2.
    assert (chosen.labels.tolist(), labels) == ([1, 2], [1, 1, 2, 2])
    folder(tmp_path / "strange", classes=("cross", "square"), per_class=2)
    with pytest.raises(UserError, match=r"does not know: square; it was trained on circle, cross,"):
        read(metadata, f"folder:{tmp_path / 'strange'}")
    folder(tmp_path / "wide", side=9)
    with pytest.raises(UserError, match=r"are 9x9x3 .* takes 8x8x3 .* --resize=8x8 scales images"):
        read(metadata, f"folder:{tmp_path / 'wide'}")
    with pytest.raises(UserError, match=r"has no test split; --split=all measures all"):
        read(metadata, f"folder:{other}", "test")


def test_other_data_are_measured_by_their_test_split_if_they_have_one(tmp_path, digests):
    metadata = begun(asked(folder(tmp_path / "here")))
    folder(tmp_path / "other" / "train", per_class=4)
    folder(tmp_path / "other" / "test", per_class=2, seed=1)
    name = f"folder:{tmp_path / 'other'}"
    found = {split: read(metadata, name, split) for split in ("judged", "test", "train", "all")}
    assert {split: chosen.split for split, (chosen, _) in found.items()} == {
        "judged": "test",
        "test": "test",
        "train": "train",
        "all": "all",
    }
    assert [len(labels) for _, labels in found.values()] == [6, 6, 12, 18]
    assert found["all"][1] == found["train"][1] + found["test"][1]


def test_a_training_of_an_earlier_version_was_judged_by_the_test_split_alone(tmp_path):
    metadata = begun(training.parse(["residual", "--filters=2"]))
    early = dict(metadata.data)
    del early["judged_on"]
    old: Metadata = dataclasses.replace(metadata, data=early | {"resize": 0}, data_digest="")
    assert choose(old, DataSettings(""), "judged").split == "test"
    no_test = early | {"source": {"dataset": f"folder:{folder(tmp_path / 'own', side=8)}"}}
    layout = metadata.layout | {"channels": 3, "classes": 3}
    old = dataclasses.replace(old, data=no_test, layout=layout)
    with pytest.raises(UserError, match=r"no test split, and the training held no images out"):
        choose(old, DataSettings(""), "judged")
    assert choose(old, DataSettings(""), "train").split == "train"


def test_images_that_judged_are_known_again(capsys):
    whole = images(30)
    one = Part(ArraySplit(whole), np.arange(10, 20))
    assert part_digest(one) == part_digest(Part(ArraySplit(whole.take(one.indices)), np.arange(10)))
    changed = whole.images.copy()
    changed[12, 3, 3] ^= 1
    other = Part(ArraySplit(dataclasses.replace(whole, images=changed)), one.indices)
    assert part_digest(other) != part_digest(one)
    metadata = begun(training.parse(["residual", "--filters=2"]))
    chosen = choose(metadata, DataSettings(""), "judged")
    known = dataclasses.replace(metadata, judged_digest=part_digest(one))
    evaluate._warn_of_change(known, chosen, one)
    assert capsys.readouterr().err == ""
    evaluate._warn_of_change(known, chosen, other)
    assert "the test split of digits is not what judged the training" in capsys.readouterr().err
