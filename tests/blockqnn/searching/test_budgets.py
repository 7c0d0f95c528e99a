"""Searches that end after so many blocks or hours, with clocks and stops of the test's own."""

import contextlib
import dataclasses
import itertools
import math

import pytest

from blockqnn.agents.q_learning import QLearningConfig
from blockqnn.agents.q_learning_plus import QLearningPlusConfig
from blockqnn.agents.registry import AGENTS
from blockqnn.networks.cost import Limits
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.runs.store import Store
from blockqnn.searching import pace as pacing
from blockqnn.searching.pace import SECONDS, Pace
from blockqnn.settings import Budget
from blockqnn.trial import Outcome, Status
from blockqnn.workers.contract import InlineExecutor
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

HASH3 = canonical_form(CONV3).hash
SCHEDULE = ((1.0, 2), (0.5, 1), (0.2, 1))
BLOCKS = 14
AGENT_SETTINGS = {name: entry.settings.for_budget(BLOCKS) for name, entry in AGENTS.items()}


@pytest.fixture
def store():
    with contextlib.closing(Store.create_or_open(":memory:")) as store:
        yield store


def budgeted(blocks=0, hours=0.0, **changes):
    """Settings of a search with a budget."""
    fields = {"max_layers": 5, "budget": Budget(blocks, hours), **changes}
    return search_settings(**{"schedule": SCHEDULE, **fields})


def counted(trials):
    """The trials that a budget counts."""
    return [t for t in trials if t.status is Status.COMPLETED or (
        t.status is Status.FAILED and t.source is None
    )]  # fmt: skip


