"""Drop-path: what is dropped, how often, and that the expectation stays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from blockqnn.networks.child import child_network
from blockqnn.networks.drop_path import DropPath, path_factors
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.codes import parse

LAYOUT = Layout(filters=(3,), repeats=1, height=4, width=4, channels=2, classes=3)
RESIDUAL = parse("[(1,1,3,0,0),(2,5,0,0,1)]")
TWO_LEAVES = parse("[(1,1,3,0,0),(2,1,1,0,0)]")
CHAIN = parse("[(1,1,3,0,0),(2,2,3,1,0)]")
MANY = 40_000


def factors(rate, paths, seed=0, batch=MANY):
    return np.asarray(path_factors(jax.random.key(seed), jnp.float32(rate), paths, batch))


def images(batch=4, seed=0):
    return np.random.default_rng(seed).standard_normal((batch, 4, 4, 2)).astype(np.float32)


@pytest.mark.parametrize("paths", [1, 2, 3, 6])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_every_path_has_the_expectation_that_it_had(rate, paths):
    found = factors(rate, paths)
    assert found.shape == (paths, MANY)
    assert (found.max(axis=0) > 0).all(), "at least one path survives"
    kept = 1 - rate + rate**paths / paths
    # Five deviations of a mean over so many images.
    tolerance = 5 * np.sqrt((1 / kept - 1) / MANY) + 1e-6
    np.testing.assert_allclose(found.mean(axis=1), 1.0, atol=tolerance)
    np.testing.assert_allclose(np.unique(found)[-1], 1 / kept, rtol=1e-6)
    assert set(np.unique(found > 0)) == ({True} if rate == 0 or paths == 1 else {True, False})


def test_paths_are_dropped_as_often_as_hand_computed():
    # Two paths, 0.5: both kept 1/4, one of them 1/2, neither 1/4, which one of them survives.
    kept = factors(0.5, 2) > 0
    both = np.mean(kept.all(axis=0))
    assert both == pytest.approx(0.25, abs=0.012)
    assert np.mean(kept[0] & ~kept[1]) == pytest.approx(0.375, abs=0.013)
    assert np.mean(kept[1] & ~kept[0]) == pytest.approx(0.375, abs=0.013)


def test_a_rate_of_zero_is_exactly_no_drop_path():
    assert np.array_equal(factors(0.0, 3, batch=50), np.ones((3, 50)))
    network = child_network(RESIDUAL, LAYOUT)
    plain = network(images())
    again = child_network(RESIDUAL, LAYOUT)
    assert np.array_equal(plain, again(images(), DropPath(jax.random.key(1), jnp.float32(0.0))))


def test_images_steps_and_joins_choose_independently():
    one = factors(0.5, 2) > 0
    assert abs(np.corrcoef(one[0, :-1], one[0, 1:])[0, 1]) < 0.03
    other = factors(0.5, 2, seed=1) > 0
    assert abs(np.corrcoef(one[0], other[0])[0, 1]) < 0.03
    drop = DropPath(jax.random.key(0), jnp.float32(0.5))
    x = jnp.ones((MANY, 1, 1, 1))
    first, second = (np.asarray(drop.apply(place, [x, x])[0]).ravel() > 0 for place in (3, 4))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    assert np.array_equal(first, np.asarray(drop.apply(3, [x, x])[0]).ravel() > 0)


def test_the_inputs_of_a_join_are_scaled_or_zero():
    drop = DropPath(jax.random.key(0), jnp.float32(0.5))
    x, y = images(batch=64), images(batch=64, seed=1)
    found = drop.apply(2, [x, y])
    for image in range(64):
        ratios = [
            np.unique(np.round(np.asarray(after[image]) / before[image], 4))
            for after, before in zip(found, (x, y), strict=True)
        ]
        assert all(len(ratio) == 1 and ratio[0] in (0.0, 1.6) for ratio in ratios)
        assert any(ratio[0] == 1.6 for ratio in ratios)


@pytest.mark.parametrize("code", [RESIDUAL, TWO_LEAVES], ids=["add", "leaves"])
def test_joins_of_a_network_drop_in_training_and_not_in_evaluation(code):
    network = child_network(code, LAYOUT)
    x = images()
    plain = np.asarray(network(x))
    drop = DropPath(jax.random.key(0), jnp.float32(0.7))
    assert not np.allclose(plain, network(x, drop))
    network.eval()
    state = [np.array(leaf) for leaf in jax.tree.leaves(nnx.state(network))]
    first, second = np.asarray(network(x)), np.asarray(network(x))
    assert np.array_equal(first, second)
    after = jax.tree.leaves(nnx.state(network))
    assert all(np.array_equal(a, b) for a, b in zip(state, after, strict=True))


def test_a_block_without_joins_has_nothing_to_drop():
    drop = DropPath(jax.random.key(0), jnp.float32(0.9))
    one, other = (child_network(CHAIN, LAYOUT) for _ in range(2))
    assert np.array_equal(one(images()), other(images(), drop))


def test_a_dropped_path_gets_no_gradient():
    drop = DropPath(jax.random.key(0), jnp.float32(0.5))

    def total(x, y):
        return sum(jnp.sum(part) for part in drop.apply(1, [x, y]))

    gradients = jax.grad(total, argnums=(0, 1))(jnp.ones((32, 2, 2, 1)), jnp.ones((32, 2, 2, 1)))
    values = np.stack([np.asarray(g)[:, 0, 0, 0] for g in gradients])
    assert set(np.round(np.unique(values), 4)) == {0.0, np.float32(1.6)}
    assert (values.max(axis=0) > 0).all()
