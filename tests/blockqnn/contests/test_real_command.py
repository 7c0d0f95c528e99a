"""Contests with children: what is shared, rows by hand, continuing, the command."""

import contextlib
import dataclasses
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.contests.contest import Improvement
from blockqnn.contests.contestants import Contestant, parse_contestant
from blockqnn.contests.real_contest import (
    Evaluation,
    RealRun,
    play_real,
    real_run_as_json,
    real_run_from_json,
)
from blockqnn.contests.real_standings import as_played, real_rows, real_standings
from blockqnn.contests.shared_outcomes import FILE_NAME, SharingExecutor, children_digest
from blockqnn.contests.waiting import WaitingForChildren
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DryEvaluator
from blockqnn.flags.search import parse
from blockqnn.networks.spaces.registry import code_of
from blockqnn.trial import Status
from blockqnn.workers.contract import InlineExecutor
from tests.blockqnn.small_searches import CONV3, CONV5, job, search_settings
from tests.blockqnn.trials_by_hand import trial

SETTINGS, _ = parse(["--preset=smoke", "--evaluator=dry"])


class Counting:
    """Evaluates in this process and counts what it is given; numbers in `failing` fail."""

    slots = 3

    def __init__(self, failing=()):
        self.inner = InlineExecutor(DryEvaluator(2, 10))
        self.hashes, self.failing = [], set(failing)

    def submit(self, job):
        self.hashes.append((job.hash, job.seed))
        self.inner.submit(job)

    room = 1

    def next_outcome_or_room(self):
        return self.next_outcome()

    def next_outcome(self):
        number, outcome = self.inner.next_outcome()
        reason = "broken" if number in self.failing else None
        return number, dataclasses.replace(outcome, reason=reason, train_seconds=2.5)

    def close(self):
        self.inner.close()


@contextlib.contextmanager
def sharing(tmp_path, digest="a", **settings):
    counting = Counting(**settings)
    with contextlib.closing(SharingExecutor(counting, tmp_path / FILE_NAME, digest)) as executor:
        yield executor, counting


def evaluated(executor, *jobs):
    for one in jobs:
        executor.submit(one)
    return dict(executor.next_outcome() for _ in jobs)


def test_what_one_had_trained_another_need_not(tmp_path):
    with sharing(tmp_path) as (executor, counting):
        first = evaluated(executor, job(1, CONV3), job(2, CONV5))
        assert len(counting.hashes) == 2
        assert executor.slots == 3
    with sharing(tmp_path) as (executor, counting):
        again = evaluated(
            executor,
            dataclasses.replace(job(7, CONV5), seed=job(2, CONV5).seed),
            dataclasses.replace(job(8, CONV3), seed=job(1, CONV3).seed),
        )
        assert counting.hashes == []
        assert again == {7: first[2], 8: first[1]}
        assert again[7].train_seconds == 2.5


def test_another_seed_another_recipe_and_failures_are_trained(tmp_path):
    with sharing(tmp_path, failing=[2]) as (executor, _):
        found = evaluated(executor, job(1, CONV3), job(2, CONV5))
        assert [found[n].status for n in (1, 2)] == [Status.COMPLETED, Status.FAILED]
    other_seed = dataclasses.replace(job(1, CONV3), seed=99)
    with sharing(tmp_path) as (executor, counting):
        evaluated(executor, other_seed, job(3, CONV5))
        assert len(counting.hashes) == 2
    with sharing(tmp_path, digest="b") as (executor, counting):
        evaluated(executor, job(1, CONV3))
        assert len(counting.hashes) == 1


def test_the_digest_names_what_children_depend_on():
    one = search_settings()
    same = dataclasses.replace(one, seed=5, blocks_per_iteration=2)
    assert children_digest(same) == children_digest(one)
    # That of outcomes that were kept before recipes had a schedule.
    assert children_digest(one) == "eaaef74e5da96103"
    cycle = dataclasses.replace(one.recipe, schedule="one_cycle")
    assert children_digest(dataclasses.replace(one, recipe=cycle)) != children_digest(one)
    momentum = dataclasses.replace(one.recipe, optimiser="momentum")
    assert children_digest(dataclasses.replace(one, recipe=momentum)) != children_digest(one)
    recipe = dataclasses.replace(one.recipe, epochs=9)
    assert children_digest(dataclasses.replace(one, recipe=recipe)) != children_digest(one)
    few = dataclasses.replace(one.data, validation_examples=9)
    assert children_digest(dataclasses.replace(one, data=few)) != children_digest(one)
    layout = dataclasses.replace(one.layout, repeats=3)
    assert children_digest(dataclasses.replace(one, layout=layout)) != children_digest(one)


