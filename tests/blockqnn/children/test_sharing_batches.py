"""Devices that share the batches of a chain compute what one device does."""

import jax
import numpy as np
import pytest

from blockqnn.children.devices import parts_of_batch, parts_of_chain
from blockqnn.children.layer_by_layer import LayerByLayer
from blockqnn.children.optimiser import Compiled, Momentum
from blockqnn.children.training import compile_child, on_device
from blockqnn.data.datasets import load_search_parts
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, design_plan, parse
from blockqnn.settings import DataSettings, Recipe
from tests.blockqnn.children.test_chain import after_steps

# A convolution that reads two parts, a sum of unlike widths, both poolings, and a concatenation.
BLOCK = parse("[(1,1,3,0,0),(2,2,3,1,0),(3,3,3,0,0),(4,5,0,1,3),(5,6,0,2,4),(6,1,3,5,0)]")
LAYOUT = Layout(filters=(3, 4), repeats=1, height=6, width=6, channels=2, classes=3)
PLAN = design_plan(design_of(BLOCK), LAYOUT)
ORDER = np.random.default_rng(0).permutation(40).astype(np.int32).reshape(5, 8)


@pytest.fixture(scope="module")
def parts():
    """Images, and 12 of them to evaluate on, which are a batch and a half."""
    return on_device(*load_search_parts(DataSettings("synthetic:6x6x2:3:72")))


def trained(parts, devices):
    execution = LayerByLayer(PLAN, Recipe(batch_size=8), 8, devices)
    execution.compile(*parts, len(ORDER))
    execution.start(initial_parameters(PLAN, 1), initial_statistics(PLAN))
    losses = [execution.train_epoch(parts[0], step[None], 1e-2) for step in ORDER]
    return losses, execution.evaluate(parts[1]), execution


def test_a_child_becomes_the_same_on_any_number_of_devices(parts):
    losses, accuracy, alone = trained(parts, 1)
    for devices in (2, 4):
        shared_losses, shared_accuracy, shared = trained(parts, devices)
        np.testing.assert_allclose(shared_losses, losses, rtol=1e-5)
        assert shared_accuracy == accuracy
        np.testing.assert_allclose(
            shared.logits(parts[1]), alone.logits(parts[1]), rtol=1e-4, atol=1e-5
        )
        weights = (jax.tree.leaves(each.weights()) for each in (alone, shared))
        for one, other in zip(*weights, strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-5)


def test_nothing_is_compiled_after_compile(parts, caplog):
    trained(parts, 2)
    with jax.log_compiles():
        trained(parts, 2)
    assert not [each for each in caplog.messages if each.startswith("Compiling")]


def test_a_bound_on_the_norm_is_that_of_the_whole_gradient():
    """Which is known when the gradients of all devices are added up."""
    alone, shared = (after_steps(Compiled(Momentum(), devices=n), 0.1)[2:] for n in (1, 2))
    np.testing.assert_allclose(shared[1], alone[1], rtol=1e-5)
    for one, other in zip(*map(jax.tree.leaves, (alone[0], shared[0])), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("batch_size", "cores", "parts"),
    [(64, 1, 1), (64, 2, 2), (64, 3, 2), (63, 2, 1), (96, 3, 3), (96, 2, 2), (1024, 7, 4)],
)
def test_parts_are_equal_and_large(batch_size, cores, parts):
    assert parts_of_batch(batch_size, cores) == parts


def test_small_images_are_not_parted():
    """A part has as many pixels as 32 images of 16x16."""
    assert [parts_of_chain(64, (side, side, 3), 2) for side in (8, 15, 16, 32)] == [1, 1, 2, 2]
    assert [parts_of_chain(batch, (8, 8, 1), 8) for batch in (128, 256, 512)] == [1, 2, 4]


def test_a_child_of_large_images_is_compiled_for_the_cores_that_there_are(parts, monkeypatch):
    made = []
    monkeypatch.setattr(LayerByLayer, "__init__", lambda self, *given: made.append(given[-1]))
    monkeypatch.setattr(LayerByLayer, "compile", lambda *_: None)
    large = load_search_parts(DataSettings("synthetic:32x32x2:3:96"))
    for images, cores in ((on_device(*large), 2), (on_device(*large), 1), (parts, 2)):
        plan = design_plan(
            design_of(BLOCK),
            Layout(
                filters=(2,),
                repeats=1,
                height=images[0].images.shape[1],
                width=images[0].images.shape[2],
                channels=2,
                classes=3,
            ),
        )
        compile_child(plan, Recipe(batch_size=64), *images, cores)
    assert made == [2, 1, 1]
