"""The Flax module, against executing its plan layer by layer with the same weights."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from blockqnn.networks.child import ChildNetwork, child_network
from blockqnn.networks.cost import cost
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layers import compute
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Operation
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.networks.spaces.nsc.stacking import make_plan
from tests.strategies import blocks, rewritings

# One odd size and two stages, one 5x5 kernel larger than the map of the second.
LAYOUT = Layout(filters=(2, 3), repeats=1, height=5, width=6, channels=2, classes=3)
IMAGENET = Layout("imagenet", (2, 3), 1, height=9, width=8, channels=2, classes=3)
EVERY_TYPE = parse(
    "[(1,1,3,0,0),(2,1,5,0,0),(3,2,3,1,0),(4,3,3,2,0),(5,5,0,0,3),(6,6,0,4,5),(7,1,1,6,0),"
    "(8,4,0,6,0),(9,5,0,1,6)]"
)


SMALL = Layout(filters=(3,), repeats=1, height=4, width=3, channels=2, classes=3)
FEW_TYPES = parse("[(1,1,3,0,0),(2,2,3,1,0),(3,5,0,0,1)]")


@nnx.jit
def run(network, x):
    return network(x)


def images(layout, seed=0, batch=4):
    shape = (batch, *layout.image_shape)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


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
    graph, state = nnx.split(network)

    @jax.jit
    def both_ways(state, parameters, statistics, x):
        results = []
        for training in (False, True):  # Training changes the statistics in `state`.
            logits, after = execute(plan, parameters, statistics, x, training)
            network = nnx.merge(graph, state)
            network.train() if training else network.eval()
            results.append((network(x), logits))
            for layer, running in zip(network.layers, after[1:], strict=True):
                if layer.operation is Operation.PCC:
                    results.append((layer.norm.mean[...], running["mean"]))
                    results.append((layer.norm.var[...], running["variance"]))
        return results

    for found, wanted in both_ways(state, parameters, statistics, images(layout, seed)):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("layout", [LAYOUT, IMAGENET], ids=["cifar", "imagenet"])
def test_a_block_of_every_type_agrees_with_its_plan(layout):
    agrees_with_its_plan(EVERY_TYPE, layout)


@settings(max_examples=8)
@given(blocks(max_layers=4), st.integers(0, 3))
def test_random_blocks_agree_with_their_plans(code, seed):
    agrees_with_its_plan(code, LAYOUT, seed)


@settings(max_examples=15)
@given(blocks(max_layers=6), st.sampled_from([LAYOUT, IMAGENET]))
def test_parameters_are_those_of_the_plan(code, layout):
    arrays = jax.tree.leaves(nnx.state(child_network(code, layout), nnx.Param))
    assert sum(array.size for array in arrays) == cost(canonical_form(code), layout).parameters


def test_parameters_of_block_qnn_s_as_published():
    layout = Layout(filters=(32, 64, 128), repeats=2, classes=100)
    network = nnx.eval_shape(lambda: child_network(PUBLISHED["block-qnn-s"], layout))
    arrays = jax.tree.leaves(nnx.state(network, nnx.Param))
    assert sum(math.prod(array.shape) for array in arrays) == 6_195_012


@settings(max_examples=5)
@given(rewritings(EVERY_TYPE))
def test_codes_with_one_hash_are_one_network_bit_for_bit(code):
    assert canonical_form(code).hash == canonical_form(EVERY_TYPE).hash
    one, two = (child_network(each, LAYOUT, seed=3) for each in (EVERY_TYPE, code))
    first, second = (jax.tree.leaves(nnx.state(network)) for network in (one, two))
    assert len(first) == len(second)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert np.array_equal(run(one, images(LAYOUT)), run(two, images(LAYOUT)))


def test_the_seed_makes_the_weights():
    one, same, other = (child_network(FEW_TYPES, SMALL, seed) for seed in (1, 1, 2))
    kernels = [network.layers[0].convolution.kernel[...] for network in (one, same, other)]
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


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


def test_a_network_runs_under_nnx_jit_and_updates_its_statistics():
    jitted, eager = (child_network(FEW_TYPES, SMALL, seed=5) for _ in range(2))
    logits = run(jitted, images(SMALL))
    assert (logits.shape, logits.dtype) == ((4, 3), jnp.float32)
    np.testing.assert_allclose(logits, eager(images(SMALL)), rtol=1e-4, atol=1e-4)
    norms = [network.layers[1].norm for network in (jitted, eager)]
    for statistic in ("mean", "var"):
        one, other = (getattr(norm, statistic)[...] for norm in norms)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert np.abs(norms[0].mean[...]).max() > 0


def test_a_gradient_reaches_every_kernel():
    def loss(network, x):
        return jnp.mean(jnp.square(network(x) - 1.0))

    gradients = nnx.jit(nnx.grad(loss))(child_network(FEW_TYPES, SMALL), images(SMALL))
    arrays = jax.tree.leaves(gradients)
    assert len(arrays) == 6
    assert all(np.isfinite(array).all() and np.abs(array).max() > 0 for array in arrays)


def test_evaluation_keeps_the_running_statistics_and_does_not_mix_images():
    network, x = child_network(FEW_TYPES, SMALL), images(SMALL)
    network.eval()
    before = [np.array(leaf) for leaf in jax.tree.leaves(nnx.state(network, nnx.BatchStat))]
    together = run(network, x)
    alone = run(network, np.concatenate([x[:1], np.zeros_like(x[1:])]))
    np.testing.assert_allclose(alone[0], together[0], rtol=1e-4, atol=1e-5)
    after = jax.tree.leaves(nnx.state(network, nnx.BatchStat))
    assert len(after) == 2
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_bfloat16_keeps_weights_and_logits_in_float32():
    plain = child_network(FEW_TYPES, SMALL, seed=2)
    network = child_network(FEW_TYPES, SMALL, seed=2, dtype=jnp.dtype("bfloat16"))
    parameters = jax.tree.leaves(nnx.state(network, nnx.Param))
    assert {leaf.dtype for leaf in parameters} == {jnp.dtype("float32")}
    plain.eval()
    network.eval()
    x = images(SMALL)
    # Flax's own BatchNorm promotes bfloat16 to float32 for its statistics.
    with jax.numpy_dtype_promotion("standard"):
        logits = run(network, x)
        outputs = [x.astype(jnp.bfloat16)]
        for layer, inputs in zip(network.layers, network.inputs, strict=True):
            arguments = [outputs[i] for i in inputs]
            outputs.append(nnx.eval_shape(lambda *xs, layer=layer: layer(*xs), *arguments))
    dtypes = [output.dtype for output in outputs]
    assert dtypes == [jnp.bfloat16] * (len(dtypes) - 2) + [jnp.float32] * 2
    wanted = run(plain, x)
    assert logits.dtype == jnp.float32
    assert not np.array_equal(logits, wanted)
    np.testing.assert_allclose(logits, wanted, rtol=0.1, atol=0.1)
