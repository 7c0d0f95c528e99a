"""The child in PyTorch computes what the child in JAX computes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from blockqnn.children.execution import mean_cross_entropy
from blockqnn.data.images import Images
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layers import compute
from blockqnn.networks.layout import Layout
from blockqnn.networks.normalisation import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.networks.spaces.nsc.stacking import make_plan
from blockqnn.networks.spaces.registry import space_named
from blockqnn.settings import Recipe
from blockqnn.supernets.mixed_forward import mixed_forward
from tests.strategies import blocks

torch = pytest.importorskip("torch")

from blockqnn.bench import torch_child  # noqa: E402

LAYOUT = Layout(filters=(3, 5), repeats=1, height=5, width=4, channels=2, classes=3)
IMAGENET = Layout("imagenet", (3, 4), 1, height=9, width=10, channels=3, classes=4)
EVERY_TYPE = parse(
    "[(1,1,3,0,0),(2,1,5,0,0),(3,2,3,1,0),(4,3,3,2,0),(5,5,0,0,3),(6,6,0,4,5),(7,1,1,6,0),"
    "(8,4,0,6,0),(9,5,0,1,6)]"
)
BATCH = 6

_compute = jax.jit(compute, static_argnums=(0, 4))


def data_of(layout):
    """Random images, in which no values tie, and labels."""
    random = np.random.default_rng(0)
    images = random.standard_normal((BATCH, *layout.image_shape)).astype(np.float32)
    return images, np.arange(BATCH, dtype=np.int32) % layout.classes


def by_jax(plan, images, labels, training=True):
    """Logits, loss and gradients."""
    parameters, statistics = initial_parameters(plan, 7), initial_statistics(plan)

    def loss_of(parameters):
        outputs = [jnp.asarray(images)]
        for number, layer in enumerate(plan[1:], start=1):
            inputs = [outputs[i] for i in layer.inputs]
            own, running = parameters[number], statistics[number]
            # Equal layers are to compile once.
            alone = dataclasses.replace(layer, name="", inputs=())
            outputs.append(_compute(alone, own, running, inputs, training)[0])
        return mean_cross_entropy(outputs[-1], jnp.asarray(labels)), outputs[-1]

    (loss, logits), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters)
    return np.asarray(logits), float(loss), gradients


def by_torch(plan, images, labels, training=True):
    """The same; gradients as JAX lays them out."""
    network = torch_child.TorchNetwork(plan, initial_parameters(plan, 7)).train(training)
    logits = network(torch.from_numpy(images).permute(0, 3, 1, 2))
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels.astype(np.int64)))
    loss.backward()
    gradients = []
    for module in network.layers:
        own = {name: array.grad.numpy() for name, array in module.named_parameters()}
        gradients.append({name: as_jax_has_it(array) for name, array in own.items()})
    return logits.detach().numpy(), loss.item(), gradients


def as_jax_has_it(array):
    return array.transpose((2, 3, 1, 0)) if array.ndim == 4 else array.T


def assert_equal(code, layout, training=True):
    assert_plan_equal(make_plan(canonical_form(code), layout), layout, training)


def assert_plan_equal(plan, layout, training=True):
    data = data_of(layout)
    wanted, found = (by(plan, *data, training) for by in (by_jax, by_torch))
    size = np.abs(wanted[0]).max()
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-3, atol=1e-4 * size)
    assert found[1] == pytest.approx(wanted[1], rel=1e-3)
    largest = max(np.abs(array).max() for own in wanted[2] for array in own.values())
    assert largest > 1e-3
    for one, other in zip(found[2], wanted[2], strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-2, atol=1e-3 * largest)


@pytest.mark.parametrize("name", ["residual", "inception", "block-qnn-s"])
def test_a_published_block_has_the_same_logits_loss_and_gradients(name):
    assert_equal(PUBLISHED[name], LAYOUT)


@pytest.mark.parametrize("layout", [LAYOUT, IMAGENET], ids=["cifar", "imagenet"])
@pytest.mark.parametrize("training", [True, False])
def test_every_type_of_layer_computes_the_same(layout, training):
    assert_equal(EVERY_TYPE, layout, training)


def test_cells_of_darts_compute_the_same():
    layout = Layout("cells", (4, 8), 1, height=5, width=6, channels=2, classes=3, cells=2)
    space = space_named("darts")
    assert_plan_equal(space.plan(space.design(space.published["darts-v1"]), layout), layout)


def test_a_mixture_computes_the_same():
    layout = Layout("nasbench201", (4,), 1, height=4, width=4, channels=2, classes=3)
    plan = space_named("nasbench201").mixture_plan(layout)
    images, labels = data_of(layout)
    parameters, statistics = initial_parameters(plan, 7), initial_statistics(plan)
    rows = {layer.mixture: np.zeros(5, np.float32) for layer in plan if layer.mixture}

    def loss_of(parameters, rows):
        logits, _ = mixed_forward(plan, parameters, statistics, rows, jnp.asarray(images))
        return mean_cross_entropy(logits, jnp.asarray(labels))

    of_rows = jax.grad(loss_of, 1)(parameters, rows)
    _, loss, gradients = by_torch(plan, images, labels)
    assert loss == pytest.approx(float(loss_of(parameters, rows)), rel=1e-4)
    found = {
        layer.mixture: own["row"]
        for layer, own in zip(plan, gradients, strict=True)
        if layer.mixture
    }
    for name, row in of_rows.items():
        np.testing.assert_allclose(found[name], row, rtol=1e-2, atol=1e-5)


@settings(max_examples=12)
@given(blocks(max_layers=6))
def test_a_random_block_has_the_same_logits_loss_and_gradients(code):
    assert_equal(code, Layout(filters=(3, 4), repeats=1, height=4, width=4, channels=2, classes=3))


def test_the_constants_of_batch_norm_are_those_of_jax():
    assert torch_child.BATCH_NORM_EPSILON == BATCH_NORM_EPSILON
    assert pytest.approx(1 - BATCH_NORM_MOMENTUM) == torch_child.BATCH_NORM_MOMENTUM


@pytest.mark.parametrize("bfloat16", [False, True])
def test_training_on_one_batch_lowers_the_loss(bfloat16):
    plan = make_plan(canonical_form(PUBLISHED["residual"]), LAYOUT)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (8, *LAYOUT.image_shape), np.uint8)
    recipe = Recipe(bfloat16=bfloat16, learning_rate=0.01)
    child = torch_child.TorchChild(plan, recipe, Images(images, np.arange(8, dtype=np.int32) % 3))
    order = np.arange(8).reshape(1, 8)
    losses = [child.train_epoch(order) for _ in range(12)]
    assert losses[-1] < 0.7 * losses[0]
