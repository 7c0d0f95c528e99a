"""Recurrent cells as paths through one cell, and mixed in another: plans, numbers by hand."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.networks.initial import shared_arrays
from blockqnn.networks.layout import LANGUAGE, Layout, LayoutError
from blockqnn.networks.operations.recurrent_choices import FUNCTIONS, RecurrentChoice
from blockqnn.networks.operations.steps import ROW
from blockqnn.networks.plan_counts import parameters, shared_parameters
from blockqnn.networks.recurrent.sequence import run, zero_states
from blockqnn.networks.shares import shares_of
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, space_named
from blockqnn.supernets.sampling import uniform_path

SMALL = Layout(LANGUAGE, (4,), 1, 1, 1, 1, 7)
WORDS = np.random.default_rng(0).integers(7, size=(5, 2)).astype(np.int32)
GATED, SOURCE = jnp.asarray([[0.0, 1.0, -2.0, 3.0]]), jnp.asarray([[1.0, 4.0]])


@pytest.mark.parametrize("name", ["enas_cell", "darts_cell"])
@pytest.mark.parametrize("repeats", [1, 2])
def test_along_a_path_it_computes_the_cell(name, repeats):
    space, random = space_named(name, 4), np.random.default_rng(1)
    for rules in space.rules:
        layout = dataclasses.replace(SMALL, rules=rules, repeats=repeats)
        design = space.design(uniform_path(space, {}, random))
        own, whole = design_plan(design, layout), space.paths_plan(design, layout)
        arrays = {layer.name: shared_arrays(layer, 1) for layer in own}
        rows = {name: jnp.asarray(row, jnp.float32) for name, row in space.path(design).items()}
        named = {layer.mixture: layer.choices for layer in whole if layer.mixture}
        assert all(len(rows[row]) == count for row, count in named.items())
        assert all(sum(rows[row]) == 1 for row in named if space.takes_one(row))
        wanted, _ = run(own, [arrays[layer.name] for layer in own], WORDS, zero_states(own, 2))
        taken = [
            {key: arrays[layer.name][key] for key in layer.parameter_shapes} for layer in whole
        ]
        found, _ = run(whole, taken, WORDS, zero_states(whole, 2), rows=rows)
        scores = np.asarray(wanted[len(own) - 1])
        assert np.asarray(found[len(whole) - 1]) == pytest.approx(scores, abs=1e-6)
        assert scores.std() > 0.01


def keys_of(code, layout=SMALL):
    plan = design_plan(design_of(parse(code)), layout)
    return {layer.bank_key for layer in plan if "product" in layer.bank_key.split(": ")[1]}


def test_enas_has_a_matrix_for_each_node_source_and_function():
    first = keys_of("enas_cell tanh(input) tanh(0) relu(1)")
    assert first == keys_of("enas_cell sigmoid(input) tanh(0) relu(1)")
    assert len(first - keys_of("enas_cell tanh(input) tanh(0) relu(0)")) == 1
    assert len(first - keys_of("enas_cell tanh(input) tanh(0) tanh(1)")) == 1
    space, random, found = space_named("enas_cell", 3), np.random.default_rng(0), set()
    for _ in range(300):
        found |= keys_of(space.write(uniform_path(space, {}, random)))
    # Two of the first node, then four functions of each of one source and of two.
    assert len(found) == 2 + 4 * (1 + 2)


def test_darts_has_a_matrix_for_each_node():
    first = keys_of("darts_cell relu(0) tanh(1)")
    assert first == keys_of("darts_cell sigmoid(0) identity(0)")
    assert len(first) == 2 + 2


def test_codes_that_mean_one_cell_share_all_weights():
    codes = "enas_cell tanh(input) relu(0) tanh(0)", "enas_cell tanh(input) tanh(0) relu(0)"
    assert keys_of(codes[0]) == keys_of(codes[1])


def test_the_mixture_of_the_published_search_has_its_numbers():
    # darts.md, section 9: PTB search 4,810,000; section 7: alpha 36 x 5.
    space = space_named("darts_cell")
    plan = space.mixture_plan(Layout(LANGUAGE, (300,), 1, 1, 1, 1, 10_000))
    assert shared_parameters(plan) == 4_810_000
    assert parameters(plan) == 4_810_000 + (36 - 8) * 300 * 600
    rows = space.mixture_rows()
    assert [len(row.choices) for row in rows] == [5] * 36
    assert rows[0].choices == ("none", "tanh", "relu", "sigmoid", "identity")
    assert sum(layer.operation is RecurrentChoice.NORMALISED for layer in plan) == 9
    mixed = [layer.mixture for layer in plan if layer.mixture]
    assert mixed == [row.name for row in rows]


def test_a_node_takes_its_strongest_edge_without_none():
    space = space_named("darts_cell", 3)
    numbers = {row.name: [0.0] * 5 for row in space.mixture_rows()}
    # In the second node `none` has most of the first edge, and what is left decides.
    numbers["cell/2<-0"] = [3.0, 0.0, 1.0, 0.0, 0.0]
    numbers["cell/2<-1"] = [0.0, 0.0, 0.0, 0.0, 0.5]
    numbers["cell/3<-2"] = [0.0, 0.0, 0.0, 0.7, 0.7]
    shares = shares_of(numbers)
    assert max(shares["cell/2<-0"][1:]) < max(shares["cell/2<-1"][1:])
    assert space.kept(shares) == {
        "cell/1<-0": "tanh",
        "cell/2<-1": "identity",
        "cell/3<-2": "sigmoid",
    }
    code = space.derived(shares)
    assert space.write(code) == "darts_cell tanh(0) identity(1) sigmoid(2)"
    assert space.tally(code) == {"cell": {"tanh": 1, "relu": 0, "sigmoid": 1, "identity": 1}}
    assert "identity" not in space.essential


def sigmoid(number):
    return 1 / (1 + math.exp(-number))


def test_a_mixed_edge_by_hand():
    row = jnp.log(jnp.asarray([1.0, 2.0, 3.0, 1.0, 1.0]))
    (value,) = RecurrentChoice.MIXED_NODE.compute(None, {ROW: row}, [GATED, SOURCE])
    for place, (gate, rest, source) in enumerate([(0.0, -2.0, 1.0), (1.0, 3.0, 4.0)]):
        each = [math.tanh(rest), max(rest, 0.0), sigmoid(rest), rest]
        brought = [source + sigmoid(gate) * (one - source) for one in each]
        wanted = np.dot([0.25, 0.375, 0.125, 0.125], brought)
        assert float(value[place]) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("place", range(4))
def test_a_chosen_function_is_the_one_of_the_highway(place):
    row = jnp.zeros(4).at[place].set(1.0)
    (value,) = RecurrentChoice.CHOSEN_NODE.compute(None, {ROW: row}, [GATED, SOURCE])
    rest = [math.tanh(-2.0), 0.0, sigmoid(-2.0), -2.0][place]
    assert float(value[0]) == pytest.approx(1.0 + 0.5 * (rest - 1.0), abs=1e-6)
    assert FUNCTIONS == ("tanh", "relu", "sigmoid", "identity")


def test_choices_and_means_by_hand():
    vectors = [jnp.asarray([[1.0, 2.0]]), jnp.asarray([[10.0, 20.0]]), jnp.asarray([[4.0, 6.0]])]
    row = {ROW: jnp.asarray([0.0, 1.0, 0.0])}
    assert RecurrentChoice.CHOSEN.compute(None, row, vectors).tolist() == [[10.0, 20.0]]
    row = {ROW: jnp.asarray([1.0, 0.0, 1.0])}
    assert RecurrentChoice.CHOSEN_MEAN.compute(None, row, vectors).tolist() == [[2.5, 4.0]]


def test_batch_norm_of_vectors_is_of_the_batch():
    vectors = jnp.asarray([[1.0, 5.0], [3.0, 5.0]])
    found = RecurrentChoice.NORMALISED.compute(None, {}, [vectors])
    assert np.asarray(found) == pytest.approx(np.array([[-1.0, 0.0], [1.0, 0.0]]), abs=1e-4)


def test_spaces_without_paths_or_mixtures_say_why():
    tree, enas, darts = (space_named(name) for name in ("nas_cell", "enas_cell", "darts_cell"))
    assert "read one earlier node each" in tree.unshared(SMALL)
    with pytest.raises(LayoutError, match="those of the space nas_cell do not"):
        tree.paths_plan(design_of(parse(tree.example)), SMALL)
    assert "a matrix that all edges into a node share" in enas.unmixed(SMALL)
    with pytest.raises(LayoutError, match="those of the space enas_cell are others"):
        enas.mixture_plan(SMALL)
    assert enas.mixture_rows() == ()
    with pytest.raises(LayoutError, match="--partial_channels=2 mixes a part"):
        darts.mixture_plan(SMALL, 2)
