"""`blockqnn.search`: with functions of which one can say what a search must find, and on arrays."""

import os
import pathlib
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import blockqnn
from blockqnn.__main__ import main
from blockqnn.errors import UserError
from blockqnn.networks.spaces.registry import write
from blockqnn.runs.run_directory import FLAG_FILE
from blockqnn.searching.own_function import FunctionSearch, _settings
from blockqnn.settings import Budget
from tests.paths import ROOT

TARGET = "[(1,1,5,0,0),(2,2,3,1,0),(3,7,0,0,0)]"


def nearness(code):
    """60 for the target and 20 less for each of its three layers that differs."""
    wanted = blockqnn.parse(TARGET)
    return 60.0 - 20.0 * sum(a != b for a, b in zip(code, wanted, strict=False)) + 3.0


def by_length(code):
    return 90.0 - len(code)


def codes(run):
    return run.trials["code"].tolist(), run.trials["reward"].tolist()


def test_the_optimum_of_a_function_is_found(tmp_path):
    run = blockqnn.search(nearness, tmp_path / "run", budget=40, max_layers=2, quiet=True)
    assert run.best(1)[0].accuracy == 63.0
    assert write(run.best(1)[0].code) == TARGET


@pytest.mark.parametrize("agent", ["q_learning_plus", "q_learning"])
def test_a_larger_budget_goes_on_with_what_is_there(tmp_path, agent):
    how = {"agent": agent, "max_layers": 5, "quiet": True, "seed": 3}
    first = blockqnn.search(by_length, tmp_path / "run", budget=6, **how)
    assert len(first.trials.query("status == 'trained'")) == 6
    more = blockqnn.search(by_length, tmp_path / "run", budget=9, **how)
    assert codes(more)[0][: len(first)] == codes(first)[0]
    assert len(more.trials.query("status == 'trained'")) == 9


def test_a_run_whose_budget_was_its_schedule_keeps_it():
    before = {"agent": "random", "epsilon_schedule": "1:20", "blocks_per_iteration": "1"}
    old, recorded = _settings(FunctionSearch(budget=20, agent="random", before=before))
    assert (old.budget, old.iterations) == (Budget(), 20)
    assert "max_blocks" not in recorded
    assert _settings(FunctionSearch(budget=30, agent="random", before=before))[0].budget


KILLED = """
import os, signal, sys, blockqnn
calls = []
def accuracy(code):
    calls.append(code)
    if len(calls) == 5 and "killed" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    return 90.0 - len(code)
blockqnn.search(accuracy, "run", budget=12, max_layers=6, quiet=True)
"""


def test_a_process_that_was_killed_is_continued_as_if_it_had_not_been(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, "killed"], cwd=tmp_path, env=environment, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    asked = []

    def accuracy(code):
        asked.append(code)
        return by_length(code)

    run = blockqnn.search(accuracy, tmp_path / "run", budget=12, max_layers=6, quiet=True)
    whole = blockqnn.search(by_length, tmp_path / "whole", budget=12, max_layers=6, quiet=True)
    assert codes(run) == codes(whole)
    assert len(asked) == 12 - 4


def test_calls_in_threads_find_what_calls_in_a_row_find(tmp_path):
    met = threading.Barrier(3)
    waited = []

    def accuracy(code):
        # The first three calls return only once all three have begun.
        if len(waited) < 3:
            waited.append(code)
            met.wait(30)
        return by_length(code)

    how = {"budget": 12, "blocks_per_iteration": 6, "max_layers": 6, "quiet": True}
    threads = blockqnn.search(accuracy, tmp_path / "threads", workers=3, **how)
    row = blockqnn.search(by_length, tmp_path / "row", **how)
    assert set(codes(threads)[0]) == set(codes(row)[0])
    assert threads.best(3)[0].accuracy == row.best(3)[0].accuracy


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "TypeError: the function returned None, wanted is an accuracy in percent"),
        ("93", "TypeError: the function returned '93', wanted"),
        (True, "TypeError: the function returned True, wanted"),
        ({"accuracy": 3}, "TypeError: the function returned {'accuracy': 3}, wanted"),
        ([], "ValueError: the function returned no accuracy"),
        (float("nan"), "an accuracy is a percentage from 0 to 100, given nan"),
        ([50.0, 120.0], "an accuracy is a percentage from 0 to 100, given 120.0"),
    ],
)
def test_what_is_no_accuracy_is_a_failed_trial(tmp_path, capsys, value, reason):
    run = blockqnn.search(lambda code: value, tmp_path / "run", budget=2, max_layers=3)
    assert set(run.trials["status"]) == {"failed"}
    assert all(text.startswith(reason) for text in run.trials["reason"])
    out = capsys.readouterr().out
    assert out.count(f"Trial 1 failed: {reason}") == 1
    assert "Trial 2 failed" not in out


