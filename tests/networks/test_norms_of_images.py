"""Layer and instance norm: against Flax's group norm, and in both executions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from blockqnn.children.layer_by_layer import LayerByLayer
from blockqnn.children.training import on_device
from blockqnn.children.whole_program import WholeProgram
from blockqnn.data.images import Images
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.operations.table import Operation
from blockqnn.networks.plan import PlanBuilder
from blockqnn.settings import Recipe

CHANNELS, BATCH = 6, 8
GROUPS = {Operation.LAYER_NORM: 1, Operation.INSTANCE_NORM: CHANNELS}


def plan_of(entry):
    builder = PlanBuilder()
    image = builder.place("image", Operation.IMAGE, (), (5, 4, 2))
    stem = builder.convolution("stem", Operation.CONVOLUTION, image, 3, CHANNELS)
    builder.head(builder.place("norm", entry, (stem,)), classes=3)
    return tuple(builder.layers)


@pytest.mark.parametrize(("entry", "groups"), GROUPS.items(), ids=lambda x: str(x))
def test_value_and_gradients_are_those_of_group_norm(entry, groups):
    layer = plan_of(entry)[2]
    assert layer.parameter_shapes == {"scale": (CHANNELS,), "bias": (CHANNELS,)}
    random = np.random.default_rng(0)
    x, weight = (random.standard_normal((3, 5, 4, CHANNELS)).astype(np.float32) for _ in range(2))
    arrays = {
        name: random.uniform(0.5, 1.5, CHANNELS).astype(np.float32) for name in ("scale", "bias")
    }

    def own(arrays, x):
        return (entry.compute(layer, arrays, [x]) * weight).sum()

    def flax(arrays, x):
        norm = nnx.GroupNorm(
            CHANNELS, groups, epsilon=1e-5, use_fast_variance=False, rngs=nnx.Rngs(0)
        )
        norm.scale.set_value(arrays["scale"])
        norm.bias.set_value(arrays["bias"])
        return (norm(x) * weight).sum()

    found, gradients = jax.value_and_grad(own, argnums=(0, 1))(arrays, jnp.asarray(x))
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        wanted, others = jax.value_and_grad(flax, argnums=(0, 1))(arrays, jnp.asarray(x))
    assert float(found) == pytest.approx(float(wanted), rel=1e-4)
    for one, other in zip(jax.tree.leaves(gradients), jax.tree.leaves(others), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("entry", GROUPS, ids=str)
def test_both_executions_train_alike(entry):
    random = np.random.default_rng(1)
    labels = np.arange(BATCH) % 3
    pixels = random.integers(0, 256, (BATCH, 5, 4, 2)).astype(np.uint8)
    train, judged = on_device(Images(pixels, labels), Images(pixels, labels))
    plan = plan_of(entry)
    order = np.arange(BATCH, dtype=np.int32)[None]
    results = []
    for way in (LayerByLayer, WholeProgram):
        execution = way(plan, Recipe(batch_size=BATCH), BATCH)
        execution.compile(train, judged, 1)
        execution.start(initial_parameters(plan, 1), initial_statistics(plan))
        results.append([execution.train_epoch(train, order, 0.01) for _ in range(4)])
        moved = execution.weights()[0][2]
        assert np.abs(moved["scale"] - 1).max() > 1e-3 and np.abs(moved["bias"]).max() > 1e-3
    np.testing.assert_allclose(results[0], results[1], rtol=1e-3)
    assert results[0][-1] < results[0][0]
