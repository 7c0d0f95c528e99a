"""Batch norm without scale and shift: wherever an operation normalises, in every execution."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from blockqnn.children.layer_by_layer import LayerByLayer
from blockqnn.children.training import on_device
from blockqnn.children.whole_program import WholeProgram, forward
from blockqnn.data.images import Images
from blockqnn.networks.child import ChildNetwork
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layout import Layout
from blockqnn.networks.normalisation import batch_norm_gradients, batch_statistics, normalised
from blockqnn.networks.operations.steps import StepKind
from blockqnn.networks.operations.table import Operation, operations
from blockqnn.networks.parts import cut_into_layers, cut_into_steps
from blockqnn.networks.plan import PlanBuilder
from blockqnn.networks.plan_counts import flops, parameters
from blockqnn.networks.spaces.registry import design_of, design_plan, published, space_named
from blockqnn.settings import Recipe

BATCH, SIZE, RATE = 8, 6, 1.0
NORMALISING = [entry for entry in operations().values() if entry.normalises]


def ids(entry):
    return entry.name


@pytest.mark.parametrize("entry", operations().values(), ids=ids)
def test_an_entry_without_scale_differs_in_its_name_and_these_arrays(entry):
    plain = entry.without_scale
    assert plain.without_scale is plain and plain.with_scale is entry.with_scale is entry
    if not entry.normalises:
        assert plain is entry
        return
    assert plain.name == f"{entry.name} without scale" and plain.normalises
    for field in ("function", "arrays", "shape", "cut", "flax", "convolves", "rectifies"):
        assert getattr(plain, field) == getattr(entry, field)


def plan_of(entry, kernel=3, stride=1, sources=1):
    """An image, what reads it, the operation without scale, and a classifier."""
    builder = PlanBuilder()
    here = builder.place("image", Operation.IMAGE, (), (SIZE, SIZE, 3))
    stems = [
        builder.convolution(f"stem{n}", Operation.CONVOLUTION, here, 3, 4) for n in range(sources)
    ]
    read = stems[0] if sources == 1 else builder.place("joined", Operation.CONCAT, stems)
    with builder.norms(scale=False):
        here = builder.place("own", entry, (read,), kernel=kernel, stride=stride, filters=6)
    assert builder.scales
    builder.head(here, classes=3)
    return tuple(builder.layers)


def convolved(x, kernel, strides=(1, 1), dilation=1, groups=1):
    halves = [dilation * (side // 2) for side in kernel.shape[:2]]
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        strides,
        [(half, half) for half in halves],
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def separable(x, own, stride, dilation=1):
    x = convolved(x, own["depthwise"], (stride, stride), dilation, x.shape[-1])
    return convolved(x, own["kernel"])


def crossed(x, own, stride):
    return convolved(convolved(x, own["kernel"], (1, stride)), own["kernel_down"], (stride, 1))


def halves(x, own, stride):
    shifted = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, 1:, 1:]
    both = (x, own["kernel"]), (shifted, own["kernel_shifted"])
    return jnp.concatenate([convolved(half, kernel, (2, 2)) for half, kernel in both], axis=-1)


WANTED = {
    Operation.PCC: lambda x, own, s: convolved(x, own["kernel"], (s, s)),
    Operation.SEPARABLE: separable,
    Operation.DILATED_SEPARABLE: functools.partial(separable, dilation=2),
    Operation.DILATED: lambda x, own, s: convolved(x, own["kernel"], (s, s), 2),
    Operation.CROSSED: crossed,
    Operation.ROW: lambda x, own, s: convolved(x, own["kernel"], (1, s)),
    Operation.COLUMN: lambda x, own, s: convolved(x, own["kernel"], (s, 1)),
    Operation.FACTORISED_REDUCTION: halves,
    Operation.PLAIN_FACTORISED_REDUCTION: halves,
    Operation.BATCH_NORM: lambda x, own, s: x,
}
"""In XLA's own operations what each normalising operation computes behind its ReLU."""


