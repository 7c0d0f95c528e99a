"""Agents in a space that grows with the episodes that they have learned from."""

import json

import pytest

from blockqnn.agents.contract import Episode
from blockqnn.agents.evolution import EvolutionConfig
from blockqnn.agents.growing import GrowingAgent, Growth
from blockqnn.agents.local_search import LocalSearchConfig
from blockqnn.agents.pacing import Paced
from blockqnn.agents.ppo import PPOConfig
from blockqnn.agents.predictor import PredictorConfig
from blockqnn.agents.q_learning import QLearningConfig
from blockqnn.agents.q_learning_plus import QLearningPlusConfig
from blockqnn.agents.random_search import RandomSearchConfig
from blockqnn.agents.registry import make_agent
from blockqnn.agents.reinforce import ReinforceConfig
from blockqnn.networks.spaces.registry import space_named

GROWTH = Growth(2, 2, 6)
SCHEDULE = ((1.0, 2), (0.5, 2), (0.1, 2))
CONFIGS = {
    "random": RandomSearchConfig(),
    "q_learning": QLearningConfig(epsilon_schedule=SCHEDULE, replay_updates=8),
    "q_learning_plus": QLearningPlusConfig(),
    "evolution": EvolutionConfig(population=4, sample=2),
    "local_search": LocalSearchConfig(),
    "forest": PredictorConfig(RandomSearchConfig(), pool=3, after=4, refit=4, trees=3),
}


def agent_of(name):
    return make_agent(CONFIGS[name], space_named("nas", 5), 3, GROWTH)


def depth(actions):
    return next(n for n in range(1, 9) if len(space_named("nas", n).ended(())) == len(actions))


def reward(actions):
    return sum(action[3] for action in actions) / 100


def iteration(agent, learned):
    suggested = agent.suggest(3)
    episodes = [Episode(actions, reward(actions)) for actions in suggested]
    agent.update(episodes)
    learned += episodes
    return [depth(actions) for actions in suggested]


@pytest.mark.parametrize(
    ("children", "layers"),
    [(0, 6), (1_599, 6), (1_600, 8), (11_199, 18), (11_200, 20), (12_799, 20)],
)
def test_the_ladder_of_the_paper(children, layers):
    assert Growth(6, 2, 1_600).layers(children, 20) == layers
    assert Growth(6, 2, 1_600).layers(children, 7) == min(layers, 7)
    assert Growth(6, 2, 1_600).layers(999_999, 20) == 20


def test_growth_as_text():
    assert Growth.read("6:2:1_600") == Growth(6, 2, 1_600)
    assert str(Growth(6, 2, 1_600)) == "6:2:1600"
    assert Growth.read("") is None
    for text in ("6:2", "0:2:3", "1:0:3", "1:2:0", "a:2:3", "1:2:3:4"):
        with pytest.raises(ValueError):
            Growth.read(text)


@pytest.mark.parametrize("name", CONFIGS)
def test_suggestions_grow_with_what_was_learned_and_go_on_after_a_stop(name):
    agent, learned = agent_of(name), []
    assert isinstance(agent, GrowingAgent)
    assert isinstance(agent, Paced)
    agent.pace(0.25)
    depths, kept = [], {}
    for _ in range(6):
        depths.append(iteration(agent, learned))
        kept |= agent.get_state(changed_only=True)
        other = agent_of(name)
        other.set_state(json.loads(json.dumps(kept)), learned)
        assert other.statistics() == agent.statistics()
        assert other.suggest(3) == (suggested := agent.suggest(3))
        assert other.after(suggested[0][:3]) == agent.after(suggested[0][:3])
        assert list(other.entries()) == list(agent.entries())
    # Two layers at first, then four after six children; the space has no more than five.
    assert depths == [[2] * 3] * 2 + [[4] * 3] * 2 + [[5] * 3] * 2
    assert agent.statistics()["layers"] == 5
    assert agent.terms == make_agent(CONFIGS[name], space_named("nas", 5), 3).terms


def test_episodes_of_other_lengths_are_described_alike():
    space = space_named("nas", 5)
    short, long = (space_named("nas", n).ended(()) for n in (2, 5))
    assert len(space.features(short)) == len(space.features(long))
    assert space.identity(short) != space.identity(long)


@pytest.mark.parametrize("config", [ReinforceConfig(children=2), PPOConfig(children=2)])
def test_a_controller_writes_networks_that_grow(config):
    agents = [make_agent(config, space_named("nas", 5), 3, GROWTH) for _ in range(2)]
    learned, depths = [], []
    for _ in range(6):
        depths += iteration(agents[0], learned)
    assert depths == [2] * 6 + [4] * 6 + [5] * 6
    # Another process goes on with it, whose space has grown by then.
    state = json.loads(json.dumps(agents[0].get_state()))
    agents[1].set_state(state, learned)
    assert agents[1].suggest(4) == agents[0].suggest(4)
    assert agents[0].statistics() == pytest.approx(agents[1].statistics())


def test_children_of_a_smaller_network_teach_a_grown_controller_nothing():
    # Updates come after four children, and the space grows after six.
    agent = make_agent(ReinforceConfig(children=4), space_named("nas", 5), 3, GROWTH)
    learned = []
    iteration(agent, learned)
    iteration(agent, learned)
    assert agent.statistics()["updates"] == 1 and agent.statistics()["layers"] == 4
    # The two that waited are gone, so that three more are too few for an update.
    iteration(agent, learned)
    assert agent.statistics()["updates"] == 1
    iteration(agent, learned)
    assert agent.statistics()["updates"] == 2
