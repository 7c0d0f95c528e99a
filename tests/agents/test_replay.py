"""Replay memory: what enters, what is drawn, what leaves."""

import pytest

from blockqnn.agents.contract import Episode
from blockqnn.agents.q_learning import QLearning, QLearningConfig

ARMS = 6


class Arms:
    """One action, and the episode is over."""

    start = (0,)

    def choices(self, state):
        return [[(arm,) for arm in range(1, ARMS + 1)]]

    def is_end(self, action):
        return True


def agent_with(seed=0, **settings):
    return QLearning(Arms(), QLearningConfig(**settings), seed)


def episodes(*arms):
    return [Episode(((arm,),), 1.0) for arm in arms]


def visits(agent):
    return [count for _, _, count in agent.q_values(Arms.start)]


def test_each_iteration_replays_as_often_as_it_is_told():
    agent = agent_with(replay_updates=7)
    for iteration in range(1, 4):
        agent.update(episodes(1, 2, 3))
        assert sum(visits(agent)) == 7 * iteration


def test_the_papers_64_replays_are_the_default():
    agent = agent_with()
    agent.update(episodes(1))
    assert visits(agent)[0] == 64


def test_episodes_are_drawn_uniformly_with_replacement():
    agent = agent_with(replay_updates=4000)
    agent.update(episodes(1, 2, 3, 3))
    assert visits(agent)[:3] == pytest.approx([1000, 1000, 2000], abs=150)
    repeated = 0
    for seed in range(20):
        agent = agent_with(seed, replay_updates=3)
        agent.update(episodes(1, 2, 3))
        repeated += max(visits(agent)) > 1
    assert repeated > 5  # Without replacement never, with it 7 times in 9.


def test_the_trials_of_an_iteration_enter_memory_before_it_replays():
    agent = agent_with(replay_updates=3000)
    agent.update(episodes(1))
    assert visits(agent)[:2] == [3000, 0]
    agent.update(episodes(2))
    assert visits(agent)[:2] == pytest.approx([4500, 1500], abs=150)


def test_memory_without_a_bound_keeps_everything():
    agent = agent_with(replay_updates=600)
    for arm in range(1, ARMS + 1):
        agent.update(episodes(arm))
    assert agent.statistics()["episodes"] == ARMS
    before = visits(agent)
    agent.update([])
    assert all(late > early for late, early in zip(visits(agent), before, strict=True))


def test_a_full_memory_forgets_the_oldest_of_an_iteration():
    agent = agent_with(replay_updates=200, replay_capacity=2)
    agent.update(episodes(1, 2, 3, 4))
    assert [count > 0 for count in visits(agent)] == [False, False, True, True, False, False]
    assert agent.statistics()["episodes"] == 2


def test_a_full_memory_forgets_the_oldest_of_earlier_iterations():
    agent = agent_with(replay_updates=200, replay_capacity=3)
    agent.update(episodes(1, 2))
    agent.update(episodes(3))
    assert agent.statistics()["episodes"] == 3
    before = visits(agent)
    agent.update(episodes(4))
    more = [late > early for late, early in zip(visits(agent), before, strict=True)]
    assert more == [False, True, True, True, False, False]


def test_a_memory_that_is_just_full_forgets_nothing():
    agent = agent_with(replay_updates=200, replay_capacity=3)
    agent.update(episodes(1, 2, 3))
    assert all(visits(agent)[:3])


def test_an_empty_memory_replays_nothing():
    agent = agent_with(replay_updates=5)
    agent.update([])
    assert visits(agent) == [0] * ARMS