@pytest.mark.parametrize("returned", [[10.0, 20.0], np.array([10.0, 20.0]), (10, np.float32(20))])
def test_accuracies_after_each_epoch_are_kept(tmp_path, returned):
    run = blockqnn.search(lambda code: returned, tmp_path / "run", budget=1, quiet=True)
    assert run.record.trials[0].accuracies == (10.0, 20.0)
    assert run.best(1)[0].accuracy == 20.0


def test_shares_are_warned_of_once(tmp_path):
    with pytest.warns(UserWarning, match="are read as percent") as warned:
        blockqnn.search(lambda code: 1 / len(code), tmp_path / "run", budget=5, quiet=True)
    assert len(warned) == 1


def test_every_new_trial_is_told_of_and_what_a_listener_raises_ends_the_search(tmp_path):
    told = []

    def stop_at_three(trial):
        told.append(trial.number)
        if len(told) == 3:
            raise RuntimeError("enough")

    how = {"budget": 6, "max_layers": 4, "quiet": True}
    with pytest.raises(RuntimeError, match="enough"):
        blockqnn.search(by_length, tmp_path / "run", on_trial=stop_at_three, **how)
    rest = []
    run = blockqnn.search(by_length, tmp_path / "run", on_trial=rest.append, **how)
    assert [*told, *(trial.number for trial in rest)] == run.trials.index.tolist()


def test_what_is_printed_names_no_command_that_cannot_continue(tmp_path, capsys):
    def interrupted(code):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        blockqnn.search(interrupted, tmp_path / "run", budget=3)
    out = capsys.readouterr().out
    assert out.rstrip().endswith("The same call continues.")
    blockqnn.search(by_length, tmp_path / "run", budget=3)
    out = capsys.readouterr().out
    assert "a larger budget continues the run" in out
    assert "show" in out
    assert "train" not in out.replace("trained", "")


SMALL = {"preset": "smoke", "executor": "inline", "epochs": 1, "filters": [2, 4], "quiet": True}


def images(count=48, classes=3, shape=(8, 8, 1)):
    random = np.random.default_rng(3)
    labels = np.arange(count) % classes
    patterns = random.integers(0, 200, (classes, *shape))
    return (patterns[labels] + random.integers(0, 50, (count, *shape))).astype(np.uint8), labels


def test_a_search_on_arrays_is_a_run_for_every_verb(blockqnn_here):
    command, directory = blockqnn_here
    pixels, labels = images()
    how = {**SMALL, "evaluator": "dry"}
    run = blockqnn.search((pixels, labels), directory / "run", budget=2, **how)
    assert len(run.trials.query("status == 'trained'")) == 2
    assert run.layout.classes == 3
    assert run.block("best").module() is not None
    more = blockqnn.search({"images": pixels, "labels": labels}, directory / "run", budget=3, **how)
    assert codes(more)[0][: len(run)] == codes(run)[0]
    status, out, err = command("search", f"--flagfile={directory / 'run' / 'search.flags'}")
    assert (status, err) == (0, "")
    assert "The budget of 3 blocks is used up" in out
    changed = pixels.copy()
    changed[5, 3, 3, 0] ^= 1
    with pytest.raises(UserError, match="has other images or labels than those given"):
        blockqnn.search((changed, labels), directory / "run", budget=3, **how)


def test_children_are_trained_on_arrays(tmp_path):
    run = blockqnn.search(
        images(shape=(4, 4, 1)), tmp_path / "run", budget=1, max_layers=1, repeats=1, **SMALL
    )
    (trained,) = [trial for trial in run.record.trials if trial.status == "trained"]
    assert trained.train_seconds > 0
    assert len(trained.accuracies) == 1


@pytest.fixture
def blockqnn_here(capsys, tmp_path, monkeypatch):
    """The command line and its directory, where `blockqnn` is the package."""
    from tests.blockqnn.conftest import CommandLine

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return CommandLine(capsys, tmp_path), tmp_path


def test_a_data_set_has_its_name(tmp_path):
    run = blockqnn.search("digits", tmp_path / "run", budget=2, evaluator="dry", **SMALL)
    assert run.flags["dataset"] == "digits"
    assert not (tmp_path / "run" / "data.npz").exists()


