"""The verb `train`: what it prints and writes, going on, damage, several blocks, early ends."""

import json
import re

import numpy as np
import pytest

from blockqnn.children.checkpoint import checkpoints, load_checkpoint
from blockqnn.full_training import command
from blockqnn.full_training.command import processor_parts
from blockqnn.full_training.directory import read_result
from blockqnn.full_training.settings import FullData, FullRecipe, Machine
from blockqnn.networks.spaces.nsc.codes import write
from blockqnn.settings import DataSettings
from tests.blockqnn.prepared_dataset import label_features, prepare
from tests.blockqnn.small_trainings import (
    CONV3,
    DATASET,
    equal,
    figures,
    same,
    settings,
    trained,
    weights,
)

LINE = re.compile(
    r"epoch (\d)/(\d)  loss \d\.\d{4}  accuracy \d+\.\d\d %(  validation \d+\.\d\d %)?  rate 0\.05?"
    r"\d*  \d+\.\d s(  \d+:\d\d left)?"
)


def test_a_training_prints_its_epochs_and_then_the_test_error(finished):
    directory, out = finished
    lines = out.splitlines()
    assert lines[0].startswith(f"Trains code on {DATASET}: 48 images of 8x8x1 in 3 classes, with a")
    assert f"Directory:  {directory}" in lines
    first = next(place for place, line in enumerate(lines) if line.startswith("epoch 1/"))
    assert lines[first - 2 : first] == [
        "Read: 48 images to train on, 48 images of the test split.",
        "Compiling the network ...",
    ]
    epochs = [LINE.fullmatch(line) for line in lines[first : first + 4]]
    assert [match[1] for match in epochs] == list("1234")
    assert [bool(match[4]) for match in epochs] == [True, True, True, False]
    assert not any(match[3] for match in epochs)
    result = read_result(directory)
    assert f"Test error on 48 images: {result['test']['error']:.2f} %." in lines[first + 5]
    assert result["epochs"] == 4


def test_the_directory_holds_figures_flags_and_the_newest_checkpoints(finished):
    directory, _ = finished
    found = figures(directory)
    assert [epoch["epoch"] for epoch in found] == [1, 2, 3, 4]
    assert found[3]["loss"] < found[0]["loss"]
    assert [epoch["learning_rate"] for epoch in found] == pytest.approx([0.05, 0.005, 0.005, 0.005])
    assert all(epoch["validation_accuracy"] is None for epoch in found)
    assert (directory / "train.flags").read_text() == f"--epochs=2\n--out_dir={directory}\n"
    assert [path.name for path in checkpoints(directory)] == ["step-000000018", "step-000000024"]
    assert json.loads((directory / "result.json").read_text())["hash"]
    metadata = load_checkpoint(directory).metadata
    assert metadata.code == write(CONV3)
    assert metadata.step == 24
    assert metadata.data["source"]["dataset"] == DATASET
    assert [{k: v for k, v in e.items() if k != "seconds"} for e in metadata.history] == found


def test_a_finished_training_says_the_same_again_and_looks_at_no_test_image(finished, monkeypatch):
    directory, out = finished

    def refuse(*_):
        raise AssertionError("the test split was read again")

    monkeypatch.setattr(command, "open_parts", refuse)
    status, again = trained(settings(directory, epochs=4))
    assert status == 0
    assert again.splitlines()[-3:] == out.splitlines()[-3:]


def test_held_out_images_are_measured_after_each_epoch_and_the_test_need_not_be(tmp_path):
    data = FullData(DataSettings("synthetic:8x8x1:3:60"), hold_out=True, test=False)
    status, out = trained(settings(tmp_path, data=data, epochs=2, batch_size=6))
    assert status == 0
    assert out.count("  validation ") == 2
    assert "The test split was not looked at." in out
    result = read_result(tmp_path)
    assert result["validation"]["examples"] == 9
    last = figures(tmp_path)[-1]
    assert last["validation_accuracy"] == pytest.approx(100 - result["validation"]["error"])
    assert last["validation_loss"] == pytest.approx(result["validation"]["loss"])
    assert "test" not in result


