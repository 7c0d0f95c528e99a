"""The search in which no worker waits for another: with scripts, stops and real kills."""

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockqnn.agents.q_learning import QLearningConfig
from blockqnn.networks.cost import Limits
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.runs.run_record import read_run
from blockqnn.runs.store import Store
from blockqnn.searching.loop import DRAWS_PER_BLOCK
from blockqnn.trial import Outcome, Status
from blockqnn.workers.contract import InlineExecutor
from tests.blockqnn.chaos import BLOCKS, result_of, run_to_the_end, run_under_fire
from tests.blockqnn.small_searches import (
    CONV1,
    CONV3,
    CONV3_AGAIN,
    CONV5,
    NO_CONVOLUTION,
    CountingEvaluator,
    ScriptedAgent,
    SometimesFailing,
    search_settings,
    start,
    without_times,
)

SCHEDULE = ((1.0, 2), (0.5, 2), (0.0, 1))
ASYNC = search_settings(SCHEDULE, asynchronous=True)
HASH3 = canonical_form(CONV3).hash


class Workers:
    """So many children at once, which end in an order of the test's own."""

    def __init__(self, evaluator, slots=1, choose=lambda jobs: 0):
        self.slots, self._evaluator, self._choose = slots, evaluator, choose
        self.jobs = []

    @property
    def room(self):
        return max(self.slots - len(self.jobs), int(not self.jobs))

    def submit(self, job):
        self.jobs.append(job)

    def next_outcome(self):
        job = self.jobs.pop(self._choose(self.jobs))
        return job.number, self._evaluator.evaluate(job, 0)

    def next_outcome_or_room(self):
        return self.next_outcome()


@pytest.fixture
def store():
    with contextlib.closing(Store.create_or_open(":memory:")) as store:
        yield store


def scripted(store, codes, blocks, iterations=1, slots=1, choose=lambda jobs: 0, outcomes=None):
    agent, evaluator = ScriptedAgent(codes), CountingEvaluator(outcomes)
    what = search_settings(((1.0, iterations),), blocks_per_iteration=blocks, asynchronous=True)
    search, _ = start(what, store, agent)
    trials = list(search.run(Workers(evaluator, slots, choose)))
    return trials, agent, evaluator


def test_a_suggestion_is_made_when_a_worker_is_free(store):
    codes = [CONV1, CONV3, CONV5, NO_CONVOLUTION, CONV3_AGAIN]
    trials, agent, evaluator = scripted(store, codes, 4, slots=2, choose=lambda jobs: -1)
    assert agent.asked == [1] * 5
    # The first child ends last, and holds up nobody.
    assert [trial.number for trial in trials] == [2, 3, 4, 5, 1]
    assert [job.number for job in evaluator.jobs] == [2, 3, 1]
    by_number = without_times(trials)
    assert [t.status for t in by_number] == [
        "trained", "trained", "trained", "infeasible", "known",
    ]  # fmt: skip
    assert by_number[4].source == 2
    ((*learned,),) = agent.updates
    assert [episode.actions for episode in learned] == codes