def test_a_recipe_of_finals_may_be_a_mapping(tmp_path):
    recipe = {"optimiser": "momentum", "learning_rate": 0.1}
    run = blockqnn.search(
        "digits", tmp_path / "run", budget=2, evaluator="dry", finals="2:9", finals_recipe=recipe,
        **SMALL,
    )  # fmt: skip
    assert run.flags["finals_recipe"] == "optimiser=momentum,learning_rate=0.1"


def test_whoever_asks_for_training_is_told_of_the_function(tmp_path, capsys):
    run = tmp_path / "run"
    blockqnn.search(by_length, run, budget=3, max_layers=4, quiet=True)
    for words in (["calibrate", str(run)], ["finals", str(run)]):
        assert main(words) == 2
        assert "come from a function, so that there is nothing to train" in capsys.readouterr().err
    assert main(["search", f"--flagfile={run / FLAG_FILE}"]) == 2
    err = capsys.readouterr().err
    assert "The same call of blockqnn.search continues it, or another --run_dir" in err


def refused(tmp_path, message, data, **arguments):
    directory = tmp_path / "run"
    with pytest.raises(UserError, match=message):
        blockqnn.search(data, directory, budget=2, **{**SMALL, **arguments})
    assert not directory.exists()


def test_data_that_cannot_be_used_leave_no_trace(tmp_path):
    pixels, labels = images()
    refused(tmp_path, "train_images", (pixels / 255.0, labels))
    refused(tmp_path, "train_labels", (pixels, labels[:-1]))
    refused(tmp_path, "no array of numbers", (pixels, [object()] * 48))
    refused(tmp_path, "not images with their labels", pixels)
    refused(tmp_path, "not images with their labels", (pixels, labels, pixels))
    refused(tmp_path, "data has 'x'", {"x": pixels, "labels": labels})
    refused(tmp_path, "data has images", {"images": pixels})
    refused(tmp_path, "test_images are given twice", ((pixels, labels),) * 2, test=(pixels, labels))
    refused(tmp_path, "epochss", (pixels, labels), epochss=3)
    refused(tmp_path, "dataset is no argument", (pixels, labels), dataset="digits")
    refused(tmp_path, "go with arrays", "digits", test=(pixels, labels))


def test_the_parts_that_are_given_are_kept(tmp_path):
    pixels, labels = images()
    blockqnn.search(
        ((pixels, labels), (pixels[:9], labels[:9])),
        tmp_path / "run",
        validation=(pixels[9:18], labels[9:18]),
        budget=1,
        evaluator="dry",
        **SMALL,
    )
    with np.load(tmp_path / "run" / "data.npz") as kept:
        assert {name: len(kept[name]) for name in kept.files} == {
            **{"train_images": 48, "train_labels": 48, "val_images": 9, "val_labels": 9},
            **{"test_images": 9, "test_labels": 9},
        }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either a function or data"),
        ({"evaluate": by_length, "data": "digits"}, "either a function or data"),
        ({"evaluate": by_length, "run_dir": None}, "needs a run_dir"),
        ({"evaluate": by_length, "workers": -1}, "workers is -1"),
        ({"evaluate": by_length, "max_hours": -1}, "max_hours is -1"),
        ({"evaluate": by_length, "budget": 2.5}, "budget is 2.5"),
        ({"evaluate": by_length, "test": 1}, "go with data"),
        ({"evaluate": by_length, "epochs": 1}, "has no option 'epochs'"),
        ({"evaluate": by_length, "epsilon_schedule": "1"}, "epsilon_schedule is '1'; allowed"),
        ({"data": "digits", "layout": 1}, "layout goes with a function"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(tmp_path, arguments, message):
    with pytest.raises(UserError, match=message):
        blockqnn.search(**{"run_dir": tmp_path / "run", **arguments})
    assert not pathlib.Path(tmp_path / "run").exists()


def test_a_schedule_of_ones_own_is_taken_in_either_form(tmp_path):
    for schedule in ("1:2,0.5:1", [(1.0, 2), (0.5, 1)]):
        run = blockqnn.search(
            by_length,
            tmp_path / "run",
            budget=6,
            agent="q_learning",
            epsilon_schedule=schedule,
            max_layers=4,
            quiet=True,
        )
        assert run.flags["epsilon_schedule"] == "1:2,0.5:1"
        assert sorted(set(run.trials["epsilon"])) == [0.5, 1.0]
