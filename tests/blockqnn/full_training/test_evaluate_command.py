"""The verb `evaluate`: figures of a network whose answers are known, and what is refused."""

import json
import re

import numpy as np
import pytest

from blockqnn.children.checkpoint import checkpoints, load_checkpoint
from blockqnn.full_training.directory import read_result
from blockqnn.full_training.measuring import Tally
from blockqnn.full_training.settings import FullData
from blockqnn.full_training.splits import open_test, open_training
from blockqnn.settings import DataSettings
from tests.blockqnn.small_trainings import DATASET, settings, trained


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("trained") / "run"
    assert trained(settings(directory, epochs=1))[0] == 0
    return directory


def as_json(blockqnn, *words):
    status, out, err = blockqnn("evaluate", *words, "--format=json", "--batch_sizes=")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_the_test_error_is_that_of_the_training_whatever_the_batch(blockqnn, run):
    wanted = read_result(run)["test"]
    for batch in (1, 7, 100):
        found = as_json(blockqnn, run, f"--batch_size={batch}")
        assert (found["examples"], found["error"]) == (48, wanted["error"])
        assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-4)
    assert (found["dataset"], found["split"]) == (DATASET, "test")
    assert found["top5_error"] is None
    classes = found["classes"]
    assert [each["label"] for each in classes] == [0, 1, 2]
    assert sum(each["examples"] for each in classes) == 48
    wrong = sum(each["error"] * each["examples"] / 100 for each in classes)
    assert wrong == pytest.approx(found["error"] * 48 / 100)


def test_each_class_has_its_own_error(blockqnn, run):
    checkpoint = load_checkpoint(run)
    network = checkpoint.network()
    part = open_test(FullData(DataSettings(DATASET)))
    images = part.read(np.arange(len(part)))
    best = np.asarray(network(checkpoint.normalised(images.images))).argmax(1)
    found = as_json(blockqnn, run)
    for each in found["classes"]:
        own = images.labels == each["label"]
        assert each["examples"] == own.sum()
        assert each["error"] == pytest.approx(100 * np.mean(best[own] != each["label"]))


def test_another_split_or_data_set_is_measured(blockqnn, run):
    train = as_json(blockqnn, run, "--split=train")
    images, _ = open_training(FullData(DataSettings(DATASET)))
    assert train["examples"] == len(images)
    other = as_json(blockqnn, checkpoints(run)[-1], "--dataset=synthetic:8x8x1:3:60")
    assert (other["examples"], other["dataset"]) == (60, "synthetic:8x8x1:3:60")


def test_it_prints_a_table_of_classes_and_one_of_speed(blockqnn, run):
    status, out, err = blockqnn("evaluate", run, "--batch_sizes=1,3", "--bfloat16")
    assert (status, err) == (0, "")
    assert re.search(r"^  error        \d+\.\d\d %$", out, re.MULTILINE)
    assert "top-5" not in out
    assert re.search(r"^class  images  error %  most often taken for$", out, re.MULTILINE)
    rows = out.splitlines()
    speeds = rows[rows.index("batch size  milliseconds  images a second") + 1 :]
    assert [row.split()[0] for row in speeds] == ["1", "3"]
    for row in speeds:
        size, milliseconds, throughput = (float(cell.replace(",", "")) for cell in row.split())
        assert throughput == pytest.approx(1000 * size / milliseconds, rel=0.5)


def refused(blockqnn, *words):
    before = blockqnn.files()
    status, out, err = blockqnn("evaluate", *words)
    assert (status, out) == (2, "")
    assert re.fullmatch(r"blockqnn: .*\n", err)
    assert blockqnn.files() == before
    return err


def test_what_cannot_be_evaluated_is_refused(blockqnn, run, tmp_path):
    assert "There is no checkpoint in" in refused(blockqnn, tmp_path)
    assert "evaluate takes one CHECKPOINT" in refused(blockqnn)
    assert "no data set 'nope'" in refused(blockqnn, run, "--dataset=nope")
    err = refused(blockqnn, run, "--dataset=synthetic:8x8x1:4")
    assert "8x8x1 in 4 classes" in err
    assert "takes 8x8x1 in 3 classes" in err
    assert "8x8x1 in 10 classes" in refused(blockqnn, run, "--dataset=digits")
    assert "--batch_sizes" in refused(blockqnn, run, "--batch_sizes=0")


def test_a_damaged_checkpoint_is_refused(blockqnn, tmp_path):
    run = tmp_path / "run"
    trained(settings(run, epochs=1))
    file = checkpoints(run)[-1] / "metadata.json"
    file.write_text(file.read_text().replace("3", "4", 1))
    assert "is damaged: metadata.json" in refused(blockqnn, run)


def test_a_class_without_images_has_no_error():
    tally = Tally(2)
    tally.add(np.eye(2, dtype=np.float32)[:1], np.array([0]))
    assert tally.measured().confusion.tolist() == [[1, 0], [0, 0]]
