"""What `import blockqnn` offers a user's code."""

import dataclasses
import doctest
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import blockqnn
from blockqnn import interface
from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.registry import design_of, design_plan, write
from blockqnn.networks.units import units_of
from blockqnn.trial import Status
from tests.blockqnn.trained import NETWORKS, write_trained
from tests.paths import ROOT


def test_the_examples_show_what_happens():
    found = doctest.testmod(interface, extraglobs={"blockqnn": blockqnn})
    assert (found.failed, found.attempted > 15) == (0, True)


def test_every_name_has_a_docstring_and_is_listed():
    for name in blockqnn.__all__:
        offered = getattr(blockqnn, name)
        described = offered.__init__ if isinstance(offered, type) else offered
        assert offered.__doc__
        assert "Args:" in described.__doc__
        assert name in dir(blockqnn)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        blockqnn.nothing  # noqa: B018


def test_importing_it_loads_nothing_else():
    program = (
        "import sys, blockqnn\n"
        "assert [m for m in sys.modules if m.startswith('blockqnn.')] == []\n"
        "assert not {'jax', 'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_block_alone_computes_what_it_does_in_a_network():
    code = blockqnn.parse("inception")
    layout = Layout(filters=(6,), repeats=1, height=8, width=8, channels=3)
    whole = blockqnn.network(code, layout, seed=3)
    alone = blockqnn.block(code, channels=6, filters=6)
    parameters, statistics = whole.weights()
    # The image and the stem come before the block, the head's three layers after it.
    alone.set_weights([{}, *parameters[2:-3]], [{}, *statistics[2:-3]])
    whole.eval()
    alone.eval()
    images = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 8, 3)), jnp.float32)
    outputs = [images]
    for layer, inputs in zip(whole.layers, whole.inputs, strict=True):
        outputs.append(layer(*(outputs[i] for i in inputs)))
    np.testing.assert_allclose(alone(outputs[1]), outputs[-4], rtol=1e-6, atol=1e-6)


WAYS = [
    "residual",
    "[(1,4,0,0,0),(2,1,3,1,0),(3,1,3,2,0),(4,5,0,1,3),(5,7,0,0,0)]",
    [[1, 4, 0, 0, 0], [2, 1, 3, 1, 0], [3, 1, 3, 2, 0], [4, 5, 0, 1, 3], [5, 7, 0, 0, 0]],
    blockqnn.parse("residual"),
]


def test_a_block_is_a_module_for_a_network_of_ones_own():
    x = jax.random.normal(jax.random.key(1), (2, 4, 5, 3))
    outputs = []
    for code in WAYS:
        layer = blockqnn.Block(code, channels=3, filters=6, rngs=nnx.Rngs(0))
        assert isinstance(layer, nnx.Module)
        assert layer.out_channels == 6
        outputs.append(layer(x))
    assert outputs[0].shape == (2, 4, 5, 6)
    for other in outputs[1:]:
        assert jnp.array_equal(other, outputs[0])
    assert not jnp.array_equal(blockqnn.block("residual", 3, 6, seed=1)(x), outputs[0])


