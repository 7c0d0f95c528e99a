"""The flags of `calibrate` and `rescore` as settings."""

import pathlib

import pytest

from blockqnn.__main__ import main
from blockqnn.calibration.rescore_command import RescoreSettings
from blockqnn.errors import UserError
from blockqnn.flags import calibration
from tests.paths import ROOT


def parsed(run, *flags):
    return calibration.parse_calibrate([str(run), *flags])


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A dry run with some flags that are not the preset's."""
    monkeypatch.chdir(tmp_path)
    # Worker processes begin in this directory.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    words = ["--preset=smoke", "--evaluator=dry", "--executor=local", "--epochs=3", "--seed=6"]
    words += ["--decay_epochs=2", "--child_timeout_seconds=100", "--cores_per_worker=3"]
    assert main(["search", *words, "--run_dir=here/run"]) == 0
    return "here/run"


def test_the_longer_training_is_that_of_the_search_drawn_out(run):
    settings = parsed(run, "--epochs=9")
    recipe = settings.search.recipe
    assert (recipe.epochs, recipe.decay_epochs, recipe.batch_size) == (9, 6, 25)
    assert settings.training.child_timeout_seconds == 300
    assert settings.training.cores_per_worker == 3
    assert settings.search.layout.filters == (4, 8)
    assert settings.search.data.train_examples == 400
    assert (settings.search.seed, settings.seed) == (6, 1)
    assert parsed(run).search.recipe.epochs == 30


def test_where_the_longer_trainings_are_kept(run):
    assert str(parsed(run).training.run_dir) == "here/run-calibration"
    assert str(parsed(run + "/").training.run_dir) == "here/run-calibration"
    assert str(parsed(run, "--calibration_dir=x").training.run_dir) == "x"


def test_a_run_is_also_beside_itself(run, monkeypatch):
    monkeypatch.chdir(run)
    assert parsed(".").training.run_dir.name == "run-calibration"


def test_how_they_are_carried_out_may_differ_from_the_search(run):
    settings = parsed(run)
    assert (settings.training.executor, settings.training.workers) == ("local", 0)
    settings = parsed(run, "--executor=ray", "--workers=5", "--data_dir=d")
    assert (settings.training.executor, settings.training.workers) == ("ray", 5)
    assert settings.search.data.data_dir == "d"


def test_rescore():
    assert calibration.parse_rescore(["r", "--mu=-2.5", "--top=0"]) == RescoreSettings(
        run_dir=pathlib.Path("r"), mu=-2.5, rho=None, top=0, as_json=False
    )
    with pytest.raises(UserError, match="allowed: a number from"):
        calibration.parse_rescore(["r", "--rho=inf"])
