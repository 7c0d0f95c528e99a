"""Compiled steps of cells with all that their recipes have: head, drop-path, dropout, RMSProp."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from blockqnn.children.named_weights import by_layer
from blockqnn.children.whole_program import forward
from blockqnn.full_training.lesson import Lesson, smoothed_cross_entropy
from blockqnn.full_training.program import Program
from blockqnn.networks.drop_path import CellDropPath, DropPath
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import auxiliary_head, design_of, design_plan, parse
from tests.blockqnn.small_trainings import NORMALISATION, RECIPE, equal, images

CODE = (
    "nasnet normal 2 conv1(1)+max3(0) 3 id(0)+id(0) 4 id(0)+id(0) 5 id(0)+id(0) 6 id(0)+id(0) "
    "out 2 reduction 2 max3(1)+id(0) 3 id(0)+id(0) 4 id(0)+id(0) 5 id(0)+id(0) 6 id(0)+id(0) out 2"
)
LAYOUT = Layout("cells", (2, 2, 2), 1, 10, 10, 1, 3, 3)
BATCH = images(8, (10, 10, 1))
EVERYTHING = {
    "auxiliary_weight": 0.4,
    "drop_path": 0.4,
    "drop_path_by": "cell_and_step",
    "optimiser": "rmsprop",
    "ema_decay": 0.9,
}


@functools.cache
def program(devices=1, **recipe):
    design = design_of(parse(CODE))
    head = auxiliary_head(design, LAYOUT) if recipe.get("auxiliary_weight") else ()
    return Program(
        design_plan(design, LAYOUT),
        dataclasses.replace(RECIPE, crop_padding=0, **recipe),
        NORMALISATION,
        3,
        0,
        jax.local_devices()[:devices],
        head,
    )


def steps(made, count, state=None):
    """The state after some steps, and the losses."""
    state, losses = made.start() if state is None else state, []
    for _ in range(count):
        batch = (jax.device_put(a, made.in_parts) for a in (BATCH.images, BATCH.labels))
        state, loss = made.step(state, *batch)
        losses.append(float(loss))
    return jax.device_get(state), losses


@pytest.mark.long
def test_the_loss_is_that_of_the_network_and_of_its_head():
    made = program(**EVERYTHING)
    _, (loss,) = steps(made, 1)
    design = design_of(parse(CODE))
    plan = design_plan(design, LAYOUT)
    whole = (*plan, *auxiliary_head(design, LAYOUT))
    inputs = (BATCH.images.astype(np.float32) - 127) / 60
    losses = []
    for layers in (plan, whole):
        weights = initial_parameters(layers, 0), initial_statistics(layers)
        logits, _ = forward(layers, *weights, inputs, training=True)
        with jax.numpy_dtype_promotion("standard"):
            losses.append(float(smoothed_cross_entropy(logits, BATCH.labels, 0.0)))
    assert loss == pytest.approx(losses[0] + 0.4 * losses[1], rel=1e-4)
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_what_is_kept_and_evaluated_has_no_head():
    made = program(**EVERYTHING)
    state, _ = steps(made, 2)
    assert "auxiliary" in state["parameters"] and "auxiliary" in state["statistics"]
    weights, training = made.saved(state)
    assert "auxiliary" not in weights["parameters"] and "auxiliary" not in weights["statistics"]
    assert training["auxiliary"]["parameters"].keys() >= {"narrow", "wide", "linear"}
    # The network's weights are those that it would have without a head.
    plan = design_plan(design_of(parse(CODE)), LAYOUT)
    named = {layer.name.split("/")[0] for layer in plan if layer.parameter_shapes}
    assert weights["parameters"].keys() == named
    start = jax.device_get(made.start())["parameters"]
    assert equal(start["stem"], jax.device_get(program().start())["parameters"]["stem"])
    read = by_layer(plan, weights["parameters"]), by_layer(plan, weights["statistics"])
    inputs = (BATCH.images.astype(np.float32) - 127) / 60
    wanted, _ = forward(plan, *read, inputs, training=False)
    np.testing.assert_allclose(made.logits(state, BATCH.images), wanted, rtol=1e-3, atol=1e-4)


def test_a_saved_state_goes_on_as_if_nothing_had_happened():
    made = program(**EVERYTHING)
    whole, _ = steps(made, 4)
    half, _ = steps(made, 2)
    weights, training = made.saved(half)
    again, _ = steps(made, 2, made.restored(2, weights, training))
    assert equal(again, whole)
    assert training["squares"].keys() == half["parameters"].keys()


def chances(devices=1, **recipe):
    mesh = Mesh(np.array(jax.local_devices()[:devices]), ("data",))
    plan = design_plan(design_of(parse(CODE)), LAYOUT)
    lesson = Lesson(plan, (), dataclasses.replace(RECIPE, **recipe), mesh)
    return functools.partial(lesson._chances, (jax.random.key(1), jnp.float32(0.5))), mesh


def test_what_a_step_leaves_out_is_as_the_recipe_says():
    assert chances()[0](None) == (None, None)
    paths, features = chances(dropout=0.25)[0](None)
    assert paths is None and float(features.rate) == 0.25
    paths, features = chances(drop_path=0.5)[0](None)
    assert isinstance(paths, DropPath) and features is None
    for by, by_cell in (
        *(("cell_and_step", True), ("cell", True)),
        *(("step", False), ("epoch", False), ("constant", False)),
    ):
        paths, _ = chances(drop_path=0.5, drop_path_by=by)[0](None)
        assert isinstance(paths, CellDropPath) and paths.by_cell is by_cell
        assert float(paths.rate) == 0.5
    paths, features = chances(drop_path=0.5, dropout=0.25)[0](None)
    assert not np.array_equal(*map(jax.random.key_data, (paths.key, features.key)))


def test_devices_share_one_choice():
    made, mesh = chances(4, drop_path=0.5, drop_path_by="step", dropout=0.25)
    ones = np.ones((16, 1, 1, 1), np.float32)

    def left_out(x, devices=None):
        paths, features = made(devices)
        return paths.apply(3, 1.0, x), features.apply(jnp.broadcast_to(x[:, 0, 0], (len(x), 5)))

    together = jax.shard_map(
        functools.partial(left_out, devices="data"),
        mesh=mesh,
        in_specs=PartitionSpec("data"),
        out_specs=PartitionSpec("data"),
    )
    for one, four in zip(left_out(ones), together(ones), strict=True):
        assert np.array_equal(one, four)
        assert len(np.unique(one)) == 2