def test_blocks_are_drawn_from_the_streams_that_they_are_given():
    def built():
        rngs = nnx.Rngs(0)
        return [blockqnn.Block("residual", 4, rngs=rngs) for _ in range(2)]

    # Nothing is computed, as in a network that is made on many devices at once.
    shapes = jax.tree.map(lambda leaf: leaf.shape, nnx.state(nnx.eval_shape(built)))
    blocks = built()
    assert jax.tree.map(lambda leaf: leaf.shape, nnx.state(blocks)) == shapes
    first, second = (block.weights()[0][1]["kernel"] for block in blocks)
    assert not jnp.array_equal(first, second)
    wide = blockqnn.Block("residual", 64, rngs=nnx.Rngs(3)).weights()[0][1]
    assert float(wide["kernel"].std()) == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.05)
    assert (wide["scale"] == 1).all() and not wide["bias"].any()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("nothing", 4), CodeError, "nothing"),
        ((7, 4), CodeError, "a list of decisions, each a list of integers; given 7"),
        (([["a"]], 4), CodeError, "a list of decisions"),
        (([[1, 99, 3]], 4), CodeError, "is a code of none of"),
        (("residual", 0), LayoutError, "block needs channels, an integer of at least 1; given 0"),
        (("residual", 4, 2.5), LayoutError, "needs filters, an integer of at least 1; given 2.5"),
    ],
)
def test_what_is_no_block_is_refused_in_a_sentence(arguments, error, message):
    with pytest.raises(error, match=message):
        blockqnn.Block(*arguments, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("name", ["cifar", "cells"])
def test_a_block_of_a_trained_network_has_its_weights(tmp_path, name):
    code, layout = NETWORKS[name]
    layout = dataclasses.replace(layout, repeats=2)
    write_trained(tmp_path / "step-00000020", layout, code)
    whole = blockqnn.load_network(tmp_path / "step-00000020")
    layer = blockqnn.load_block(tmp_path / "step-00000020", stage=2, number=2)
    plan = design_plan(design_of(code), layout)
    unit = next(u for u in units_of(plan) if getattr(u, "name", "") in SECOND)
    parameters, statistics = (weights[unit.positions[0] :] for weights in whole.weights())
    for found, there in zip(layer.weights(), (parameters, statistics), strict=True):
        # The layers of a unit follow one another, and so do those of the block after its input.
        for own, wanted in zip(found[1:], there, strict=False):
            assert own.keys() == wanted.keys()
            assert all(jnp.array_equal(own[name], wanted[name]) for name in own)
    assert layer(jnp.ones((1, 3, 3, unit.channels))).shape[-1] == unit.out_channels
    for stage, number in ((3, 1), (2, 3), (0, 1), (1, 0)):
        with pytest.raises(UserError, match=f"no .* {number} in stage {stage}; allowed: stages 1"):
            blockqnn.load_block(tmp_path / "step-00000020", stage, number)


SECOND = ("stage2/block2", "stage2/cell2")
CELLS = [
    "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|avg_pool_3x3~1|none~2|",
    "|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|none~0|skip_connect~1|none~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
]


@pytest.mark.parametrize("text", CELLS)
def test_a_cell_alone_keeps_its_channels(text):
    cell = blockqnn.block(blockqnn.parse(text), channels=4, filters=4)
    x = jax.random.normal(jax.random.key(0), (2, 6, 6, 4))
    assert cell(x).shape == x.shape
    if text == CELLS[-1]:
        assert jnp.array_equal(cell(x), x)
    if text == CELLS[2]:
        assert not cell(x).any()
    with pytest.raises(LayoutError, match="given 3 channels and 4 filters"):
        blockqnn.block(blockqnn.parse(text), channels=3, filters=4)


def test_a_cell_whose_last_layer_nobody_reads_gives_its_output():
    # Node 3 is node 1, but the convolution of node 2 is placed after it.
    cell = blockqnn.block(blockqnn.parse(CELLS[1]), channels=4, filters=4)
    cell.eval()
    x = jax.random.normal(jax.random.key(0), (2, 6, 6, 4))
    assert jnp.array_equal(cell(x), cell.layers[0](x))


def by_length(code):
    return 50.0 + len(code)


@pytest.mark.parametrize("agent", ["q_learning_plus", "q_learning", "evolution"])
@pytest.mark.parametrize("space", ["nsc", "nasbench201"])
def test_a_search_stores_and_continues(tmp_path, agent, space):
    asked = []

    def accuracy(code):
        asked.append(write(code))
        if len(asked) == 7:
            raise KeyboardInterrupt
        return by_length(code) + hash(code) % 7

    how = {"budget": 24, "agent": agent, "space": space, "max_layers": 6, "seed": 4}
    with pytest.raises(KeyboardInterrupt):
        blockqnn.search(accuracy, tmp_path / "run", **how)
    run = blockqnn.search(accuracy, tmp_path / "run", **how)
    whole = blockqnn.search(accuracy, tmp_path / "whole", **how)
    assert run.trials["code"].tolist() == whole.trials["code"].tolist()
    assert run.trials["reward"].equals(whole.trials["reward"])
    before = len(asked)
    assert len(blockqnn.search(accuracy, tmp_path / "run", **how)) == len(whole)
    assert len(asked) == before, "a search that has ended evaluates nothing"
    best = run.best(1)[0]
    assert best.accuracy == run.trials["accuracy"].max()
    assert run.explain().shape[0] > 0
    with pytest.raises(UserError, match="begun with --seed=4"):
        blockqnn.search(accuracy, tmp_path / "run", **how | {"seed": 5})


def test_what_a_function_raises_is_the_reason_of_its_trial(tmp_path):
    def accuracy(code):
        if len(code) > 3:
            raise RuntimeError("too long for me")
        return 101.0 if len(code) == 3 else 60.0

    run = blockqnn.search(accuracy, tmp_path, budget=30, agent="random", max_layers=5)
    failed = run.trials[run.trials["status"] == Status.FAILED.value]
    assert set(failed["reason"]) == {
        "RuntimeError: too long for me",
        "an accuracy is a percentage from 0 to 100, given 101.0",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"agent": "x"}, "agent is 'x'; allowed: q_learning, "),
        ({"space": "x"}, "space is 'x'; allowed: nsc, "),
        ({"budget": 0}, "budget is 0; allowed: an integer of at least 1"),
        ({"options": {"x": 1}}, "q_learning_plus has no option 'x'; allowed: ceilings"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, arguments, message):
    with pytest.raises(UserError, match=message):
        blockqnn.search(by_length, tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()
