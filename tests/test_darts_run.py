"""DARTS in pieces: what is still to do, by hand, and the real command, made small."""

import argparse
import json
import pathlib

import pytest

from benchmarks import darts_run
from benchmarks._processes import UNFINISHED
from benchmarks.darts_run import Step, best_seed, full_training, in_words, searches, short_trainings

SMALL = (
    *("--seeds=5", "--dataset=synthetic:8x8x1:3:240", "--space=nasbench201"),
    *("--layout=nasbench201", "--cells=0", "--repeats=1", "--filters=2,4", "--executor=inline"),
    *("--supernet_epochs=2", "--supernet_batch_size=32", "--eigenvalue_every=0"),
    "--training=--dataset=synthetic:8x8x1:3:240,--epochs=1,--layout=nasbench201,--cells=0,--repeats=1,--filters=2,"
    "--auxiliary_weight=0,--drop_path=0,--cutout=2,--batch_size=50",
)


def given(tmp_path, **changes):
    usual = {"out": tmp_path, "order": "first_order", "seeds": [0, 1], "data_dir": "D"}
    return argparse.Namespace(**usual | {"training": []} | changes)


def a_training(directory, accuracies, result=None):
    directory.mkdir(parents=True)
    lines = [json.dumps({"validation_accuracy": a, "seconds": 10.0}) + "\n" for a in accuracies]
    (directory / "metrics.jsonl").write_text("".join(lines) + '{"validation_acc')
    if result is not None:
        (directory / "result.json").write_text(json.dumps(result))


def test_the_published_steps_are_those_of_the_paper(tmp_path):
    own = given(tmp_path)
    first, second = searches(own, ["--bfloat16"])
    assert first.words[:4] == ("search", "--preset=darts", "--finals=off", "--bfloat16")
    assert {"--data_dir=D", "--seed=1"} <= set(second.words) and not second.finished
    assert searches(given(tmp_path, order="second_order"), [])[0].words[1].endswith("_second_order")
    short = short_trainings(own)[1].words
    assert short[1] == f"{tmp_path / 'search-1'}#best"
    # Eight cells as in the search, 100 epochs, judged by what is held out and never by the test.
    assert {"--cells=8", "--filters=16", "--epochs=100", "--hold_out", "--notest"} <= set(short)
    full = full_training(own, 1).words
    assert (
        full[1] == short[1] and "--preset=train_darts_cifar10" in full and "--cells=8" not in full
    )


def test_the_cell_is_chosen_by_the_last_validation_accuracy_and_days_are_summed_up(tmp_path):
    own = given(tmp_path)
    trained = short_trainings(own)
    a_training(tmp_path / "short-0", [90.0, 91.0, 88.0])
    assert [len(step.epochs()) for step in trained] == [3, 0] and not trained[0].finished
    a_training(tmp_path / "short-1", [80.0, 81.0, 89.0], {"accuracy": 1.0})
    assert best_seed(own, trained) == 1 and trained[1].finished
    a_training(tmp_path / "full", [None], {"test": {"error": 2.8}})

    class Searched(Step):
        """A search of a day and a half."""

        def epochs(self):
            """Of three times as many seconds."""
            return [{"seconds": 43_200.0}] * 3

    steps = [Searched("search, seed 0", (), tmp_path, True), *trained, full_training(own, 1)]
    words = in_words(own, steps)
    assert "2 searches: 129,600 s, 1.500 days of this device; published for four: 1.5" in words
    assert "validation 88.00 %" in words and "test error 2.80 %" in words
    assert "4 GPU-days" in in_words(given(tmp_path, order="second_order"), [])


@pytest.mark.long
def test_pieces_end_with_everything_trained(tmp_path, monkeypatch, capfd):
    words = ["darts_run", str(tmp_path / "out"), *SMALL]

    def call(minutes):
        monkeypatch.setattr("sys.argv", [*words, f"--minutes={minutes}"])
        return darts_run.main(), capfd.readouterr().out

    status, out = call(0)
    assert status == UNFINISHED and "No epoch of search, seed 5 ended in this call" in out
    assert "the same command goes on" in out
    status, out = call(30)
    assert status == 0, out
    for step, epochs in (("search, seed 5", 2), ("short training, seed 5", 1)):
        assert any(line.startswith(f"{epochs:>6}  ") and step in line for line in out.splitlines())
    assert "test error" in out and "published for four: 1.5 GPU-days" in out
    result = json.loads(pathlib.Path(tmp_path / "out" / "full" / "result.json").read_text())
    assert result["test"]["error"] == pytest.approx(
        float(out.partition("test error ")[2].split()[0]), abs=0.01
    )
