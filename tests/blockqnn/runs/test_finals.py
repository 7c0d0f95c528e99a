"""Finals by hand: who comes into which round, who wins, and what a store keeps of it."""

import contextlib
import dataclasses
import sqlite3

import pytest

from blockqnn.errors import UserError
from blockqnn.runs.finals import Finals, FinalsPlan, FinalTraining, entrants, stale_words
from blockqnn.runs.rounds import (
    Round,
    canonical,
    check_rounds,
    in_words,
    parse_rounds,
    short_rounds,
    write_rounds,
)
from blockqnn.runs.run_record import read_run
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.trial import Status, child_seed, final_seed
from tests.blockqnn.trials_by_hand import altered, chain, trial, write_store

PLAN = FinalsPlan((Round(4, 3), Round(2, 9, 2)), (5, 2, 8, 1), trained=20, train_examples=0)
FIRST = {5: 70.0, 2: 80.0, 8: 75.0, 1: 80.0}
# Seeds of the two that came through.
SECOND = {2: (85.0, 83.0), 1: (84.0, 86.0)}


def training(place, number, index, accuracy, epochs=None, reason=None):
    """A training by hand that ended at an accuracy, or for a reason."""
    epochs = epochs or PLAN.rounds[place - 1].epochs
    accuracies = () if reason else (accuracy / 2, accuracy)
    return FinalTraining(place, number, index, 7, epochs, accuracies, reason, finished=1e9)


def first_round(**changes):
    return [training(1, number, 1, a) for number, a in (FIRST | changes).items()]


def second_round():
    return [training(2, n, i, a) for n, pair in SECOND.items() for i, a in enumerate(pair, 1)]


def test_rounds_keep_the_best_and_the_last_one_says_who_won():
    finals = Finals(PLAN, [*first_round(), *second_round()], guessing=10.0)
    # Trials 2 and 1 are equal after round 1, where 2 entered before 1.
    assert finals.orders == [[2, 1, 8, 5], [1, 2]]
    assert (finals.ended, finals.ranking) == (True, [1, 2, 8, 5])
    result = finals.last_result(1)
    assert (result.mean, result.round) == (85.0, 2)
    assert result.deviation == pytest.approx(2**0.5)
    assert finals.last_result(8).deviation is None
    assert [r.mean for r in finals.results(2)] == [80.0, 84.0]
    assert finals.early_rank(1) == 4


def test_a_round_that_is_under_way_has_no_order_yet():
    finals = Finals(PLAN, first_round()[:3], 10.0)
    assert (finals.orders, finals.under_way, finals.ranking) == ([], 1, [])
    assert finals.entered(1) == [5, 2, 8, 1]
    finals = Finals(PLAN, [*first_round(), *second_round()[:3]], 10.0)
    assert (finals.under_way, finals.entered(2), finals.ended) == (2, [2, 1], False)
    assert finals.with_training(second_round()[3]).ended


def test_what_failed_counts_as_guessing():
    failed = training(1, 2, 1, 0, reason="out of memory")
    finals = Finals(PLAN, [*(t for t in first_round() if t.trial != 2), failed], 10.0)
    assert finals.orders == [[1, 8, 5, 2]]
    assert (finals.result(1, 2).mean, finals.result(1, 2).reasons) == (10.0, ["out of memory"])


def test_trainings_of_other_epochs_or_blocks_do_not_count():
    others = [training(1, 5, 1, 99.0, epochs=4), training(1, 77, 1, 99.0)]
    assert Finals(PLAN, others, 10.0).kept == 0
    assert Finals(PLAN, [*others, *first_round()[1:]], 10.0).kept == 3


def test_fewer_blocks_than_a_round_has_all_enter():
    plan = dataclasses.replace(PLAN, trials=(3,), rounds=(Round(4, 3), Round(2, 9)))
    finals = Finals(plan, [training(1, 3, 1, 50.0), training(2, 3, 1, 60.0, 9)], 10.0)
    assert finals.ranking == [3]


def test_one_network_enters_once():
    assert entrants([(4, "a"), (2, "b"), (9, "a"), (1, "c")], 2) == (4, 2)


def test_finals_of_fewer_blocks_than_there_are_say_so():
    ended = Finals(PLAN, [*first_round(), *second_round()], 10.0)
    assert stale_words(ended, 20) == stale_words(None, 3) == ""
    assert stale_words(ended, 100) == ("The finals were of 20 blocks; 80 more were trained since.")
    assert stale_words(Finals(PLAN, first_round(), 10.0), 100) == ""


def test_every_training_has_a_seed_of_its_own():
    seeds = {final_seed(3, "ab", place, index) for place in (1, 2, 3) for index in (1, 2, 3)}
    assert len(seeds | {child_seed(3, "ab"), final_seed(3, "ac", 1, 1)}) == 11
    assert final_seed(3, "ab", 1, 1) == final_seed(3, "ab", 1, 1) != final_seed(4, "ab", 1, 1)


@pytest.mark.parametrize(
    ("text", "rounds", "written"),
    [
        ("40:3,12:9,4:27", (Round(40, 3), Round(12, 9), Round(4, 27)), "40:3,12:9,4:27"),
        (" 4:3:2 , 04:9", (Round(4, 3, 2), Round(4, 9)), "4:3:2,4:9"),
        ("off", (), "off"),
        ("", (), "off"),
    ],
)
def test_rounds_as_text(text, rounds, written):
    assert parse_rounds(text) == rounds
    assert canonical(text) == short_rounds(rounds) == written
    assert parse_rounds(write_rounds(rounds)) == rounds


