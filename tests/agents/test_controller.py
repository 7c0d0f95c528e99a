"""A controller: its numbers against a second implementation, and what it says of every space."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.agents import controller
from blockqnn.agents.controller import DRAW, LIKELIEST, Form
from blockqnn.agents.cpu_device import cpu_device
from blockqnn.agents.decision_tables import ILLEGAL, DecisionTables, Sizes
from blockqnn.agents.exploration import draw_episode, draw_probabilities
from blockqnn.networks.spaces.nasbench201.space import CellSpace
from blockqnn.networks.spaces.nsc.space import BlockSpace
from blockqnn.networks.spaces.registry import SPACES, space_named
from tests.networks.spaces.rows import RowSpace

EVERY = pytest.mark.parametrize("space", [*SPACES.values(), RowSpace()], ids=lambda s: s.name)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def second_implementation(form, weights, space, distribution, code):
    """Logarithms of the probabilities of a code's decisions, from the space itself, in NumPy."""
    words = DecisionTables(space, distribution).words
    w, begin = {}, 0
    for name, shape in form.shapes.items():
        w[name] = weights[begin : begin + math.prod(shape)].reshape(shape).astype(np.float64)
        begin += math.prod(shape)
    hidden, cells = [np.zeros((form.layers, form.units)) for _ in range(2)]
    states, inputs, state, found = {}, w["first input"], space.start, []

    def anchor(target):
        return states[target] if target > 0 else w["given"][-target]

    for t, action in enumerate(code):
        below = inputs
        for layer in range(form.layers):
            gates = np.concatenate([below, hidden[layer]]) @ w[f"lstm {layer}"]
            i, f, g, o = np.split(gates + w[f"lstm bias {layer}"], 4)
            cells[layer] = sigmoid(f) * cells[layer] + sigmoid(i) * np.tanh(g)
            below = hidden[layer] = sigmoid(o) * np.tanh(cells[layer])
        groups = space.choices(state)
        legal = [each for group in groups for each in group]
        logits = []
        for each, chance in zip(legal, draw_probabilities(groups, distribution), strict=True):
            score = 0.0
            for kind, value, target in space.fields(state, each):
                if target is None:
                    place = words.index((kind, value))
                    score += w["scores"][place] @ below + w["score biases"][t, place]
                else:
                    joined = anchor(target) @ w["attention previous"]
                    score += np.tanh(joined + below @ w["attention current"]) @ w["attention"]
            score /= form.temperature
            logits.append((form.tanh * np.tanh(score) if form.tanh else score) + np.log(chance))
        total = np.log(np.exp(logits).sum())
        found.append(logits[legal.index(action)] - total)
        inputs = w["positions"][t] + sum(
            w["values"][words.index((kind, value))] if target is None else anchor(target)
            for kind, value, target in space.fields(state, action)
        )
        states[t + 1], state = below.copy(), action
    return found


@pytest.mark.parametrize(
    ("space", "distribution"),
    [(BlockSpace(5), "by_type"), (space_named("darts"), "uniform"), (RowSpace(), "uniform")],
    ids=["nsc", "darts", "rows"],
)
def test_log_probabilities_are_those_of_a_second_implementation(space, distribution):
    tables = DecisionTables(space, distribution)
    form = Form(tables.sizes, 2, 3, 1.5, 2.5)
    random = np.random.default_rng(4)
    weights = controller.first_weights(form, 0.9, random)
    arrays = controller.on_device(tables, cpu_device())
    scored = jax.jit(lambda numbers: controller.scored(form, weights, arrays, numbers))
    for _ in range(4):
        code = draw_episode(random, space, distribution)
        expected = second_implementation(form, weights, space, distribution, code)
        found = scored(tables.numbers(code))
        assert np.asarray(found.log_probabilities)[: len(code)] == pytest.approx(expected, abs=2e-5)
        assert float(np.abs(found.log_probabilities[len(code) :]).sum()) == 0
        assert np.asarray(found.alive).tolist() == [1.0] * len(code) + [0.0] * (
            tables.sizes.length - len(code)
        )
        p = np.exp(np.asarray(found.distribution, np.float64)[: len(code)])
        entropies = -(p * np.log(p, where=p > 0, out=np.zeros_like(p))).sum(1)
        assert np.asarray(found.entropies)[: len(code)] == pytest.approx(entropies, abs=1e-5)


