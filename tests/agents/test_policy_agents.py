"""REINFORCE and PPO as agents: what they find, what late results count for, exact states."""

import json
import math

import numpy as np
import pytest

from blockqnn.agents.contract import Episode, Sampled
from blockqnn.agents.policy_gradient import COLLAPSED
from blockqnn.agents.ppo import PPO, PPOConfig
from blockqnn.agents.predictor import PredictorConfig
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.agents.registry import AGENTS, make_agent
from blockqnn.agents.reinforce import Reinforce, ReinforceConfig
from blockqnn.agents.stored_arrays import as_text, from_text
from blockqnn.networks.spaces.nasbench201.space import CellSpace
from blockqnn.networks.spaces.nsc.space import BlockSpace
from blockqnn.networks.spaces.registry import space_named

# Programs that the contract's tests have compiled, where one process runs both.
SMALL = {"layers": 1, "units": 8, "learning_rate": 0.02}
BEST = (3, 1, 4, 0, 2, 3)
"""The sequence that a bandit pays best for."""


def hits(actions):
    """How many of its decisions are the best ones, as a share."""
    found = [operation == best for (_, operation), best in zip(actions, BEST, strict=True)]
    return sum(found) / len(BEST)


@pytest.mark.parametrize(
    "config",
    [
        ReinforceConfig(children=4, **SMALL | {"learning_rate": 0.05}, exponent=1.0),
        PPOConfig(children=5, minibatches=2, passes=2, **SMALL | {"learning_rate": 0.05}),
    ],
    ids=["REINFORCE", "PPO"],
)
def test_a_bandit_is_won_where_uniform_sampling_does_not_find_it(config):
    agents = [
        make_agent(config, CellSpace(), 1),
        RandomSearch(CellSpace(), RandomSearchConfig(), 1),
    ]
    found = []
    for agent in agents:
        best = 0.0
        for _ in range(120):
            episodes = [Episode(a, hits(a)) for a in agent.suggest(5)]
            best = max([best, *(episode.reward for episode in episodes)])
            agent.update(episodes)
        found.append(best)
    # 600 of 15,625 sequences.
    assert found[0] == 1.0
    assert found[1] < 1.0
    policy = agents[0]
    code = tuple((edge, operation) for edge, operation in enumerate(BEST, start=1))
    rewarded = np.exp(sum(policy.sampled(code).log_probabilities))
    assert rewarded > 0.5
    assert policy.statistics()["concentration"] == pytest.approx(rewarded)
    assert policy.statistics()["entropy"] < 3
    for place, (edge, best) in enumerate(code):
        likeliest = [p.action for p in policy.after(code[:place]) if p.greedy]
        assert likeliest == [(edge, best)]
    while policy.statistics()["concentration"] < COLLAPSED:
        assert policy.warning() == ""
        policy.update(some(policy, 20))
        assert policy.statistics()["updates"] < 600
    assert policy.warning().startswith("The policy has collapsed: it writes one sequence with a ")


def test_a_sequence_that_is_rewarded_becomes_likelier_and_one_that_is_not_less_likely():
    for agent in (
        Reinforce(CellSpace(), ReinforceConfig(children=4, **SMALL, exponent=1.0), 0),
        PPO(CellSpace(), PPOConfig(children=5, minibatches=2, passes=2, **SMALL), 0),
    ):
        one, other = agent.suggest(2)
        before = [sum(agent.sampled(each).log_probabilities) for each in (one, other)]
        agent.update([Episode(one, 0.9), Episode(other, 0.1)] * 10)
        after = [sum(agent.sampled(each).log_probabilities) for each in (one, other)]
        assert after[0] > before[0]
        assert after[1] < before[1]


def test_what_is_said_of_a_sequence_adds_up_to_its_probability():
    agent = Reinforce(BlockSpace(5), ReinforceConfig(children=4, **SMALL), 0)
    (actions,) = agent.suggest(1)
    said = agent.sampled(actions)
    assert said.update == 0
    assert len(said.log_probabilities) == len(actions)
    for t, action in enumerate(actions):
        (chance,) = [p.probability for p in agent.after(actions[:t]) if p.action == action]
        assert np.exp(said.log_probabilities[t]) == pytest.approx(chance, rel=1e-5)
    assert said.entropy > 0


def ppo(staleness=50, **settings):
    config = PPOConfig(children=5, minibatches=2, passes=2, staleness=staleness, **SMALL | settings)
    return PPO(CellSpace(), config, 3)


def some(agent, count, **sampled):
    return [Episode(a, hits(a), **sampled) for a in agent.suggest(count)]


def test_late_results_count_for_what_they_were_when_they_were_drawn():
    told, untold = ppo(), ppo()
    late = told.suggest(5)
    assert untold.suggest(5) == late
    known = [told.sampled(each) for each in late]
    for agent in (told, untold):
        agent.update(some(agent, 5))
    assert told.get_state() == untold.get_state()
    told.update([Episode(a, hits(a), k) for a, k in zip(late, known, strict=True)])
    untold.update([Episode(a, hits(a)) for a in late])
    # Ratios of what was drawn by an older policy are not 1 at the first step.
    assert told.get_state()["policy"]["weights"] != untold.get_state()["policy"]["weights"]
    # Those of the present policy are, whether it is said or not.
    now = told.suggest(5)
    with_it, without = ppo(), ppo()
    for agent in (with_it, without):
        agent.set_state(json.loads(json.dumps(told.get_state())), [])
    with_it.update([Episode(a, hits(a), told.sampled(a)) for a in now])
    without.update([Episode(a, hits(a)) for a in now])
    assert with_it.get_state() == without.get_state()


