"""What agents say that they would do next agrees with what they do."""

import collections
import itertools
import math

import pytest

from blockqnn.agents.contract import Episode
from blockqnn.agents.evolution import (
    EvolutionConfig,
    RegularisedEvolution,
    parent_probabilities,
)
from blockqnn.agents.local_search import LocalSearch, LocalSearchConfig
from blockqnn.agents.mixture import Level, mixture_after
from blockqnn.agents.q_learning import QLearning, QLearningConfig
from blockqnn.agents.q_learning_plus import QLearningPlus, QLearningPlusConfig
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.networks.spaces.nasbench201.space import CellSpace
from blockqnn.networks.spaces.nsc.space import BlockSpace
from tests.agents.test_contract import rewarded


class NeverKnown(CellSpace):
    """Cells that are all different, so that no suggestion is drawn again."""

    def __init__(self):
        self._count = itertools.count()

    def identity(self, actions):
        return next(self._count)


def learned(agent, iterations=4, count=6):
    """The agent after some iterations with rewards that depend on the cells alone."""
    for _ in range(iterations):
        agent.update(
            [
                Episode(actions, sum(edge * operation for edge, operation in actions) % 11 / 11)
                for actions in agent.suggest(count)
            ]
        )
    return agent


def q_learning(exploration, epsilon):
    config = QLearningConfig(
        learning_rate=0.3, epsilon_schedule=((epsilon, 9),), exploration=exploration
    )
    return learned(QLearning(CellSpace(), config, seed=5))


def q_learning_plus(ceilings, epsilon):
    config = QLearningPlusConfig(
        budget=100, epsilon_schedule=((1.0, 0.1), (epsilon, 0.9)), ceilings=ceilings
    )
    return learned(QLearningPlus(NeverKnown(), config, seed=5))


INDEPENDENT = {
    "random": lambda: RandomSearch(CellSpace(), RandomSearchConfig(), seed=5),
    "q-learning": lambda: q_learning("by_type", 0.3),
    "q-learning, greedy": lambda: q_learning("uniform", 0.0),
    "q-learning plus": lambda: q_learning_plus(3, 0.2),
    "q-learning plus, never random": lambda: q_learning_plus(3, 0.0),
    "q-learning plus, one ceiling": lambda: q_learning_plus(1, 0.1),
}


def agree(counts, prospects):
    """Whether frequencies are within five standard errors of the stated probabilities."""
    drawn = sum(counts.values())
    for prospect in prospects:
        expected = drawn * prospect.probability
        error = math.sqrt(expected * (1 - prospect.probability))
        assert abs(counts[prospect.action] - expected) <= 5 * error + 1e-6, prospect


@pytest.mark.parametrize("name", INDEPENDENT)
def test_suggestions_come_as_often_as_the_agent_says(name):
    agent = INDEPENDENT[name]()
    suggestions = [tuple(map(tuple, actions)) for actions in agent.suggest(4000)]
    for length in (0, 1, 2, 5):
        begun = collections.Counter(actions[:length] for actions in suggestions)
        for prefix, count in begun.most_common(3):
            following = collections.Counter(
                actions[length] for actions in suggestions if actions[:length] == prefix
            )
            assert sum(following.values()) == count
            agree(following, agent.after(prefix))


@pytest.mark.parametrize("exploration", ["by_type", "uniform"])
def test_blocks_are_drawn_as_often_as_the_agent_says(exploration):
    agent = RandomSearch(BlockSpace(3), RandomSearchConfig(exploration), seed=1)
    suggestions = agent.suggest(3000)
    agree(collections.Counter(actions[0] for actions in suggestions), agent.after(()))
    prefix = ((1, 4, 0, 0, 0),)
    following = collections.Counter(a[1] for a in suggestions if a[0] == prefix[0])
    agree(following, agent.after(prefix))


def test_of_equal_values_the_agent_draws_as_it_says():
    agent = QLearning(BlockSpace(3), QLearningConfig(epsilon_schedule=((0.0, 1),)), seed=1)
    agent.update(rewarded(agent.suggest(3)))
    first = collections.Counter(actions[0] for actions in agent.suggest(3000))
    prospects = agent.after(())
    agree(first, prospects)
    assert sum(p.greedy for p in prospects) == len({p.action for p in prospects if p.probability})


