"""The verb `train`: what it prints and writes, going on, damage, several blocks, early ends."""

import dataclasses
import hashlib
import json
import os
import re
import shutil
import signal

import numpy as np
import pytest

from blockqnn.children.checkpoint import checkpoints, load_checkpoint
from blockqnn.errors import UserError
from blockqnn.full_training import one_training
from blockqnn.full_training.directory import opened, read_result
from blockqnn.full_training.progress import TrainingProgress
from blockqnn.full_training.settings import FullData, Machine, Saving
from blockqnn.full_training.trainer import StopRequest
from blockqnn.networks.spaces.nsc.codes import write
from blockqnn.settings import DataSettings
from tests.blockqnn.prepared_dataset import label_features, prepare
from tests.blockqnn.small_trainings import (
    CONV3,
    DATASET,
    JOINED,
    equal,
    figures,
    settings,
    trained,
)

LINE = re.compile(
    r"epoch (\d)/(\d)  loss \d\.\d{4}  accuracy \d+\.\d\d %(  validation \d+\.\d\d %)?  rate 0\.05?"
    r"\d*  \d+\.\d s(  \d+:\d\d left)?"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A training of four epochs that was never disturbed, and what it printed."""
    directory = tmp_path_factory.mktemp("finished") / "run"
    status, out = trained(settings(directory, epochs=4))
    assert status == 0
    return directory, out


def weights(directory):
    found = load_checkpoint(directory)
    return [found.parameters, found.statistics]


def same(directory, other):
    """Whether two trainings have the same losses, weights and results."""
    one, two = (read_result(d) for d in (directory, other))
    assert {**one, "seconds": 0} == {**two, "seconds": 0}
    return figures(directory) == figures(other) and equal(weights(directory), weights(other))


def test_a_training_prints_its_epochs_and_then_the_test_error(finished):
    directory, out = finished
    lines = out.splitlines()
    assert lines[0].startswith("code, ")
    assert str(directory) in lines[0]
    epochs = [LINE.fullmatch(line) for line in lines[1:5]]
    assert [match[1] for match in epochs] == list("1234")
    assert [bool(match[4]) for match in epochs] == [True, True, True, False]
    assert not any(match[3] for match in epochs)
    result = read_result(directory)
    assert f"Test error on 48 images: {result['test']['error']:.2f} %." in lines[6]
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

    monkeypatch.setattr(one_training, "open_test", refuse)
    status, again = trained(settings(directory, epochs=4))
    assert status == 0
    assert again.splitlines()[-3:] == out.splitlines()[-3:]


def stopping_after(count, monkeypatch):
    """Asks every training to stop after so many steps of it."""
    asked = []

    def stop(self):
        asked.append(1)
        return len(asked) >= count

    monkeypatch.setattr(StopRequest, "__call__", stop)


@pytest.mark.parametrize("steps", [1, 6, 9, 17])
def test_a_training_that_stopped_goes_on_as_if_it_had_not(tmp_path, finished, monkeypatch, steps):
    with monkeypatch.context() as patch:
        stopping_after(steps, patch)
        status, out = trained(settings(tmp_path / "run", epochs=4))
    assert status == 130
    assert "The same command continues" in out
    assert read_result(tmp_path / "run") is None
    # A fresh machine, to which only the last checkpoint is brought.
    brought = checkpoints(tmp_path / "run")[-1]
    shutil.copytree(brought, tmp_path / "fresh" / "checkpoints" / brought.name)
    status, out = trained(settings(tmp_path / "fresh", epochs=4))
    assert status == 0
    epoch, step = divmod(steps, 6)
    place = f"epoch {epoch} and {step} step" if step else f"epoch {epoch}."
    assert f"Continuing after {place}" in out
    assert same(tmp_path / "fresh", finished[0])


def test_the_seconds_of_an_epoch_are_those_of_all_its_parts(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stopping_after(9, patch)
        trained(settings(tmp_path, epochs=2))
    path = checkpoints(tmp_path)[-1] / "metadata.json"
    before = load_checkpoint(tmp_path).metadata.epoch_seconds
    assert before > 0
    path.write_text(path.read_text().replace(str(before), "5000.0"))
    sums = path.with_name("SHA256SUMS")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sums.write_text(re.sub(r"\w+  metadata.json", f"{digest}  metadata.json", sums.read_text()))
    trained(settings(tmp_path, epochs=2))
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["seconds"] < 5000 < json.loads(lines[1])["seconds"]


def test_a_checkpoint_that_cannot_be_written_is_said_in_a_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("blockqnn.full_training.keeper.write_checkpoint", full)
    with pytest.raises(UserError, match=r"step-0+6 cannot be written: .*No space left"):
        trained(settings(tmp_path))


def damage_newest(directory):
    """Flips a byte in the largest file of the newest checkpoint."""
    files = [p for p in checkpoints(directory)[-1].rglob("*") if p.is_file()]
    largest = max(files, key=lambda p: p.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 255
    largest.write_bytes(content)


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(
    tmp_path, finished, monkeypatch, capsys
):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        stopping_after(18, patch)
        trained(settings(run, epochs=4))
    assert len(checkpoints(run)) == 2
    assert len(figures(run)) == 3
    damage_newest(run)
    status, out = trained(settings(run, epochs=4))
    assert status == 0
    err = capsys.readouterr().err
    assert err.count("warning") == 1
    assert f"The checkpoint {run / 'checkpoints' / 'step-000000018'} is damaged" in err
    assert "Continuing after epoch 2." in out
    assert same(run, finished[0])


def test_when_all_checkpoints_are_damaged_nothing_is_begun(tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        stopping_after(2, patch)
        trained(settings(run, epochs=4))
    damage_newest(run)
    before = sorted(run.rglob("*"))
    with pytest.raises(UserError, match=r"All checkpoints in .* are damaged"):
        trained(settings(run, epochs=4))
    assert sorted(run.rglob("*")) == before


def test_what_a_dead_process_left_unfinished_is_deleted(tmp_path, monkeypatch):
    run = tmp_path / "run"
    rest = run / "checkpoints" / "step-000000003.unfinished"
    rest.mkdir(parents=True)
    (rest / "metadata.json").write_text("{")
    with monkeypatch.context() as patch:
        stopping_after(2, patch)
        status, _ = trained(settings(run, epochs=1))
    assert status == 130
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-000000002"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_with_a_checkpoint(tmp_path, monkeypatch, number):
    run = tmp_path / "run"

    def step(self, epoch, place):
        if (epoch, place) == (2, 3):
            os.kill(os.getpid(), number)

    monkeypatch.setattr(TrainingProgress, "step", step)
    before = signal.getsignal(number)
    status, out = trained(settings(run, epochs=4))
    assert status == 130
    assert f"Stopped, for {signal.Signals(number).name} came" in out
    assert load_checkpoint(run).metadata.step == 9
    assert signal.getsignal(number) is before


def test_time_that_is_over_stops_with_a_checkpoint(tmp_path):
    status, out = trained(settings(tmp_path / "run", saving=Saving(max_seconds=1e-9)))
    assert status == 130
    assert "--max_seconds" in out
    assert load_checkpoint(tmp_path / "run").metadata.step == 1


def test_stop_requests():
    now = [10.0]
    request = StopRequest(5.0, lambda: now[0])
    assert not request()
    now[0] = 15.0
    assert request()
    endless = StopRequest(0.0, lambda: now[0])
    now[0] = 1e12
    assert not endless()
    with StopRequest(0.0).listening() as nothing, pytest.raises(KeyboardInterrupt):
        assert nothing is None
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


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


def test_top_is_refused_where_one_block_is_named(blockqnn):
    status, out, err = blockqnn("train", "residual", "--top=2")
    assert (status, out) == (2, "")
    assert err == "blockqnn: --top is for the directory of a run, given 'residual'.\n"


def test_the_moving_average_is_what_is_kept(tmp_path):
    assert trained(settings(tmp_path / "average", epochs=1, ema_decay=0.9))[0] == 0
    assert trained(settings(tmp_path / "plain", epochs=1))[0] == 0
    one, other = (weights(tmp_path / name)[0] for name in ("average", "plain"))
    assert not equal(one, other)
    assert np.isfinite(one["head"]["linear"]["kernel"]).all()


def test_a_training_goes_on_with_its_flag_file_alone(blockqnn, tmp_path):
    run = tmp_path / "run"
    words = [
        "--dataset=synthetic:8x8x1:3:50",
        "--filters=2",
        "--batch_size=10",
        "--compilation_cache=off",
    ]
    status, out, _ = blockqnn(
        "train", write(CONV3), *words, "--epochs=2", "--max_seconds=0.000001", f"--out_dir={run}"
    )
    assert status == 130
    again = ("train", write(CONV3), f"--flagfile={run / 'train.flags'}", "--max_seconds=0")
    status, out, err = blockqnn(*again)
    assert (status, err) == (0, "")
    assert f"In {run}" in out
    assert "Continuing after epoch 0 and 1 step." in out
    assert read_result(run)["epochs"] == 2
