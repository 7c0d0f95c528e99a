"""Batch norm by parts of a batch, and a network's weights as arrays."""

import jax
import numpy as np
import pytest
from flax import nnx

from blockqnn.networks.child import child_network
from blockqnn.networks.initial import initial_parameters
from blockqnn.networks.layout import Layout
from blockqnn.networks.normalisation import batch_norm, grouped_batch_norm
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.stacking import make_plan

LAYOUT = Layout(filters=(3,), repeats=1, height=4, width=4, channels=2, classes=3)
BLOCK = parse("[(1,1,3,0,0),(2,1,1,1,0),(3,5,0,0,1)]")


def test_each_group_is_normalised_as_if_it_were_alone():
    random = np.random.default_rng(0)
    x = random.standard_normal((6, 3, 2, 4)).astype(np.float32)
    parameters = {name: random.uniform(0.5, 2, 4).astype(np.float32) for name in ("scale", "bias")}
    running = {name: random.uniform(0.5, 2, 4).astype(np.float32) for name in ("mean", "variance")}
    found, after = grouped_batch_norm(x, parameters, running, 3)
    alone = [batch_norm(part, parameters, running, True) for part in np.split(x, 3)]
    np.testing.assert_allclose(found, np.concatenate([y for y, _ in alone]), rtol=1e-5, atol=1e-6)
    for name in running:
        mean = np.mean([statistics[name] for _, statistics in alone], axis=0)
        np.testing.assert_allclose(after[name], mean, rtol=1e-5)


def test_one_group_is_the_whole_batch():
    x = np.random.default_rng(0).standard_normal((4, 2, 2, 3)).astype(np.float32)
    ones, zeros = np.ones(3, np.float32), np.zeros(3, np.float32)
    arguments = ({"scale": ones, "bias": zeros}, {"mean": zeros, "variance": ones})
    found, wanted = grouped_batch_norm(x, *arguments, 1), batch_norm(x, *arguments, True)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_a_network_with_groups_trains_each_part_as_if_it_were_alone():
    x = np.random.default_rng(1).standard_normal((4, 4, 4, 2)).astype(np.float32)
    together = child_network(BLOCK, LAYOUT, seed=1)
    logits = together(x, norm_groups=2)
    parts = [child_network(BLOCK, LAYOUT, seed=1) for _ in range(2)]
    alone = [part(half) for part, half in zip(parts, np.split(x, 2), strict=True)]
    np.testing.assert_allclose(logits, np.concatenate(alone), rtol=1e-3, atol=1e-4)
    means = [np.asarray(part.layers[1].norm.mean[...]) for part in parts]
    np.testing.assert_allclose(together.layers[1].norm.mean[...], np.mean(means, 0), rtol=1e-3)
    assert not np.allclose(logits, child_network(BLOCK, LAYOUT, seed=1)(x), atol=1e-3)


def test_evaluation_knows_no_groups():
    x = np.random.default_rng(1).standard_normal((4, 4, 4, 2)).astype(np.float32)
    network = child_network(BLOCK, LAYOUT, seed=1)
    network.eval()
    assert np.array_equal(network(x), network(x, norm_groups=2))


def test_weights_come_back_as_they_were_set():
    plan = make_plan(canonical_form(BLOCK), LAYOUT)
    network = child_network(BLOCK, LAYOUT, seed=3)
    parameters, statistics = network.weights()
    for found, wanted in zip(parameters, initial_parameters(plan, 3), strict=True):
        assert found.keys() == wanted.keys()
        assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    changed = jax.tree.map(lambda array: array + 1, (parameters, statistics))
    network.set_weights(*changed)
    for found, wanted in zip(
        jax.tree.leaves(network.weights()), jax.tree.leaves(changed), strict=True
    ):
        assert np.array_equal(found, wanted)
    assert len(jax.tree.leaves(changed)) == len(jax.tree.leaves(nnx.state(network)))


@pytest.mark.parametrize("groups", [3, 8])
def test_a_batch_that_cannot_be_cut_evenly_is_an_error(groups):
    network = child_network(BLOCK, LAYOUT)
    with pytest.raises((TypeError, ZeroDivisionError)):
        network(np.zeros((4, 4, 4, 2), np.float32), norm_groups=groups)
