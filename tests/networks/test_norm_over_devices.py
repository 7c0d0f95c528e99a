"""Batch norm of a batch that devices share, and a network's weights as arrays."""

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh, PartitionSpec

from blockqnn.networks.child import child_network
from blockqnn.networks.initial import initial_parameters
from blockqnn.networks.layout import Layout
from blockqnn.networks.normalisation import batch_norm
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.stacking import make_plan

LAYOUT = Layout(filters=(3,), repeats=1, height=4, width=4, channels=2, classes=3)
BLOCK = parse("[(1,1,3,0,0),(2,1,1,1,0),(3,5,0,0,1)]")


PARTS, WHOLE = PartitionSpec("d"), PartitionSpec()


def on_devices(function, count=2):
    """A function of a batch that the devices share; what it returns first is in parts."""
    mesh = Mesh(np.array(jax.devices()[:count]), ("d",))
    return jax.jit(
        jax.shard_map(
            function, mesh=mesh, in_specs=PARTS, out_specs=(PARTS, WHOLE), check_vma=False
        )
    )


def test_devices_normalise_by_the_statistics_of_the_whole_batch():
    random = np.random.default_rng(0)
    x = random.standard_normal((6, 3, 2, 4)).astype(np.float32)
    parameters = {name: random.uniform(0.5, 2, 4).astype(np.float32) for name in ("scale", "bias")}
    running = {name: random.uniform(0.5, 2, 4).astype(np.float32) for name in ("mean", "variance")}
    wanted = batch_norm(x, parameters, running, True)
    found = on_devices(lambda x: batch_norm(x, parameters, running, True, "d"), 3)(x)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_the_gradients_of_all_devices_are_those_of_the_whole_batch():
    x = np.random.default_rng(1).standard_normal((4, 3, 2, 4)).astype(np.float32)
    ones = np.ones(4, np.float32)
    running = {"mean": ones, "variance": ones}

    def gradient(x, devices):
        def loss(scale):
            y, _ = batch_norm(x, {"scale": scale, "bias": ones}, running, True, devices)
            return (y**3).mean()

        return jax.grad(loss)(ones)

    found = on_devices(lambda x: (x, jax.lax.pmean(gradient(x, "d"), "d")))(x)[1]
    np.testing.assert_allclose(found, gradient(x, None), rtol=1e-4)


def test_a_network_on_devices_is_the_one_of_the_whole_batch_if_its_norms_are():
    x = np.random.default_rng(1).standard_normal((4, 4, 4, 2)).astype(np.float32)

    def trained(x, norm_devices):
        network = child_network(BLOCK, LAYOUT, seed=1)
        logits = network(x, norm_devices=norm_devices)
        return logits, network.layers[1].norm.mean[...]

    together = on_devices(lambda x: trained(x, "d"))(x)
    for found, wanted in zip(together, trained(x, None), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
    alone = [trained(half, None)[0] for half in np.split(x, 2)]
    apart = on_devices(lambda x: trained(x, None))(x)[0]
    np.testing.assert_allclose(apart, np.concatenate(alone), rtol=1e-3, atol=1e-4)
    assert not np.allclose(together[0], apart, atol=1e-3)


def test_evaluation_asks_no_other_device():
    x = np.random.default_rng(1).standard_normal((4, 4, 4, 2)).astype(np.float32)
    network = child_network(BLOCK, LAYOUT, seed=1)
    network.eval()
    assert np.array_equal(network(x), network(x, norm_devices="there is none"))


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
