"""Trials chosen and sorted."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.inspection.selection import (
    FIGURES,
    LAYERS,
    ORDERS,
    SHORT_NAMES,
    Selection,
    feature_named,
    features,
    select,
)
from blockqnn.networks.motifs import MOTIFS
from blockqnn.networks.spaces.nsc.codes import check, parse
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.networks.spaces.registry import published
from blockqnn.trial import Status, Trial
from tests.strategies import blocks

CODE = check([(1, 1, 3, 0, 0)])
TRIAL = Trial(1, 1, 1.0, CODE, "ab", 3, Status.COMPLETED, 1.0, 10, 20, 30, 2, reward=1.0)


def trials(**fields):
    """One trial for each value of a field, numbered from 1."""
    ((name, values),) = fields.items()
    return [
        dataclasses.replace(TRIAL, number=number, **{name: value})
        for number, value in enumerate(values, start=1)
    ]


def numbers(found):
    return [trial.number for trial in found]


@pytest.mark.parametrize(
    ("figure", "best_first"),
    [
        ("reward", [2, 3, 1]),
        ("parameters", [1, 3, 2]),
        ("flops", [1, 3, 2]),
        ("density", [1, 3, 2]),
        ("depth", [1, 3, 2]),
        ("number", [1, 2, 3]),
    ],
)
def test_the_best_come_first(figure, best_first):
    found = trials(**{figure: [1, 9, 5]}) if figure != "number" else trials(depth=[3, 2, 1])
    assert numbers(select(found, Selection(sort=figure))) == best_first
    up = sorted(best_first, key=lambda n: FIGURES[figure](found[n - 1]))
    assert numbers(select(found, Selection(sort=figure, order="ascending"))) == up
    assert numbers(select(found, Selection(sort=figure, order="descending"))) == up[::-1]


def test_accuracy_is_that_of_the_last_epoch_and_high_is_good():
    found = trials(accuracies=[(90.0, 20.0), (10.0, 30.0), (5.0,)])
    assert numbers(select(found, Selection(sort="accuracy"))) == [2, 1, 3]
    assert numbers(select(found, Selection(least={"accuracy": 20.0}))) == [1, 2]


def test_seconds_are_those_with_a_device_and_an_infeasible_trial_has_none():
    found = trials(train_seconds=[3.0, 1.0, 0.0])
    found[1] = dataclasses.replace(found[1], waiting_seconds=7.0)
    found[2] = dataclasses.replace(found[2], status=Status.INFEASIBLE)
    assert numbers(select(found, Selection(sort="seconds", status="any"))) == [1, 2, 3]
    assert numbers(select(found, Selection(status="any", most={"seconds": 7.9}))) == [1]


@pytest.mark.parametrize("order", ORDERS)
def test_what_has_no_value_comes_last_and_earlier_ones_before_equals(order):
    found = trials(reward=[None, 5.0, None, 5.0])
    assert numbers(select(found, Selection(order=order))) == [2, 4, 1, 3]


def test_bounds_are_inclusive_and_all_must_hold():
    found = trials(parameters=[10, 20, 30])
    assert numbers(select(found, Selection(most={"parameters": 20}))) == [1, 2]
    assert numbers(select(found, Selection(most={"parameters": 20, "flops": 19}))) == []
    assert numbers(select(trials(reward=[None, 1.0]), Selection(least={"reward": -1e9}))) == [2]


def test_status_and_iterations():
    found = trials(iteration=[1, 2, 3, 4])
    assert numbers(select(found, Selection(iterations=(2, 3)))) == [2, 3]
    found = trials(status=list(Status))
    for status in Status:
        chosen = select(found, Selection(status=status.value))
        assert [trial.status for trial in chosen] == [status]
    assert len(select(found, Selection(status="any"))) == len(Status)


def test_a_block_has_what_it_computes():
    code = parse("[(1,4,0,0,0),(2,1,5,1,0),(3,2,3,1,0),(4,3,1,3,0),(5,6,0,2,4)]")
    trial = dataclasses.replace(TRIAL, code=code)
    # Average pooling 1x1 and identity compute nothing.
    # A Concat that only the output reads is how all leaves are joined.
    assert features(trial) >= {"conv", "conv5x5", "max", "several branches"}
    assert not features(trial) & {"conv3x3", "average", "add", "identity", "concat"}
    residual = dataclasses.replace(TRIAL, number=2, code=PUBLISHED["residual"])
    both = [trial, residual]
    assert numbers(select(both, Selection(has=("add",)))) == [2]
    assert numbers(select(both, Selection(has=("conv",)))) == [1, 2]
    assert numbers(select(both, Selection(has=("conv", "max")))) == [1]
    assert numbers(select(both, Selection(has=("residual Add around convolutions",)))) == [2]
    # Nor does a cell have what it is given, and what joins its output.
    cell = features(dataclasses.replace(TRIAL, code=published()["darts-v2"]))
    assert cell >= {"conv", "add"}
    assert not cell & {"identity", "concat"}


def test_every_motif_has_a_short_name_and_every_name_is_taken_in_small_letters_too():
    assert sorted(SHORT_NAMES.values()) == sorted(MOTIFS)
    assert not set(SHORT_NAMES) & {*LAYERS, *MOTIFS}
    assert feature_named("residual") == "residual Add around convolutions"
    assert feature_named("Branch") == feature_named("Several branches") == "several branches"
    assert feature_named("conv3x3") == "conv3x3"
    with pytest.raises(ValueError, match="'resi' is no feature"):
        feature_named("resi")


def test_what_was_not_trained_has_no_reward_to_sort_by():
    found = trials(reward=[10.0, 5.0])
    found[0] = dataclasses.replace(found[0], status=Status.INFEASIBLE)
    assert numbers(select(found, Selection(status="any"))) == [2, 1]
    assert numbers(select(found, Selection(status="any", least={"reward": 0.0}))) == [2]


@given(st.lists(blocks(max_layers=4), max_size=5), st.sampled_from(sorted(FIGURES)))
def test_sorting_loses_and_adds_nothing(codes, figure):
    found = [
        dataclasses.replace(TRIAL, number=number, code=code, depth=len(code))
        for number, code in enumerate(codes, start=1)
    ]
    assert sorted(numbers(select(found, Selection(sort=figure)))) == numbers(found)
