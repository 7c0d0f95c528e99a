"""REINFORCE and PPO in numbers that were computed by hand: nas.md's and nasnet.md's vectors."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.agents.contract import Episode
from blockqnn.agents.controller import squashed
from blockqnn.agents.policy_updates import (
    Rule,
    clipped_objective,
    reinforce_objective,
    skip_divergence,
)
from blockqnn.agents.ppo import PPO, PPOConfig
from blockqnn.agents.reinforce import Reinforce, ReinforceConfig
from blockqnn.agents.rewarded_children import batch_of, moving_average, powered
from blockqnn.networks.spaces.nasbench201.space import CellSpace
from blockqnn.networks.spaces.registry import space_named

LOGITS = jnp.array([[0.0, 0.0], [0.0, math.log(3.0)]], jnp.float32)
"""Two decisions of p = (1/2, 1/2) and (1/4, 3/4)."""
HALVES = ([[0.5, 0.25], [0.5, 0.25]], [[0.6, 0.3], [0.4, 0.25]])
"""Probabilities of two children's decisions, old and new."""


def log_probabilities(logits, choices):
    chosen = jax.nn.log_softmax(logits)[jnp.arange(2), jnp.array(choices)]
    return chosen


def climbed(children, rewards, baseline):
    """The gradient of REINFORCE's objective by the logits."""

    def objective(logits):
        found = jnp.stack([log_probabilities(logits, child) for child in children])
        gains = jnp.array(rewards, jnp.float32) - baseline
        return reinforce_objective(found, gains, jnp.ones(len(children), jnp.float32))

    return np.asarray(jax.grad(objective)(LOGITS)).tolist()


def test_the_gradient_of_reinforce():
    assert float(log_probabilities(LOGITS, (1, 0)).sum()) == pytest.approx(-2.079442, abs=1e-6)
    assert powered(0.8, 3.0) == pytest.approx(0.512)
    one = climbed([(1, 0)], [0.512], 0.4)
    assert one == [pytest.approx([-0.056, 0.056]), pytest.approx([0.084, -0.084])]
    two = climbed([(1, 0), (0, 1)], [0.512, 0.343], 0.4)
    assert two == [pytest.approx([-0.04225, 0.04225]), pytest.approx([0.049125, -0.049125])]


def test_an_anchor_at_0_that_said_yes():
    def objective(pre_activation):
        found = jax.nn.log_sigmoid(pre_activation)[None, None]
        ones = jnp.ones(1, jnp.float32)
        return reinforce_objective(found, ones * jnp.float32(0.112), ones)

    assert float(jax.grad(objective)(jnp.float32(0.0))) == pytest.approx(0.056)


def test_the_gradient_of_six_equal_logits_and_what_the_squashing_leaves_of_it():
    def loss(logits, temperature, tanh):
        chosen = jax.nn.log_softmax(squashed(logits, temperature, tanh))[2]
        ones = jnp.ones(1, jnp.float32)
        return -reinforce_objective(chosen[None, None], ones * jnp.float32(0.1), ones)

    zeros = jnp.zeros(6, jnp.float32)
    others = [0.016667] * 2, [0.016667] * 3
    found = np.asarray(jax.grad(loss)(zeros, 1.0, 0.0))
    assert found == pytest.approx([*others[0], -0.083333, *others[1]], abs=1e-6)
    # 2.5 tanh(u / 5) halves it.
    assert np.asarray(jax.grad(loss)(zeros, 5.0, 2.5)) == pytest.approx(found / 2, abs=1e-6)
    assert np.asarray(jax.grad(loss)(zeros, 2.0, 0.0)) == pytest.approx(found / 2, abs=1e-6)


def test_the_probabilities_that_the_squashing_allows():
    p = jax.nn.softmax(squashed(jnp.array([0.0, 1.0, 2.0, 5.0], jnp.float32), 5.0, 2.5))
    assert np.asarray(p) == pytest.approx([0.083781, 0.137228, 0.216605, 0.562386], abs=1e-6)
    assert float(-(p * jnp.log(p)).sum()) == pytest.approx(1.135316, abs=1e-6)
    for count in (2, 4, 6):
        extreme = jnp.array([1e6] + [-1e6] * (count - 1), jnp.float32)
        largest = 1 / (1 + (count - 1) * math.exp(-5.0))
        found = jax.nn.softmax(squashed(extreme, 5.0, 2.5))[0]
        assert float(found) == pytest.approx(largest, abs=1e-6)


