"""Trainings of a run's blocks: on the run's data, judged by what the search held out."""

import contextlib
import io
import json
import re
import shutil

import numpy as np
import pytest

import blockqnn as package
from blockqnn.__main__ import main
from blockqnn.children.checkpoint import find_checkpoint, load_checkpoint
from blockqnn.children.checkpoint_metadata import read_metadata
from blockqnn.data.datasets import load_search_parts
from blockqnn.errors import UserError
from blockqnn.flags import training
from blockqnn.full_training.directory import read_result
from blockqnn.full_training.evaluation_images import choose, open_images
from blockqnn.full_training.parts import HELD_OUT, judge_of, open_parts
from blockqnn.full_training.preparing import prepare
from blockqnn.full_training.splits import describe_full
from blockqnn.settings import DataSettings
from tests.blockqnn.full_training.own_images import CLASSES, as_set, folder

SHORT = ("--epochs=1", "--compilation_cache=off")


def called(*words):
    """Runs a verb that must end well; returns what it printed."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        assert main([str(word) for word in words]) == 0
    return stream.getvalue()


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A folder of images, and the run of a search of it that made its accuracies up."""
    place = tmp_path_factory.mktemp("searched")
    images = folder(place / "photos")
    words = ("--preset=smoke", "--evaluator=dry", "--executor=inline", "--filters=4")
    run = place / "run"
    called("search", *words, f"--dataset=folder:{images}", "--split_seed=3", f"--run_dir={run}")
    return images, run


@pytest.fixture(scope="module")
def trained(searched, tmp_path_factory):
    """The best block of that run, trained, and what was printed."""
    out_dir = tmp_path_factory.mktemp("trained") / "best"
    printed = called("train", f"{searched[1]}#best", *SHORT, f"--out_dir={out_dir}")
    return out_dir, printed


def held_out_by_a_search(images, seed):
    """The pixels of the images that a search holds out."""
    return load_search_parts(DataSettings(f"folder:{images}", split_seed=seed))[1].images


def test_the_data_layout_and_size_are_the_runs(searched):
    images, run = searched
    for reference in (f"{run}#best", f"{run}#1", str(run)):
        settings = training.parse([reference])
        assert settings.data.source.dataset == f"folder:{images}"
        assert settings.data.source.split_seed == 3
        assert (settings.preset, settings.name) == ("train_own", "photos")
        one = prepare(settings)[0]
        assert (one.layout.kind, one.layout.filters, one.layout.repeats) == ("cifar", (4,), 1)
        assert (one.layout.image_shape, one.layout.classes) == ((8, 8, 3), 3)
        # 36 images, of which 30 are trained on: batches of 8, 3 an epoch, at most 60 epochs.
        assert (settings.recipe.batch_size, settings.recipe.epochs) == (8, 60)
        assert str(one.directory) == f"runs/train-photos-{one.block.hash[:8]}"


def test_other_data_are_taken_where_they_are_named(searched):
    _, run = searched
    settings = training.parse([f"{run}#best", "--dataset=digits"])
    assert (settings.data.source.dataset, settings.preset) == ("digits", "train_digits")
    assert settings.data.source.split_seed == 0
    # The layout stays the run's.
    assert prepare(settings)[0].layout.filters == (4,)


@pytest.mark.parametrize(
    ("dataset", "preset"),
    [
        ("digits", "train_digits"),
        ("cifar10", "train_cifar10_cpu"),
        ("imagenet2012", "train_imagenet"),
    ],
)
def test_the_preset_is_that_of_the_data(blockqnn, dataset, preset):
    blockqnn.search("--preset=smoke", f"--dataset={dataset}", "--run_dir=run") if (
        dataset != "imagenet2012"
    ) else None
    words = ["run#best"] if dataset != "imagenet2012" else ["residual", f"--dataset={dataset}"]
    settings = training.parse(words)
    assert (settings.preset, settings.data.source.dataset) == (preset, dataset)
    if words == ["run#best"]:
        assert settings.layout.filters == ()


def test_a_named_preset_brings_its_data_and_one_that_is_a_recipe_does_not(searched):
    images, run = searched
    settings = training.parse([f"{run}#best", "--preset=train_digits"])
    assert settings.data.source.dataset == "digits"
    assert f"the run searched on folder:{images}" in settings.data_origin
    settings = training.parse([f"{run}#best", "--preset=train_modern"])
    assert settings.data.source.dataset == f"folder:{images}"
    assert settings.recipe.schedule == "cosine"
    assert training.parse(["residual", "--preset=train_modern"]).data.source.dataset == "cifar10"


def test_a_bare_code_takes_the_digits_and_says_so():
    settings = training.parse(["residual"])
    assert (settings.data.source.dataset, settings.preset) == ("digits", "train_digits")
    assert settings.data_origin == (
        "those of the preset train_digits, as neither a run nor --dataset names any"
    )


def test_what_the_search_held_out_judges_and_is_not_trained_on(searched):
    images, run = searched
    data = training.parse([f"{run}#best"]).data
    info = describe_full(data)
    assert judge_of(data, info) == HELD_OUT
    parts = open_parts(data, info, HELD_OUT)
    judged = as_set(parts.judged.read(np.arange(len(parts.judged))).images)
    trained_on = as_set(parts.train.read(np.arange(len(parts.train))).images)
    # One in six of twelve images of each class.
    assert (len(judged), len(trained_on)) == (6, 30)
    assert judged == as_set(held_out_by_a_search(images, seed=3))
    assert judged != as_set(held_out_by_a_search(images, seed=0))
    assert not judged & trained_on