@pytest.mark.parametrize("name", ["random", "evolution", "q_learning", "q_learning_plus"])
def test_a_run_is_as_long_as_its_budget_and_the_same_again(name):
    contestant = parse_contestant(name)

    def played(seed):
        with contextlib.closing(InlineExecutor(DryEvaluator(2, 10))) as executor:
            return play_real(contestant, SETTINGS, 13, seed, executor)

    run = played(1)
    assert len(run.evaluations) == 13
    assert (run.contestant, run.budget, run.seed) == (name, 13, 1)
    assert played(1).evaluations == run.evaluations != played(2).evaluations
    assert real_run_from_json(json.loads(json.dumps(real_run_as_json(run)))) == run


def test_q_learning_has_the_settings_of_the_search():
    config = parse_contestant("q_learning:reward_shaping=false").config(40, SETTINGS)
    assert config.learning_rate == SETTINGS.agent.learning_rate
    assert config.replay_updates == SETTINGS.agent.replay_updates
    assert config.exploration == SETTINGS.agent.exploration
    assert not config.reward_shaping
    batch = SETTINGS.blocks_per_iteration
    assert sum(count for _, count in config.epsilon_schedule) == round(40 / batch)
    predicted = parse_contestant("random+predictor:pool=7").config(40, SETTINGS)
    assert (predicted.pool, predicted.agent.exploration) == (7, SETTINGS.agent.exploration)


def run_of(title, seed, *evaluations):
    return RealRun(title, 4, seed, tuple(Evaluation(*e) for e in evaluations))


RUN_LIST = [
    run_of("a", 0, (1, 10, 50), (1, 30, 40), (1, 20, 70), (1, 40, 60)),
    run_of("a", 1, (1, 50, 60), (1, 10, 20), (1, 10, 20), (1, 60, 90)),
    run_of("b", 0, (2, 10, 30), (2, 90, 80), (2, 10, 30), (2, 10, 50)),
    run_of("b", 1, (2, 20, 40), (2, 10, 90), (2, 70, 60), (2, 10, 70)),
]
RUNS = {(run.contestant, run.budget, run.seed): run for run in RUN_LIST}
A, B = Contestant("a", "random", {}), Contestant("b", "q_learning_plus", {})


def test_rows_by_hand():
    rows = {(r["agent"], r["budget"]): r for r in real_rows(RUNS, [A, B], (4, 2), 2)}
    assert list(rows) == [("a", 2), ("b", 2), ("a", 4), ("b", 4), ("a", None), ("b", None)]
    assert rows["a", 2]["mean"] == (40 + 60) / 2
    assert rows["a", 4]["mean"] == (60 + 90) / 2
    assert rows["a", 4]["reward"] == (40 + 60) / 2
    assert rows["a", 4]["std"] == pytest.approx(30 / 2**0.5)
    assert rows["b", 4]["mean"] == (80 + 60) / 2
    # The shortest run took 4 seconds, in which b evaluates two.
    assert rows["b", None]["seconds"] == 4
    assert rows["b", None]["mean"] == (80 + 40) / 2
    assert rows["a", None]["mean"] == rows["a", 4]["mean"]
    assert (rows["a", 4]["first"], rows["a", 4]["last"]) == (55, 75)
    assert rows["b", 2]["seeds"] == 2
    # Samples 40, 60 and 80, 40: t = -10 / sqrt(100 + 400), by Welch 1.47 degrees of freedom.
    assert rows["b", 2]["p"] == pytest.approx(0.71172, abs=1e-5)
    assert [rows["a", budget]["p"] for budget in (2, 4, None)] == [None] * 3
    # Rewards 30, 50 and 90, 20: t = 15 / sqrt(100 + 1225).
    assert rows["b", 2]["reward_p"] == pytest.approx(0.74335, abs=1e-5)
    # 75 +- 21.2 and 60 +- 28.3 at equal seconds.
    assert rows["b", None]["p"] == pytest.approx(0.61357, abs=1e-5)


