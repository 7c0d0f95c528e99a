"""The Flax module, against executing its plan layer by layer with the same weights."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from networks.canonical import canonical_form
from networks.child import ChildNetwork, child_network
from networks.codes import parse
from networks.cost import cost
from networks.initial import initial_parameters, initial_statistics
from networks.layers import compute
from networks.layout import Layout
from networks.plan import Operation, make_plan
from networks.published import PUBLISHED
from tests.strategies import blocks, rewritings

# One odd size and two stages, one 5x5 kernel larger than the map of the second.
LAYOUT = Layout(filters=(2, 3), repeats=1, height=5, width=6, channels=2, classes=3)
IMAGENET = Layout("imagenet", (2, 3), 1, height=9, width=8, channels=2, classes=3)
EVERY_TYPE = parse(
    "[(1,1,3,0,0),(2,1,5,0,0),(3,2,3,1,0),(4,3,3,2,0),(5,5,0,0,3),(6,6,0,4,5),(7,1,1,6,0),"
    "(8,4,0,6,0),(9,5,0,1,6)]"
)


def images(layout, seed=0, batch=4):
    shape = (batch, *layout.image_shape)
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


def execute(plan, parameters, statistics, x, training):
    """The logits and the statistics after them, layer by layer."""
    outputs, after = [x], [statistics[0]]
    for layer, arrays, running in zip(plan[1:], parameters[1:], statistics[1:], strict=True):
        inputs = [outputs[i] for i in layer.inputs]
        y, new = compute(layer, arrays, running, inputs, training)
        assert y.shape[1:] == layer.shape
        outputs.append(y)
        after.append(new)
    return outputs[-1], after


def on_device(weights):
    return [{name: jnp.asarray(array) for name, array in arrays.items()} for arrays in weights]


def random_weights(plan, seed):
    """Weights and statistics none of which is a 0 or 1 that hides a mistake."""
    random = np.random.default_rng(seed)
    parameters, statistics = initial_parameters(plan, seed), initial_statistics(plan)
    for arrays in (*parameters, *statistics):
        for name in set(arrays) - {"kernel"}:
            arrays[name] = random.uniform(0.5, 1.5, arrays[name].shape).astype(np.float32)
    return parameters, statistics


def agrees_with_its_plan(code, layout, seed=0):
    plan = make_plan(canonical_form(code), layout)
    parameters, statistics = random_weights(plan, seed)
    network = child_network(code, layout, seed)
    network.set_weights(parameters, statistics)
    x = images(layout, seed)
    parameters, statistics = on_device(parameters), on_device(statistics)

    network.eval()
    wanted, _ = execute(plan, parameters, statistics, x, training=False)
    np.testing.assert_allclose(network(x), wanted, rtol=1e-3, atol=1e-3)

    network.train()
    wanted, after = execute(plan, parameters, statistics, x, training=True)
    np.testing.assert_allclose(network(x), wanted, rtol=1e-3, atol=1e-3)
    for layer, running in zip(network.layers, after[1:], strict=True):
        if layer.operation is Operation.PCC:
            np.testing.assert_allclose(layer.norm.mean[...], running["mean"], rtol=1e-3, atol=1e-3)
            np.testing.assert_allclose(
                layer.norm.var[...], running["variance"], rtol=1e-3, atol=1e-3
            )


@pytest.mark.parametrize("layout", [LAYOUT, IMAGENET], ids=["cifar", "imagenet"])
def test_a_block_of_every_type_agrees_with_its_plan(layout):
    agrees_with_its_plan(EVERY_TYPE, layout)


@settings(max_examples=12)
@given(blocks(max_layers=5), st.integers(0, 3))
def test_random_blocks_agree_with_their_plans(code, seed):
    agrees_with_its_plan(code, LAYOUT, seed)


@settings(max_examples=15)
@given(blocks(max_layers=6), st.sampled_from([LAYOUT, IMAGENET]))
def test_parameters_are_those_of_the_plan(code, layout):
    arrays = jax.tree.leaves(nnx.state(child_network(code, layout), nnx.Param))
    assert sum(array.size for array in arrays) == cost(canonical_form(code), layout).parameters


@pytest.mark.parametrize(("classes", "parameters"), [(10, 6_125_802), (100, 6_195_012)])
def test_parameters_of_block_qnn_s_as_published(classes, parameters):
    layout = Layout(filters=(32, 64, 128), repeats=2, classes=classes)
    network = nnx.eval_shape(lambda: child_network(PUBLISHED["block-qnn-s"], layout))
    arrays = jax.tree.leaves(nnx.state(network, nnx.Param))
    assert sum(math.prod(array.shape) for array in arrays) == parameters


@settings(max_examples=5)
@given(st.data())
def test_codes_with_one_hash_are_one_network_bit_for_bit(data):
    code = data.draw(st.one_of(st.just(EVERY_TYPE), blocks(min_layers=3, max_layers=5)))
    other = data.draw(rewritings(code))
    assert canonical_form(other).hash == canonical_form(code).hash
    one, two = (child_network(each, LAYOUT, seed=3) for each in (code, other))
    first, second = (jax.tree.leaves(nnx.state(network)) for network in (one, two))
    assert len(first) == len(second)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert np.array_equal(one(images(LAYOUT)), two(images(LAYOUT)))


def test_the_seed_makes_the_weights():
    kernel = [child_network(EVERY_TYPE, LAYOUT, seed).layers[0].convolution.kernel[...] for seed in (1, 1, 2)]
    assert np.array_equal(kernel[0], kernel[1])
    assert not np.array_equal(kernel[0], kernel[2])


def test_a_new_network_has_the_initial_weights_of_its_plan():
    plan = make_plan(canonical_form(EVERY_TYPE), LAYOUT)
    network = ChildNetwork(plan, seed=11)
    weights = zip(plan[1:], network.layers, initial_parameters(plan, 11)[1:], strict=True)
    for layer, unit, arrays in weights:
        if layer.operation in (Operation.CONVOLUTION, Operation.PCC):
            assert np.array_equal(unit.convolution.kernel[...], arrays["kernel"])
        if layer.operation is Operation.PCC:
            assert np.array_equal(unit.norm.scale[...], arrays["scale"])
            assert np.array_equal(unit.norm.bias[...], arrays["bias"])
            assert np.array_equal(unit.norm.mean[...], np.zeros(layer.shape[-1:]))
            assert np.array_equal(unit.norm.var[...], np.ones(layer.shape[-1:]))
        if layer.operation is Operation.LINEAR:
            assert np.array_equal(unit.linear.kernel[...], arrays["kernel"])
            assert np.array_equal(unit.linear.bias[...], arrays["bias"])


def test_a_network_runs_and_learns_under_nnx_jit():
    network, x = child_network(EVERY_TYPE, LAYOUT, seed=5), images(LAYOUT)
    twin = child_network(EVERY_TYPE, LAYOUT, seed=5)
    logits = nnx.jit(lambda network, x: network(x))(network, x)
    assert logits.shape == (4, 3)
    assert logits.dtype == jnp.float32
    np.testing.assert_allclose(logits, twin(x), rtol=1e-4, atol=1e-4)
    # The running statistics were updated inside.
    mean = network.layers[1].norm.mean[...]
    np.testing.assert_allclose(mean, twin.layers[1].norm.mean[...], rtol=1e-4, atol=1e-5)
    assert np.abs(mean).max() > 0

    def loss(network):
        return jnp.mean(jnp.square(network(x) - 1.0))

    gradients = nnx.jit(nnx.grad(loss))(network)
    kernels = [g for g in jax.tree.leaves(gradients) if g.ndim > 1]
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in kernels)


def test_evaluation_keeps_the_running_statistics_and_does_not_mix_images():
    network, x = child_network(EVERY_TYPE, LAYOUT), images(LAYOUT)
    network.eval()
    before = [np.array(leaf) for leaf in jax.tree.leaves(nnx.state(network, nnx.BatchStat))]
    together = network(x)
    np.testing.assert_allclose(network(x[:1]), together[:1], rtol=1e-4, atol=1e-5)
    after = jax.tree.leaves(nnx.state(network, nnx.BatchStat))
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_bfloat16_keeps_weights_and_logits_in_float32():
    plain = child_network(EVERY_TYPE, LAYOUT, seed=2)
    network = child_network(EVERY_TYPE, LAYOUT, seed=2, dtype=jnp.dtype("bfloat16"))
    assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(network, nnx.Param))} == {
        jnp.dtype("float32")
    }
    # Flax's own BatchNorm promotes bfloat16 to float32 for its statistics.
    with jax.numpy_dtype_promotion("standard"):
        network.eval()
        logits = network(images(LAYOUT))
        maps = network.layers[0](images(LAYOUT).astype(jnp.bfloat16))
    plain.eval()
    assert maps.dtype == jnp.bfloat16
    assert logits.dtype == jnp.float32
    wanted = plain(images(LAYOUT))
    assert not np.array_equal(logits, wanted)
    np.testing.assert_allclose(logits, wanted, rtol=0.1, atol=0.1)
