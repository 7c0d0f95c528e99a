"""The recipe by which a child is trained: with an execution that only pretends, and really."""

import dataclasses
import math

import jax
import numpy as np
import pytest

from blockqnn.children import training
from blockqnn.children.execution import DeviceImages
from blockqnn.children.layer_by_layer import LayerByLayer
from blockqnn.children.training import (
    TrainingError,
    make_execution,
    on_device,
    train_child,
)
from blockqnn.children.whole_program import WholeProgram
from blockqnn.data.datasets import load_search_parts
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.stacking import make_plan
from blockqnn.settings import DataSettings, Recipe
from tests.blockqnn.small_searches import CONV3

LAYOUT = Layout(filters=(2,), repeats=1, height=4, width=4, channels=1, classes=10)
PLAN = make_plan(canonical_form(CONV3), LAYOUT)


class PretendedExecution:
    """Keeps what it is asked to do; its accuracies and losses are given."""

    def __init__(self, accuracies=(), losses=()):
        self._accuracies, self._losses = list(accuracies), list(losses)
        self.rates, self.orders, self.starts, self.compiled = [], [], [], []
        self.step_rates = []

    def compile(self, train, validation, steps):
        self.compiled.append(steps)

    def start(self, parameters, statistics):
        assert self.compiled
        self.starts.append((parameters, statistics))

    def train_epoch(self, part, order, learning_rate):
        self.orders.append(order)
        self.step_rates.extend(learning_rate)
        self.rates.append(learning_rate[0])
        return self._losses.pop(0) if self._losses else 1.0

    def evaluate(self, part):
        return self._accuracies.pop(0) if self._accuracies else 0.5

    def weights(self):
        return [], []


def images(count):
    mean = np.zeros(1, np.float32)
    return DeviceImages(
        np.zeros((count, 4, 4, 1), np.uint8), np.zeros(count, np.int32), mean, mean + 1
    )


@pytest.fixture
def train(monkeypatch):
    """Trains by a recipe with a pretended execution; returns the child and the execution."""

    def train(recipe, execution, seed=0, examples=20):
        monkeypatch.setattr(training, "make_execution", lambda *_: execution)
        return train_child(PLAN, recipe, images(examples), images(10), seed), execution

    return train


def test_the_learning_rate_falls_as_in_the_paper(train):
    child, execution = train(Recipe(), PretendedExecution())
    wanted = [1e-3] * 5 + [2e-4] * 5 + [4e-5] * 2
    assert execution.rates == pytest.approx(wanted)
    assert len(child.accuracies) == len(child.losses) == 12


def test_the_learning_rate_follows_the_recipe(train):
    recipe = Recipe(epochs=5, learning_rate=0.1, learning_rate_decay=0.5, decay_epochs=2)
    _, execution = train(recipe, PretendedExecution())
    assert execution.rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025])


def test_steps_have_one_learning_rate_within_an_epoch(train):
    recipe = Recipe(epochs=2, batch_size=4, learning_rate_decay=0.5, decay_epochs=1)
    _, execution = train(recipe, PretendedExecution())
    assert execution.step_rates == pytest.approx([1e-3] * 5 + [5e-4] * 5)


def test_one_cycle_rises_for_a_quarter_and_falls_to_zero(train):
    recipe = Recipe(epochs=4, batch_size=2, learning_rate=0.1, schedule="one_cycle")
    _, execution = train(recipe, PretendedExecution())
    # Ten steps an epoch in eight pieces, of which the first and the fifth have two steps.
    first = [0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.6, 0.7, 0.8]
    wanted = [0.1 * (0.1 + 0.9 * (2 * round(10 * f) - 1) / 16) for f in first]
    assert execution.step_rates[:10] == pytest.approx(wanted)
    falling = execution.step_rates[10:]
    assert falling == sorted(falling, reverse=True)
    # Half-way down, between the third epoch's fourth and fifth piece.
    assert (falling[14] + falling[15]) / 2 == pytest.approx(0.05)
    assert execution.step_rates[-1] == pytest.approx(0.05 * (1 - math.cos(math.pi / 48)))


def test_a_cosine_falls_from_the_first_step_to_zero(train):
    recipe = Recipe(epochs=2, batch_size=5, learning_rate=0.1, schedule="cosine")
    _, execution = train(recipe, PretendedExecution())
    # Four steps an epoch, each for the middle of its eighth of the training.
    wanted = [0.05 * (1 + math.cos(math.pi * (2 * step + 1) / 16)) for step in range(8)]
    assert execution.step_rates == pytest.approx(wanted)


def test_one_cycle_that_starts_again_is_lower_as_a_whole(train):
    recipe = Recipe(epochs=2, batch_size=20, schedule="one_cycle", restart_factor=0.5)
    _, execution = train(recipe, PretendedExecution([0.05, 0.3, 0.4]))
    before, again, _ = execution.step_rates
    assert again == pytest.approx(before / 2)