def test_rounds_that_name_no_seeds_take_what_is_given():
    assert parse_rounds("4:3,2:9:5", seeds=2) == (Round(4, 3, 2), Round(2, 9, 5))
    assert in_words(PLAN.rounds) == (
        "4 blocks for 3 epochs; then the best 2 blocks for 9 epochs, 2 trainings each"
    )


@pytest.mark.parametrize("text", ["4", "0:3", "4:0", "4:3:0", "4:3:2:1", "4:3,", "a:3", "-4:3"])
def test_what_is_no_round_is_refused(text):
    with pytest.raises(ValueError):
        parse_rounds(text)


@pytest.mark.parametrize(("text", "said"), [("4:3,5:9", "5, which are more"), ("4:3,4:2", "fewer")])
def test_rounds_must_narrow(text, said):
    with pytest.raises(UserError, match=said):
        check_rounds(parse_rounds(text), "--rounds")
    check_rounds(parse_rounds("4:3,4:3"), "--rounds")


@pytest.fixture
def run_dir(tmp_path):
    """A run of eight trained blocks, of which higher numbers have lower rewards."""
    trials = [trial(n, accuracy=90.0 - n, code=chain(*[1] * n)) for n in range(1, 9)]
    return write_store(tmp_path / "run", trials)


def test_a_store_keeps_finals_and_the_best_are_theirs(run_dir):
    with contextlib.closing(Store.create_or_open(run_dir / FILE_NAME)) as store:
        store.finals.begin(PLAN)
        for one in [*first_round(), *second_round()]:
            assert [t.number for t in read_run(run_dir).best(3)] == [1, 2, 3]
            store.finals.add(one)
        store.finals.add(training(1, 5, 1, 70.0))
        assert len(store.finals.trainings()) == 8
    run = read_run(run_dir)
    assert run.finals.plan == PLAN
    assert [t.number for t in run.best(8)] == [1, 2, 8, 5, 3, 4, 6, 7]
    assert [t.number for t in run.by_reward] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert run.final_places == {1: (1, 85.0), 2: (2, 84.0), 8: (3, 75.0), 5: (4, 70.0)}


def test_finals_that_begin_anew_drop_the_earlier_ones(run_dir):
    with contextlib.closing(Store.create_or_open(run_dir / FILE_NAME)) as store:
        store.finals.begin(PLAN)
        store.finals.add(training(1, 5, 1, 70.0))
        store.finals.begin(PLAN)
        assert len(store.finals.trainings()) == 1
        store.finals.begin(PLAN, anew=True)
        assert store.finals.trainings() == []


def test_an_older_store_has_no_finals_and_may_get_some(run_dir):
    altered(run_dir, "DROP TABLE finals")
    assert read_run(run_dir).finals is None
    for version in (5, 4, 3):
        altered(run_dir, f"PRAGMA user_version={version}")
        with contextlib.closing(Store.open_read_only(run_dir / FILE_NAME)) as store:
            if version == 3:
                assert store.finals.trainings() == []
        assert [t.number for t in read_run(run_dir).best(2)] == [1, 2]
    altered(run_dir, "PRAGMA user_version=5")
    with contextlib.closing(Store.create_or_open(run_dir / FILE_NAME)) as store:
        store.finals.begin(PLAN)
        assert store.finals.trainings() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE finals SET accuracies = 'x'",
        "UPDATE finals SET accuracies = '[]'",
        "UPDATE finals SET worker = 'x'",
        "UPDATE facts SET value = '3' WHERE name = 'finals'",
        """UPDATE facts SET value = '{"rounds": "4:3", "trials": [99], "trained": 1,
        "train_examples": 0}' WHERE name = 'finals'""",
        """UPDATE facts SET value = '{"rounds": "off", "trials": [1], "trained": 1,
        "train_examples": 0}' WHERE name = 'finals'""",
        "DROP TABLE finals",
    ],
)
def test_damaged_finals_are_refused_in_a_sentence(run_dir, statement):
    with contextlib.closing(Store.create_or_open(run_dir / FILE_NAME)) as store:
        store.finals.begin(PLAN)
        store.finals.add(training(1, 5, 1, 70.0))
    altered(run_dir, statement)
    with pytest.raises(UserError, match="cannot be read"):
        read_run(run_dir)


def test_what_was_not_trained_cannot_have_won(run_dir):
    with contextlib.closing(Store.create_or_open(run_dir / FILE_NAME)) as store:
        store.finals.begin(PLAN)
    altered(run_dir, f"UPDATE trials SET status = '{Status.FAILED.value}' WHERE number = 5")
    with pytest.raises(UserError, match="not trained"):
        read_run(run_dir)


def test_the_table_is_written_in_one_transaction_a_training(run_dir):
    with contextlib.closing(Store.create_or_open(run_dir / FILE_NAME)) as store:
        store.finals.begin(PLAN)
        store.finals.add(training(1, 5, 1, 70.0))
        with contextlib.closing(sqlite3.connect(run_dir / FILE_NAME)) as other:
            assert other.execute("SELECT count(*) FROM finals").fetchone() == (1,)
