"""Mixtures of all operations: counts, keys, the rule of derivation, and what a mixture computes."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.layers import compute
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.operations.steps import ROW
from blockqnn.networks.parts import cut_into_layers, cut_into_steps
from blockqnn.networks.plan import Operation, PlanBuilder
from blockqnn.networks.plan_counts import parameters
from blockqnn.networks.shares import shares_of, softmax
from blockqnn.networks.spaces.mixing import NONE, Row
from blockqnn.networks.spaces.registry import SPACES, space_named

DARTS, CELLS = space_named("darts"), space_named("nasbench201")
SEARCH = Layout(kind="cells", filters=(16, 32, 64), cells=8, unscaled=True)
SMALL = Layout(kind="cells", filters=(4, 8), cells=3, height=8, width=8, unscaled=True)
NB201 = Layout(kind="nasbench201", filters=(16, 32, 64), repeats=5, unscaled=True)
MIXED = {
    "darts": SMALL,
    "enas_micro": dataclasses.replace(SMALL, rules="enas_search"),
    "pnas": dataclasses.replace(SMALL, rules="enas_search"),
    "nasnet": dataclasses.replace(SMALL, rules="enas_search"),
    "nasbench201": dataclasses.replace(SMALL, kind="nasbench201", cells=0, repeats=1),
}
# Edges into node 3 of the normal cell, as exponentials of alpha; the operations are none, max3,
# avg3, id, sep3, sep5, dil3, dil5.
NODE_3 = {
    "normal/3<-0": (8, 1, 1, 1, 4, 1, 1, 1),
    "normal/3<-1": (1, 1, 1, 3, 1, 1, 1, 1),
    "normal/3<-2": (1, 1, 1, 1, 1, 2.5, 1, 0.5),
}


def counts_of(plan, beginning):
    """Trained numbers of all layers whose names begin so."""
    return sum(
        math.prod(shape)
        for layer in plan
        if layer.name.startswith(beginning)
        for shape in layer.parameter_shapes.values()
    )


def test_the_search_network_of_darts_has_its_published_parameters():
    plan, rows = DARTS.mixture_plan(SEARCH), DARTS.mixture_rows()
    assert parameters(plan) == 1_930_618
    assert len(rows) == 28 and sum(len(row.choices) for row in rows) == 224
    assert all(row.choices[0] == NONE for row in rows)
    assert counts_of(plan, "stage1/cell1/node2/from0/") == 3_168
    reductions = [
        counts_of(plan, f"stage2/cell1/node{node}/from{state}/")
        for node, state in ((2, 0), (2, 1), (3, 2))
    ]
    # With 32 filters, at stride 2 on the inputs; the published 3,424 is of 16.
    assert reductions == [10_432, 10_432, 9_408]
    first = DARTS.mixture_plan(dataclasses.replace(SEARCH, filters=(8, 16), cells=2))
    assert counts_of(first, "stage2/cell1/node2/from0/") == 3_424
    by_operation = {
        name: counts_of(plan, f"stage1/cell1/node2/from0/{name}")
        for name in ("max3", "avg3", "id", "sep3", "sep5", "dil3", "dil5")
    }
    assert by_operation == {
        **{"max3": 0, "avg3": 0, "id": 0},
        **{"sep3": 800, "sep5": 1_312, "dil3": 400, "dil5": 656},
    }
    assert counts_of(first, "stage2/cell1/node2/from0/id") == 256


def test_mixtures_of_nas_bench_201_have_six_edges_of_five_operations():
    rows = CELLS.mixture_rows()
    assert [row.name for row in rows] == [
        *("cell/1<-0", "cell/2<-0", "cell/2<-1", "cell/3<-0", "cell/3<-1", "cell/3<-2")
    ]
    plan = CELLS.mixture_plan(NB201)
    mixtures = [layer for layer in plan if layer.operation is Operation.MIXTURE]
    assert len(mixtures) == 15 * 6 and {layer.mixture for layer in mixtures} == {
        r.name for r in rows
    }
    # A 1x1 and a 3x3 convolution on each edge, without scale and shift.
    assert counts_of(plan, "stage1/cell1/") == 6 * 10 * 16 * 16


@pytest.mark.parametrize("name", MIXED)
def test_designs_inherit_every_array_of_theirs(name):
    space, layout = SPACES[name], MIXED[name]
    kept = {layer.bank_key for layer in space.mixture_plan(layout) if layer.parameter_shapes}
    random = np.random.default_rng(0)
    for _ in range(5):
        shares = {r.name: softmax(random.normal(size=len(r.choices))) for r in space.mixture_rows()}
        code = space.check(space.derived(shares))
        plan = space.plan(space.design(code), layout)
        own = {layer.bank_key for layer in plan if layer.parameter_shapes}
        assert own <= kept


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("partial", [1, 2])
def test_both_cuts_of_a_mixture_have_the_rows_of_its_plan(name, partial):
    space, layout = SPACES[name], MIXED[name]
    plan = space.mixture_plan(layout, partial)
    rows = {row.name: len(row.choices) for row in space.mixture_rows(partial)}
    assert {layer.mixture: layer.choices for layer in plan if layer.mixture} == rows
    for cut in (cut_into_layers, cut_into_steps):
        steps = cut(plan)
        assert {step.mixture: step.choices for step in steps if step.mixture} == rows
        assert not any(step.signature.mixture for step in steps)


def test_the_rule_of_derivation_counts_none_but_never_chooses_it():
    alpha = {row.name: np.zeros(8) for row in DARTS.mixture_rows()}
    alpha |= {name: np.log(powers) for name, powers in NODE_3.items()}
    shares = shares_of(alpha)
    assert [max(shares[name][1:]) for name in NODE_3] == pytest.approx([4 / 18, 0.3, 2.5 / 9])
    text = DARTS.write(DARTS.derived(shares))
    assert "normal 2 max3(0)+max3(1) 3 id(1)+sep5(2) 4 max3(0)+max3(1)" in text


def test_where_all_is_equal_the_first_edges_and_operations_win():
    for space in (DARTS, space_named("pnas"), space_named("enas_micro")):
        shares = {
            row.name: [1 / len(row.choices)] * len(row.choices) for row in space.mixture_rows()
        }
        first = space.family.operations[0]
        code = space.derived(shares)
        assert code == space.check(code)
        nodes = range(2, 2 + space.family.nodes)
        assert space.write(code).count(f"{first}(0)+{first}(1)") == len(nodes) * len(
            space.family.cells
        )
    equal = {row.name: [0.2] * 5 for row in CELLS.mixture_rows()}
    assert set(CELLS.on_edges(CELLS.derived(equal)).values()) == {NONE}


def test_on_nas_bench_201_an_edge_carries_what_has_the_largest_share_none_included():
    shares = {row.name: [0.1, 0.2, 0.3, 0.25, 0.15] for row in CELLS.mixture_rows()}
    shares["cell/2<-1"] = [0.4, 0.3, 0.1, 0.1, 0.1]
    found = CELLS.on_edges(CELLS.derived(shares))
    assert found.pop("2<-1") == NONE
    assert set(found.values()) == {"nor_conv_1x1"}
    assert CELLS.tally(CELLS.derived(shares)) == {"cell": {"skip": 0, "pool": 0, "convolution": 5}}


@given(data=st.data(), name=st.sampled_from(sorted(MIXED)))
def test_any_weights_give_a_legal_design_that_keeps_what_is_kept(data, name):
    space = SPACES[name]
    partial = data.draw(st.sampled_from([1, 4]))
    numbers = st.floats(-4, 4, width=32)
    shares = {
        row.name: softmax(
            data.draw(st.lists(numbers, min_size=len(row.choices), max_size=len(row.choices)))
        )
        for row in space.mixture_rows(partial)
    }
    kept = space.kept(shares)
    code = space.check(space.of_kept(kept))
    assert code == space.check(space.derived(shares))
    counted = [sum(own.values()) for own in space.tally(code).values()]
    assert sum(counted) == sum(operation != NONE for operation in kept.values())


def test_a_mixture_is_the_sum_of_its_inputs_by_the_softmax_of_its_row():
    alpha = jnp.log(jnp.asarray([1.0, 1, 1, 2, 3, 1, 1, 1]))
    outputs = [4.0, 2, 1, 5, 6, 7, 8]
    builder = PlanBuilder()
    builder.place("image", Operation.IMAGE, (), (1, 1, 1))
    builder.place("mixture", Operation.MIXTURE, (0,) * 7, mixture="row", choices=8)
    layer = builder.layers[1]
    assert layer.parameter_shapes == {}
    inputs = [jnp.full((1, 1, 1, 1), value) for value in outputs]

    def value(row):
        return compute(layer, {ROW: row}, {}, inputs, training=True)[0].sum()

    found, gradient = jax.value_and_grad(value)(alpha)
    assert found == pytest.approx(4, rel=1e-6)
    expected = np.array([-4, 0, -2, -6, 3, 2, 3, 4]) / 11
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_partial_channels_pass_the_rest_and_shuffle():
    builder = PlanBuilder()
    builder.place("image", Operation.IMAGE, (), (3, 3, 8))
    first = builder.place("first", Operation.FIRST_CHANNELS, (0,), filters=2)
    beside = builder.place("beside", Operation.BESIDE_THE_REST, (first, 0))
    thinned = builder.place("thinned", Operation.MAX_POOLING, (first,), kernel=3, stride=2)
    halved = builder.place("halved", Operation.BESIDE_THE_REST, (thinned, 0), stride=2)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 3, 8)), jnp.float32)
    outputs = [x]
    for layer in builder.layers[1:]:
        inputs = [outputs[i] for i in layer.inputs]
        outputs.append(compute(layer, {}, {}, inputs, training=True)[0])
        assert outputs[-1].shape[1:] == layer.shape
    # Groups of two channels take turns: 0 2 4 6 1 3 5 7.
    np.testing.assert_array_equal(outputs[beside], x[..., [0, 2, 4, 6, 1, 3, 5, 7]])
    # Of an odd map, the last window holds what there is.
    assert outputs[halved][0, 1, 1, 1] == x[0, 2, 2, 2]
    assert outputs[halved][0, 0, 0, 1] == x[0, :2, :2, 2].max()


@pytest.mark.parametrize(("height", "width"), [(5, 8), (7, 7), (9, 6)])
@pytest.mark.parametrize("partial", [1, 2])
def test_maps_of_odd_sizes_are_mixed_too(height, width, partial):
    layout = dataclasses.replace(SMALL, height=height, width=width)
    for layer in DARTS.mixture_plan(layout, partial):
        if layer.operation in (Operation.MIXTURE, Operation.ADD):
            assert set(layer.input_shapes) == {layer.shape}


def test_what_cannot_be_mixed_says_why():
    with pytest.raises(LayoutError, match="no such edges"):
        space_named("nsc").mixture_plan(Layout())
    with pytest.raises(LayoutError, match="only under --cell_rules=enas_search"):
        space_named("pnas").mixture_plan(SMALL)
    with pytest.raises(LayoutError, match="One in 3 channels cannot be mixed of 4,8 filters"):
        DARTS.mixture_plan(SMALL, 3)
    assert space_named("nas").mixture_rows() == ()
    with pytest.raises(ValueError, match="no mixtures"):
        space_named("nsc").derived({})


def test_edges_that_are_weighed_count_by_their_weight():
    rows = DARTS.mixture_rows(4)
    assert len(rows) == 28 + 8 and rows[2] == Row("normal/2", ("<-0", "<-1"), "normal/2", True)
    shares = {row.name: [1 / len(row.choices)] * len(row.choices) for row in rows}
    shares["normal/4"] = [0.1, 0.4, 0.2, 0.3]
    assert "4 max3(1)+max3(3) 5 max3(0)+max3(1)" in DARTS.write(DARTS.derived(shares))
