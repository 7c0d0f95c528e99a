"""A new operation is its function and one entry in the table: nothing else has to know it.

Two are added here and leave again: one without arrays, cut part by part, and one
with trained arrays and a batch norm, which is a step of its own.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from blockqnn.children.layer_by_layer import LayerByLayer
from blockqnn.children.training import on_device
from blockqnn.children.whole_program import WholeProgram, forward
from blockqnn.data.datasets import load_search_parts
from blockqnn.errors import UserError
from blockqnn.export.flax_forms import FLAX
from blockqnn.export.torch_forms import TORCH
from blockqnn.networks.child import ChildNetwork
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layers import compute_step
from blockqnn.networks.operations.cuts import each_part
from blockqnn.networks.operations.steps import loaded
from blockqnn.networks.operations.table import Operation, OperationEntry, operations
from blockqnn.networks.parts import StepKind, cut_into_steps
from blockqnn.networks.plan import PlanBuilder
from blockqnn.networks.plan_counts import depth, flops, parameters
from blockqnn.settings import DataSettings, Recipe

SEED, BATCH, RATE = 5, 8, 1e-2


def swish(placed, parameters, inputs):
    """x sigmoid(x), number by number."""
    return jax.nn.swish(inputs[0])


def gate(placed, parameters, inputs):
    """The first input, a factor and a number for each channel, gated by the second."""
    x, y = inputs
    scale, offset = (parameters[name].astype(x.dtype) for name in ("scale", "offset"))
    return (x * scale[None, None, None, :] + offset[None, None, None, :]) * jax.nn.sigmoid(y)


def swish_entry():
    return OperationEntry("swish", f"{__name__}:swish", cut=each_part)


def gate_entry():
    return OperationEntry(
        "gate",
        f"{__name__}:gate",
        lambda placed: {"scale": placed.shape[-1:], "offset": placed.shape[-1:]},
        # A product by the scale at each position.
        multiply_accumulates=lambda placed: int(np.prod(placed.shape)),
    )


@pytest.fixture
def plan(monkeypatch):
    """A network that reads both where a map is one part and where it is several."""
    monkeypatch.setattr(Operation, "SWISH", swish_entry(), raising=False)
    monkeypatch.setattr(Operation, "GATE", gate_entry(), raising=False)
    builder = PlanBuilder()
    image = builder.place("image", Operation.IMAGE, (), (4, 4, 2))
    stem = builder.convolution("stem", Operation.CONVOLUTION, image, 3, 3)
    left = builder.place("swish", Operation.SWISH, (stem,))
    right = builder.convolution("pcc", Operation.PCC, stem, 3, 3)
    both = builder.place("concat", Operation.CONCAT, (left, right))
    wide = builder.place("wide swish", Operation.SWISH, (both,))
    narrow = builder.place("gate", Operation.GATE, (left, right))
    joined = builder.place("wide gate", Operation.GATE, (both, wide))
    last = builder.place("last", Operation.CONCAT, (joined, narrow))
    builder.head(last, classes=3)
    return tuple(builder.layers)


@pytest.fixture(scope="module")
def parts():
    return on_device(*load_search_parts(DataSettings("synthetic:4x4x2:3:72")))


def images():
    shape = (BATCH, 4, 4, 2)
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_its_shape_is_that_of_its_rule(plan):
    shapes = {layer.name: layer.shape for layer in plan}
    assert shapes["swish"] == shapes["gate"] == (4, 4, 3)
    assert shapes["wide swish"] == shapes["wide gate"] == (4, 4, 6)


def test_it_is_counted(plan):
    kernels, norms, linear = 9 * 2 * 3 + 9 * 3 * 3, 2 * 3, 9 * 3 + 3
    assert parameters(plan) == kernels + norms + linear + 2 * 3 + 2 * 6
    assert flops(plan) == 2 * (16 * kernels + 9 * 3 + 16 * 3 + 16 * 6)
    assert depth(plan) == 2


def test_its_arrays_are_initial_by_their_names(plan):
    arrays = {x.name: own for x, own in zip(plan, initial_parameters(plan, SEED), strict=True)}
    assert arrays["swish"] == {}
    assert arrays["gate"]["scale"].tolist() == [1.0] * 3
    assert arrays["gate"]["offset"].tolist() == [0.0] * 3


def test_it_is_cut_by_its_rule(plan):
    kinds = [step.kind for step in cut_into_steps(plan)]
    # One of the stem's part, and one of each part of the concatenation.
    assert kinds.count(Operation.SWISH) == 3
    assert kinds.count(Operation.GATE) == 2
    assert kinds.count(StepKind.JOIN) == 2


def loss_of(logits):
    labels = jnp.arange(BATCH) % 3
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def by_flax(plan, x):
    network = ChildNetwork(plan, SEED)
    network.set_weights(*random_weights(plan))

    def loss(network):
        logits = network(x)
        return loss_of(logits), logits

    (_, logits), gradients = nnx.value_and_grad(loss, has_aux=True)(network)
    return logits, gradients


def random_weights(plan):
    """Weights none of which is a 0 or 1 that hides a mistake."""
    random = np.random.default_rng(1)
    weights = initial_parameters(plan, SEED)
    for own in weights:
        for name in set(own) - {"kernel"}:
            own[name] = random.uniform(0.5, 1.5, own[name].shape).astype(np.float32)
    return weights, initial_statistics(plan)


def test_the_flax_module_the_plan_and_the_steps_agree_in_value_and_gradient(plan):
    x = images()
    weights, statistics = random_weights(plan)

    def whole(weights):
        logits, _ = forward(plan, weights, statistics, x, training=True)
        return loss_of(logits), logits

    def stepwise(weights):
        outputs = [x]
        for step in cut_into_steps(plan)[1:]:
            own = dict(weights[step.layer])
            if step.rows:
                own["kernel"] = jnp.concatenate(
                    [
                        sum(own["kernel"][..., start : start + shape[-1], :] for start in starts)
                        for starts, shape in zip(step.rows, step.input_shapes, strict=True)
                    ],
                    axis=-2,
                )
            read = [outputs[i] for i in step.inputs]
            outputs.append(compute_step(step, own, statistics[step.layer], read, True)[0])
        return loss_of(outputs[-1]), outputs[-1]

    (_, logits), wanted = jax.value_and_grad(whole, has_aux=True)(weights)
    (_, found), gradients = jax.value_and_grad(stepwise, has_aux=True)(weights)
    np.testing.assert_allclose(found, logits, rtol=1e-4, atol=1e-5)
    for one, other in zip(jax.tree.leaves(gradients), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    with jax.numpy_dtype_promotion("standard"):
        flax_logits, of_flax = by_flax(plan, x)
    np.testing.assert_allclose(flax_logits, logits, rtol=1e-4, atol=1e-5)
    for position, layer in enumerate(plan[1:]):
        if layer.operation is Operation.GATE:
            found = of_flax["layers"][position]["function"]
            for name in ("scale", "offset"):
                assert np.abs(wanted[position + 1][name]).max() > 1e-4
                np.testing.assert_allclose(
                    found[name][...], wanted[position + 1][name], rtol=1e-3, atol=1e-5
                )


def test_both_ways_of_executing_a_child_train_it_alike(plan, parts):
    train, validation = parts
    order = np.arange(40, dtype=np.int32).reshape(5, BATCH)
    results = []
    for way in (LayerByLayer, WholeProgram):
        execution = way(plan, Recipe(batch_size=BATCH), BATCH)
        execution.compile(train, validation, len(order))
        execution.start(*random_weights(plan))
        losses = [execution.train_epoch(train, rows[None], RATE) for rows in order]
        results.append((losses, execution.evaluate(validation), execution.weights()))
    (losses, accuracy, weights), (others, other_accuracy, other_weights) = results
    np.testing.assert_allclose(losses, others, rtol=1e-3)
    assert accuracy == pytest.approx(other_accuracy)
    for one, other in zip(jax.tree.leaves(weights), jax.tree.leaves(other_weights), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-3)
    before = {x.name: own for x, own in zip(plan, random_weights(plan)[0], strict=True)}
    after = {x.name: own for x, own in zip(plan, weights[0], strict=True)}
    for name in ("scale", "offset"):
        moved = np.abs(after["wide gate"][name] - before["wide gate"][name])
        # A single number may come back to where it was.
        assert np.median(moved) > 1e-2, "training moves it"


def test_the_flax_module_takes_weights_and_gives_them_back(plan):
    network = ChildNetwork(plan, SEED)
    weights, statistics = random_weights(plan)
    network.set_weights(weights, statistics)
    found, running = network.weights()
    for one, other in ((found, weights), (running, statistics)):
        assert [set(own) for own in one] == [set(own) for own in other]
        jax.tree.map(np.testing.assert_array_equal, one, other)


def test_a_batch_norm_may_follow_it(monkeypatch):
    entry = OperationEntry("normalised swish", f"{__name__}:swish", normalises=True)
    monkeypatch.setattr(Operation, "NORMALISED_SWISH", entry, raising=False)
    builder = PlanBuilder()
    image = builder.place("image", Operation.IMAGE, (), (4, 4, 2))
    stem = builder.convolution("stem", Operation.CONVOLUTION, image, 3, 3)
    builder.head(builder.place("norm", Operation.NORMALISED_SWISH, (stem,)), classes=3)
    plan = tuple(builder.layers)
    weights, statistics = random_weights(plan)
    assert {name: array.shape for name, array in weights[2].items()} == {
        "scale": (3,),
        "bias": (3,),
    }
    logits, after = forward(plan, weights, statistics, images(), training=True)
    network = ChildNetwork(plan, SEED)
    network.set_weights(weights, statistics)
    np.testing.assert_allclose(network(images()), logits, rtol=1e-3, atol=1e-4)
    for name, array in network.weights()[1][2].items():
        np.testing.assert_allclose(array, after[2][name], rtol=1e-3, atol=1e-5)


def test_what_writes_source_code_refuses_it_in_a_sentence(plan):
    for dialect in (FLAX, TORCH):
        message = f"swish is 'swish', .* as source code in {dialect.name}"
        with pytest.raises(UserError, match=message):
            dialect.form(plan[2])


def test_it_leaves_the_table_again():
    assert not {"swish", "gate"} & set(operations())


def test_names_are_unique_and_functions_exist():
    """A function that was renamed would show only when a child is trained."""
    entries = [entry for entry in vars(Operation).values() if isinstance(entry, OperationEntry)]
    assert len(operations()) == len(entries) >= 14
    kinds = [kind for name, kind in vars(StepKind).items() if name.isupper()]
    for computation in (*entries, *kinds):
        assert callable(computation.compute)
    for entry in entries:
        assert issubclass(loaded(entry.flax.module), nnx.Module)
