"""What `import blockqnn` offers a user's code."""

import doctest
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blockqnn
from blockqnn import interface
from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.spaces.registry import write
from blockqnn.trial import Status
from tests.paths import ROOT


def test_the_examples_show_what_happens():
    found = doctest.testmod(interface, extraglobs={"blockqnn": blockqnn})
    assert (found.failed, found.attempted > 15) == (0, True)


def test_every_name_has_a_docstring_and_is_listed():
    for name in blockqnn.__all__:
        assert "Args:" in getattr(blockqnn, name).__doc__
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
