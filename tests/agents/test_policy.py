"""The epsilon-greedy policy: when it is random, what it takes when greedy, how it breaks ties."""

from collections import Counter

import pytest

from blockqnn.agents.contract import Episode
from blockqnn.agents.equations import epsilon_at
from blockqnn.agents.q_learning import PAPER_SCHEDULE, QLearning, QLearningConfig

ALONE, CROWD = (1,), [(arm,) for arm in range(2, 11)]


class Arms:
    """One arm in a group of its own and nine in another."""

    start = (0,)

    def choices(self, state):
        return [[ALONE], CROWD]

    def is_end(self, action):
        return True


def agent_with(epsilon, rewards=(), **settings):
    """An agent that holds `epsilon` and has the given Q-values."""
    config = {
        "learning_rate": 1.0,
        "epsilon_schedule": ((epsilon, 1),),
        "replay_updates": 400,
    } | settings
    agent = QLearning(Arms(), QLearningConfig(**config), seed=0)
    agent.update([Episode((arm,), reward) for arm, reward in dict(rewards).items()])
    return agent


def shares(agent, count=4000):
    drawn = Counter(actions[0] for actions in agent.suggest(count))
    return {arm: drawn[arm] / count for arm in [ALONE, *CROWD]}


# Table 2: the first iterations of each epsilon, counted from 0, and the last.
@pytest.mark.parametrize(
    ("iteration", "epsilon"),
    [
        *[(0, 1.0), (94, 1.0), (95, 0.9), (101, 0.9), (102, 0.8), (108, 0.8), (109, 0.7)],
        *[(115, 0.7), (116, 0.6), (125, 0.6), (126, 0.5), (135, 0.5), (136, 0.4), (145, 0.4)],
        *[(146, 0.3), (155, 0.3), (156, 0.2), (165, 0.2), (166, 0.1), (177, 0.1), (178, 0.1)],
        (10_000, 0.1),
    ],
)
def test_the_papers_schedule(iteration, epsilon):
    assert epsilon_at(PAPER_SCHEDULE, iteration) == epsilon


def test_the_papers_schedule_makes_11392_blocks():
    assert sum(iterations for _, iterations in PAPER_SCHEDULE) == 178
    assert 178 * 64 == 11_392
    assert QLearningConfig().epsilon_schedule == PAPER_SCHEDULE


def test_epsilon_follows_the_schedule_from_update_to_update():
    schedule = ((1.0, 2), (0.3, 1), (0.7, 2))
    agent = QLearning(Arms(), QLearningConfig(epsilon_schedule=schedule), seed=0)
    seen = []
    for _ in range(7):
        agent.suggest(3)
        seen.append((agent.epsilon, agent.statistics()["epsilon"]))
        agent.update([Episode((ALONE,), 0.5)])
    assert seen == [(e, e) for e in (1.0, 1.0, 0.3, 0.7, 0.7, 0.7, 0.7)]


def test_an_entry_of_no_iterations_is_passed_over():
    assert epsilon_at(((1.0, 0), (0.5, 1)), 0) == 0.5


@pytest.mark.parametrize("exploration", ["by_type", "uniform"])
def test_the_greedy_choice_is_the_action_of_the_largest_value(exploration):
    agent = agent_with(0.0, {ALONE: 0.6, CROWD[3]: 0.9, CROWD[5]: 0.8}, exploration=exploration)
    assert shares(agent, 50)[CROWD[3]] == 1.0


def test_what_was_never_learned_is_preferred_to_what_disappointed():
    agent = agent_with(0.0, dict.fromkeys([ALONE, *CROWD[1:]], 0.4))
    assert shares(agent, 50)[CROWD[0]] == 1.0


@pytest.mark.parametrize(
    ("exploration", "alone", "each"), [("by_type", 1 / 2, 1 / 18), ("uniform", 1 / 10, 1 / 10)]
)
@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_ties_are_broken_by_the_distribution_of_exploration(exploration, alone, each, epsilon):
    """All Q-values are equal: greedy or random, the draw is the same."""
    for rewards in ({}, dict.fromkeys([ALONE, *CROWD], 0.7)):
        agent = agent_with(epsilon, rewards, exploration=exploration)
        wanted = {ALONE: alone} | dict.fromkeys(CROWD, each)
        assert shares(agent) == pytest.approx(wanted, abs=0.03)


@pytest.mark.parametrize(
    ("exploration", "alone", "each"), [("by_type", 1 / 2, 1 / 4), ("uniform", 1 / 3, 1 / 3)]
)
def test_only_the_tied_actions_are_drawn_from(exploration, alone, each):
    rewards = {ALONE: 0.9, CROWD[0]: 0.9, CROWD[4]: 0.9, CROWD[5]: 0.8}
    agent = agent_with(0.0, rewards, exploration=exploration)
    wanted = dict.fromkeys(CROWD, 0.0) | {ALONE: alone, CROWD[0]: each, CROWD[4]: each}
    assert shares(agent) == pytest.approx(wanted, abs=0.03)


def test_a_group_without_a_tied_action_is_not_drawn():
    agent = agent_with(0.0, {CROWD[0]: 0.9, CROWD[8]: 0.9})
    found = shares(agent)
    assert found[CROWD[0]] == pytest.approx(0.5, abs=0.03)
    assert found[CROWD[0]] + found[CROWD[8]] == 1.0


@pytest.mark.parametrize("epsilon", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_epsilon_is_the_share_of_random_actions(epsilon):
    agent = agent_with(epsilon, {CROWD[0]: 0.9}, exploration="uniform")
    found = shares(agent)
    assert found[CROWD[0]] == pytest.approx(1 - epsilon + epsilon / 10, abs=0.03)
    assert found[ALONE] == pytest.approx(epsilon / 10, abs=0.02)


def test_every_action_of_an_episode_is_chosen_anew():
    """Four steps with epsilon 0.5: an all-greedy episode has probability (1/2 + 1/4) ** 4."""

    class Steps:
        start = (0, 0)

        def choices(self, state):
            return [[(state[0] + 1, 0), (state[0] + 1, 1)]]

        def is_end(self, action):
            return action[0] == 4

    config = QLearningConfig(learning_rate=1.0, epsilon_schedule=((0.5, 1),), replay_updates=4)
    agent = QLearning(Steps(), config, seed=0)
    best = ((1, 1), (2, 1), (3, 1), (4, 1))
    agent.update([Episode(best, 1.0)])
    greedy = sum(actions == best for actions in agent.suggest(4000)) / 4000
    assert greedy == pytest.approx(0.75**4, abs=0.03)