def clipped(new, old, alive, gains, per_sequence, shares=(1.0, 1.0), clip=0.2):
    arrays = [jnp.log(jnp.array(p, jnp.float32)) for p in (new, old)]
    rest = [jnp.array(each, jnp.float32) for each in (alive, gains, shares)]
    return float(clipped_objective(*arrays, *rest, clip, per_sequence))


@pytest.mark.parametrize(
    ("ratio", "gain", "expected"),
    [(1.5, 0.1, 0.12), (1.5, -0.1, -0.15), (0.5, 0.1, 0.05), (0.5, -0.1, -0.08), (1.1, 0.1, 0.11)],
)
def test_the_clipped_ratio(ratio, gain, expected):
    found = clipped([[0.5 * ratio]], [[0.5]], [[1.0]], [gain], False, [1.0])
    assert found == pytest.approx(expected)


def test_a_ratio_of_each_decision_and_of_the_sequence():
    old, new = HALVES
    alive, gains = [[1.0, 1.0]] * 2, [0.02, 0.10]
    # Terms of 0.024, 0.024, 0.08 and 0.1; and of 0.024 and 0.08.
    assert clipped(new, old, alive, gains, False) == pytest.approx(0.057)
    assert clipped(new, old, alive, gains, True) == pytest.approx(0.052)
    assert clipped(new, old, alive, gains, False, (1.0, 0.0)) == pytest.approx(0.024)
    # What stands behind the end of an episode counts for nothing.
    ended = [[1.0, 0.0], [1.0, 1.0]]
    assert clipped(new, old, ended, gains, False) == pytest.approx((0.024 + 0.08 + 0.1) / 3)
    assert clipped(new, old, ended, gains, True) == pytest.approx(0.052)


def test_the_baseline_takes_one_reward_at_a_time():
    assert moving_average(0.60, [0.62, 0.70], 0.95) == pytest.approx(0.60595)
    after = [moving_average(0.0, [0.1, 0.2, 0.3][:n], 0.99) for n in (1, 2, 3)]
    assert after == pytest.approx([0.001, 0.00299, 0.0059601])
    assert powered(-0.5, 3.0) == -0.125


def test_parts_of_a_batch_are_padded_with_children_that_do_not_count():
    class Child:
        numbers, old = np.zeros(6, np.int32), np.zeros(6, np.float32)

    batch = batch_of([Child] * 3, [0.1, 0.2, 0.3], [[2, 0], [1]])
    assert batch.parts.tolist() == [[2, 0], [1, 0]]
    assert batch.shares.tolist() == [[1, 1], [1, 0]]
    assert batch.advantages.tolist() == pytest.approx([0.1, 0.2, 0.3])


def test_an_update_takes_the_rewards_above_the_baseline_before_them(monkeypatch):
    agent = Reinforce(CellSpace(), ReinforceConfig(children=2, layers=1, units=8), 0)
    seen = []
    monkeypatch.setattr(agent._policy, "improve", seen.append)
    four = agent.suggest(4)
    rewards = (0.8, 0.6, 0.7, 0.5)
    agent.update([Episode(a, r) for a, r in zip(four, rewards, strict=True)])
    cubes = [reward**3 for reward in rewards]
    first = (cubes[0] + cubes[1]) / 2
    then = moving_average(first, cubes[:2], 0.95)
    assert seen[0].advantages == pytest.approx([cubes[0] - first, cubes[1] - first])
    assert seen[1].advantages == pytest.approx([cubes[2] - then, cubes[3] - then])
    assert agent.statistics()["baseline"] == pytest.approx(moving_average(then, cubes[2:], 0.95))
    assert [batch.parts.tolist() for batch in seen] == [[[0, 1]]] * 2


def test_each_pass_of_ppo_deals_all_children_to_its_minibatches():
    agent = PPO(CellSpace(), PPOConfig(children=5, minibatches=2, passes=3, units=8), 0)
    parts = agent._parts()
    assert [len(part) for part in parts] == [3, 2] * 3
    for one, other in zip(parts[::2], parts[1::2], strict=True):
        assert sorted(one + other) == list(range(5))
    assert parts[0] != parts[2] or parts[2] != parts[4]