def test_it_says_what_it_read_and_what_judges(searched, trained):
    images, run = searched
    out_dir, printed = trained
    lines = printed.splitlines()
    assert re.fullmatch(
        rf"Trains {run}#\d+ \(best by reward\) on folder:{images}: 36 images of 8x8x3 in 3 "
        r"classes, 1 in 6 held out; on .*\.",
        lines[0],
    )
    assert f"Data:       those of {run}" in lines
    assert "Classes:    circle, cross, stripes" in lines
    assert f"Directory:  {out_dir}" in lines
    assert "Read: 30 images to train on, 6 images held out." in printed
    result = read_result(out_dir)
    assert (result["judged_on"], result["held_out"]["examples"]) == ("held_out", 6)
    assert "test" not in result
    assert f"Held-out error on 6 images: {result['held_out']['error']:.2f} %." in lines


def test_evaluate_measures_the_same_images(searched, trained):
    images, _ = searched
    out_dir, _ = trained
    words = ("evaluate", out_dir, "--batch_sizes=", "--format=json")
    found = json.loads(called(*words))
    wanted = read_result(out_dir)["held_out"]
    assert (found["split"], found["examples"], found["error"]) == ("held_out", 6, wanted["error"])
    metadata = read_metadata(find_checkpoint(out_dir))
    assert metadata.data["judged_on"] == "held_out"
    for split, count in (("judged", 6), ("test", 6), ("validation", 6), ("train", 30), ("all", 36)):
        part = open_images(choose(metadata, DataSettings(""), split))
        pixels = as_set(part.read(np.arange(len(part))).images)
        held_out = as_set(held_out_by_a_search(images, seed=3))
        assert len(pixels) == count or split == "train"
        assert (pixels == held_out) == (count == 6)
        assert (pixels >= held_out) == (count != 30)


def test_without_a_test_all_images_are_trained_on(searched):
    settings = training.parse([f"{searched[1]}#best", "--notest"])
    one = prepare(settings)[0]
    parts = open_parts(settings.data, one.info, one.judge)
    assert (len(parts.train), parts.judged, parts.validation) == (36, None, None)


def test_held_out_images_may_be_measured_after_each_epoch_too(searched):
    settings = training.parse([f"{searched[1]}#best", "--hold_out"])
    one = prepare(settings)[0]
    parts = open_parts(settings.data, one.info, one.judge)
    assert one.judge == HELD_OUT
    assert parts.validation is parts.judged
    assert (len(parts.train), len(parts.judged)) == (30, 6)


def test_a_folder_with_a_test_split_is_judged_by_that(tmp_path):
    folder(tmp_path / "both" / "train", per_class=4)
    folder(tmp_path / "both" / "test", per_class=2, seed=1)
    settings = training.parse(["residual", f"--dataset=folder:{tmp_path / 'both'}"])
    one = prepare(settings)[0]
    parts = open_parts(settings.data, one.info, one.judge)
    assert (one.judge, len(parts.train), len(parts.judged)) == ("test", 12, 6)


@pytest.mark.parametrize("flag", ["--split_seed=4", "--train_examples=9"])
def test_flags_of_what_is_held_out_are_refused_where_nothing_is(flag):
    with pytest.raises(UserError, match=f"{flag.partition('=')[0]} "):
        prepare(training.parse(["residual", flag]))
    prepare(training.parse(["residual", flag, "--hold_out"])) if "seed" in flag else None


def test_data_that_a_run_names_and_never_read_may_be_missing(blockqnn, tmp_path):
    blockqnn.search("--preset=cifar10_small", "--run_dir=run")
    status, out, err = blockqnn("train", "run#best", f"--data_dir={tmp_path}")
    assert (status, out) == (2, "")
    assert err.startswith(
        "blockqnn: The run in run names cifar10 as its data (it made its accuracies up and read no "
        "images), which cannot be used here: There is no data set 'cifar10'"
    )
    assert err.count("\n") == 1


def test_a_run_of_a_function_names_no_data(blockqnn):
    package.search(lambda code: 50.0, "mine", budget=3)
    status, out, err = blockqnn("train", "mine#best")
    assert (status, out) == (2, "")
    assert err == (
        "blockqnn: The run in mine names no data, because a function gave its accuracies; "
        "--dataset says which images to train on.\n"
    )
    assert training.parse(["mine#best", "--dataset=digits"]).preset == "train_digits"


def test_a_moved_training_goes_on_by_its_flags_where_it_lies_now(searched, trained, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(trained[0], moved)
    settings = training.parse([f"{searched[1]}#best", f"--flagfile={moved / 'train.flags'}"])
    assert settings.out_dir == moved
    assert settings.recipe.epochs == 1


def test_the_same_command_goes_on_whatever_would_be_chosen_now(searched, trained, monkeypatch):
    words = [f"{searched[1]}#best", f"--out_dir={trained[0]}"]
    before = load_checkpoint(trained[0]).metadata.flags
    assert training.parse(words).flag_values == before
    assert training.parse([*words, "--epochs=9"]).flag_values == before | {"epochs": "9"}


def test_class_names_are_kept(trained):
    assert read_metadata(find_checkpoint(trained[0])).class_names == list(CLASSES)