def test_accuracies_are_in_percent_and_losses_are_kept(train):
    execution = PretendedExecution([0.25, 0.5, 0.75], [3.0, 2.0, 1.0])
    child, _ = train(Recipe(epochs=3), execution)
    assert child.accuracies == [25.0, 50.0, 75.0]
    assert child.losses == [3.0, 2.0, 1.0]
    assert child.execution is execution
    assert child.restarts == 0


def test_every_epoch_takes_other_images_in_another_order(train):
    _, execution = train(Recipe(epochs=3, batch_size=6), PretendedExecution())
    assert execution.compiled == [3]
    for order in execution.orders:
        assert (order.shape, order.dtype) == ((3, 6), np.int32)
        assert len(set(order.ravel())) == 18
        assert 0 <= order.min() <= order.max() < 20
    assert len({order.tobytes() for order in execution.orders}) == 3
    assert len({tuple(sorted(order.ravel())) for order in execution.orders}) > 1


def test_fewer_images_than_a_batch_are_one_step(train):
    _, execution = train(Recipe(epochs=1, batch_size=256), PretendedExecution())
    assert sorted(execution.orders[0][0]) == list(range(20))


def test_the_seed_fixes_weights_and_orders(train):
    def run(seed):
        _, execution = train(Recipe(epochs=2, batch_size=4), PretendedExecution(), seed)
        (start,) = execution.starts
        return [order.tobytes() for order in execution.orders], [
            leaf.tobytes() for leaf in jax.tree.leaves(start)
        ]

    assert run(3) == run(3)
    assert run(3)[0] != run(4)[0]
    assert run(3)[1] != run(4)[1]


def test_training_starts_again_slower_while_its_first_epoch_is_below_guessing(train):
    execution = PretendedExecution([0.05, 0.09, 0.3, 0.01])
    child, _ = train(Recipe(epochs=2), execution)
    assert child.restarts == 2
    assert execution.rates == pytest.approx([1e-3, 4e-4, 1.6e-4, 1.6e-4])
    # What comes after the first epoch starts nothing again.
    assert child.accuracies == [30.0, 1.0]
    assert len(child.losses) == 2


def test_after_three_restarts_training_runs_on(train):
    execution = PretendedExecution([0.0] * 6)
    child, _ = train(Recipe(epochs=3), execution)
    assert child.restarts == 3
    assert child.accuracies == [0.0, 0.0, 0.0]
    assert execution.rates == pytest.approx([1e-3, 4e-4, 1.6e-4] + [6.4e-5] * 3)


def test_a_restart_begins_with_the_same_weights_and_order(train):
    execution = PretendedExecution([0.0, 0.5])
    train(Recipe(epochs=2, batch_size=4), execution)
    first, second = execution.starts
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(execution.orders[0], execution.orders[1])


@pytest.mark.parametrize(("accuracy", "restarts"), [(0.0999, 1), (0.1, 0), (0.1001, 0)])
def test_guessing_itself_is_good_enough(train, accuracy, restarts):
    child, _ = train(Recipe(epochs=1), PretendedExecution([accuracy, 0.5]))
    assert child.restarts == restarts


def test_restarts_can_be_forbidden_or_slowed_otherwise(train):
    child, execution = train(Recipe(epochs=1, restarts=0), PretendedExecution([0.0]))
    assert (child.restarts, len(execution.rates)) == (0, 1)
    recipe = Recipe(epochs=1, restarts=1, restart_factor=0.5, learning_rate=0.2)
    child, execution = train(recipe, PretendedExecution([0.0, 0.0]))
    assert execution.rates == pytest.approx([0.2, 0.1])


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_training(train, loss):
    with pytest.raises(TrainingError, match=f"loss is {loss} in epoch 2"):
        train(Recipe(epochs=3), PretendedExecution(losses=[1.0, loss]))


def test_the_way_of_executing_is_that_of_the_recipe():
    for way, kind in (("layers", LayerByLayer), ("whole", WholeProgram), ("auto", LayerByLayer)):
        assert isinstance(make_execution(PLAN, Recipe(execution=way), 4), kind)


def test_training_learns():
    recipe = Recipe(epochs=6, batch_size=10, learning_rate=0.02)
    layout = dataclasses.replace(LAYOUT, filters=(8,), classes=3)
    parts = on_device(*load_search_parts(DataSettings("synthetic:4x4x1:3:120")))
    child = train_child(make_plan(canonical_form(CONV3), layout), recipe, *parts, seed=0)
    assert child.losses[-1] < 0.5 * child.losses[0]
    assert child.accuracies[-1] > 80