def test_what_is_drawn_is_scored_alike_to_the_last_bit_and_as_often_as_its_probability():
    space = CellSpace()
    tables = DecisionTables(space, "uniform")
    form = Form(tables.sizes, 1, 8, 1.0, 2.5)
    weights = controller.first_weights(form, 2.0, np.random.default_rng(1))
    arrays = controller.on_device(tables, cpu_device())
    random = np.random.default_rng(2)
    nothing = np.zeros(tables.sizes.length, np.float32)
    first = np.zeros(5)
    for _ in range(2000):
        uniforms = random.random(tables.sizes.length).astype(np.float32)
        drawn = controller.write_one(
            form, weights, arrays, np.full_like(nothing, DRAW, "i4"), uniforms
        )
        first[int(drawn.numbers[0])] += 1
    again = controller.write_one(form, weights, arrays, np.asarray(drawn.numbers), nothing)
    for one, other in zip(drawn, again, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))
    expected = np.exp(np.asarray(drawn.distribution[0]))[:5]
    assert first / 2000 == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 2000))
    likeliest = controller.write_one(
        form, weights, arrays, np.full_like(nothing, LIKELIEST, "i4"), nothing
    )
    assert int(likeliest.numbers[0]) == int(np.argmax(expected))


def test_a_draw_that_rounds_to_1_takes_no_illegal_action():
    space = CellSpace()
    tables = DecisionTables(space, "uniform")
    form = Form(tables.sizes, 1, 8, 1.0, 2.5)
    weights = controller.first_weights(form, 2.0, np.random.default_rng(1))
    arrays = controller.on_device(tables, cpu_device())
    length = tables.sizes.length
    for uniform, number in ((1.0, 4), (0.0, 0)):
        uniforms = np.full(length, uniform, np.float32)
        drawn = controller.write_one(form, weights, arrays, np.full(length, DRAW, "i4"), uniforms)
        assert np.asarray(drawn.numbers)[:6].tolist() == [number] * 6


@pytest.mark.parametrize(
    ("name", "log_probability"),
    # Two cells of five nodes: 2 inputs of 2 to 6 states, 13 operations, a sum or a concatenation.
    [("nasnet", -84.547464), ("nasbench201", -6 * math.log(5)), ("enas_micro", None)],
)
def test_without_weights_the_policy_is_uniform(name, log_probability):
    space = space_named(name)
    if log_probability is None:
        log_probability = -(4 * math.log(math.factorial(6)) + 20 * math.log(5))
    tables = DecisionTables(space, "uniform")
    form = Form(tables.sizes, 1, 2, 1.0, 0.0)
    arrays = controller.on_device(tables, cpu_device())
    numbers = tables.numbers(draw_episode(np.random.default_rng(0), space, "uniform"))
    weights = jnp.zeros(form.weights, jnp.float32)
    found = jax.jit(lambda n: controller.scored(form, weights, arrays, n))(numbers)
    assert float(found.log_probabilities.sum()) == pytest.approx(log_probability, abs=2e-5)
    # The entropy of the uniform policy is minus that.
    assert float(found.entropies.sum()) == pytest.approx(-log_probability, abs=2e-5)


def test_a_later_decision_depends_on_an_earlier_one():
    tables = DecisionTables(CellSpace(), "uniform")
    form = Form(tables.sizes, 1, 8, 1.0, 2.5)
    weights = controller.first_weights(form, 2.0, np.random.default_rng(1))
    arrays = controller.on_device(tables, cpu_device())
    nothing = np.zeros(tables.sizes.length, np.float32)
    found = [
        controller.write_one(form, weights, arrays, np.array(start + [0] * 7, np.int32), nothing)
        for start in ([0], [1])
    ]
    assert np.array_equal(found[0].distribution[0], found[1].distribution[0])
    assert not np.allclose(found[0].distribution[1], found[1].distribution[1])


