"""`train` on cells by a published preset: from the command line, killed, measured, exported."""

import contextlib
import io
import json
import re
import signal
import subprocess
import sys
import time

import pytest

from blockqnn.__main__ import main
from blockqnn.children.checkpoint import TRAINING, checkpoints, load_checkpoint, read_arrays
from blockqnn.flags import training
from blockqnn.full_training.directory import read_result
from blockqnn.full_training.preparing import prepare
from blockqnn.networks.spaces.registry import parse
from tests.blockqnn.full_training.test_program_of_cells import CODE
from tests.blockqnn.small_trainings import equal, figures
from tests.paths import ROOT

EPOCHS = 12


def command(directory):
    """The preset with what makes it small, and the seconds of it."""
    return [
        "train",
        CODE,
        "--preset=train_nasnet_cifar10",
        "--dataset=synthetic:10x10x1:3:40",
        "--cells=3",
        "--filters=2",
        f"--epochs={EPOCHS}",
        "--batch_size=10",
        "--cutout=3",
        "--crop_padding=1",
        "--devices=1",
        "--checkpoint_epochs=1",
        f"--out_dir={directory}",
    ]


def called(*words):
    """Runs a verb that must end well; returns what it printed."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        assert main([str(word) for word in words]) == 0
    return stream.getvalue()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that was never disturbed, and what it printed."""
    directory = tmp_path_factory.mktemp("whole") / "run"
    return directory, called(*command(directory))


def test_it_says_what_belongs_together_and_counts_the_head_apart(whole):
    directory, printed = whole
    assert (
        "cutout of 3 pixels, drop-path 0.4 by cell and step, auxiliary head of weight 0.4, "
        "gradients clipped at 5 (train_nasnet_cifar10; each is a flag)"
    ) in printed
    found = re.search(r"Network: +([\d,]+) parameters, ([\d,]+) more in the auxiliary", printed)
    own, head = (int(number.replace(",", "")) for number in found.groups())
    result = read_result(directory)
    assert (result["parameters"], result["auxiliary_parameters"]) == (own, head)
    # 4 x 128 and 128 x 768 weights, two norms, 768 x 3 weights and 3 biases.
    assert head == 4 * 128 + 256 + 128 * 768 + 1536 + 768 * 3 + 3
    assert result["epochs"] == EPOCHS and 0 <= result["test"]["error"] <= 100


def test_a_training_that_is_killed_equals_one_that_was_not(tmp_path, whole):
    run = tmp_path / "run"
    words = [sys.executable, "-m", "blockqnn", *command(run)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not checkpoints(run):
            time.sleep(0.001)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert read_result(run) is None
    assert "Continuing after epoch" in called(*command(run))
    found, wanted = (load_checkpoint(place) for place in (run, whole[0]))
    assert figures(run) == figures(whole[0])
    assert equal(found.parameters, wanted.parameters)
    assert equal(*(read_arrays(of.path / TRAINING) for of in (found, wanted)))


@pytest.mark.long
def test_it_is_measured_and_exported_without_its_head(tmp_path, whole):
    directory, _ = whole
    found = load_checkpoint(directory)
    assert "auxiliary" not in found.parameters and "auxiliary" not in found.statistics
    assert "auxiliary" in read_arrays(found.path / TRAINING)
    assert f"{read_result(directory)['test']['error']:.2f} %" in called("evaluate", directory)
    called("export", directory, f"--to={tmp_path / 'out'}")
    for file in (tmp_path / "out").iterdir():
        if file.suffix in (".py", ".safetensors"):
            assert b"auxiliary" not in file.read_bytes()


@pytest.mark.parametrize("space", ["darts", "nasnet"])
def test_a_cell_that_was_found_on_one_data_set_is_trained_on_another(tmp_path, space):
    run = tmp_path / "run"
    words = ("--preset=smoke", "--evaluator=dry", "--executor=inline", f"--space={space}")
    called("search", *words, "--dataset=digits", "--filters=2", f"--run_dir={run}")
    best = json.loads(called("show", f"{run}#best", "--format=json"))
    train = [f"{run}#best", "--dataset=synthetic:32x32x3:10:99", "--layout=cells", "--cells=20"]
    (one,) = prepare(training.parse([*train, "--filters=36", f"--out_dir={tmp_path / 'out'}"]))
    assert one.reference.code == parse(best["code"])
    assert (one.layout.cells, one.layout.filters) == (20, (36, 72, 144))
    assert (one.layout.image_shape, one.layout.classes) == ((32, 32, 3), 10)
    known = json.loads(
        called("show", best["code"], "--layout=cells", "--cells=20", "--filters=36",
               "--format=json")
    )  # fmt: skip
    assert one.cost.parameters == known["parameters"]
    # Its recipe by a preset, on the data of the run.
    by = training.parse([f"{run}#best", "--preset=train_darts_cifar10", "--dataset=digits"])
    assert (by.layout.cells, by.recipe.auxiliary_weight, by.data.source.dataset) == (
        20, 0.4, "digits"
    )  # fmt: skip