def test_the_bound_of_gradients_and_the_rate_are_those_of_the_rule():
    gradient = jnp.array([3.0, 4.0], jnp.float32)
    with jax.numpy_dtype_promotion("standard"):
        for norm, expected in ((0.0, [3.0, 4.0]), (1.0, [0.6, 0.8]), (9.0, [3.0, 4.0])):
            rule = Rule(0.5, 0.0, norm)
            _, state = rule.optimiser.update(gradient, rule.optimiser.init(gradient))
            first, second = jax.tree.leaves(state)[1:]
            assert np.asarray(first) == pytest.approx(0.1 * np.array(expected))
            assert np.asarray(second) == pytest.approx(0.001 * np.square(expected), rel=1e-4)
        change, _ = rule.optimiser.update(gradient, rule.optimiser.init(gradient))
    assert np.asarray(change) == pytest.approx([-0.5, -0.5], rel=1e-4)


def test_momentum_and_epsilon_of_adam_are_those_of_the_settings():
    agent = Reinforce(CellSpace(), ReinforceConfig(units=8, momentum=0.0, epsilon=1.0), 0)
    rule = dataclasses.replace(agent._rule(), learning_rate=0.5)
    gradient = jnp.array([3.0, -4.0], jnp.float32)
    with jax.numpy_dtype_promotion("standard"):
        _, state = rule.optimiser.update(gradient, rule.optimiser.init(gradient))
        change, _ = rule.optimiser.update(-gradient, state)
    # By the last gradient alone, over the root of the mean of squares (both are 9, and 16) and 1.
    assert np.asarray(change) == pytest.approx([0.5 * 3 / 4, -0.5 * 4 / 5], rel=1e-4)


def macro_rows(bits, operations=2):
    """Log-probabilities [1, T, 2] of a network whose layers decide on an operation, then bits.

    Args:
        bits: probabilities of skips, by layer.
        operations: that every layer chooses from, uniformly.

    Returns:
        The rows, and which actions are skips.
    """
    rows, skips = [], []
    for layer in bits:
        rows.append([1 / operations] * operations)
        skips.append([0.0] * operations)
        for chance in layer:
            rows.append([1 - chance, chance] + [0.0] * (operations - 2))
            skips.append([0.0, 1.0] + [0.0] * (operations - 2))
    logarithms = np.log(np.maximum(rows, 1e-30)).astype(np.float32)
    return jnp.array(logarithms[None]), jnp.array(skips, jnp.float32)


def test_how_far_skips_are_from_their_prior():
    # Twelve layers, none or one candidate for the first two, eleven for the last.
    rows, skips = macro_rows([[0.5] * candidates for candidates in range(12)])
    alive = jnp.ones(rows.shape[:2], jnp.float32)
    assert rows.shape[1] == 78
    # 66 times 0.020411, over eleven layers that have candidates.
    assert float(skip_divergence(rows, alive, skips, 0.4)[0]) == pytest.approx(0.122466, abs=1e-6)
    # Those behind the end count for nothing: three layers have 0 + 1 + 2 candidates.
    ended = alive.at[:, 6:].set(0.0)
    assert float(skip_divergence(rows, ended, skips, 0.4)[0]) == pytest.approx(1.5 * 0.020411, 1e-4)
    assert float(skip_divergence(rows, alive, skips, 0.5)[0]) == pytest.approx(0.0, abs=1e-6)
    assert float(skip_divergence(rows, alive, 0 * skips, 0.4)[0]) == 0.0
    certain, skips = macro_rows([[], [1.0], [0.0, 1.0]])
    alive = jnp.ones(certain.shape[:2], jnp.float32)
    expected = (2 * -math.log(0.4) - math.log(0.6)) / 2
    found = float(skip_divergence(certain, alive, skips, 0.4)[0])
    assert found == pytest.approx(expected, abs=1e-4)


def test_the_prior_alone_brings_skips_to_their_rate():
    space = space_named("enas_macro", 4)
    config = ReinforceConfig(
        children=2, layers=1, units=8, learning_rate=0.05, skip_rate=0.2, skip_weight=5.0
    )
    agent = Reinforce(space, config, 0)
    for _ in range(60):
        # Rewards that are all alike teach nothing.
        agent.update([Episode(actions, 0.5) for actions in agent.suggest(2)])
    drawn = [word for actions in agent.suggest(150) for word in space.write(actions).split()]
    skips = [int(bit) for word in drawn if ":" in word for bit in word.split(":")[1]]
    assert len(skips) == 150 * 6
    assert 0.14 < np.mean(skips) < 0.26