def test_epsilon_counts_what_has_finished(store):
    config = QLearningConfig(epsilon_schedule=SCHEDULE)
    search, agent = start(search_settings(SCHEDULE, agent=config, asynchronous=True), store)
    finished = 0
    for trial in search.run(Workers(CountingEvaluator(), slots=3, choose=lambda jobs: -1)):
        finished += trial.status is not Status.INFEASIBLE
        expected = [1.0, 1.0, 0.5, 0.5, 0.0, 0.0][finished // 5]
        assert agent.statistics()["epsilon"] == expected
        # What it was suggested with may be older.
        assert trial.epsilon >= expected
    assert finished == 25
    assert store.facts()["iterations"] == 5


def test_iterations_are_those_in_which_trials_ended(store):
    search, agent = start(ASYNC, store)
    trials = list(search.run(Workers(CountingEvaluator(), slots=4, choose=lambda jobs: -1)))
    assert [trial.iteration for trial in trials] == sorted(trial.iteration for trial in trials)
    for iteration in range(1, 6):
        here = [trial for trial in trials if trial.iteration == iteration]
        assert sum(trial.status is not Status.INFEASIBLE for trial in here) == 5
    assert agent.statistics()["episodes"] == len(trials)


def test_one_that_failed_is_tried_again_by_those_that_suggested_it_too(store):
    outcomes = {HASH3: [Outcome(reason="one"), Outcome(reason="two")]}
    codes = [CONV3, CONV3, CONV3_AGAIN, CONV3]
    trials, _, evaluator = scripted(store, codes, 4, slots=9, outcomes=outcomes)
    # With one of them under way, the others wait and take no slot.
    assert [trial.status for trial in without_times(trials)] == [
        "failed", "failed", "trained", "known",
    ]  # fmt: skip
    assert len(evaluator.jobs) == 3


def test_at_most_twenty_times_as_many_are_drawn_as_are_wanted(store):
    search, _ = start(search_settings(limits=Limits(max_parameters=1), asynchronous=True), store)
    trials = list(search.run(Workers(CountingEvaluator())))
    assert len(trials) == 4 * DRAWS_PER_BLOCK * 5
    assert search.finished


def test_what_is_under_way_is_in_the_store_with_the_agents_random_state(store):
    search, agent = start(ASYNC, store)
    workers = Workers(CountingEvaluator(), slots=3)
    for _ in search.run(workers):
        running = {suggestion.number for suggestion in store.running()}
        assert {job.number for job in workers.jobs} <= running
        stored = {trial.number for trial in store.trials()}
        assert not running & stored
        assert running | stored == set(range(1, max(running | stored) + 1))
        assert store.agent_state()["random"] == agent.get_state()["random"]
    assert store.running() == []


@settings(max_examples=25)
@given(st.lists(st.integers(0, 9), max_size=6), st.integers(1, 4), st.randoms())
def test_a_search_that_is_stopped_often_ends_every_suggestion_once(
    tmp_path_factory, stops, slots, dice
):
    path = tmp_path_factory.mktemp("run") / "store.sqlite"
    handed_out = {}
    for stop in [*stops, None]:
        with contextlib.closing(Store.create_or_open(path)) as store:
            search, agent = start(ASYNC, store)
            workers = Workers(
                SometimesFailing(), slots, choose=lambda jobs: dice.randrange(len(jobs))
            )
            for _ in itertools.islice(search.run(workers), stop):
                for suggestion in store.running():
                    known = handed_out.setdefault(suggestion.number, suggestion)
                    assert known == suggestion
            if stop is None:
                trials = list(store.trials())
                assert store.running() == []
                assert agent.statistics()["episodes"] == len(trials)
                assert store.agent_state() == agent.get_state()
    assert [trial.number for trial in trials] == list(range(1, len(trials) + 1))
    assert sum(trial.status is not Status.INFEASIBLE for trial in trials) == 25
    for number, suggestion in handed_out.items():
        assert trials[number - 1].code == suggestion.code
        assert trials[number - 1].epsilon == suggestion.epsilon


def test_with_one_child_at_a_time_a_stop_changes_nothing(tmp_path):
    results = []
    for name, stops in (("whole", []), ("stopped", [4, 7, 1])):
        for stop in [*stops, None]:
            with contextlib.closing(Store.create_or_open(tmp_path / name)) as store:
                search, agent = start(ASYNC, store)
                running = search.run(InlineExecutor(SometimesFailing()))
                for _ in itertools.islice(running, stop):
                    pass
                results.append((without_times(store.trials()), agent.get_state()))
    assert results[0] == results[-1]


def test_an_agent_goes_on_in_the_order_in_which_it_learned(tmp_path):
    """Numbers are not the order of learning, and replay memory is."""
    path = tmp_path / "store.sqlite"
    with contextlib.closing(Store.create_or_open(path)) as store:
        search, agent = start(ASYNC, store)
        workers = Workers(CountingEvaluator(), slots=4, choose=lambda jobs: -1)
        for _ in itertools.takewhile(lambda trial: trial.iteration < 4, search.run(workers)):
            pass
    with contextlib.closing(Store.create_or_open(path)) as store:
        _, again = start(ASYNC, store)
        assert again.get_state() == agent.get_state()
        assert [m.reward for m in again._memory] == [m.reward for m in agent._memory]


def test_a_run_is_one_or_the_other(blockqnn):
    smoke = ("--preset=smoke", "--run_dir=run")
    blockqnn.search(*smoke)
    status, _, err = blockqnn("search", "--evaluator=dry", *smoke, "--async")
    assert status == 2
    assert "begun with --async=false" in err


@pytest.mark.long
def test_chaos_in_local_processes_ends_like_peace_in_one(tmp_path):
    run_to_the_end(tmp_path / "peace", "--executor=inline")
    killed = run_under_fire(
        tmp_path / "chaos",
        "--executor=local",
        "--workers=3",
        "--dry_seconds=0.25",
        worker_kills=8,
        driver_kills=4,
    )
    assert killed["driver"] > 1
    assert killed["worker"] > 3
    assert result_of(tmp_path / "chaos") == result_of(tmp_path / "peace")


@pytest.mark.long
def test_an_asynchronous_search_outlives_chaos_too(tmp_path):
    run_dir = tmp_path / "run"
    killed = run_under_fire(
        run_dir,
        "--executor=local",
        "--workers=3",
        "--async",
        "--dry_seconds=0.2",
        "--dry_spread=0.8",
        worker_kills=8,
        driver_kills=4,
    )
    assert killed["driver"] > 1
    assert killed["worker"] > 3
    trials = read_run(run_dir).trials
    assert [trial.number for trial in trials] == list(range(1, len(trials) + 1))
    assert sum(t.status is not Status.INFEASIBLE for t in trials) == 10 * BLOCKS
    assert {trial.status for trial in trials} <= {"trained", "known", "infeasible"}
    with contextlib.closing(Store.open_read_only(run_dir / "store.sqlite")) as store:
        assert store.running() == []
        assert store.facts()["iterations"] == 10
