"""The predictor in a search, and how well it would have predicted a run."""

import pathlib

import pytest
from scipy import stats

from blockqnn.calibration.prediction_check import check_predictions
from blockqnn.runs.run_record import read_run
from blockqnn.trial import Status

FLAGS = (
    *("--preset=digits", "--epsilon_schedule=1.0:8", "--run_dir=run", "--agent=random"),
    *("--predictor=forest", "--predictor_after=20", "--predictor_pool=10"),
)


@pytest.fixture
def run(blockqnn):
    """A dry search with a predictor."""
    blockqnn.search(*FLAGS)
    return read_run(pathlib.Path("run"))


def test_a_predictor_finds_better_blocks_once_it_begins(blockqnn, run):
    blockqnn.search(*FLAGS[:4], "--run_dir=plain")
    plain = read_run(pathlib.Path("plain"))

    def later(record):
        found = [t.reward for t in record.trials if t.status is Status.COMPLETED][24:]
        return sum(found) / len(found)

    assert later(run) > later(plain) + 5


def test_a_run_with_a_predictor_goes_on_as_if_it_had_not_stopped(blockqnn, run):
    short = [flag.replace("1.0:8", "1.0:4").replace("=run", "=parts") for flag in FLAGS]
    blockqnn.search(*short)
    longer = [flag.replace("=run", "=parts") for flag in FLAGS]
    blockqnn.search(*longer)
    parts = read_run(pathlib.Path("parts"))
    assert [t.code for t in parts.trials] == [t.code for t in run.trials]


def test_every_block_is_predicted_from_those_before_it(run):
    found = check_predictions(run.trials, after=20)
    trained = [t for t in run.trials if t.status is Status.COMPLETED]
    assert found.numbers == tuple(t.number for t in trained[20:])
    assert found.rewards == tuple(t.reward for t in trained[20:])
    assert found.spearman.value == pytest.approx(
        stats.spearmanr(found.predicted, found.rewards).statistic
    )
    near = [
        abs(p - r) / d
        for p, r, d in zip(found.predicted, found.rewards, found.deviations, strict=True)
    ]
    assert found.within_one == sum(x <= 1 for x in near) / len(near)
    assert found.within_two == sum(x <= 2 for x in near) / len(near)


def test_a_short_run_has_no_check(blockqnn):
    blockqnn.search("--preset=smoke", "--run_dir=short")
    assert check_predictions(read_run(pathlib.Path("short")).trials) is None
