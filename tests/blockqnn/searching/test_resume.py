"""A search that stops anywhere and goes on ends like one that never stopped."""

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockqnn.agents.q_learning import QLearningConfig
from blockqnn.agents.random_search import RandomSearchConfig
from blockqnn.runs.store import Store
from blockqnn.workers.contract import InlineExecutor
from tests.blockqnn.small_searches import (
    SCHEDULE,
    CountingEvaluator,
    LastFirstExecutor,
    SometimesFailing,
    search_settings,
    start,
    without_times,
)

RANDOM = search_settings(agent=RandomSearchConfig())
Q_LEARNING = search_settings()
SMALL_MEMORY = search_settings(
    agent=QLearningConfig(learning_rate=0.2, epsilon_schedule=SCHEDULE, replay_capacity=7)
)
# Of each search, how many trials lie between the stops that are tried.
SEARCHES = {"q_learning": (Q_LEARNING, 1), "random": (RANDOM, 4), "small memory": (SMALL_MEMORY, 4)}


def result_of(store, agent):
    return without_times(store.trials()), agent.get_state(), store.agent_state(), store.facts()


def uninterrupted(what, evaluator=SometimesFailing):
    with contextlib.closing(Store.create_or_open(":memory:")) as store:
        search, agent = start(what, store)
        for _ in search.run(InlineExecutor(evaluator())):
            pass
        return result_of(store, agent)


def interrupted(what, path, stops, evaluator=SometimesFailing, executor=InlineExecutor):
    """Runs with new objects each time, for as many trials as `stops` says, then to the end."""
    for trials in [*stops, None]:
        with contextlib.closing(Store.create_or_open(path)) as store:
            search, agent = start(what, store)
            running = search.run(executor(evaluator()))
            for _ in itertools.islice(running, trials):
                pass
            # A process that is killed runs nothing of the generator any more.
            if trials is None:
                return result_of(store, agent)


@pytest.mark.parametrize(("what", "step"), SEARCHES.values(), ids=SEARCHES)
def test_a_search_may_stop_after_any_trial(what, step, tmp_path):
    wanted = uninterrupted(what)
    for stop in range(0, len(wanted[0]) + 1, step):
        assert interrupted(what, tmp_path / f"{stop}.sqlite", [stop]) == wanted


def test_the_order_of_outcomes_may_change_when_a_search_goes_on(tmp_path):
    wanted = uninterrupted(Q_LEARNING)
    for stop in range(0, len(wanted[0]) + 1, 3):
        path = tmp_path / f"{stop}.sqlite"
        assert interrupted(Q_LEARNING, path, [stop], executor=LastFirstExecutor) == wanted


@settings(max_examples=15)
@given(st.lists(st.integers(0, 12), max_size=6))
def test_a_search_may_stop_often(tmp_path_factory, stops):
    path = tmp_path_factory.mktemp("run") / "store.sqlite"
    assert interrupted(Q_LEARNING, path, stops) == uninterrupted(Q_LEARNING)


def test_what_has_finished_is_not_evaluated_again(tmp_path):
    path = tmp_path / "store.sqlite"
    first, second = CountingEvaluator(), CountingEvaluator()
    with contextlib.closing(Store.create_or_open(path)) as store:
        search, _ = start(Q_LEARNING, store)
        running = search.run(InlineExecutor(first))
        done = list(itertools.islice(running, 9))
    with contextlib.closing(Store.create_or_open(path)) as store:
        search, _ = start(Q_LEARNING, store)
        rest = list(search.run(InlineExecutor(second)))
    assert not {trial.number for trial in done} & {trial.number for trial in rest}
    assert not {job.hash for job in first.jobs} & {job.hash for job in second.jobs}


@pytest.mark.parametrize("stop", [7, None])
def test_a_longer_schedule_extends_a_search(tmp_path, stop):
    short, long = ((1.0, 2), (0.5, 2)), ((1.0, 2), (0.5, 3), (0.1, 1))
    path = tmp_path / "store.sqlite"
    with contextlib.closing(Store.create_or_open(path)) as store:
        search, _ = start(search_settings(short), store)
        for _ in itertools.islice(search.run(InlineExecutor(SometimesFailing())), stop):
            pass
    # The agent's own schedule is the search's, as the flags make it.
    assert interrupted(search_settings(long), path, []) == uninterrupted(search_settings(long))