@EVERY
@pytest.mark.parametrize("distribution", ["uniform", "by_type"])
def test_the_tables_of_a_space_say_what_it_says(space, distribution):
    tables = DecisionTables(space, distribution)
    sizes, numbered = tables.sizes, space.numbered()
    random = np.random.default_rng(0)
    for _ in range(5):
        code = draw_episode(random, space, "by_type")
        numbers = tables.numbers(code)
        assert tables.episode(numbers.tolist()) == code
        state = space.start
        for t, action in enumerate(code):
            groups = space.choices(state)
            legal = [numbered.number(each) for group in groups for each in group]
            assert sorted(legal) == np.flatnonzero(tables.prior[t] > ILLEGAL).tolist()
            chances = draw_probabilities(groups, distribution)
            assert np.exp(tables.prior[t, legal]) == pytest.approx(chances, rel=1e-5)
            assert tables.ends[t, numbers[t]] == space.is_end(action) == (t == len(code) - 1)
            before = numbered.number(state) if t and space.fields_by_state else 0
            said = tables.says[t, before, numbers[t]]
            expected = np.zeros_like(said)
            for kind, value, target in space.fields(state, action):
                if target is None:
                    expected[tables.words.index((kind, value))] += 1
                else:
                    assert target <= t
                    place = target - 1 if target > 0 else -target - sizes.given
                    expected[sizes.values + sizes.given + place] += 1
            assert said.tolist() == expected.tolist()
            assert said.sum() >= 1
            state = action


def test_spaces_of_a_like_size_share_programs():
    sizes = [DecisionTables(space, "uniform").sizes for space in (BlockSpace(1), CellSpace())]
    assert sizes == [Sizes(8, 64, 16, 2)] * 2
    assert DecisionTables(BlockSpace(23), "uniform").sizes == Sizes(24, 1024, 16, 2)


def test_what_no_policy_writes_has_no_numbers():
    space = space_named("nasnet")
    tables = DecisionTables(space, "uniform")
    code = space.published["nasnet-a"]
    assert len(code) > space.family.length
    assert tables.numbers(code) is None
    assert tables.numbers(code[: space.family.length]) is not None
    cells = DecisionTables(CellSpace(), "uniform")
    assert cells.numbers([(1, 9)]) is None
    assert cells.numbers([(1, 1)]).tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    blocks = DecisionTables(BlockSpace(5), "uniform")
    # The second layer as the first: it reads what is not there.
    assert blocks.numbers([(1, 1, 3, 1, 0)]) is None


def test_fields_point_where_they_should():
    nasnet, darts = space_named("nasnet"), space_named("darts")
    code = nasnet.check(
        (i, nasnet.start[1], v) for i, v in enumerate([1, 0, 3, 4, 1, 2, 1, *[0] * 43], start=1)
    )
    fields = [nasnet.fields(before, each) for before, each in itertools.pairwise(code)]
    assert nasnet.fields(nasnet.start, code[0]) == (("state", 1, -1),)
    assert fields[:4] == [
        (("state", 0, 0),),
        (("operation", 3, None),),
        (("operation", 4, None),),
        (("combination", 1, None),),
    ]
    # State 2 is the first node, whose last decision is the fifth.
    assert fields[4] == (("state", 2, 5),)
    # In the reduction cell the first node ends with decision 30.
    assert nasnet.fields(code[29], (31, nasnet.start[1], 2)) == (("state", 2, 30),)
    # Where the two must differ, the second is counted among the others.
    number = darts.start[1]
    assert darts.fields((1, number, 0), (2, number, 0)) == (("state", 1, -1),)
    assert darts.fields((5, number, 1), (6, number, 1)) == (("state", 2, 4),)
    assert darts.fields((5, number, 2), (6, number, 1)) == (("state", 1, -1),)
    block = BlockSpace(5)
    assert block.fields((2, 0, 0, 0, 0), (3, 5, 0, 0, 2)) == (
        ("type", 5, None),
        ("predecessor", 0, 0),
        ("predecessor", 2, 2),
    )
    assert block.fields((0,) * 5, (1, 1, 3, 0, 0)) == (
        ("type", 1, None),
        ("kernel of Convolution", 3, None),
        ("predecessor", 0, 0),
    )
    assert CellSpace().fields((0, 0), (1, 3)) == (("operation", 3, None),)
    assert RowSpace().fields((0, 0), RowSpace().choices((0, 0))[0][1]) == (("side", 3, None),)
