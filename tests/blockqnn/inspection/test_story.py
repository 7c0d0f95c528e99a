"""A trial's story, by hand and for whatever a store may hold."""

import dataclasses
import datetime
import math
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.inspection.show_trial import story_in_words
from blockqnn.inspection.story import story, story_facts
from blockqnn.reward import corrected_reward, reward_terms
from blockqnn.runs.run_record import RunRecord
from blockqnn.settings import RewardSettings
from blockqnn.terminal import Terminal
from blockqnn.trial import Status, Trial
from tests.blockqnn.runs.test_store_contents import TRIALS
from tests.blockqnn.small_searches import CONV3, LAYOUT

NOON = datetime.datetime(2026, 3, 1, 12, 0, 0, tzinfo=datetime.UTC).timestamp()
TRIAL = Trial(
    number=2,
    iteration=1,
    epsilon=0.4,
    code=CONV3,
    hash="ab",
    seed=77,
    status=Status.COMPLETED,
    density=0.5,
    parameters=10,
    flops=20,
    block_flops=2_000_000,
    depth=2,
    accuracies=(10.0, 60.0, 90.0),
    # 90 - 2 ln 2 - 3 ln 0.5 = 90 + ln 2.
    reward=90 + math.log(2),
    restarts=1,
    compile_seconds=1.25,
    train_seconds=5.0,
    device="cpu:0",
    worker=3,
    finished=NOON + 100,
    waiting_seconds=2.5,
    saved_seconds=0.75,
)
BEFORE = dataclasses.replace(
    TRIAL,
    number=1,
    hash="cd",
    reward=99.0,
    finished=NOON + 30,
    waiting_seconds=10.0,
    train_seconds=20.0,
)


def run_of(*trials, **flags):
    flags = {"mu": "2", "rho": "3"} | flags
    return RunRecord(pathlib.Path("run"), list(trials), LAYOUT, False, flags, 1)


def words(run, trial):
    return "\n".join(story_in_words(story(run, trial), Terminal()))


def test_a_trained_block_by_hand():
    repeats = [
        dataclasses.replace(TRIAL, number=n, status=Status.KNOWN, source=2, finished=NOON + 200)
        for n in range(3, 18)
    ]
    run = run_of(BEFORE, TRIAL, *repeats)
    told = story(run, TRIAL)
    assert (told.rank, told.ranked) == (2, 2)
    assert told.terms == pytest.approx((90.0, -2 * math.log(2), 3 * math.log(2)))
    # The first child was begun at noon: it finished 30 seconds later and took 30.
    assert told.seconds_into_run == pytest.approx(100.0)
    text = words(run, TRIAL)
    for line in (
        "trial 2, iteration 1: trained",
        "  epsilon      0.4 of the actions at random",
        "  seed         77",
        "  reward       90.69, rank 2 of 2 trained blocks",
        "       +90.00  accuracy after the last epoch",
        "        -1.39  -mu ln(FLOPs), mu 2, 2 million FLOPs in one block",
        "        +2.08  -rho ln(density), rho 3, density 0.5",
        "  accuracy     90.00 %  ▂▅▇",
        "               by epoch 10.0 60.0 90.0",
        "  seconds      2.5 waiting for the compiler, 5.0 training and evaluating,",
        "               1.2 compiling, perhaps while others trained, 0.8 saved by the cache",
        "  device       cpu:0, worker 3, 1 restart",
        "  same block   also suggested as trials 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14",
        "               and 3 more (known)",
    ):
        assert line in text.splitlines()
    assert ", 1:40 into the run by the clock" in text
    facts = story_facts(told)
    assert [other["number"] for other in facts["same_block"]] == list(range(3, 18))
    assert datetime.datetime.fromisoformat(facts["finished_at"]).timestamp() == NOON + 100


