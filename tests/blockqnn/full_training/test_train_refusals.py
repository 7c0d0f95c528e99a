"""The verb `train` where it does not begin: other trainings, wrong input, busy directories."""

import dataclasses
import os

import pytest

from blockqnn.children.checkpoint import checkpoints
from blockqnn.errors import UserError
from blockqnn.full_training.directory import opened
from blockqnn.full_training.settings import Machine
from tests.blockqnn.small_trainings import (
    DATASET,
    JOINED,
    settings,
    trained,
)

REFUSED = [
    ({"code": JOINED}, "holds a training of another block"),
    ({"epochs": 5}, r"was begun with --epochs=4; given is --epochs=5"),
    ({"epochs": 4, "momentum": 0.5}, "another recipe"),
    ({"epochs": 4, "dataset": DATASET.replace(":48", ":49")}, "another data"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_a_directory_of_another_training_is_left_alone(finished, changes, words):
    directory, _ = finished
    before = {p: p.stat().st_mtime_ns for p in directory.rglob("*")}
    with pytest.raises(UserError, match=words):
        trained(settings(directory, **changes))
    assert {p: p.stat().st_mtime_ns for p in directory.rglob("*")} == before


@pytest.mark.parametrize("text", ['{"code": "[]"}', "{", ""])
def test_a_result_without_its_checkpoints_is_left_alone(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(UserError, match=r"holds the result of|result\.json cannot be read"):
        trained(settings(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


WRONG = [
    ({"batch_size": 49}, "--batch_size is 49, but there are 48 training images"),
    ({"machine": Machine(devices=9)}, "--devices is 9, but there are 4 here"),
    ({"machine": Machine(devices=3)}, "--batch_size 8 cannot be shared by 3 devices"),
    ({"machine": Machine(memory_gigabytes=1e-5)}, "code: This training needs about .* GB"),
    ({"dataset": "nope"}, "There is no data set 'nope'"),
    ({"dataset": "synthetic:1x8x1:3"}, None),
]


@pytest.mark.parametrize(("changes", "words"), WRONG)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(tmp_path, changes, words):
    chosen = settings(tmp_path / "run", **changes)
    if words is None:  # Two stages on images of one row.
        chosen = dataclasses.replace(
            chosen, layout=dataclasses.replace(chosen.layout, filters=(2, 2))
        )
        words = "Images of 1x8 pixels are too small"
    with pytest.raises(ValueError, match=words):
        trained(chosen)
    assert not (tmp_path / "run").exists()


def test_folders_that_cannot_be_written_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match=r"--out_dir .* cannot be used: .*is no directory"):
            trained(settings(path))
    if os.getuid():
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(UserError, match="cannot be written to"):
            trained(settings(tmp_path / "closed" / "below"))


def test_two_processes_do_not_train_in_one_directory(tmp_path):
    with opened(tmp_path), pytest.raises(UserError, match=f"process {os.getpid()} on"):
        trained(settings(tmp_path))
    assert checkpoints(tmp_path) == []


def test_top_is_refused_where_one_block_is_named(blockqnn):
    status, out, err = blockqnn("train", "residual", "--top=2")
    assert (status, out) == (2, "")
    assert err == "blockqnn: --top is for the directory of a run, given 'residual'.\n"