def wanted_loss(weights, plan, x, labels):
    """The loss of a plan of `plan_of`, written down once more."""
    stems = [convolved(x, own["kernel"]) for own, layer in zip(weights, plan, strict=True)
             if layer.name.startswith("stem")]  # fmt: skip
    here = jnp.concatenate(stems, axis=-1)
    place = next(i for i, layer in enumerate(plan) if layer.name == "own")
    layer = plan[place]
    if layer.operation.rectifies:
        here = jax.nn.relu(here)
    here = WANTED[layer.operation.with_scale](here, weights[place], layer.stride)
    mean, variance = here.mean((0, 1, 2), keepdims=True), here.var((0, 1, 2), keepdims=True)
    here = (here - mean) / jnp.sqrt(variance + 1e-5)
    features = jax.nn.relu(here).mean((1, 2))
    logits = features @ weights[-1]["kernel"] + weights[-1]["bias"][None, :]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


@pytest.fixture(scope="module")
def parts():
    random = np.random.default_rng(0)
    labels = np.arange(BATCH) % 3
    pixels = random.integers(0, 256, (BATCH, SIZE, SIZE, 3)).astype(np.uint8)
    return on_device(Images(pixels, labels), Images(pixels, labels))


CASES = [
    *((entry, {}) for entry in NORMALISING),
    (Operation.PCC, {"stride": 2}),
    (Operation.SEPARABLE, {"stride": 2}),
    (Operation.CROSSED, {"stride": 2}),
    (Operation.PCC, {"sources": 2}),
    (Operation.BATCH_NORM, {"sources": 2}),
]


@pytest.mark.parametrize(("entry", "how"), CASES)
def test_value_and_gradient_are_those_of_plain_xla(entry, how, parts):
    """One step at rate 1 without momentum moves every array by its gradient."""
    plan = plan_of(entry, **how)
    own = next(layer for layer in plan if layer.name == "own")
    assert own.normalises and not {"scale", "bias"} & set(own.parameter_shapes)
    weights, statistics = initial_parameters(plan, 1), initial_statistics(plan)
    order = np.arange(BATCH, dtype=np.int32)[None]
    execution = LayerByLayer(
        plan, Recipe(batch_size=BATCH, optimiser="momentum", momentum=0.0), BATCH
    )
    execution.compile(*parts, 1)
    x, labels = execution._chain.batch(parts[0], order[0])
    loss, gradients = jax.value_and_grad(wanted_loss)(weights, plan, x, labels)
    execution.start(weights, statistics)
    assert execution.train_epoch(parts[0], order, RATE) == pytest.approx(float(loss), rel=1e-4)
    after, running = execution.weights()
    for layer, before, moved, gradient in zip(plan, weights, after, gradients, strict=True):
        for name, array in gradient.items():
            np.testing.assert_allclose(
                before[name] - moved[name], array, rtol=2e-3, atol=3e-5, err_msg=layer.name
            )
    # The whole program and the module see the same, and all keep the same running statistics.
    logits, others = forward(plan, weights, statistics, x, training=True)
    network = ChildNetwork(plan)
    network.set_weights(weights, statistics)
    np.testing.assert_allclose(network(x), logits, rtol=1e-3, atol=1e-4)
    found = network.weights()
    assert [set(arrays) for arrays in found[0]] == [set(arrays) for arrays in weights]
    for place in range(len(plan)):
        for name, array in others[place].items():
            for each in (running, found[1]):
                np.testing.assert_allclose(each[place][name], array, rtol=1e-3, atol=1e-5)

    def by_module(network):
        return optax.softmax_cross_entropy_with_integer_labels(network(x), labels).mean()

    grads = nnx.grad(by_module)(network)
    for place, layer in enumerate(plan[1:]):
        if layer.name != "own" or not layer.parameter_shapes:
            continue
        held = grads["layers"][place]
        assert "norm" not in held, "nothing of the norm is trained"
        for name in layer.operation.arrays(layer):
            module = held[layer.operation.flax.attribute]
            np.testing.assert_allclose(
                module[name][...], gradients[place + 1][name], rtol=2e-3, atol=3e-5
            )