def test_the_terms_are_of_the_epoch_that_was_rewarded():
    corrections = math.log(2)
    trial = dataclasses.replace(
        TRIAL, accuracies=(95.0, 90.0, 60.0, 70.0), reward=90.0 + corrections
    )
    run = run_of(trial, reward_epochs="3")
    assert sum(story(run, trial).terms) == pytest.approx(trial.reward)
    text = words(run, trial)
    assert "       +90.00  accuracy, best of the last 3 of 4 epochs" in text.splitlines()
    assert "an earlier version" not in text
    assert "accuracy, best of all 4 epochs" in words(run_of(trial, reward_epochs="9"), trial)


def test_a_known_trial_has_the_rank_of_its_source():
    known = dataclasses.replace(TRIAL, number=5, status=Status.KNOWN, source=2)
    told = story(run_of(BEFORE, TRIAL, known), known)
    assert (told.rank, [other.number for other in told.others]) == (2, [2])
    text = words(run_of(BEFORE, TRIAL, known), known)
    assert "trial 5, iteration 1: known, as trial 2" in text
    assert "rank 2 of 2 trained blocks, as trial 2" in text
    assert "also suggested as trial 2 (trained)" in text
    assert "seconds" not in text, "it took none"


def test_an_epoch_of_a_mixture_that_another_stands_for_earned_what_it_earned():
    later = dataclasses.replace(TRIAL, number=5, reward=80.0)
    run = run_of(TRIAL, later, weights="mixture")
    assert run.mixed and story(run, TRIAL).rank is None
    text = words(run, TRIAL)
    assert "guessing" not in text and "also suggested as trial 5 (trained)" in text


@pytest.mark.parametrize("status", [Status.FAILED, Status.INFEASIBLE])
def test_what_was_not_trained_tells_why_and_has_no_terms(status):
    trial = dataclasses.replace(
        TRIAL, status=status, reason="out of\nmemory \x1b[31m", reward=10.0, accuracies=()
    )
    told = story(run_of(BEFORE, trial), trial)
    assert (told.rank, told.ranked, told.terms) == (None, 1, None)
    text = words(run_of(BEFORE, trial), trial)
    assert f"trial 2, iteration 1: {status} (out of\\nmemory \\x1b[31m)" in text
    assert "10.00, what guessing earns" in text
    assert ("seconds" in text) == (status is Status.FAILED)


@pytest.mark.parametrize(
    "flags", [{"mu": "x"}, {"rho": "nan"}, {"mu": None}, {"reward_epochs": "0"}]
)
def test_without_coefficients_there_are_no_terms(flags):
    assert story(run_of(TRIAL, **flags), TRIAL).terms is None


def test_a_time_that_no_calendar_has_is_a_dash():
    for finished in (None, 1e300, -1e300):
        trial = dataclasses.replace(TRIAL, finished=finished)
        assert "  finished     -" in words(run_of(trial), trial)
        assert story_facts(story(run_of(trial), trial))["finished_at"] is None


@given(TRIALS, TRIALS)
def test_any_trial_has_a_story_that_steers_no_terminal(trial, other):
    run = run_of(trial, other)
    for line in story_in_words(story(run, trial), Terminal()):
        assert line.isprintable()
    assert set(story_facts(story(run, trial))) >= {"rank", "reward_terms", "same_block"}


@given(
    st.floats(0, 100),
    st.floats(1, 1e12),
    st.floats(0.1, 10),
    st.floats(-10, 10),
    st.floats(-10, 10),
)
def test_the_terms_add_up_to_the_reward(accuracy, block_flops, density, mu, rho):
    settings = RewardSettings(mu, rho)
    terms = reward_terms(accuracy, block_flops, density, settings)
    reward = corrected_reward(accuracy, block_flops, density, settings)
    assert terms.accuracy + terms.flops + terms.density == reward
    # As one writes the equation, to the last bit: stored rewards must not change.
    assert reward == accuracy - mu * math.log(block_flops / 1e6) - rho * math.log(density)


def test_a_cache_that_took_longer_than_compiling_saved_nothing():
    trial = dataclasses.replace(TRIAL, saved_seconds=-0.25)
    assert "0.0 saved by the cache" in words(run_of(trial), trial)