def test_the_greedy_action_is_what_q_learning_suggests_without_exploring():
    agent = q_learning("by_type", 0.0)
    for actions in agent.suggest(20):
        for t, action in enumerate(actions):
            assert action in [p.action for p in agent.after(actions[:t]) if p.greedy]


def test_the_greedy_actions_of_q_learning_plus_are_its_best_episode():
    agent, best = QLearningPlus(CellSpace(), QLearningPlusConfig(budget=40), seed=5), None
    for _ in range(8):
        episodes = [Episode(a, sum(map(sum, a)) / 99) for a in agent.suggest(5)]
        agent.update(episodes)
        best = max([*filter(None, [best]), *episodes], key=lambda e: e.reward)
    for t, action in enumerate(best.actions):
        (greedy,) = (p for p in agent.after(best.actions[:t]) if p.greedy)
        assert (greedy.action, greedy.value) == (action, best.reward)
        assert greedy.visits >= 1
        assert sum(p.visits for p in agent.after(best.actions[:t])) == 40


@pytest.mark.parametrize("kind", ["evolution", "local search"])
def test_children_begin_as_the_parents_do_that_the_agent_names(kind):
    space = CellSpace()
    agent = RegularisedEvolution(space, EvolutionConfig(6, 2), seed=5)
    if kind == "local search":
        agent = LocalSearch(space, LocalSearchConfig(centres=4, random_episodes=6), seed=5)
    random = agent.after(())
    assert [p.probability for p in random] == [0.2] * 5
    learned(agent, 2)
    count = 4000
    begun = collections.Counter(actions[0] for actions in agent.suggest(count))
    stated = {p.action: p.probability for p in agent.after(())}
    distance = sum(abs(begun[a] / count - share) for a, share in stated.items()) / 2
    # The first of six edges is changed in one child out of six; what is known is changed again.
    assert distance < 1 / 6 + 0.05
    assert max(stated, key=stated.get) == begun.most_common(1)[0][0]


def test_of_a_tournament_the_best_is_the_parent():
    # Two of three with replacement: 5 of 9 pairs hold the best, 3 more the second, 1 the last.
    assert parent_probabilities([0.1, 0.9, 0.5], 2) == pytest.approx([1 / 9, 5 / 9, 3 / 9])
    assert parent_probabilities([0.5, 0.5, 0.1], 2) == pytest.approx([4 / 9, 4 / 9, 1 / 9])
    assert parent_probabilities([0.3], 25) == [1.0]


def test_a_child_goes_on_like_the_parents_it_differs_least_from():
    agent = RegularisedEvolution(CellSpace(), EvolutionConfig(2, 1), seed=0)
    cells = [tuple((edge, operation) for edge in range(1, 7)) for operation in (1, 3)]
    agent.update([Episode(cells[0], 0.25), Episode(cells[1], 0.75)])
    chances = {p.action: (p.probability, p.value, p.visits) for p in agent.after(())}
    assert chances[1, 1] == (0.5, 0.25, 1)
    assert chances[1, 3] == (0.5, 0.75, 1)
    assert chances[1, 0] == (0.0, None, 0)
    # One decision of two is the first parent's, and no parent has the other one.
    after = {p.action: p.probability for p in agent.after([(1, 1), (2, 0)])}
    assert after[3, 1] == 1.0
    both = {p.action: p.probability for p in agent.after([(1, 1), (2, 3)])}
    assert (both[3, 1], both[3, 3]) == (0.5, 0.5)


def test_what_came_before_tells_which_return_an_agent_is_greedy_about():
    a, b = (1, 0), (1, 1)
    c, d = (2, 0), (2, 1)
    levels = [Level(2, [a, c]), Level(2, [b, d])]
    drawn = [{a: 0.5, b: 0.5}, {c: 0.5, d: 0.5}]
    assert mixture_after((), levels, drawn, 0.0) == {a: 0.5, b: 0.5}
    # After a, of both levels and both positions that may explore: the first level with the
    # first position exploring (1/8) or not (1/4), the second level with it exploring (1/8).
    after = mixture_after((a,), levels, drawn, 0.0)
    assert after[c] == pytest.approx((1 / 8 + 1 / 4 * 0.5) / (1 / 2))
    assert sum(after.values()) == pytest.approx(1.0)
    impossible = mixture_after(((1, 7),), levels, drawn, 0.0)
    assert impossible == pytest.approx({c: 0.5, d: 0.5})
