"""Trials and seeds."""

import dataclasses
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.trial import Outcome, Status, Trial, child_seed

TRIAL = Trial(1, 1, 1.0, PUBLISHED["residual"], "ab", 3, Status.RUNNING, 1.0, 10, 20, 30, 2)


@given(st.integers(0, 2**63 - 1), st.text("0123456789abcdef", min_size=16, max_size=16))
def test_a_child_seed_is_a_function_of_run_seed_and_hash(run_seed, block_hash):
    seed = child_seed(run_seed, block_hash)
    assert seed == child_seed(run_seed, block_hash)
    assert 0 <= seed < 2**32


def test_a_child_seed_differs_between_runs_and_between_blocks():
    seeds = {child_seed(run, block) for run in range(30) for block in ("00", "01", "10", "11")}
    assert len(seeds) == 120


def test_child_seeds_stay_what_they_are_between_versions():
    # A stored run goes on with the seeds that it began with.
    digest = hashlib.sha256(b"7 0123456789abcdef").hexdigest()
    assert child_seed(7, "0123456789abcdef") == int(digest[:8], 16)


def test_the_accuracy_is_that_of_the_last_epoch():
    assert dataclasses.replace(TRIAL, accuracies=(10.0, 30.0, 20.0)).accuracy == 20.0
    assert TRIAL.accuracy is None


def test_seconds_are_those_of_compiling_and_training():
    # What was compiled while others trained took no time of a device.
    trial = dataclasses.replace(
        TRIAL, compile_seconds=9.0, waiting_seconds=2.5, train_seconds=0.25, saved_seconds=7.0
    )
    assert trial.seconds == 2.75


def test_an_outcome_with_a_reason_has_failed():
    assert Outcome(accuracies=(1.0,)).status is Status.COMPLETED
    assert Outcome(reason="loss is nan").status is Status.FAILED
    assert Outcome(accuracies=(1.0,), reason="late").status is Status.FAILED


def test_what_an_outcome_says_is_a_field_of_the_trial():
    names = {field.name for field in dataclasses.fields(Trial)}
    assert Outcome().of_trial.keys() <= names
    others = {f.name for f in dataclasses.fields(Outcome)} - Outcome().of_trial.keys()
    assert others == {"score", "found", "processor_seconds"}
