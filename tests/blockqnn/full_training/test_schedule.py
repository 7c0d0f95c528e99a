"""Learning rates, drop-path rates, averaging and SGD of a full training, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.flags import preset_files, training
from blockqnn.full_training.schedule import (
    averaging_decay,
    drop_path_rate,
    learning_rates,
    optimiser,
)
from blockqnn.full_training.settings import FullRecipe


def rates(recipe, steps, *at):
    schedule = learning_rates(recipe, steps)
    return [pytest.approx(float(schedule(np.int32(step))), rel=1e-6) for step in at]


def test_the_papers_rate_is_reduced_after_150_and_225_epochs():
    steps = 390
    places = (0, 150 * steps - 1, 150 * steps, 225 * steps - 1, 225 * steps, 300 * steps - 1)
    assert rates(FullRecipe(), steps, *places) == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]


def test_a_cosine_ends_near_zero_after_a_linear_warm_up():
    recipe = FullRecipe(epochs=10, schedule="cosine", learning_rate=0.4, warmup_epochs=2)
    # Twenty steps up, by 0.02 each, and eighty down.
    assert rates(recipe, 10, 0, 9, 19, 20, 60) == [0.02, 0.2, 0.4, 0.4, 0.2]
    assert float(learning_rates(recipe, 10)(np.int32(99))) == pytest.approx(
        0.2 * (1 + np.cos(np.pi * 79 / 80)), rel=1e-3
    )


def test_milestones_count_from_the_first_epoch_also_after_a_warm_up():
    recipe = FullRecipe(epochs=6, milestones=(3,), learning_rate=1.0, warmup_epochs=1)
    assert rates(recipe, 4, 0, 3, 11, 12) == [0.25, 1.0, 1.0, 0.1]


def test_no_milestones_is_a_constant_rate():
    assert rates(FullRecipe(milestones=()), 10, 0, 2999) == [0.1, 0.1]


def test_drop_path_grows_linearly_from_nothing_to_its_flag():
    recipe = FullRecipe(drop_path=0.3)
    found = [float(drop_path_rate(recipe, jnp.int32(step), 101)) for step in (0, 25, 50, 100)]
    assert found == pytest.approx([0.0, 0.075, 0.15, 0.3])
    assert float(drop_path_rate(recipe, jnp.int32(0), 1)) == 0.0


def test_the_moving_average_forgets_the_initial_weights_early():
    found = [float(averaging_decay(FullRecipe(ema_decay=0.9), jnp.int32(s))) for s in (0, 10, 500)]
    assert found == pytest.approx([0.1, 11 / 20, 0.9])


def descended(recipe, gradients, parameters, steps=3):
    """What the optimiser makes of constant gradients at a rate of 1."""
    transformation = optimiser(recipe)
    state = transformation.init(parameters)
    for _ in range(steps):
        with jax.numpy_dtype_promotion("standard"):
            direction, state = transformation.update(gradients, state, parameters)
        parameters = jax.tree.map(lambda p, d: p - d, parameters, direction)
    return parameters


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay_norm", [False, True])
def test_sgd_with_momentum_and_weight_decay_as_hand_computed(nesterov, decay_norm):
    recipe = FullRecipe(momentum=0.5, weight_decay=0.1, nesterov=nesterov, decay_norm=decay_norm)
    parameters = {"a": {"kernel": np.float32(2.0), "scale": np.float32(1.0)}}
    gradients = {"a": {"kernel": np.float32(0.25), "scale": np.float32(-0.5)}}
    found = descended(recipe, gradients, parameters)
    for name, decay in (("kernel", 0.1), ("scale", 0.1 if decay_norm else 0.0)):
        weight, velocity = float(parameters["a"][name]), 0.0
        for _ in range(3):
            gradient = float(gradients["a"][name]) + decay * weight
            velocity = 0.5 * velocity + gradient
            weight -= gradient + 0.5 * velocity if nesterov else velocity
        assert float(found["a"][name]) == pytest.approx(weight, rel=1e-5)


def preset(name):
    return training.parse([f"--preset={name}", "residual"])


def test_the_presets_of_the_paper_have_its_numbers():
    for name, dataset in (("train_cifar10", "cifar10"), ("train_cifar100", "cifar100")):
        settings = preset(name)
        assert settings.recipe == FullRecipe(), "the defaults are the paper's"
        assert (settings.data.source.dataset, settings.data.hold_out) == (dataset, False)
        assert settings.layout.filters == (32, 64, 128)
    recipe = preset("train_cifar10").recipe
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (300, 128, 0.1)
    assert (recipe.milestones, recipe.learning_rate_decay) == ((150, 225), 0.1)
    assert (recipe.momentum, recipe.weight_decay, recipe.nesterov) == (0.9, 5e-4, False)
    assert (recipe.crop_padding, recipe.flip, recipe.cutout, recipe.drop_path) == (4, True, 0, 0)
    assert (recipe.label_smoothing, recipe.ema_decay, recipe.bfloat16) == (0, 0, False)


def test_the_imagenet_preset_has_the_papers_numbers():
    settings = preset("train_imagenet")
    recipe = settings.recipe
    assert (recipe.epochs, recipe.batch_size, recipe.weight_decay) == (90, 256, 1e-4)
    assert (recipe.learning_rate, recipe.milestones) == (0.1, (30, 60))
    assert (recipe.learning_rate_decay, recipe.momentum, recipe.flip) == (0.1, 0.9, True)
    assert (settings.data.source.resize, settings.data.image_size) == ((256, 256), 224)
    assert settings.layout.kind == "imagenet"
    assert (settings.layout.filters, settings.layout.repeats) == ((64, 128, 256, 512), 3)


def test_the_modern_preset_has_all_that_its_name_promises():
    recipe = preset("train_modern").recipe
    assert recipe.schedule == "cosine"
    assert recipe.bfloat16
    assert min(recipe.label_smoothing, recipe.cutout, recipe.ema_decay, recipe.drop_path) > 0


def test_presets_of_training_and_search_are_apart():
    training_names = set(preset_files.preset_names(preset_files.TRAINING_PRESETS))
    assert all(name.startswith("train_") for name in training_names)
    assert not training_names & set(preset_files.preset_names())
    for name in training_names:
        assert preset(name).name == name.removeprefix("train_")


def test_gradients_of_a_large_norm_are_scaled_before_the_weights_decay():
    recipe = FullRecipe(clip_norm=1.0, momentum=0.0, weight_decay=0.1)
    transformation = optimiser(recipe)
    weights = {"kernel": jnp.array([10.0, 0.0]), "bias": jnp.array([0.0])}
    gradients = {"kernel": jnp.array([3.0, 0.0]), "bias": jnp.array([4.0])}
    direction, _ = transformation.update(gradients, transformation.init(weights), weights)
    # The norm is 5: gradients are 0.6 and 0.8, and 0.1 x 10 decays.
    np.testing.assert_allclose(direction["kernel"], [0.6 + 1.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(direction["bias"], [0.8], rtol=1e-6)
    within = {"kernel": jnp.array([0.3, 0.0]), "bias": jnp.array([0.4])}
    direction, _ = transformation.update(within, transformation.init(weights), weights)
    np.testing.assert_allclose(direction["bias"], [0.4], rtol=1e-6)