def test_improvements_are_by_reward():
    assert as_played(RUN_LIST[0]).improvements == (
        Improvement(1, 10, 10),
        Improvement(2, 30, 30),
        Improvement(4, 40, 40),
    )


def test_standings_by_hand():
    found = real_standings(RUNS, [A, B], (4, 2), 2, 0.0)
    assert (found.best, found.target) == (90, (40 + 60) / 2)
    # Of a, seed 1 has 50 with its first block; of b, seeds 0 and 1 with the second and the third.
    # Also agents that are sized to a budget have but one run here.
    assert found.targets == [
        {"agent": "a", "reached": 0.5, "evaluations": 1},
        {"agent": "b", "reached": 1.0, "evaluations": 2},
    ]
    a, b = found.curves
    assert a["evaluations"] == b["evaluations"] == [1, 2, 3, 4]
    assert a["regret"] == [90 - (10 + 50) / 2, 90 - (30 + 50) / 2, 50, 90 - (40 + 60) / 2]
    assert b["regret"] == [90 - (10 + 20) / 2, 90 - (90 + 20) / 2, 10, 10]
    assert real_standings(RUNS, [A, B], (4, 2), 2, 30).target == 30


def test_within_so_many_seconds():
    run = RUN_LIST[2]
    assert [run.within(s) for s in (0, 1.9, 2, 7.9, 8, 100)] == [0, 0, 1, 3, 4, 4]
    assert run.best_after(0) == run.evaluations[0]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_all_of_a_run_is_within_its_own_seconds(seconds):
    run = run_of("a", 0, *((s, 1, 1) for s in seconds))
    assert run.within(run.seconds) == len(seconds)
    assert run.seconds == pytest.approx(math.fsum(seconds))


def test_one_seed_of_one_agent_that_took_no_time():
    runs = {("a", 4, 0): run_of("a", 0, (0, 5, 6), (0, 7, 3))}
    found = real_standings(runs, [A], (4,), 1, 0.0)
    assert [(row["budget"], row["mean"], row["std"], row["p"]) for row in found.rows] == [
        (4, 3, None, None),
        (None, 3, None, None),
    ]
    assert found.targets == [{"agent": "a", "reached": 1.0, "evaluations": 2}]


@given(st.floats(-100, 100), st.integers(1, 12))
def test_equal_runs_reach_what_they_reach_on_average(reward, seeds):
    runs = {("a", 4, seed): run_of("a", seed, (1, reward, 50)) for seed in range(seeds)}
    assert real_standings(runs, [A], (4,), seeds, 0.0).targets[0]["reached"] == 1.0


@pytest.mark.parametrize("number", [math.nan, math.inf, "x", None])
def test_a_run_without_a_number_is_none(number):
    fields = json.loads(json.dumps(real_run_as_json(RUN_LIST[0])))
    fields["evaluations"][1][1] = number
    with pytest.raises((ValueError, TypeError)):
        real_run_from_json(fields)


ARGUMENTS = (
    *("compare", "--evaluator=dry", "--preset=smoke", "--budgets=5,20", "--seeds=2"),
    "--out_dir=real",
)


