"""The ways of executing a child agree with one another and with a plain Flax and optax loop."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.children.execution import (
    count_correct,
    evaluation_batches,
    mean_cross_entropy,
    take_batch,
)
from blockqnn.children.layer_by_layer import LayerByLayer
from blockqnn.children.training import on_device
from blockqnn.children.whole_program import WholeProgram, forward
from blockqnn.data.datasets import load_search_parts
from blockqnn.data.images import Images
from blockqnn.networks.child import ChildNetwork
from blockqnn.networks.cost import Limits, cost, infeasible_reason
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nasbench201.codes import Cell, parse_cell
from blockqnn.networks.spaces.nasbench201.stacking import cell_plan
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.networks.spaces.nsc.space import BlockSpace
from blockqnn.networks.spaces.nsc.stacking import make_plan
from blockqnn.networks.spaces.registry import design_of, design_plan
from blockqnn.settings import DataSettings, Recipe
from tests.blockqnn.trained import DARTS, ENAS, NAS, NASNET
from tests.long_ones import marked

# Maps of 4x4 and 2x2 pixels, smaller than the larger kernels.
ONE_STAGE = Layout(filters=(3,), repeats=1, height=4, width=4, channels=2, classes=3)
TWO_STAGES = Layout(filters=(3, 4), repeats=1, height=4, width=4, channels=2, classes=3)
CELLS = dataclasses.replace(TWO_STAGES, kind="nasbench201")
RECIPE = Recipe(epochs=2, batch_size=8)
EVERY_TYPE = parse(
    "[(1,1,3,0,0),(2,1,5,0,0),(3,2,3,1,0),(4,3,3,2,0),(5,5,0,0,3),(6,6,0,4,5),(7,1,1,6,0),"
    "(8,4,0,6,0),(9,5,0,1,6)]"
)
SHORT = parse("[(1,1,3,0,0),(2,5,0,0,1)]")
SEED = 11
RATE = 3e-3
STEPS = 5
WAYS = [LayerByLayer, WholeProgram]


def feasible_random_blocks(count):
    """Random blocks that a search would train."""
    agent = RandomSearch(BlockSpace(6), RandomSearchConfig(), seed=4)
    limits = Limits(max_parameters=3000)
    found = []
    while len(found) < count:
        (code,) = agent.suggest(1)
        block = canonical_form(code)
        if infeasible_reason(block, cost(block, ONE_STAGE), limits, 8, 4) is None:
            found.append(code)
    return found


def plan_of(code, layout=ONE_STAGE):
    return make_plan(canonical_form(code), layout)


PLANS = {
    "short": plan_of(SHORT),
    "residual": plan_of(PUBLISHED["residual"], TWO_STAGES),
    "every type": plan_of(EVERY_TYPE),
    # All operations, a layer that nobody reads and a node that nothing reaches.
    "cell": cell_plan(
        Cell(
            parse_cell(
                "|nor_conv_3x3~0|+|none~0|none~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|"
            )
        ),
        CELLS,
    ),
    "cell with an unread layer": cell_plan(
        Cell(parse_cell("|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|none~1|none~2|")),
        CELLS,
    ),
    # Cells that read two maps: between both every operation of such spaces but one without padding.
    "cells of pairs": design_plan(
        design_of(NASNET), Layout("cells", (2,), 1, 4, 4, 2, 3, cells=1, rules="enas")
    ),
    "cells of DARTS": design_plan(
        design_of(DARTS), Layout("cells", (2, 4), 1, 4, 4, 2, 3, cells=2, rules="darts")
    ),
    "whole of NAS": design_plan(
        design_of(NAS), Layout("whole", (2,), 1, 4, 4, 2, 3, rules="zeros_around")
    ),
    "whole of ENAS": design_plan(design_of(ENAS), Layout("whole", (2, 3), 1, 4, 4, 2, 3)),
} | {f"random {n}": plan_of(code) for n, code in enumerate(feasible_random_blocks(3))}


@pytest.fixture(scope="module")
def parts():
    """Both parts of a small data set on the device; noisy, so that no values tie."""
    return on_device(*load_search_parts(DataSettings("synthetic:4x4x2:3:72")))


@pytest.fixture(scope="module")
def compiled(parts):
    """Compiles an execution of a plan, once for all tests."""
    known = {}

    def compiled(way, name):
        if (way, name) not in known:
            known[way, name] = way(PLANS[name], RECIPE, 8)
            known[way, name].compile(*parts, STEPS)
        return known[way, name]

    return compiled


def batches(part, seed):
    """The images of each step: int32 [steps, 8]."""
    order = np.random.default_rng(seed).permutation(len(part.labels))
    return order[: STEPS * 8].astype(np.int32).reshape(STEPS, 8)


def start(execution, plan):
    execution.start(initial_parameters(plan, SEED), initial_statistics(plan))


def trained(execution, plan, parts, epochs=2):
    """Trains from the start, step by step; returns losses, accuracies and all arrays."""
    train, validation = parts
    start(execution, plan)
    losses, accuracies = [], []
    for epoch in range(epochs):
        for indices in batches(train, seed=epoch):
            losses.append(execution.train_epoch(train, indices[None], RATE))
        accuracies.append(execution.evaluate(validation))
    return losses, accuracies, arrays_of(execution)


def arrays_of(execution):
    return jax.tree.leaves(execution.weights())


def assert_close(one, other):
    for first, second in zip(one, other, strict=True):
        assert first.dtype == second.dtype == np.float32
        np.testing.assert_allclose(first, second, rtol=1e-2, atol=1e-3)


def assert_equal(one, other):
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


LONG = ("cells of pairs", "cells of DARTS")


@pytest.mark.parametrize("name", marked(PLANS, LONG))
def test_both_ways_train_alike(name, parts, compiled):
    plan = PLANS[name]
    (losses, accuracies, arrays), (whole_losses, whole_accuracies, whole_arrays) = (
        trained(compiled(way, name), plan, parts) for way in WAYS
    )
    np.testing.assert_allclose(losses, whole_losses, rtol=1e-3)
    np.testing.assert_allclose(accuracies, whole_accuracies, atol=1e-6)
    if not name.startswith(("cell", "whole of ENAS")):
        # The norm before the head, or in a reduction, takes away what the biases before it add:
        # nothing but rounding moves them, and Adam makes whole steps of that.
        assert_close(arrays, whole_arrays)
    initial = jax.tree.leaves((initial_parameters(plan, SEED), initial_statistics(plan)))
    moved = max(np.abs(a - b).max() for a, b in zip(arrays, initial, strict=True))
    assert moved > 0.02, "training has moved the weights far beyond the tolerance"


# In the second, rows of a kernel are summed up, which decay must not.
@pytest.mark.parametrize("name", marked(["short", "every type", "cells of pairs"], LONG))
def test_momentum_and_decay_are_those_of_optax_in_both_ways(name, parts):
    recipe = dataclasses.replace(RECIPE, optimiser="momentum", momentum=0.8, weight_decay=0.05)
    direction = optax.chain(optax.add_decayed_weights(0.05), optax.trace(0.8, nesterov=True))
    transformation = optax.chain(direction, optax.scale(-RATE))
    with jax.numpy_dtype_promotion("standard"):
        wanted, _ = trained_by_flax(PLANS[name], parts, transformation)
    found = []
    for way in WAYS:
        execution = way(PLANS[name], recipe, 8)
        execution.compile(*parts, STEPS)
        losses, _, arrays = trained(execution, PLANS[name], parts)
        np.testing.assert_allclose(losses, wanted, rtol=5e-3)
        found.append(arrays)
    np.testing.assert_allclose(*(sum(np.abs(a).sum() for a in each) for each in found), rtol=1e-3)


def trained_by_flax(plan, parts, transformation=None):
    """What Flax's module and optax's Adam make of the same batches: losses and accuracies."""
    train, validation = parts
    network = ChildNetwork(plan, SEED)
    transformation = transformation or optax.adam(RATE, 0.9, 0.999, 1e-8)
    optimiser = nnx.Optimizer(network, transformation, wrt=nnx.Param)

    def normalised(part):
        images = np.asarray(part.images, np.float32)
        return (images - np.asarray(part.mean)) / np.asarray(part.deviation)

    def loss_of(network, x, y):
        return optax.softmax_cross_entropy_with_integer_labels(network(x), y).mean()

    @nnx.jit
    def step(network, optimiser, x, y):
        loss, gradients = nnx.value_and_grad(loss_of)(network, x, y)
        optimiser.update(network, gradients)
        return loss

    x, y = normalised(train), np.asarray(train.labels)
    losses, accuracies = [], []
    for epoch in range(2):
        network.train()
        for indices in batches(train, seed=epoch):
            losses.append(float(step(network, optimiser, x[indices], y[indices])))
        network.eval()
        logits = nnx.jit(lambda network, x: network(x))(network, normalised(validation))
        accuracies.append(float(np.mean(logits.argmax(1) == validation.labels)))
    return losses, accuracies


@pytest.mark.parametrize("name", marked(["residual", "every type", "cell", "cells of DARTS"], LONG))
def test_both_ways_train_like_flax_and_optax(name, parts, compiled):
    # optax's Adam and Flax's norm promote within themselves.
    with jax.numpy_dtype_promotion("standard"):
        wanted, wanted_accuracies = trained_by_flax(PLANS[name], parts)
    assert max(wanted) - min(wanted) > 0.2, "training has changed the loss beyond the tolerance"
    for way in WAYS:
        losses, accuracies, _ = trained(compiled(way, name), PLANS[name], parts)
        np.testing.assert_allclose(losses[:3], wanted[:3], rtol=1e-3)
        np.testing.assert_allclose(losses, wanted, rtol=2e-2)
        np.testing.assert_allclose(accuracies, wanted_accuracies, atol=1.5 / len(parts[1].labels))


@pytest.mark.parametrize("way", WAYS)
def test_the_same_seed_gives_the_same_result_bit_for_bit(way, parts, compiled):
    plan = PLANS["short"]
    again = way(plan, RECIPE, 8)
    again.compile(*parts, STEPS)
    one, other = (trained(e, plan, parts) for e in (compiled(way, "short"), again))
    assert one[:2] == other[:2]
    assert_equal(one[2], other[2])


@pytest.mark.parametrize("way", WAYS)
def test_starting_again_forgets_all_training(way, parts, compiled):
    execution, plan = compiled(way, "residual"), PLANS["residual"]
    first, again = (trained(execution, plan, parts) for _ in range(2))
    assert first[:2] == again[:2]
    assert_equal(first[2], again[2])


@pytest.mark.parametrize("way", WAYS)
def test_an_epoch_is_its_steps_and_its_loss_their_mean(way, parts, compiled):
    execution, plan = compiled(way, "residual"), PLANS["residual"]
    losses, _, stepwise = trained(execution, plan, parts, epochs=1)
    start(execution, plan)
    loss = execution.train_epoch(parts[0], batches(parts[0], seed=0), RATE)
    assert loss == pytest.approx(np.mean(losses))
    assert_equal(arrays_of(execution), stepwise)


@pytest.mark.parametrize("way", WAYS)
def test_each_step_has_the_learning_rate_that_it_is_given(way, parts, compiled):
    execution, plan = compiled(way, "residual"), PLANS["residual"]
    order, rates = batches(parts[0], seed=0), np.linspace(2, 0.5, STEPS) * RATE
    start(execution, plan)
    for indices, rate in zip(order, rates, strict=True):
        execution.train_epoch(parts[0], indices[None], float(rate))
    stepwise = arrays_of(execution)
    start(execution, plan)
    execution.train_epoch(parts[0], order, rates)
    assert_equal(arrays_of(execution), stepwise)


def test_scanning_over_the_steps_equals_calling_them(parts, compiled):
    plan = PLANS["short"]
    scanning = WholeProgram(plan, RECIPE, 8)
    # As on a GPU or TPU.
    scanning._scan = True
    scanning.compile(*parts, STEPS)
    results = []
    for execution in (compiled(WholeProgram, "short"), scanning):
        start(execution, plan)
        rates = np.linspace(2, 0.5, STEPS) * RATE
        losses = [execution.train_epoch(parts[0], batches(parts[0], s), rates) for s in range(2)]
        results.append((losses, execution.evaluate(parts[1]), arrays_of(execution)))
    (losses, accuracy, arrays), (scanned, scanned_accuracy, scanned_arrays) = results
    np.testing.assert_allclose(scanned, losses, rtol=1e-3)
    assert scanned_accuracy == pytest.approx(accuracy)
    assert_close(scanned_arrays, arrays)


@pytest.mark.parametrize("way", WAYS)
def test_bfloat16_trains_with_weights_in_float32(way, parts, compiled):
    plan = PLANS["short"]
    wide, _, _ = trained(compiled(way, "short"), plan, parts, epochs=1)
    narrow = way(plan, Recipe(batch_size=8, bfloat16=True), 8)
    narrow.compile(*parts, STEPS)
    losses, accuracies, arrays = trained(narrow, plan, parts, epochs=1)
    np.testing.assert_allclose(losses, wide, rtol=0.1, atol=0.05)
    assert losses != wide
    assert 0.0 <= accuracies[0] <= 1.0
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


@pytest.mark.parametrize("way", WAYS)
def test_a_loss_that_is_not_finite_shows_in_the_mean(way, parts, compiled):
    execution, plan = compiled(way, "short"), PLANS["short"]
    parameters = initial_parameters(plan, SEED)
    parameters[-1]["bias"][0] = np.nan
    execution.start(parameters, initial_statistics(plan))
    assert not np.isfinite(execution.train_epoch(parts[0], batches(parts[0], seed=0), RATE))


def test_a_child_of_layers_that_were_met_before_compiles_nothing(parts):
    chains = ["[(1,1,3,0,0),(2,1,3,1,0)]", "[(1,1,3,0,0),(2,1,3,1,0),(3,1,3,2,0),(4,1,3,3,0)]"]
    compilations = []

    def listen(event, seconds, **_):
        if "backend_compile" in event:
            compilations.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        for text in chains:
            before = len(compilations)
            execution = LayerByLayer(plan_of(parse(text)), Recipe(batch_size=8, beta1=0.8), 8)
            execution.compile(*parts, STEPS)
            losses, _, _ = trained(execution, plan_of(parse(text)), parts)
            assert np.isfinite(losses).all()
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert len(compilations) == before > 0


@given(st.integers(1, 200), st.integers(1, 50))
def test_evaluation_sees_every_image_once(examples, batch_size):
    indices, real = evaluation_batches(examples, batch_size)
    assert indices.shape == real.shape == (-(-examples // batch_size), batch_size)
    assert indices.dtype == np.int32
    assert indices[real].tolist() == list(range(examples))
    assert not indices[~real].any()


def test_the_logits_are_those_of_each_image_in_order(compiled, parts):
    plan, validation = PLANS["short"], parts[1]
    executions = [compiled(way, "short") for way in WAYS]
    for execution in executions:
        trained(execution, plan, parts, epochs=1)
    layers, whole = executions
    logits = layers.logits(validation)
    # The last batch is not full.
    assert len(logits) == len(validation.labels) and len(logits) % 8
    right = logits.argmax(-1) == np.asarray(validation.labels)
    assert right.mean() == pytest.approx(layers.evaluate(validation))
    assert right.mean() == pytest.approx(whole.evaluate(validation))
    parameters, statistics = layers.weights()
    images, _ = take_batch(validation, jnp.asarray([3, 1]), jnp.dtype(jnp.float32))
    wanted, _ = forward(plan, parameters, statistics, images, training=False)
    np.testing.assert_allclose(logits[[3, 1]], wanted, rtol=1e-4, atol=1e-4)


def test_a_batch_is_normalised_by_the_statistics_of_the_training_part():
    random = np.random.default_rng(0)
    train, validation = (
        Images(random.integers(0, high, (20, 2, 2, 2), np.uint8), np.arange(20, dtype=np.int32))
        for high in (256, 100)
    )
    parts = on_device(train, validation)
    for part, images in zip(parts, (train, validation), strict=True):
        x, y = take_batch(part, jnp.asarray([7, 3, 7], jnp.int32), jnp.dtype(jnp.float32))
        wanted = images.images[[7, 3, 7]] - train.images.mean((0, 1, 2))
        wanted /= train.images.std((0, 1, 2))
        np.testing.assert_allclose(x, wanted, rtol=1e-4, atol=1e-5)
        assert y.tolist() == [7, 3, 7]
    assert take_batch(parts[0], jnp.asarray([1]), jnp.dtype(jnp.bfloat16))[0].dtype == jnp.bfloat16


def test_the_loss_and_the_correct_ones_by_hand():
    logits = jnp.asarray([[0.0, 0.0], [np.log(3.0), 0.0], [0.0, 5.0]], jnp.float32)
    labels = jnp.asarray([0, 0, 0], jnp.int32)
    # -log(1/2), -log(3/4) and log(1 + e^5).
    wanted = (0.693147 + 0.287682 + 5.006715) / 3
    assert float(mean_cross_entropy(logits, labels)) == pytest.approx(wanted, rel=1e-5)
    for real, count in (([True, True, True], 2), ([True, False, True], 1), ([False] * 3, 0)):
        assert int(count_correct(logits, labels, jnp.asarray(real))) == count