def test_both_executions_train_alike(parts):
    plan = plan_of(Operation.SEPARABLE)
    order = np.tile(np.arange(BATCH, dtype=np.int32), (4, 1))
    results = []
    for way in (LayerByLayer, WholeProgram):
        execution = way(plan, Recipe(batch_size=BATCH), BATCH)
        execution.compile(*parts, len(order))
        execution.start(initial_parameters(plan, 1), initial_statistics(plan))
        losses = [execution.train_epoch(parts[0], row[None], 0.01) for row in order]
        results.append((losses, execution.evaluate(parts[1])))
    (losses, accuracy), (others, other_accuracy) = results
    np.testing.assert_allclose(losses, others, rtol=1e-3)
    assert losses[-1] < losses[0] and accuracy == pytest.approx(other_accuracy)


def test_the_gradient_is_that_of_the_formula():
    random = np.random.default_rng(2)
    x, g = (jnp.asarray(random.standard_normal((3, 2, 2, 5)), jnp.float32) for _ in range(2))
    batch = batch_statistics(x)
    ones = {"scale": jnp.ones(5), "bias": jnp.zeros(5)}
    np.testing.assert_allclose(normalised(x, {}, batch), normalised(x, ones, batch), rtol=1e-5)
    own, dx = batch_norm_gradients(x, {}, batch, g)
    assert own == {}
    np.testing.assert_allclose(dx, batch_norm_gradients(x, ones, batch, g)[1], rtol=1e-4, atol=1e-6)


def test_cuts_keep_statistics_of_norms_apart():
    """Two norms of one map are equal but for where they stand, and neither has arrays."""
    builder = PlanBuilder()
    here = builder.place("image", Operation.IMAGE, (), (4, 4, 3))
    here = builder.convolution("stem", Operation.CONVOLUTION, here, 3, 4)
    with builder.norms(scale=False):
        norms = [builder.place(f"norm{n}", Operation.BATCH_NORM, (here,)) for n in range(2)]
    builder.head(builder.place("sum", Operation.ADD, norms), classes=3)
    plan = tuple(builder.layers)
    for cut in (cut_into_steps, cut_into_layers):
        steps = [step for step in cut(plan) if step.normalises]
        assert sorted(step.layer for step in steps) == norms
    kinds = {step.kind for step in cut_into_steps(plan)}
    assert StepKind.BATCH_NORM.without_scale in kinds and StepKind.BATCH_NORM not in kinds


def test_designs_with_and_without_scale_share_no_weights():
    one, other = (plan_of(entry)[2] for entry in (Operation.PCC, Operation.DILATED))
    assert one.bank_key != dataclasses.replace(one, operation=Operation.PCC).bank_key
    assert one.bank_key != other.bank_key


LAYOUT = Layout(filters=(16, 32, 64), repeats=5, kind="nasbench201")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, 1_686_106),
        ({"classes": 100}, 1_691_956),
        ({"unscaled": False}, 1_699_546),
        ({"filters": (8, 16, 32), "repeats": 1}, 99_378),
    ],
)
def test_all_paths_of_the_benchmark_have_the_published_number_of_parameters(changes, wanted):
    layout = dataclasses.replace(LAYOUT, **({"unscaled": True} | changes))
    assert sum(numbers_of("nor_conv_1x1", "nor_conv_3x3", layout=layout).values()) == wanted


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [("none", 1_417_306), ("skip_connect", 1_417_306), ("avg_pool_3x3", 1_417_306),
     ("nor_conv_1x1", 1_444_186), ("nor_conv_3x3", 1_659_226)],
)  # fmt: skip
def test_parts_of_the_benchmark_have_the_published_number_of_parameters(operation, wanted):
    layout = dataclasses.replace(LAYOUT, unscaled=True)
    own = numbers_of("nor_conv_1x1", "nor_conv_3x3", layout=layout, first=operation)
    assert sum(own.values()) == wanted


