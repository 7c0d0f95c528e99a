"""The vectors of the papers and of their codes, and a second implementation in NumPy."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.operations.recurrent import Recurrent
from blockqnn.networks.plan import PlanBuilder
from blockqnn.networks.plan_counts import depth, flops, parameters
from blockqnn.networks.recurrent.initial import initial_weights
from blockqnn.networks.recurrent.language_model import LanguageModel
from blockqnn.networks.recurrent.placing import CellBuilder
from blockqnn.networks.recurrent.sequence import (
    cell_outputs,
    mask_shapes,
    parts_of,
    run,
    zero_states,
)
from blockqnn.networks.spaces.recurrent.families import tree_inputs
from blockqnn.networks.spaces.recurrent.meaning import CellDesign, CellNode, Memory
from blockqnn.networks.spaces.recurrent.plan import place_cell
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, published

EVERY = ["nas-cell", "enas-rnn", "darts-rnn-v1", "darts-rnn-v2", "lstm", "gru"]


def layout(classes=11, filters=(6,), **more):
    return Layout(LANGUAGE, filters, 1, 1, 1, 1, classes, **more)


def plan_of(name, **more):
    code = published()[name] if name in published() else parse(name)
    return design_plan(design_of(code), layout(**more))


def cell_plan(design, read, width):
    """A cell alone, whose input is what the image of other plans is."""
    builder = PlanBuilder()
    given = builder.place("vector", Recurrent.WORD, (), (read,))
    out = place_cell(CellBuilder(builder, "layer1/cell", given, width), design)
    builder.place("out", Recurrent.MEAN, (out,))
    return tuple(builder.layers)


@functools.partial(jax.jit, static_argnames="plan")
def computed(plan, weights, words, states, masks=None):
    """What a plan computes, compiled: one program is faster than each operation by itself."""
    return run(plan, weights, words, states, masks, dtype=states[min(states)].dtype)


def run_cell(plan, weights, x, states):
    """One word through a cell, in float64."""
    with jax.enable_x64(True):
        arrays = [{n: jnp.asarray(a, jnp.float64) for n, a in each.items()} for each in weights]
        before = {name: jnp.full((1, width), value) for name, (width, value) in states.items()}
        values, after = computed(plan, arrays, jnp.asarray(x, jnp.float64)[None], before)
        found = {name.split("/")[-1]: np.asarray(state) for name, state in after.items()}
        return np.asarray(values[len(plan) - 1][0]), found


@pytest.mark.parametrize(
    ("value", "h", "c"),
    [
        (1.0, 0.5767508, 0.7157977),
        (2.0, 0.6189357, 0.7804162),
        (3.0, 0.6273934, 0.7945764),
    ],
)
def test_the_published_cell_of_nas_to_seven_digits(value, h, c):
    plan = cell_plan(design_of(published()["nas-cell"]), 4, 6)
    weights = [
        {n: np.full(s, 0.5, np.float32) for n, s in l.parameter_shapes.items()} for l in plan
    ]
    states = dict.fromkeys(zero_states(plan, 1), (6, 0.1))
    out, after = run_cell(plan, weights, np.full((1, 4), value, np.float32), states)
    # What was published was computed in float32, whose last digit is off by up to two.
    np.testing.assert_allclose(out, np.full((1, 6), h), rtol=0, atol=2e-7)
    np.testing.assert_allclose(after["h"], out)
    np.testing.assert_allclose(after["c"], np.full((1, 6), c), rtol=0, atol=2e-7)


def scalar_weights(plan, of_input, of_state):
    """Weights of leaves of cells of width 1, in the order in which the cell was written."""
    found = [{n: np.zeros(s, np.float32) for n, s in l.parameter_shapes.items()} for l in plan]
    for values, suffix in ((of_input, "/of_input"), (of_state, "/of_state")):
        places = [i for i, layer in enumerate(plan) if layer.name.endswith(suffix)]
        for i, value in zip(places, values, strict=True):
            found[i]["kernel"] = np.full((1, 1), value, np.float32)
    return found


def written(nodes, memory):
    leaves = (len(nodes) + 1) // 2
    return CellDesign(
        "tree",
        tuple(
            CellNode(f, read, c) for (c, f), read in zip(nodes, tree_inputs(leaves), strict=True)
        ),
        Memory(*memory),
    )


def test_the_published_cell_of_nas_with_weights_of_its_own():
    words = "add,sigmoid add,relu add,sigmoid mul,relu add,tanh add,sigmoid add,tanh add,sigmoid"
    words += " mul,tanh add,tanh mul,tanh add,sigmoid mul,identity add,tanh mul,tanh"
    nodes = [tuple(word.split(",")) for word in words.split()]
    plan = cell_plan(written(nodes, ("add", "tanh", 12, 8)), 1, 1)
    eighths = [round(0.1 * k, 1) for k in range(1, 9)]
    weights = scalar_weights(plan, eighths, eighths[::-1])
    states = {"layer1/cell/h": (1, 0.5), "layer1/cell/c": (1, -0.2)}
    out, after = run_cell(plan, weights, np.ones((1, 1), np.float32), states)
    assert out.item() == pytest.approx(0.0674787, abs=1e-7)
    assert after["c"].item() == pytest.approx(0.0815078, abs=1e-7)


def test_the_cell_of_figure_5_with_two_leaves():
    nodes = [("add", "tanh"), ("mul", "relu"), ("mul", "sigmoid")]
    plan = cell_plan(written(nodes, ("add", "relu", 1, 0)), 1, 1)
    weights = scalar_weights(plan, [0.1, 0.3], [0.2, 0.4])
    states = {"layer1/cell/h": (1, 0.5), "layer1/cell/c": (1, 0.2)}
    out, after = run_cell(plan, weights, np.ones((1, 1), np.float32), states)
    assert out.item() == pytest.approx(0.505960, abs=1e-6)
    assert after["c"].item() == pytest.approx(0.06, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "filters", "words", "count"),
    [
        ("darts-rnn-v2", 850, 10_000, 22_960_000),
        ("darts-rnn-v1", 850, 10_000, 22_960_000),
        ("darts-rnn-v2", 700, 33_278, 33_127_878),
        ("darts-rnn-v2", 300, 10_000, 4_810_000),
        # 9 nodes of ENAS's language model: 20.8 M.
        ("enas_cell tanh(input)" + " tanh(0)" * 8, 800, 10_000, 20_810_000),
        # The embedding with its bias, and 16 u^2 of the cell.
        ("nas-cell", 20, 100, 100 * 20 + 100 + 16 * 20**2),
        ("lstm", 20, 100, 100 * 20 + 100 + 8 * 20**2 + 4 * 20),
        ("gru", 20, 100, 100 * 20 + 100 + 6 * 20**2 + 6 * 20),
    ],
)
def test_parameters_as_published(name, filters, words, count):
    assert parameters(plan_of(name, filters=(filters,), classes=words)) == count


def test_a_decoder_of_its_own_and_stacked_cells_of_several_widths():
    tied = plan_of("darts-rnn-v2", filters=(8, 6))
    untied = plan_of("darts-rnn-v2", filters=(8, 6), untied=True)
    assert parameters(untied) == parameters(tied) + 11 * 6
    # The first cell reads 6 and writes 8, the second the other way round.
    cells = 14 * 16 + 8 * 8 * 16 + 14 * 12 + 8 * 6 * 12
    assert parameters(tied) == 11 * 6 + 11 + cells
    twice = design_plan(design_of(published()["lstm"]), dataclasses.replace(layout(), repeats=2))
    assert sum(layer.operation is Recurrent.STATE for layer in twice) == 4


def test_flops_and_depth_of_one_word():
    plan = plan_of("darts-rnn-v1", filters=(10,), classes=7)
    assert flops(plan) == 2 * (20 * 20 + 8 * 10 * 20 + 10 * 7)
    # Nodes 0, 1, 2, 3 and 4, 5: relu(0) relu(1) tanh(2) relu(3) relu(4) and relu(5); the decoder.
    assert depth(plan) == 8


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FUNCTIONS = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda x: np.maximum(x, 0),
    "identity": lambda x: x,
}
COMBINED = {"add": np.add, "mul": np.multiply}


def by_hand(name, weights, words):
    """Scores [T, V] of one text, by loops over words and nodes."""
    design, plan = design_of(published()[name]), plan_of(name)
    own = {layer.name: each for layer, each in zip(plan, weights, strict=True)}
    vectors, h, c, scores = own["vectors"]["table"], np.zeros(6), np.zeros(6), []

    def product(what, x):
        return x @ own[f"layer1/cell/{what}"]["kernel"]

    for word in words:
        x = vectors[word]
        if name == "lstm":
            bias = own["layer1/cell/of_input"]["bias"]
            gates = product("of_input", x) + bias + product("of_state", h)
            i, f, g, o = np.split(gates, 4)
            c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        elif name == "gru":
            a, b = (
                product(w, v) + own[f"layer1/cell/{w}"]["bias"]
                for w, v in (("of_input", x), ("of_state", h))
            )
            (r, z, n), (rh, zh, nh) = np.split(a, 3), np.split(b, 3)
            z = sigmoid(z + zh)
            h = (1 - z) * np.tanh(n + sigmoid(r + rh) * nh) + z * h
        elif design.memory:
            before, values = c, []
            for number, node in enumerate(design.nodes):
                pair = [values[k] for k in node.inputs] or [
                    product(f"node{number}/of_input", x),
                    product(f"node{number}/of_state", h),
                ]
                value = COMBINED[node.combination](*pair)
                if number == design.memory.written:
                    c = value
                value = FUNCTIONS[node.function](value)
                if number == design.memory.read:
                    merged = COMBINED[design.memory.combination](value, before)
                    value = FUNCTIONS[design.memory.function](merged)
                values.append(value)
            h = values[-1]
        else:
            gate, rest = np.split(product("node0/of_input", x) + product("node0/of_state", h), 2)
            values = [h + sigmoid(gate) * (np.tanh(rest) - h)]
            for number, node in enumerate(design.nodes[1:], start=1):
                s = values[node.inputs[0]]
                gate, rest = np.split(product(f"node{number}/product", s), 2)
                values.append(s + sigmoid(gate) * (FUNCTIONS[node.function](rest) - s))
            h = np.mean(values[1:], axis=0)
        scores.append(h @ vectors.T + own["decoder"]["bias"])
    return np.array(scores)


def random_weights(plan, seed=0):
    random = np.random.default_rng(seed)
    return [
        {name: random.normal(0, 0.5, shape) for name, shape in layer.parameter_shapes.items()}
        for layer in plan
    ]


@pytest.mark.parametrize("name", EVERY)
def test_a_second_implementation_computes_the_same_scores(name):
    plan = plan_of(name)
    weights = random_weights(plan)
    words = np.array([[3, 0, 7, 7, 10, 1], [5, 5, 2, 9, 4, 6]])
    model = LanguageModel(plan)
    model.set_weights([{n: a.astype(np.float32) for n, a in each.items()} for each in weights])
    read = nnx.jit(lambda model, words, states: model(words, states))
    first, states = read(model, jnp.asarray(words[:, :3]), model.initial_states(2))
    second, _ = read(model, jnp.asarray(words[:, 3:]), states)
    scores = np.concatenate([first, second], axis=1)
    for own, text in zip(scores, words, strict=True):
        np.testing.assert_allclose(own, by_hand(name, weights, text), atol=2e-5)


@pytest.mark.parametrize("name", ["nas-cell", "enas-rnn", "lstm"])
def test_gradients_are_those_of_differences(name):
    plan = plan_of(name, classes=5, filters=(3,))
    with jax.enable_x64(True):
        weights = [
            {n: jnp.asarray(a, jnp.float64) for n, a in each.items()}
            for each in random_weights(plan, 1)
        ]
        words = jnp.asarray([[1], [4], [2]])

        def loss(weights):
            states = zero_states(plan, 1, jnp.float64)
            values, _ = computed(plan, weights, words, states)
            return jnp.sum(jax.nn.log_softmax(values[len(plan) - 1])[:, 0, 3])

        found = jax.jit(jax.grad(loss))(weights)
        direction = random_weights(plan, 2)
        ahead, behind = (
            jax.tree.map(lambda w, d, t=t: w + t * d, weights, direction) for t in (1e-6, -1e-6)
        )
        difference = (loss(ahead) - loss(behind)) / 2e-6
        slope = sum(
            jnp.sum(g * d)
            for g, d in zip(jax.tree.leaves(found), jax.tree.leaves(direction), strict=True)
        )
        assert float(slope) == pytest.approx(float(difference), rel=1e-5)


def test_the_mask_of_a_cell_is_one_for_all_its_nodes_and_all_words():
    plan = plan_of("darts-rnn-v1")
    kinds = {name: kind for name, (kind, _) in mask_shapes(plan, 2).items()}
    assert sorted(kinds.values()) == ["embedding", "hidden", "input", "output", "words"]
    weights = [
        {n: jnp.asarray(a) for n, a in each.items()} for each in initial_weights(plan, 0, 0.5)
    ]
    words = jnp.asarray([[1, 2], [3, 4], [5, 6]])
    ones = {name: jnp.ones(shape) for name, (_, shape) in mask_shapes(plan, 2).items()}
    plain, _ = computed(plan, weights, words, zero_states(plan, 2))
    same, _ = computed(plan, weights, words, zero_states(plan, 2), ones)
    np.testing.assert_allclose(plain[len(plan) - 1], same[len(plan) - 1], rtol=1e-6)
    for name in ones:
        nothing = ones | {name: jnp.zeros_like(ones[name])}
        other, _ = computed(plan, weights, words, zero_states(plan, 2), nothing)
        assert not np.allclose(other[len(plan) - 1], plain[len(plan) - 1])
    # Nothing of the words is left, so every word of the first step has the same scores.
    gone = ones | {name: jnp.zeros_like(ones[name]) for name, k in kinds.items() if k == "words"}
    values, _ = computed(plan, weights, words, zero_states(plan, 2), gone)
    before, after = cell_outputs(plan, values)
    np.testing.assert_allclose(before, after)
    np.testing.assert_allclose(values[len(plan) - 1][:, 0], values[len(plan) - 1][:, 1], rtol=1e-6)


def test_only_what_depends_on_states_is_computed_word_by_word():
    plan = plan_of("nas-cell")
    parts = parts_of(plan)
    (scan,) = [part for part in parts if not isinstance(part, int)]
    inside = {plan[i].name for i in scan.layers}
    assert "layer1/cell/node0/of_state" in inside
    assert not {name for name in inside if name.endswith("of_input") or name == "decoder"}
