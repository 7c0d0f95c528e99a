"""Regularised evolution and local search: who is a parent, who leaves, what is not repeated."""

import collections

import numpy as np

from blockqnn.agents.contract import Episode
from blockqnn.agents.evolution import EvolutionConfig, RegularisedEvolution
from blockqnn.agents.local_search import LocalSearch, LocalSearchConfig
from blockqnn.networks.spaces.nasbench201.codes import check_cell
from blockqnn.networks.spaces.nasbench201.space import CellSpace

SPACE = CellSpace()


def cell(*operations):
    return check_cell(enumerate(operations, start=1))


def distance(one, other):
    return sum(a != b for a, b in zip(one, other, strict=True))


def test_the_first_ones_are_random_and_the_rest_children():
    agent = RegularisedEvolution(SPACE, EvolutionConfig(population=4, sample=2), seed=0)
    first = agent.suggest(4)
    assert len(set(first)) == 4
    agent.update([Episode(actions, 0.0) for actions in first])
    for child in agent.suggest(50):
        assert min(distance(child, parent) for parent in first) == 1


def test_the_population_is_not_bred_from_before_it_is_full():
    agent = RegularisedEvolution(SPACE, EvolutionConfig(population=50, sample=50), seed=0)
    agent.update([Episode(cell(0, 0, 0, 0, 0, 0), 1.0)] * 49)
    one, *others = agent.suggest(30)
    assert distance(one, cell(0, 0, 0, 0, 0, 0)) > 1
    assert {distance(child, cell(0, 0, 0, 0, 0, 0)) for child in others} == {1}


def test_the_best_of_a_sample_is_the_parent():
    """With S of P drawn with replacement the best is a parent in 1 - (1 - 1/P)^S of the cases."""
    agent = RegularisedEvolution(SPACE, EvolutionConfig(population=5, sample=3), seed=0)
    cells = [cell(i, i, i, i, i, i) for i in range(5)]
    agent.update([Episode(c, reward) for c, reward in zip(cells, [3, 1, 5, 2, 4], strict=True)])
    parents = collections.Counter(
        next(i for i, c in enumerate(cells) if distance(child, c) == 1)
        for child in agent.suggest(4000)
    )
    # Cells 0 to 4 are the third, fifth, first, fourth and second best.
    wanted = {0: 3**3 - 2**3, 1: 1, 2: 5**3 - 4**3, 3: 2**3 - 1, 4: 4**3 - 3**3}
    for place, weight in wanted.items():
        assert abs(parents[place] / 4000 - weight / 125) < 0.03


def test_the_oldest_leaves_even_if_it_is_the_best():
    agent = RegularisedEvolution(SPACE, EvolutionConfig(population=2, sample=10), seed=0)
    old, young = cell(1, 1, 1, 1, 1, 1), cell(3, 3, 3, 3, 3, 3)
    agent.update([Episode(old, 9.0), Episode(young, 1.0), Episode(young, 2.0)])
    assert {distance(child, young) for child in agent.suggest(20)} == {1}
    assert agent.statistics()["mean_reward"] == 1.5


def test_local_search_changes_the_best_ones():
    agent = LocalSearch(SPACE, LocalSearchConfig(centres=2, random_episodes=3), seed=0)
    assert agent.statistics()["epsilon"] == 1
    good = [cell(0, 0, 0, 0, 0, 0), cell(4, 4, 4, 4, 4, 4)]
    agent.update(
        [Episode(good[0], 0.9), Episode(cell(2, 2, 2, 2, 2, 2), 0.1), Episode(good[1], 0.8)]
    )
    nearest = collections.Counter(
        next(i for i, c in enumerate(good) if distance(child, c) == 1)
        for child in agent.suggest(200)
    )
    assert min(nearest[0], nearest[1]) > 60
    assert agent.statistics() == {"episodes": 3, "different": 3, "epsilon": 0.0, "best": 0.9}


def test_local_search_repeats_nothing_while_there_is_anything_else():
    agent = LocalSearch(SPACE, LocalSearchConfig(centres=1, random_episodes=1), seed=0)
    seen = set()
    for _ in range(120):
        (actions,) = agent.suggest(1)
        assert actions not in seen
        seen.add(actions)
        agent.update([Episode(actions, 1.0 if len(seen) == 1 else 0.0)])
    centre = agent._best[0].actions
    # All 24 neighbours come before nearly all of those that are farther away.
    assert sum(distance(actions, centre) == 1 for actions in seen) == 24


def test_of_equals_the_first_stays_the_best_and_repeats_count_once():
    agent = LocalSearch(SPACE, LocalSearchConfig(centres=1, random_episodes=0), seed=0)
    first, second = cell(0, 0, 0, 0, 0, 0), cell(4, 4, 4, 4, 4, 4)
    agent.update([Episode(first, 0.5), Episode(second, 0.5), Episode(first, 0.5)])
    assert {distance(child, first) for child in agent.suggest(20)} == {1}
    assert agent.statistics()["different"] == 2


def test_rewards_lead_uphill():
    """Both find the cell of six 3x3 convolutions far sooner than one in 15,625."""

    def evaluations(agent):
        for number in range(1, 2000):
            (actions,) = agent.suggest(1)
            reward = sum(operation == 3 for _, operation in actions) / 6
            if reward == 1:
                return number
            agent.update([Episode(actions, reward)])
        return 2000

    seeds = range(5)
    assert np.median([evaluations(LocalSearch(SPACE, LocalSearchConfig(), s)) for s in seeds]) < 150
    assert (
        np.median([evaluations(RegularisedEvolution(SPACE, EvolutionConfig(), s)) for s in seeds])
        < 400
    )