def numbers_of(*operations_of_edges, layout, first=None):
    """Trained numbers by key, of designs that have one operation on all edges but the first."""
    space = space_named("nasbench201", None)
    found = {}
    for operation in operations_of_edges:
        edges = dict.fromkeys(space.edges, operation)
        if first is not None:
            edges["1<-0"] = first
        for layer in design_plan(design_of(space.of_edges(edges)), layout):
            found[layer.bank_key] = sum(map(math.prod, layer.parameter_shapes.values()))
    return found


OPERATIONS_OF_CELLS = [
    (16, "sep3", 864, 800), (16, "sep5", 1_376, 1_312), (16, "dil3", 432, 400),
    (16, "dil5", 688, 656), (16, "id", 288, 256), (36, "sep3", 3_384, None),
    (36, "sep5", 4_536, None), (36, "dil3", 1_692, None), (36, "dil5", 2_268, None),
    (36, "id", 1_368, None),
]  # fmt: skip
"""Filters, operation, and how many numbers it has with and without scale and shift, by the
reference; of an identity in a reduction cell."""


@pytest.mark.parametrize(("filters", "name", "with_scale", "without"), OPERATIONS_OF_CELLS)
def test_operations_of_cells_have_the_published_number_of_parameters(
    filters, name, with_scale, without
):
    scaled, plain = (layers_of(filters, name, unscaled) for unscaled in (False, True))
    assert parameters(scaled) == with_scale
    assert without is None or parameters(plain) == without
    assert flops(scaled) == flops(plain)


def layers_of(filters, name, unscaled):
    """The layers of one operation on the older input; of an identity in the reduction cell."""
    nodes = " ".join(f"{node} {name}(0)+{name}(1)" for node in (2, 3, 4, 5))
    code = space_named("darts", None).parse(f"darts normal {nodes} reduction {nodes}")
    layout = Layout("cells", (filters, filters), 1, 8, 8, 3, 10, 3, "", unscaled)
    prefix = f"stage{1 + (name == 'id')}/cell1/node2/first"
    return [x for x in design_plan(design_of(code), layout) if x.name.startswith(prefix)]


def test_stems_keep_their_scale_and_pools_of_darts_are_followed_by_a_norm():
    code = published()["darts-v2"]
    layout = Layout("cells", (4, 8), 1, 8, 8, 3, 10, 3)
    with_scale = design_plan(design_of(code), layout)
    plan = design_plan(design_of(code), dataclasses.replace(layout, unscaled=True))
    for layer in plan:
        if layer.normalises:
            assert layer.operation.scales == (not layer.name.startswith("stage")), layer.name
    pools = [i for i, layer in enumerate(plan) if layer.operation is Operation.MAX_POOLING]
    assert pools and all(
        plan[i + 1].operation is Operation.BATCH_NORM.without_scale and plan[i + 1].inputs == (i,)
        for i in pools
    )
    assert not any("pooling_norm" in layer.name for layer in with_scale)
    added = [layer for layer in plan if layer.name.endswith("/pooling_norm")]
    assert len(plan) == len(with_scale) + len(added) and len(added) == len(pools)


@pytest.mark.parametrize("name", ["residual", "nas-v1", "enas-macro", "pnasnet-5", "enas-micro"])
def test_designs_of_every_space_can_be_without_scale(name):
    code = published()[name]
    space = space_named(next(iter(space for space in [design_of(code)])).space, None)
    kind = next(iter(space.layouts))
    layout = Layout(kind, (4,), 1, 32, 32, 3, 10)
    plain = dataclasses.replace(layout, unscaled=True)
    both = [design_plan(design_of(code), each) for each in (layout, plain)]
    norms = [[layer for layer in plan if layer.normalises] for plan in both]
    assert len(norms[0]) == len(norms[1]) > 0
    left = sum(2 * layer.shape[-1] for layer in norms[1] if not layer.operation.scales)
    assert left > 0 and parameters(both[0]) - parameters(both[1]) == left


def test_a_layout_with_scale_is_recorded_as_it_always_was():
    assert "unscaled" not in LAYOUT.as_json()
    assert dataclasses.replace(LAYOUT, unscaled=True).as_json()["unscaled"] is True
