"""ScheduledDropPath of cells: which paths it may drop, how often, and dropout beside it."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.full_training.schedule import drop_path_rate
from blockqnn.full_training.settings import FullRecipe
from blockqnn.networks.child import ChildNetwork
from blockqnn.networks.drop_path import CellDropPath, Dropout
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, published

MANY = 40_000
CELLS = (
    "darts normal 2 max3(0)+id(1) 3 id(0)+id(2) 4 id(0)+id(2) 5 id(0)+avg3(1) "
    "reduction 2 max3(0)+id(1) 3 id(0)+id(2) 4 id(0)+id(2) 5 id(0)+avg3(1)"
)


def kept(rate, share, by_cell=True):
    drop = CellDropPath(jax.random.key(0), jnp.float32(rate), None, by_cell)
    return float(drop.keep(share))


@pytest.mark.parametrize(
    ("final", "cells", "cell", "when", "wanted"),
    [
        (0.6, 20, 0, 0, 1.0),
        (0.6, 20, 0, 1, 0.98),
        (0.6, 20, 9, 0.5, 0.9),
        (0.6, 20, 13, 1, 0.72),
        (0.6, 20, 19, 0.5, 0.8),
        (0.6, 20, 19, 1, 0.6),
        (0.7, 22, 21, 0.5, 0.85),
    ],
)
@pytest.mark.parametrize("epochs", [4, 600])
def test_the_probability_by_cell_and_step_is_the_published_one(
    final, cells, cell, when, wanted, epochs
):
    # The last step is that of the run, however long it is.
    recipe = FullRecipe(epochs=epochs, drop_path=1 - final, drop_path_by="cell_and_step")
    rate = drop_path_rate(recipe, jnp.int32(when * epochs * 50), epochs * 50)
    assert kept(rate, (cell + 1) / cells) == pytest.approx(wanted, rel=1e-5)


@given(st.integers(0, 1000), st.integers(1, 1000), st.floats(0, 0.9), st.integers(1, 30), st.data())
def test_more_is_dropped_later_and_in_later_cells(step, total, rate, cells, data):
    cell = data.draw(st.integers(0, cells - 1))
    recipe = FullRecipe(epochs=1, drop_path=rate, drop_path_by="cell_and_step")
    now, later = (float(drop_path_rate(recipe, jnp.int32(t), total)) for t in (step, step + 1))
    assert 0 <= now <= later <= np.float32(rate) * (1 + 1e-6)
    here = kept(now, (cell + 1) / cells)
    assert 1 - rate - 1e-5 <= kept(now, 1.0) <= here <= 1
    assert here == pytest.approx(1 - min(1, step / total) * (cell + 1) / cells * rate, abs=1e-5)


def test_of_what_the_other_rates_depend():
    rates = {
        by: [
            float(drop_path_rate(FullRecipe(epochs=4, drop_path=0.2, drop_path_by=by), step, 40))
            for step in map(jnp.int32, (0, 9, 10, 39))
        ]
        for by in ("joins", "step", "cell_and_step", "epoch", "cell", "constant")
    }
    assert rates["joins"] == pytest.approx([0, 0.2 * 9 / 39, 0.2 * 10 / 39, 0.2])
    assert rates["step"] == rates["cell_and_step"]
    assert rates["step"] == pytest.approx([0, 0.045, 0.05, 0.195])
    assert rates["epoch"] == pytest.approx([0, 0, 0.05, 0.15])
    assert rates["cell"] == rates["constant"] == pytest.approx([0.2] * 4)
    assert kept(0.4, 0.25, by_cell=False) == pytest.approx(0.6)


def test_darts_rates_of_600_epochs():
    recipe = FullRecipe(epochs=600, drop_path=0.2, drop_path_by="epoch")
    found = [float(drop_path_rate(recipe, jnp.int32(e * 521 + 520), 600 * 521)) for e in (300, 599)]
    assert found == pytest.approx([0.1, 0.19967], abs=1e-5)


def paths(name, filters, cells, rules="", kind="cells"):
    """How many paths end in the cells, by where they stand."""
    side = 32 if kind == "cells" else 224
    layout = Layout("cifar", (filters,), 1, side, side, 3, 10, cells, rules).of_kind(kind)
    code = published()[name] if name in published() else parse(name)
    plan = design_plan(design_of(code), layout)
    return collections.Counter(layer.path for layer in plan if layer.path)


def test_a_path_is_every_operation_but_an_identity():
    # The normal cell has two identities among its ten operations, the reduction one.
    found = paths("nasnet-a", 4, 20)
    assert sorted(found) == pytest.approx([(c + 1) / 20 for c in range(20)])
    assert list(found.values()) == [9 if c in (6, 13) else 8 for c in range(20)]
    # Stem cells of large images count: 3N + 4 of them with N = 4.
    found = paths("nasnet-a", 4, 14, kind="cells_imagenet")
    assert sorted(found) == pytest.approx([(c + 1) / 16 for c in range(16)])
    assert list(found.values())[:2] == [9, 9]
    # The dilated convolution and five separable ones; five poolings.
    assert list(paths("darts-v2", 4, 6).values()) == [6, 6, 5, 6, 5, 6]


@pytest.mark.parametrize(("rules", "reduction"), [("darts", 6), ("enas", 2), ("nasnet", 2)])
def test_an_identity_with_a_stride_is_a_path_by_darts_rules_alone(rules, reduction):
    # Two poolings; of six identities four read an input, where they have a stride.
    assert list(paths(CELLS, 4, 6, rules).values()) == [2, 2, reduction, 2, reduction, 2]


def test_a_path_is_dropped_whole_for_an_image_and_enlarged_for_others():
    drop = CellDropPath(jax.random.key(0), jnp.float32(0.5), by_cell=True)
    x = np.random.default_rng(0).uniform(1, 2, (MANY, 1, 2, 1)).astype(np.float32)
    found = np.asarray(drop.apply(3, 0.5, x)) / x
    ratios = found.reshape(MANY, -1)
    assert set(np.round(np.unique(ratios), 4)) == {0.0, np.float32(1.3333)}
    assert (ratios == ratios[:, :1]).mean() > 0.999 or np.allclose(ratios, ratios[:, :1])
    # Kept three times out of four, and so of the same mean: five deviations.
    assert ratios.mean() == pytest.approx(1, abs=5 * np.sqrt(1 / 3 / MANY))
    other = np.asarray(drop.apply(4, 0.5, x)).reshape(MANY, -1)[:, 0] > 0
    assert abs(np.corrcoef(other, ratios[:, 0])[0, 1]) < 0.03


@pytest.fixture(scope="module")
def logits():
    """The logits of a network with drop-path or dropout, or without, as one program."""
    layout = Layout("cells", (2, 4), 1, 4, 4, 1, 3)
    made = ChildNetwork(design_plan(design_of(parse(CELLS)), layout))
    x = np.random.default_rng(0).standard_normal((4, 4, 4, 1)).astype(np.float32)

    @nnx.jit
    def computed(network, key, path_rate, feature_rate):
        drop = CellDropPath(jax.random.key(key), path_rate, by_cell=True)
        return network(x), network(x, drop), network(x, dropout=Dropout(drop.key, feature_rate))

    return lambda key=0, paths=0.0, features=0.0: [
        np.asarray(each) for each in computed(made, key, jnp.float32(paths), jnp.float32(features))
    ]


def test_a_network_drops_in_a_training_step(logits):
    plain, dropped, _ = logits(paths=0.9)
    assert not np.allclose(plain, dropped)
    assert not np.allclose(dropped, logits(key=1, paths=0.9)[1])
    np.testing.assert_allclose(*logits()[:2], rtol=1e-5, atol=1e-6)


def test_dropout_leaves_features_out_before_the_classifier_alone(logits):
    out = Dropout(jax.random.key(0), jnp.float32(0.75))
    found = np.asarray(out.apply(np.ones((200, 100), np.float32)))
    assert set(np.unique(found)) == {0.0, 4.0}
    assert found.mean() == pytest.approx(1, abs=5 * np.sqrt(3 / found.size))
    assert abs(np.corrcoef(found[:, 0], found[:, 1])[0, 1]) < 0.4
    plain, _, dropped = logits(features=0.75)
    assert not np.allclose(plain, dropped)
    # Without any feature the logits are the bias, which is 0 at first.
    assert np.array_equal(logits(features=0.9999999)[2], np.zeros_like(plain))
    np.testing.assert_allclose(plain, logits()[2], rtol=1e-5, atol=1e-6)