def test_streamed_images_train_the_same_network_as_those_on_the_device(tmp_path, finished):
    machine = Machine(data_on_device="no", readers=2, compilation_cache="off")
    assert trained(settings(tmp_path / "run", epochs=4, machine=machine))[0] == 0
    assert figures(tmp_path / "run") == figures(finished[0])
    assert equal(weights(tmp_path / "run"), weights(finished[0]))


def test_records_of_any_size_are_streamed_or_kept_with_the_same_result(blockqnn, tmp_path):
    prepare(tmp_path, features=label_features(3, (None, None, 3)))
    words = ["--dataset=little", f"--data_dir={tmp_path}", "--resize=9", "--image_size=8"]
    words += ["--filters=2", "--epochs=2", "--milestones=1", "--batch_size=6", "--hold_out"]
    words += ["--crop_padding=0", "--compilation_cache=off", "--readers=2"]
    runs = [tmp_path / kept for kept in ("yes", "no")]
    for run in runs:
        status, _, err = blockqnn(
            "train", write(CONV3), *words, f"--data_on_device={run.name}", f"--out_dir={run}"
        )
        assert (status, err) == (0, "")
    assert same(*runs)
    assert read_result(runs[0])["test"]["examples"] == 6
    assert load_checkpoint(runs[0]).metadata.child_layout.image_shape == (8, 8, 3)
    status, out, err = blockqnn("evaluate", runs[0], f"--data_dir={tmp_path}", "--batch_sizes=")
    assert (status, err) == (0, "")
    assert "little, test split, 6 images" in out
    assert f"{read_result(runs[0])['test']['error']:.2f} %" in out


def test_a_training_whose_loss_becomes_infinite_ends_with_status_1(tmp_path, capsys):
    status, _ = trained(settings(tmp_path, learning_rate=1e30))
    assert status == 1
    err = capsys.readouterr().err
    assert re.match(r"blockqnn: The loss is (nan|inf) in epoch \d\.", err)
    assert "Traceback" not in err
    assert read_result(tmp_path) is None


@pytest.mark.long
def test_the_best_blocks_of_a_run_are_trained_one_after_another(blockqnn, tmp_path):
    blockqnn.search("--preset=smoke", f"--run_dir={tmp_path / 'run'}")
    words = ["--epochs=1", "--milestones=", "--batch_size=500", "--compilation_cache=off"]
    status, out, err = blockqnn(
        "train", tmp_path / "run", "--top=2", *words, f"--out_dir={tmp_path / 'out'}"
    )
    assert (status, err) == (0, "")
    assert "Block 1 of 2: " in out
    assert "Block 2 of 2: " in out
    # The layout is the run's, 4 and 8 filters.
    assert out.count("filters 4,8, 1 block a stage") == 2
    rows = out.splitlines()[-2:]
    directories = sorted((tmp_path / "out").iterdir())
    assert sorted(row.split()[-1] for row in rows) == [str(d) for d in directories]
    hashes = {load_checkpoint(directory).metadata.hash for directory in directories}
    assert {h[:8] for h in hashes} == {directory.name for directory in directories}
    status, again, err = blockqnn(
        "train", tmp_path / "run", "--top=2", *words, f"--out_dir={tmp_path / 'out'}"
    )
    assert again.splitlines()[-2:] == rows


def test_the_moving_average_is_what_is_kept(tmp_path):
    assert trained(settings(tmp_path / "average", epochs=1, ema_decay=0.9))[0] == 0
    assert trained(settings(tmp_path / "plain", epochs=1))[0] == 0
    one, other = (weights(tmp_path / name)[0] for name in ("average", "plain"))
    assert not equal(one, other)
    assert np.isfinite(one["head"]["linear"]["kernel"]).all()


@pytest.mark.parametrize(
    ("batch_size", "cores", "parts"),
    [
        (128, 1, 1),
        (128, 2, 2),
        (128, 3, 2),
        # Fewer than 32 images for each would not be worth it.
        (128, 64, 4),
        (96, 64, 3),
        (63, 2, 1),
        (8, 2, 1),
        (130, 3, 2),
    ],
)
def test_a_processor_is_divided_so_that_a_batch_is_shared_evenly(batch_size, cores, parts):
    assert processor_parts(FullRecipe(batch_size=batch_size), cores) == parts
    # Elsewhere the outcome would depend on how many cores there are.
    assert processor_parts(FullRecipe(batch_size=batch_size, sync_batch_norm=False), cores) == 1
