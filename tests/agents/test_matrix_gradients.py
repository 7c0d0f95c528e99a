"""Gradients of the large matrices in one product: equal to those of differentiating the loop."""

import jax
import numpy as np

from blockqnn.agents import controller, matrix_gradients
from blockqnn.agents.contract import Episode
from blockqnn.agents.cpu_device import cpu_device
from blockqnn.agents.decision_tables import DecisionTables
from blockqnn.agents.policy_updates import updated
from blockqnn.agents.reinforce import Reinforce, ReinforceConfig
from blockqnn.contests.contestants import parse_contestant
from blockqnn.networks.spaces.registry import space_named


def test_the_gradient_is_that_of_the_loop():
    tables = DecisionTables(space_named("enas_micro"), "uniform")
    form = controller.Form(tables.sizes, layers=2, units=6, temperature=1.5, tanh=2.5)
    arrays = controller.on_device(tables, cpu_device())
    random = np.random.default_rng(0)
    weights = controller.first_weights(form, 0.5, random)
    numbers = []
    for _ in range(3):
        uniforms = random.random(tables.sizes.length).astype(np.float32)
        drawn = np.full(tables.sizes.length, controller.DRAW, np.int32)
        numbers.append(controller.write_one(form, weights, arrays, drawn, uniforms).numbers)
    numbers = np.stack(numbers)
    gains = np.array([0.3, -0.2, 0.9], np.float32)

    def made(written):
        return (written.log_probabilities.sum(1) * gains).sum() + 0.1 * written.entropies.sum()

    def by_the_loop(w):
        return made(jax.vmap(lambda n: controller.scored(form, w, arrays, n))(numbers))

    expected = np.asarray(jax.jit(jax.grad(by_the_loop))(weights))
    found = jax.jit(lambda w: matrix_gradients.gradient(form, w, arrays, numbers, made))(weights)
    named = controller.named(form, expected)
    assert all(np.any(array) for array in named.values())
    np.testing.assert_allclose(np.asarray(found), expected, rtol=2e-4, atol=2e-6)


def test_all_seeds_of_a_contest_share_two_programs():
    contestant, space = parse_contestant("reinforce"), space_named("nasbench201")
    compiled = []
    for seed in range(3):
        agent = Reinforce(space, contestant.config(100), seed)
        for _ in range(2):
            agent.update([_rewarded(actions) for actions in agent.suggest(1)])
        compiled.append((controller.write_one._cache_size(), updated._cache_size()))
    assert len(set(compiled)) == 1


def test_what_was_drawn_is_remembered_as_it_would_be_computed_and_forgotten_by_an_update():
    agent = Reinforce(space_named("nasbench201"), ReinforceConfig(children=2, units=5), 0)
    (actions,) = agent.suggest(1)
    remembered, policy = agent.sampled(actions), agent._policy
    policy._drawn.clear()
    assert agent.sampled(actions) == remembered
    agent.suggest(1)
    agent.update([_rewarded(actions, 0.9), _rewarded(agent.suggest(1)[0], 0.1)])
    assert not policy._drawn
    later = agent.sampled(actions)
    assert later.update == 1 and later.log_probabilities != remembered.log_probabilities


def _rewarded(actions, reward=0.5):
    return Episode(actions, reward)