def test_the_command_prints_shares_and_continues(blockqnn):
    agents = "--agents=random,q_learning_plus,q_learning:reward_shaping=false"
    status, out, err = blockqnn(*ARGUMENTS, agents)
    assert status == 0
    assert out.startswith("DRY RUN")
    assert err.count("20 evaluations, best") == 6
    lines = out.splitlines()
    titles = ["agent", "random", "q_learning_plus", "q_learning:reward_shaping=false"]
    assert [line.split()[-1] for line in lines[3:7]] == titles
    assert [line.split()[-1] for line in lines[11:15]] == titles
    assert lines[3].split()[:4] == ["5", "evaluations", "20", "evaluations"]
    again = blockqnn(*ARGUMENTS, agents)
    assert again == (0, out, ""), "nothing is played again"
    assert err.splitlines()[0] == "Data:       digits"
    assert err.splitlines()[2] == "Contest:    6 runs of 20 evaluations"
    assert err.splitlines()[4] == (
        "6 runs of 20 evaluations: starting, and compiling the first children ..."
    )
    status, out, err = blockqnn(
        *ARGUMENTS, "--agents=random,evolution", "--format=json", "--out=regret.svg", "--target=3"
    )
    assert (status, err.count("evaluations, best")) == (0, 2)
    assert "<svg" in (blockqnn.directory / "regret.svg").read_text()
    facts = json.loads(out)
    assert facts["dry"] is True
    assert [row["budget"] for row in facts["rows"]] == [5, 5, 20, 20, None, None]
    assert {row["seeds"] for row in facts["rows"]} == {2}
    assert (facts["target"], [row["agent"] for row in facts["targets"]]) == (
        3,
        ["random", "evolution"],
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--preset=none",), "--preset is 'none'"),
        (("--search_flags=none.flags",), "none.flags"),
        (("--evaluator=train", "--preset=cifar10", "--data_dir=none"), "There is no data set"),
        (("--agents=nobody",), "'nobody'"),
        (("--table=t.csv",), "--table belongs to table; this comparison's evaluator is dry."),
        (("--out=regret.txt",), "--out is 'regret.txt'"),
        (
            ("--evaluator=table", "--table=t.csv"),
            "--preset belongs to train or dry; this comparison's evaluator is table.",
        ),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(blockqnn, more, words):
    status, out, err = blockqnn(*ARGUMENTS, *more)
    assert (status, out) == (2, "")
    assert words in err
    assert blockqnn.files() == []


def test_a_contest_that_fails_leaves_nothing(blockqnn, monkeypatch):
    def fails(*_):
        raise UserError("It cannot be.")

    monkeypatch.setattr("blockqnn.contests.real_command.play_real", fails)
    assert blockqnn(*ARGUMENTS, "--agents=random")[0] == 2
    assert blockqnn.files() == []


def test_waiting_says_what_was_trained_and_about_how_long_it_takes():
    now, stream = [0.0], io.StringIO()
    waiting = WaitingForChildren(stream, runs=2, budget=4, now=lambda: now[0])
    waiting.begin("random, seed 0")
    for number, (seconds, accuracy) in enumerate([(9, 50), (20, 70.5), (21, 60)]):
        now[0] = seconds
        waiting.finished(trial(number, accuracy=accuracy))
    waiting.ended("4 evaluations, best accuracy 70.50 %")
    # After 20 seconds two of eight are trained, so that the rest takes 60.
    assert stream.getvalue().splitlines() == [
        "2 runs of 4 evaluations: starting, and compiling the first children ...",
        "random, seed 0: trained 2 of 4, best accuracy 70.50 %; about 60 s left for all runs",
        "random, seed 0: 4 evaluations, best accuracy 70.50 %",
    ]


def test_waiting_for_language_models_says_perplexity():
    now, stream = [0.0], io.StringIO()
    waiting = WaitingForChildren(stream, runs=1, budget=2, now=lambda: now[0])
    waiting.begin("random, seed 0")
    now[0] = 20
    model = dataclasses.replace(trial(1, accuracy=0.8), code=code_of("lstm"))
    waiting.finished(model)
    assert "trained 1 of 2, best perplexity 125.00; about 20 s left" in stream.getvalue()
    for seconds in (40, 60):
        now[0] = seconds
        waiting.finished(model)
    assert "trained 2 of 2" in stream.getvalue() and "3 of 2" not in stream.getvalue()


def test_another_search_is_refused(blockqnn):
    assert blockqnn(*ARGUMENTS, "--agents=random")[0] == 0
    (blockqnn.directory / "own.flags").write_text("--mu=3\n")
    status, _, err = blockqnn(*ARGUMENTS, "--agents=random", "--search_flags=own.flags")
    assert status == 2
    assert "begun with --mu=1; given is --mu=3." in err
