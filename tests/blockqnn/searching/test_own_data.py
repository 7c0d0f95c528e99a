"""Searches on data of one's own: where they land, what is printed, and how they go on."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from blockqnn.errors import UserError
from blockqnn.flags import own
from blockqnn.flags.choosing import MachineFacts
from blockqnn.flags.own import data_name, run_directory_of
from blockqnn.flags.preset_files import preset_names
from blockqnn.flags.search import parse


def folder(path, size=(16, 16), images=6, seed=0):
    """A folder of images of two classes."""
    random = np.random.default_rng(seed)
    for name in ("cats", "dogs"):
        (path / name).mkdir(parents=True)
        for number in range(images):
            pixels = random.integers(0, 255, (*size, 3), np.uint8)
            Image.fromarray(pixels).save(path / name / f"{number}.png")
    return path


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("folder:/data/photos", "photos"),
        ("folder:/data/photos/", "photos"),
        ("folder:/data/photos:64x64", "photos"),
        ("folder:/data/my photos #2", "my-photos-2"),
        ("folder:/data/K\u006f\u0308ln", "K\u00f6ln"),
        ("folder:/", "images"),
        ("npz:../arrays.v2.npz", "arrays.v2"),
        ("cifar10", "cifar10"),
        ("horses_or_humans/x:3.0.0", "horses_or_humans-x-3.0.0"),
        ("synthetic:8x8x1:3", "synthetic-8x8x1-3"),
    ],
)
def test_data_have_a_name_that_a_directory_can_have(dataset, name):
    assert data_name(dataset) == name


@pytest.mark.parametrize(
    ("preset", "dataset", "directory"),
    [
        ("digits", "digits", "runs/digits"),
        ("digits", "folder:a/photos", "runs/digits-photos"),
        ("digits", "folder:a/digits", "runs/digits-digits"),
        ("own", "folder:a/photos", "runs/photos"),
        ("own", "folder:a/digits", "runs/own-digits"),
        ("own", "digits", "runs/own-digits"),
        ("own", "cifar10", "runs/own-cifar10"),
        ("own", "mnist", "runs/mnist"),
    ],
)
def test_other_data_never_land_in_a_presets_directory(preset, dataset, directory):
    found = run_directory_of(preset, dataset, "digits", preset_names())
    assert found == pathlib.Path(directory)


def test_data_are_all_that_has_to_be_typed(blockqnn):
    folder(blockqnn.directory / "pets")
    out = blockqnn.search("--dataset=folder:pets")
    first, second, *rest = out.splitlines()
    assert first.endswith("so the preset is own (--preset=own).")
    assert second.startswith("Chosen for 12 images of 16x16x3 in 2 classes on ")
    assert rest[0] == "  --layout=cifar --filters=16,32 --max_layers=6"
    assert (blockqnn.directory / "runs" / "pets" / "store.sqlite").is_file()
    assert "0 failed" in out
    trained = [t for t in blockqnn.trials("runs/pets") if t["status"] == "trained"]
    assert f"--max_blocks={len(trained)} " in out


def test_a_run_goes_on_with_what_was_chosen_for_it_whatever_would_be_chosen_now(
    blockqnn, monkeypatch
):
    folder(blockqnn.directory / "pets")
    blockqnn.search("--dataset=folder:pets", "--max_blocks=8")
    before = blockqnn.trials("runs/pets")
    flags = (blockqnn.directory / "runs" / "pets" / "search.flags").read_text()
    # On another machine other settings would be chosen.
    monkeypatch.setattr(own, "machine_facts", lambda *_: MachineFacts(64, 2**40, "GPU"))
    out = blockqnn.search("--preset=own", "--dataset=folder:pets", "--max_blocks=9")
    assert out.startswith("Settings are those that runs/pets was begun with.\n")
    after = blockqnn.trials("runs/pets")
    assert after[: len(before)] == before
    now = (blockqnn.directory / "runs" / "pets" / "search.flags").read_text()
    assert now == flags.replace("--max_blocks=8\n", "--max_blocks=9\n")
    status, _, err = blockqnn("search", "--dataset=folder:pets", "--filters=3", "--evaluator=dry")
    assert status == 2
    assert "begun with --filters=16,32" in err


def test_another_folder_of_the_same_name_is_another_search(blockqnn):
    for place, seed in (("one", 0), ("two", 1)):
        folder(blockqnn.directory / place / "pets", seed=seed)
    blockqnn.search("--dataset=folder:one/pets", "--max_blocks=2")
    status, _, err = blockqnn("search", "--dataset=folder:two/pets", "--evaluator=dry")
    assert status == 2
    assert "runs/pets was begun" in err or "run in runs/pets" in err


def test_the_flag_file_of_a_run_chooses_nothing(blockqnn):
    folder(blockqnn.directory / "pets")
    blockqnn.search("--dataset=folder:pets", "--max_blocks=2")
    out = blockqnn("search", "--flagfile=runs/pets/search.flags")[1]
    assert "Chosen for" not in out
    assert "larger --max_blocks continues" in out


def test_a_preset_with_other_data_keeps_its_settings_and_leaves_its_directory(blockqnn):
    folder(blockqnn.directory / "pets", size=(8, 8))
    out = blockqnn.search("--preset=smoke", "--dataset=folder:pets")
    assert "Chosen for" not in out
    assert (blockqnn.directory / "runs" / "smoke-pets" / "store.sqlite").is_file()
    assert not (blockqnn.directory / "runs" / "smoke").exists()


def test_the_default_presets_own_data_are_its_own():
    dry = "--evaluator=dry"
    assert parse([dry, "--dataset=digits"])[0] == parse([dry])[0]
    found, run = parse([dry, "--preset=own", "--dataset=digits"])
    assert run.run_dir == pathlib.Path("runs/own-digits")
    assert found.layout.filters == (16, 32)
    # The rest of the hour is for the finals.
    assert found.budget.max_hours == 0.74
    assert run.finals == "12:24,4:72"
    assert run.flag_values["max_flops"] == str(found.limits.max_flops)


def test_a_run_keeps_the_agent_that_its_preset_had_then(blockqnn):
    blockqnn.search("--preset=smoke", "--agent=evolution")
    before = blockqnn.trials("runs/smoke")
    blockqnn.search("--preset=smoke", "--epsilon_schedule=1.0:1,0.5:2")
    assert blockqnn.trials("runs/smoke")[: len(before)] == before
    status, _, err = blockqnn("search", "--preset=smoke", "--evaluator=dry", "--agent=random")
    assert (status, "begun with --agent=evolution" in err) == (2, True)


def test_data_that_cannot_be_read_are_refused_before_anything_is_left(blockqnn):
    status, out, err = blockqnn("search", "--dataset=folder:nowhere")
    assert (status, out) == (2, "")
    assert "nowhere" in err
    assert not (blockqnn.directory / "runs").exists()
    with pytest.raises(UserError, match="no data set"):
        parse(["--preset=own", "--dataset=no_such_data"])
