"""What random search adds to the contract."""

from collections import Counter

import pytest

from blockqnn.agents.contract import Episode
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.networks.spaces.nsc.space import BlockSpace


@pytest.mark.parametrize(
    ("exploration", "terminal_share"),
    # At the second layer: one of seven types, and one of 6 + 4 + 4 + 2 + 1 + 1 + 1 codes.
    [("by_type", 1 / 7), ("uniform", 1 / 19)],
)
def test_actions_are_drawn_by_the_distribution(exploration, terminal_share):
    agent = RandomSearch(BlockSpace(2), RandomSearchConfig(exploration), seed=0)
    lengths = Counter(map(len, agent.suggest(4000)))
    assert set(lengths) == {2, 3}
    assert lengths[2] / 4000 == pytest.approx(terminal_share, abs=0.02)


def test_the_default_distribution_is_by_type():
    assert RandomSearchConfig() == RandomSearchConfig("by_type")


def test_nothing_is_learned():
    told, untold = (RandomSearch(BlockSpace(3), RandomSearchConfig(), seed=1) for _ in range(2))
    told.update([Episode(actions, 1.0) for actions in told.suggest(5)])
    untold.suggest(5)
    assert told.suggest(20) == untold.suggest(20)
    assert told.statistics() == {"episodes": 5, "epsilon": 1.0}


def test_episodes_are_counted_and_replaced_by_those_of_a_state():
    agent = RandomSearch(BlockSpace(3), RandomSearchConfig(), seed=1)
    episodes = [Episode(actions, 1.0) for actions in agent.suggest(5)]
    agent.update(episodes)
    agent.update(episodes[:2])
    assert agent.statistics()["episodes"] == 7
    agent.set_state(agent.get_state(), episodes[:3])
    assert agent.statistics()["episodes"] == 3
