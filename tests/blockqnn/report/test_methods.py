"""Runs of different methods on one page: named, told apart, their costs and ranks by hand."""

import dataclasses
import pathlib

import pytest

from blockqnn.networks.layout import Layout
from blockqnn.report.comparison import comparison, run_figures
from blockqnn.report.grouping import groups
from blockqnn.report.mean_curves import run_curves
from blockqnn.report.methods import (
    OF_MIXTURE,
    OWN,
    SCORES,
    accuracies_of,
    checked_ranks,
    different_kinds,
    method_words,
    weights_words,
)
from blockqnn.runs.run_record import RunRecord
from blockqnn.runs.supernet_record import Epoch, SupernetRecord
from tests.blockqnn.trials_by_hand import trial


def run_of(name, seed=0, trials=(), **more):
    flags = {"agent": "random", "seed": str(seed), "weights": "own"} | more.pop("flags", {})
    return RunRecord(pathlib.Path(name), list(trials), Layout(), False, flags, 1, **more)


def sized(number, accuracy, parameters):
    return dataclasses.replace(
        trial(number, accuracy=accuracy, train_seconds=1.0), parameters=parameters
    )


SUPERNET = SupernetRecord(
    [Epoch("whole", 2.0, 30.0, 64, None, {}), Epoch("a", 1.5, 12.0, 64, None, {})],
    {"whole": 1, "a": 2},
    {},
    # The scores of trials 1, 2, 3 are 50, 60, 70; those of parameters the other way round.
    {1: 80.0, 2: 85.0, 3: 90.0},
)
SHARED = run_of(
    "few",
    trials=[sized(1, 50.0, 30), sized(2, 60.0, 20), sized(3, 70.0, 10)],
    flags={"weights": "shared", "paths": "fair", "split": "1<-0"},
    supernet=SUPERNET,
)
MIXED = run_of(
    "mix",
    trials=[trial(1, accuracy=20.0)],
    flags={"weights": "mixture", "bilevel": "second_order"},
    epochs=(
        {
            "loss": 1.25,
            "accuracy": 61.0,
            "derived_accuracy": 20.0,
            "tally": {"normal": {"skip": 1, "convolution": 3}},
        },
    ),
)
ALONE = [run_of(f"alone{seed}", seed, [trial(1, accuracy=40.0 + seed)]) for seed in (0, 1)]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"agent": "ppo"}, "ppo"),
        ({"weights": "shared", "agent": "random"}, "shared weights, random"),
        ({"weights": "shared", "agent": "ppo", "split": "a"}, "shared weights, split, ppo"),
        (
            {"weights": "shared", "agent": "ppo", "paths": "agent", "split": ""},
            "shared weights, drawn by ppo",
        ),
        ({"weights": "mixture", "bilevel": "first_order"}, "mixture, first order"),
    ],
)
def test_a_method_has_a_name(flags, words):
    assert method_words(flags) == words


def test_groups_of_different_methods_are_called_after_these():
    found = groups([*ALONE, SHARED, MIXED])
    names = ["random", "shared weights, split, random", "mixture, second order"]
    assert [group.name for group in found] == names
    longer = dataclasses.replace(SHARED, flags=SHARED.flags | {"supernet_epochs": "9"})
    found = groups([*ALONE, SHARED, longer])
    assert [group.name for group in found][1:] == [
        "shared weights, split, random: supernet_epochs=unset",
        "shared weights, split, random: supernet_epochs=9",
    ]


def test_accuracies_of_different_kinds_are_told_apart_and_never_ranked():
    assert [accuracies_of(run) for run in (ALONE[0], SHARED, MIXED)] == [OWN, SCORES, OF_MIXTURE]
    assert different_kinds(ALONE) == []
    found = comparison([*ALONE, SHARED, MIXED], 1)
    assert "dry" not in found["notice"]
    assert "scores by shared weights in few" in found["notice"]
    assert not [text for text in found["sentences"] if "lower" in text or "Highest" in text]
    words = "shared weights, split, random: best reward 70.00, of scores by shared weights."
    assert words in found["sentences"]
    assert found["sentences"][-1].startswith("Rewards and accuracies are of 3 kinds, which say")
    assert [group["kind"] for group in found["groups"]] == ["own", "shared", "a mixture's"]


def test_costs_have_supernets_in_them():
    found = run_figures(SHARED)
    alone = run_figures(dataclasses.replace(SHARED, supernet=None))
    assert found["supernet_seconds"] == 42
    assert found["seconds"] == pytest.approx(alone["seconds"] + 42)
    assert alone["supernet_seconds"] is None and found["finals_seconds"] is None
    before, after = run_curves(SHARED.trials), run_curves(SHARED.trials, 42.0)
    (x, y), *_ = before["best_reward"]["seconds"]
    assert after["best_reward"]["seconds"][0] == (x + 42, y)


def test_ranks_of_checked_designs_by_hand():
    assert checked_ranks(SHARED) == {"scores": 1.0, "parameters": -1.0}
    few = dataclasses.replace(SUPERNET, own={1: 80.0, 2: 85.0})
    none = {"scores": None, "parameters": None}
    assert checked_ranks(dataclasses.replace(SHARED, supernet=few)) == none
    assert checked_ranks(ALONE[0]) == none


def test_the_state_of_shared_weights_in_words():
    assert weights_words(SHARED) == [
        "2 supernets, 2 of 3 epochs in 0:42.",
        "Loss: whole 2.000 after 1 epoch, a 1.500 after 1 epoch.",
    ]
    (first, second) = weights_words(MIXED)
    assert "loss 1.250, accuracy 61.0 %, of the derived cell with its weights 20.0 %" in first
    assert second == "Of that cell: normal 1 skip, 3 convolution."
    assert weights_words(ALONE[0]) == []