class Clock:
    """A time that passes when it is told to, or a little whenever somebody looks."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


class Slow(CountingEvaluator):
    """A child takes so many seconds of a clock."""

    def __init__(self, clock, seconds=10.0):
        super().__init__()
        self._clock, self._seconds = clock, seconds

    def evaluate(self, job, slot):
        self._clock.seconds += self._seconds
        outcome = super().evaluate(job, slot)
        return dataclasses.replace(outcome, train_seconds=self._seconds)


@pytest.fixture
def clock(monkeypatch):
    """The clock of every search."""
    clock = Clock()
    monkeypatch.setattr(
        "blockqnn.searching.loop.Pace", lambda settings, seconds: Pace(settings, seconds, clock)
    )
    return clock


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("agent", AGENT_SETTINGS)
def test_every_agent_trains_so_many_blocks_and_no_more(store, agent, asynchronous):
    settings = budgeted(BLOCKS, agent=AGENT_SETTINGS[agent], asynchronous=asynchronous)
    search, learner = start(settings, store)
    trials = list(search.run(InlineExecutor(SometimesFailing())))
    assert len(counted(trials)) == BLOCKS
    assert search.finished
    # A third of them at most in an iteration, so that each of three epsilons has one.
    assert learner.statistics()["episodes"] == len(trials)
    for iteration, blocks in ((1, 4), (2, 4), (3, 4), (4, 2)):
        assert len(counted(t for t in trials if t.iteration == iteration)) == blocks


def stopped(settings, path, stops):
    """What a search has found that was stopped after so many trials each time."""
    for stop in [*stops, None]:
        with contextlib.closing(Store.create_or_open(path)) as store:
            search, agent = start(settings, store)
            for _ in itertools.islice(search.run(InlineExecutor(SometimesFailing())), stop):
                pass
            facts = {k: v for k, v in store.facts().items() if k != SECONDS}
            found = without_times(store.trials()), agent.get_state(), store.agent_state(), facts
    assert search.finished
    return found


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("agent", AGENT_SETTINGS)
def test_a_stop_after_any_trial_changes_nothing(tmp_path, agent, asynchronous):
    settings = budgeted(BLOCKS, agent=AGENT_SETTINGS[agent], asynchronous=asynchronous)
    whole = stopped(settings, tmp_path / "whole", [])
    for stops in ([5, 3, 1], [len(whole[0]) - 1]):
        path = tmp_path / "-".join(map(str, stops))
        assert stopped(settings, path, stops) == whole


@pytest.mark.parametrize(
    ("config", "blocks", "epsilons"),
    [
        # Iterations begin at 0, 5, 10 and 15 of 16 blocks; the schedule turns at 1/2 and 3/4.
        (QLearningConfig(epsilon_schedule=SCHEDULE), 16, [1.0, 1.0, 0.5, 0.2]),
        # At 0, 5, 10, 15, ... of 40.
        (QLearningConfig(epsilon_schedule=SCHEDULE), 40, [1, 1, 1, 1, 0.5, 0.5, 0.2, 0.2]),
        # However few, two at once: at 0 and 2 of 4.
        (QLearningConfig(epsilon_schedule=SCHEDULE), 4, [1.0, 0.5]),
        # A quarter of the budget is random, whatever the agent was told of its length.
        (QLearningPlusConfig(budget=10**6), 16, [1.0, 0.0, 0.0, 0.0]),
    ],
)
def test_epsilon_holds_for_its_share_of_the_blocks(store, config, blocks, epsilons):
    search, _ = start(budgeted(blocks, agent=config), store)
    trials = list(search.run(InlineExecutor(CountingEvaluator())))
    found = {trial.iteration: trial.epsilon for trial in trials}
    assert list(found.values()) == epsilons


def scripted(store, codes, blocks, outcomes=None, **changes):
    """Runs a search whose suggestions are given."""
    agent, evaluator = ScriptedAgent(codes), CountingEvaluator(outcomes)
    search, _ = start(budgeted(blocks, **changes), store, agent)
    return without_times(search.run(InlineExecutor(evaluator))), evaluator


def test_what_is_known_or_infeasible_is_free(store):
    codes = [CONV3, NO_CONVOLUTION, CONV3_AGAIN, CONV5, CONV3, CONV1]
    changes = {"blocks_per_iteration": 2, "limits": Limits()}
    trials, evaluator = scripted(store, codes, 3, **changes)
    assert [trial.status for trial in trials] == [
        "trained", "infeasible", "known", "trained", "known", "trained",
    ]  # fmt: skip
    assert len(evaluator.jobs) == 3


def test_a_failure_counts_once_and_is_not_tried_again_in_its_iteration(store):
    outcomes = {HASH3: [Outcome(reason="bad luck")]}
    codes = [CONV3, CONV3_AGAIN, CONV5, CONV3, CONV1]
    trials, evaluator = scripted(
        store, codes, 4, outcomes, blocks_per_iteration=2, schedule=((1.0, 1),)
    )
    assert [trial.status for trial in trials] == [
        "failed", "failed", "trained", "trained", "trained",
    ]  # fmt: skip
    assert (trials[1].source, trials[1].reason) == (1, "the same block failed as trial 1")
    assert (trials[3].iteration, len(evaluator.jobs)) == (2, 4)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_search_ends_where_nothing_new_is_suggested(store, monkeypatch, asynchronous):
    monkeypatch.setattr(pacing, "MOST_IN_VAIN", 150)
    settings = budgeted(10**6, max_layers=1, asynchronous=asynchronous)
    search, _ = start(settings, store)
    trials = list(search.run(InlineExecutor(CountingEvaluator())))
    # Convolutions of 1x1, 3x3 and 5x5 are all there is.
    assert len(counted(trials)) == 3
    assert 150 <= len(trials) < 150 + 2 * 100
    assert "nothing new to train" in search.pace.ending()
    assert search.finished


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_larger_budget_goes_on_where_the_smaller_one_ended(tmp_path, asynchronous):
    path = tmp_path / "store"
    for blocks in (6, 15):
        with contextlib.closing(Store.create_or_open(path)) as store:
            search, _ = start(budgeted(blocks, asynchronous=asynchronous), store)
            before = list(store.trials())
            assert not search.finished
            new = list(search.run(InlineExecutor(CountingEvaluator())))
            assert len(counted([*before, *new])) == blocks
            assert "larger --max_blocks continues" in search.pace.ending()
    numbers = sorted(trial.number for trial in [*before, *new])
    assert numbers == list(range(1, len(numbers) + 1))
    # 6 of 15 blocks are before the half of it, where the schedule is still at its beginning.
    assert new[0].epsilon == 1.0
    assert new[-1].epsilon == 0.5


def test_an_iteration_under_way_ends_as_it_began_although_the_budget_grew(tmp_path):
    path = tmp_path / "store"
    with contextlib.closing(Store.create_or_open(path)) as store:
        search, _ = start(budgeted(8), store)
        for trial in search.run(InlineExecutor(CountingEvaluator())):
            if trial.iteration == 4:
                break
    with contextlib.closing(Store.create_or_open(path)) as store:
        search, _ = start(budgeted(80), store)
        list(search.run(InlineExecutor(CountingEvaluator())))
        trials = list(store.trials())
    assert len(counted(t for t in trials if t.iteration == 4)) == 2
    assert {t.epsilon for t in trials if t.iteration == 4} == {0.2}
    assert {t.epsilon for t in trials if t.iteration == 5} == {1.0}
    assert len(counted(trials)) == 80


def test_a_run_as_long_as_its_schedule_may_get_a_budget(tmp_path):
    path = tmp_path / "store"
    without = search_settings(SCHEDULE, max_layers=5)
    with contextlib.closing(Store.create_or_open(path)) as store:
        search, _ = start(without, store)
        list(itertools.islice(search.run(InlineExecutor(CountingEvaluator())), 8))
    with contextlib.closing(Store.create_or_open(path)) as store:
        search, _ = start(budgeted(30), store)
        list(search.run(InlineExecutor(CountingEvaluator())))
        assert len(counted(store.trials())) == 30


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("agent", AGENT_SETTINGS)
def test_hours_end_a_search_of_every_agent(store, clock, agent, asynchronous):
    # A child of 10 seconds at a time: the last one begins 10 seconds before the end.
    hours = 105 / 3600
    settings = budgeted(0, hours, agent=AGENT_SETTINGS[agent], asynchronous=asynchronous)
    search, _ = start(settings, store)
    trials = list(search.run(InlineExecutor(Slow(clock))))
    assert len(counted(trials)) == 10
    assert (clock.seconds, search.finished) == (100.0, True)
    assert "hours is used up" in search.pace.ending()


def test_hours_scale_the_schedule(store, clock):
    settings = budgeted(0, 200 / 3600, agent=QLearningConfig(epsilon_schedule=SCHEDULE))
    search, _ = start(settings, store)
    trials = list(search.run(InlineExecutor(Slow(clock))))
    # Iterations of five blocks begin at 0, 50, 100 and 150 of 200 seconds.
    epsilons = {trial.iteration: trial.epsilon for trial in trials}
    assert epsilons == {1: 1.0, 2: 1.0, 3: 0.5, 4: 0.2}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_run_that_was_stopped_has_the_hours_that_it_has_left(tmp_path, clock, asynchronous):
    path = tmp_path / "store"
    settings = budgeted(0, 155 / 3600, asynchronous=asynchronous)
    for stop in (7, 5, None):
        with contextlib.closing(Store.create_or_open(path)) as store:
            search, _ = start(settings, store)
            for _ in itertools.islice(search.run(InlineExecutor(Slow(clock))), stop):
                pass
            seconds = store.facts()[SECONDS]
            trials = list(store.trials())
            assert seconds == 10.0 * len(counted(trials))
        # A pause takes none of them.
        clock.seconds += 10_000
    assert len(counted(trials)) == 15
    with contextlib.closing(Store.create_or_open(path)) as store:
        assert start(settings, store)[0].finished
        more = dataclasses.replace(settings, budget=Budget(0, 205 / 3600))
        search, _ = start(more, store)
        assert not search.finished
        list(search.run(InlineExecutor(Slow(clock))))
        assert len(counted(store.trials())) == 20


def test_an_iteration_that_hours_cut_short_goes_on_with_more_of_them(tmp_path, clock):
    codes = [CONV1, CONV3, CONV5]
    path = tmp_path / "store"
    for hours, trained in ((25 / 3600, 2), (40 / 3600, 3)):
        with contextlib.closing(Store.create_or_open(path)) as store:
            agent = ScriptedAgent(codes)
            agent.set_state = lambda state, episodes: None
            search, _ = start(budgeted(0, hours, blocks_per_iteration=3), store, agent)
            search._agent = ScriptedAgent([*codes, *[CONV1] * 2000])
            list(search.run(InlineExecutor(Slow(clock))))
            assert len(counted(store.trials())) == trained


def test_of_two_budgets_the_first_to_end_counts(store, clock):
    search, _ = start(budgeted(8, 1.0), store)
    assert len(counted(search.run(InlineExecutor(Slow(clock))))) == 8
    assert search.pace.share == 1.0
    assert math.isclose(search.pace.seconds_left, 3600 - 80)


def test_without_a_budget_nothing_of_it_is_kept(store):
    search, agent = start(search_settings(), store)
    list(search.run(InlineExecutor(CountingEvaluator())))
    assert not {SECONDS, pacing.UNDER_WAY} & set(store.facts())
    assert "share" not in agent.get_state()


def test_hours_that_are_over_at_once_leave_a_run_that_goes_on(blockqnn):
    words = ("search", "--preset=smoke", "--evaluator=dry", "--executor=inline", "--run_dir=run")
    status, out, err = blockqnn(*words, "--max_hours=1e-9")
    assert (status, err) == (1, "") and "a larger --max_hours continues the run." in out
    status, out, err = blockqnn("show", "run")
    assert (status, err) == (1, "") and "nothing has been suggested yet" in out
    status, out, err = blockqnn(*words, "--max_hours=1", "--max_blocks=2")
    assert (status, err) == (0, "")