def test_what_is_too_late_is_left_out():
    agent = ppo(staleness=1)
    (first,) = agent.suggest(1)
    known = agent.sampled(first)
    for updates, stale, pending in ((1, 0, 1), (2, 1, 0)):
        agent.update(some(agent, 5 - len(agent.get_state()["pending"]["children"])))
        assert agent.statistics()["updates"] == updates
        agent.update([Episode(first, 1.0, known)])
        assert agent.statistics()["stale"] == stale
        assert len(agent.get_state()["pending"]["children"]) == pending
    assert agent.statistics()["episodes"] == 5 + 1 + 4 + 1
    # REINFORCE takes what comes, as NAS's replicas did.
    plain = Reinforce(CellSpace(), ReinforceConfig(children=4, **SMALL), 0)
    plain.update([Episode(first, 1.0, Sampled(-9, known.log_probabilities, 1.0))])
    assert plain.statistics()["stale"] == 0


def test_what_the_policy_cannot_write_teaches_nothing():
    space = space_named("nasbench201")
    agent = Reinforce(space, ReinforceConfig(children=4, **SMALL), 0)
    before = agent.get_state()
    agent.update([Episode(((1, 9),), 1.0)] * 8)
    assert agent.sampled(((1, 9),)) is None
    # They are counted all the same.
    before["pending"]["episodes"] = 8
    assert agent.get_state() == before
    assert agent.statistics()["episodes"] == 8
    with pytest.raises(ValueError, match="no beginning of an episode"):
        agent.after(((1, 9),))


def test_a_policy_behind_a_predictor_is_known_by_it():
    wanted = tuple(zip(range(1, 7), BEST, strict=True))
    behind = make_agent(
        PredictorConfig(ReinforceConfig(children=4, **SMALL), pool=4), CellSpace(), 0
    )
    assert behind.warning() == ""
    assert behind.sampled(wanted).update == 0
    plain = make_agent(PredictorConfig(RandomSearchConfig()), CellSpace(), 0)
    assert (plain.warning(), plain.sampled(wanted)) == ("", None)


def test_a_state_of_another_form_is_refused():
    agent = Reinforce(CellSpace(), ReinforceConfig(children=4, **SMALL), 0)
    state = agent.get_state()
    state["policy"]["weights"] = as_text(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match=r"a policy of this form has [0-9,]+ weights"):
        agent.set_state(state, [])


def test_arrays_come_back_to_the_last_bit():
    array = np.array([0.1, -0.0, np.float32(1e-45), np.inf, 3.4e38], np.float32)
    back = from_text(json.loads(json.dumps(as_text(array))))
    assert back.dtype == np.float32
    assert back.tobytes() == array.tobytes()
    # Little-endian, whatever wrote it.
    assert as_text(np.array([1.0], np.float32)) == "AACAPw=="


def test_the_entropy_that_is_asked_for_keeps_a_policy_broader():
    found = []
    for weight in (0.0, 1.0):
        agent = Reinforce(
            CellSpace(), ReinforceConfig(children=4, entropy_weight=weight, **SMALL), 0
        )
        for _ in range(25):
            agent.update(some(agent, 4))
        found.append(agent.statistics()["entropy"])
    assert found[0] < found[1] - 0.2
    assert found[1] > 9.0  # of 6 ln 5 = 9.66


def test_defaults_are_those_of_the_papers():
    nas, nasnet = ReinforceConfig(), PPOConfig()
    assert (nas.children, nas.layers, nas.units, nas.scale) == (8, 2, 35, 0.08)
    assert (nas.learning_rate, nas.exponent) == (0.0006, 3.0)
    assert (nasnet.children, nasnet.layers, nasnet.units, nasnet.scale) == (20, 1, 100, 0.1)
    assert (nasnet.learning_rate, nasnet.entropy_weight) == (0.00035, 1e-5)
    assert (nasnet.baseline_decay, nasnet.clip) == (0.95, 0.2)
    for name in ("reinforce", "ppo"):
        few = AGENTS[name].settings.for_budget(100)
        assert (few.exploration, few.exponent) == ("uniform", 1.0)
        assert not AGENTS[name].settings.is_sized()


# Four inputs among 2 to 6 states each and twenty operations of five; twelve of six and 66 bits.
@pytest.mark.parametrize(
    ("space", "parts"),
    [
        ("enas_micro", {"state": 4 * math.log(720), "operation": 20 * math.log(5)}),
        ("enas_macro", {"operation": 12 * math.log(6), "bit": 66 * math.log(2)}),
        ("nasbench201", {}),
    ],
)
def test_the_entropy_of_a_policy_without_weights_by_what_is_decided(space, parts):
    config = ReinforceConfig(exploration="uniform", **SMALL | {"scale": 0.0})
    found = Reinforce(space_named(space, None), config, 0).statistics()
    own = {name: value for name, value in found.items() if name.startswith("entropy_of_")}
    assert own == {f"entropy_of_{kind}": pytest.approx(value) for kind, value in parts.items()}
    if parts:
        assert found["entropy"] == pytest.approx(sum(parts.values()))
