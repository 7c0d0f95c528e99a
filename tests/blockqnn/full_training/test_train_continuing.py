"""The verb `train` that stopped or was damaged: it goes on as if nothing had happened."""

import hashlib
import json
import os
import re
import shutil
import signal

import pytest

from blockqnn.children.checkpoint import checkpoints, load_checkpoint
from blockqnn.errors import UserError
from blockqnn.full_training.directory import read_result
from blockqnn.full_training.progress import TrainingProgress
from blockqnn.full_training.settings import Saving
from blockqnn.full_training.trainer import StopRequest
from blockqnn.networks.spaces.nsc.codes import write
from tests.blockqnn.small_trainings import (
    CONV3,
    figures,
    same,
    settings,
    trained,
)


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
    assert f"Directory:  {run}" in out
    assert "Continuing after epoch 0 and 1 step." in out
    assert read_result(run)["epochs"] == 2
