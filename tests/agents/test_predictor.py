"""The predictor: what is passed on, when it is fitted, how sure it says that it is."""

import numpy as np
import pytest

from blockqnn.agents.contract import Episode
from blockqnn.agents.predictor import (
    PredictedAgent,
    PredictorConfig,
    RewardForest,
    fitted_on,
    held_out_predictions,
)
from blockqnn.agents.random_search import RandomSearchConfig
from blockqnn.agents.registry import make_agent
from blockqnn.networks.spaces.nasbench201.codes import check_cell
from blockqnn.networks.spaces.nasbench201.space import CellSpace

SPACE = CellSpace()
CONFIG = PredictorConfig(RandomSearchConfig(), pool=30, after=40, refit=20)


def convolutions(actions):
    return sum(operation == 3 for _, operation in actions)


def learned(count, config=CONFIG, seed=0):
    """An agent that has seen random cells, worth their number of 3x3 convolutions."""
    agent = make_agent(config, SPACE, seed)
    assert isinstance(agent, PredictedAgent)
    random = make_agent(RandomSearchConfig(), SPACE, 99)
    episodes = [Episode(a, convolutions(a) / 6) for a in random.suggest(count)]
    agent.update(episodes)
    return agent, episodes


def test_before_there_is_enough_the_agent_itself_suggests():
    agent, episodes = learned(30)
    plain = make_agent(RandomSearchConfig(), SPACE, 0)
    plain.update(episodes)
    assert agent.suggest(5) == plain.suggest(5)


def test_of_a_pool_the_promising_one_is_passed_on():
    agent, episodes = learned(80)
    mean = np.mean([convolutions(actions) for actions in agent.suggest(20)])
    # Of 30 random cells the best has about four; one alone has 1.2.
    assert mean > 2.8
    known = {episode.actions for episode in episodes}
    assert not known & set(agent.suggest(20))


def test_optimism_prefers_what_is_unsure():
    config = PredictorConfig(RandomSearchConfig(), pool=30, after=40, refit=20, optimism=50.0)
    agent, _ = learned(80, config)
    modest, _ = learned(80)
    assert agent.suggest(20) != modest.suggest(20)


def test_it_is_fitted_at_fixed_numbers_of_different_episodes():
    config = PredictorConfig(None, after=25, refit=10)
    assert [fitted_on(n, config) for n in (0, 24, 25, 29, 30, 49)] == [0, 0, 20, 20, 30, 40]


def test_repetitions_are_not_fitted_to():
    agent, episodes = learned(39)
    agent.update(episodes)
    assert agent.statistics()["different"] == len({episode.actions for episode in episodes}) < 40
    plain = make_agent(RandomSearchConfig(), SPACE, 0)
    assert agent.suggest(3) == plain.suggest(3)


def test_errors_are_as_large_as_it_says():
    random = np.random.default_rng(0)

    def sample(count):
        features = random.uniform(0, 1, (count, 6))
        noise = 0.3 * random.standard_normal(count)
        return features, features @ [3, 2, 1, 0, 0, 0] + noise

    forest = RewardForest(*sample(300))
    features, rewards = sample(1000)
    mean, deviation = forest.predict(features)
    errors = (rewards - mean) / deviation
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(1, abs=0.15)
    assert np.corrcoef(mean, rewards)[0, 1] > 0.85


def test_rewards_that_are_all_alike_are_no_trouble():
    forest = RewardForest(np.eye(40), np.full(40, 0.5))
    mean, deviation = forest.predict(np.eye(40)[:3])
    assert mean.tolist() == [0.5] * 3
    assert np.all(np.isfinite(deviation))


def test_nothing_is_predicted_from_itself():
    """The held-out predictions of an episode do not change with it or what comes after it."""
    features = [SPACE.features(check_cell(enumerate(c, 1))) for c in np.ndindex(3, 3, 3, 2, 1, 1)]
    rewards = [sum(f[2:30:5]) / 6 for f in features]
    config = PredictorConfig(None, after=15, refit=10)
    places, mean, deviation = held_out_predictions(features, rewards, config)
    assert places.tolist() == list(range(20, 54))
    assert np.all(deviation > 0)
    changed = [*rewards[:33], *(1 - r for r in rewards[33:])]
    _, again, _ = held_out_predictions(features, changed, config)
    assert np.array_equal(mean[: 40 - 20], again[: 40 - 20])
    assert not np.array_equal(mean[40 - 20 :], again[40 - 20 :])
