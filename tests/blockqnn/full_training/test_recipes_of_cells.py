"""The recipes that networks of cells were published with: schedules, RMSProp, presets."""

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.errors import UserError
from blockqnn.flags import training
from blockqnn.full_training.command import _bytes_on_disk
from blockqnn.full_training.heading import beside, training_heading
from blockqnn.full_training.memory import training_bytes
from blockqnn.full_training.network_layout import check_paths, network_layout
from blockqnn.full_training.preparing import prepare
from blockqnn.full_training.schedule import learning_rates, optimiser, restarts
from blockqnn.full_training.settings import FullRecipe, LayoutChoice
from blockqnn.full_training.splits import FullInfo
from blockqnn.inspection.block_reference import resolve
from blockqnn.networks.cost import auxiliary_parameters, cost
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.spaces.registry import design_of, design_plan, published

CIFAR = FullInfo((32, 32, 3), (32, 32, 3), 10, (), 50_000, "test")


def of_imagenet(side):
    return FullInfo((side, side, 3), (side, side, 3), 1000, (), 1_281_167, "validation")


def rates(recipe, steps, *epochs):
    schedule = learning_rates(recipe, steps)
    found = []
    for epoch in epochs:
        first, last = (float(schedule(np.int32(epoch * steps + i))) for i in (0, steps - 1))
        assert first == last, "the rate is that of the epoch"
        found.append(first)
    return found


def test_a_cosine_by_epoch_has_darts_rates():
    recipe = FullRecipe(epochs=600, learning_rate=0.025, schedule="cosine_by_epoch")
    assert rates(recipe, 7, 0, 300, 599) == pytest.approx([0.025, 0.0125, 1.713e-7], rel=1e-3)
    search = dataclasses.replace(recipe, epochs=50, least_learning_rate=0.001)
    assert rates(search, 3, 0, 1, 25, 49) == pytest.approx(
        [0.025, 0.02497632, 0.013, 0.00102368], rel=1e-5
    )


def test_restarts_have_enas_rates():
    recipe = FullRecipe(
        epochs=630, learning_rate=0.05, schedule="restarts", least_learning_rate=0.0005
    )
    assert rates(recipe, 4, 0, 5, 9, 10, 20, 30, 629) == pytest.approx(
        [0.05, 0.02525, 0.0017114, 0.05, 0.02525, 0.05, 0.0005012], rel=1e-4
    )
    assert restarts(630, 10, 2) == ([0, 10, 30, 70, 150, 310], [10, 20, 40, 80, 160, 320])
    assert restarts(5, 10, 2) == ([0], [10])
    # After a warm-up the first period begins anew.
    warm = dataclasses.replace(recipe, warmup_epochs=2)
    assert rates(warm, 4, 2, 7, 12) == pytest.approx([0.05, 0.02525, 0.05], rel=1e-5)


@given(st.integers(1, 400), st.integers(1, 40), st.integers(1, 4))
def test_periods_follow_one_another_to_the_end(epochs, first, factor):
    starts, lengths = restarts(epochs, first, factor)
    ends = [start + length for start, length in zip(starts, lengths, strict=True)]
    assert starts == [0, *ends[:-1]]
    assert ends[-1] >= epochs > starts[-1]


def test_a_factor_every_few_epochs_is_a_staircase():
    recipe = FullRecipe(schedule="exponential", learning_rate=2.0, learning_rate_decay=0.97)
    assert rates(recipe, 5, 0, 1, 10) == pytest.approx([2.0, 1.94, 2 * 0.97**10])
    # 2.4 epochs of 5 steps are 12 steps.
    slow = learning_rates(dataclasses.replace(recipe, decay_epochs=2.4), 5)
    found = [float(slow(np.int32(step))) for step in (0, 11, 12, 23, 24)]
    assert found == pytest.approx([2.0, 2.0, 1.94, 1.94, 2 * 0.97**2])


def test_a_cosine_over_all_steps_ends_at_the_least_rate():
    recipe = FullRecipe(epochs=10, schedule="cosine", learning_rate=0.4, least_learning_rate=0.1)
    found = [float(learning_rates(recipe, 10)(np.int32(step))) for step in (0, 50, 100)]
    assert found == pytest.approx([0.4, 0.25, 0.1])


def test_rmsprop_by_hand():
    recipe = FullRecipe(
        optimiser="rmsprop", momentum=0.5, weight_decay=0.1, rms_decay=0.75, rms_epsilon=1.0
    )
    weight, square, velocity, gradient = 2.0, 1.0, 0.0, 0.3
    transformation = optimiser(recipe)
    parameters = {"a": {"kernel": np.float32(weight)}}
    state = transformation.init(parameters)
    for _ in range(3):
        with jax.numpy_dtype_promotion("standard"):
            given_to = {"a": {"kernel": np.float32(gradient)}}
            direction, state = transformation.update(given_to, state, parameters)
        g = gradient + 0.1 * weight
        square = 0.75 * square + 0.25 * g * g
        velocity = 0.5 * velocity + g / np.sqrt(square + 1.0)
        assert float(direction["a"]["kernel"]) == pytest.approx(velocity, rel=1e-5)
        weight -= 0.1 * velocity
        parameters = {"a": {"kernel": parameters["a"]["kernel"] - 0.1 * direction["a"]["kernel"]}}


PRESETS = {
    "train_nasnet_cifar10": (
        "nasnet-a", CIFAR, 3_346_538, 1_631_498,
        {"epochs": 600, "batch_size": 32, "learning_rate": 0.025, "schedule": "cosine",
         "weight_decay": 5e-4, "clip_norm": 5, "auxiliary_weight": 0.4, "drop_path": 0.4,
         "drop_path_by": "cell_and_step", "cutout": 16, "nesterov": False, "crop_padding": 4},
    ),
    "train_nasnet_imagenet_mobile": (
        "nasnet-a", of_imagenet(224), 5_289_978, 2_411_240,
        {"batch_size": 1600, "learning_rate": 2, "decay_epochs": 2.4, "weight_decay": 4e-5,
         "learning_rate_decay": 0.97, "schedule": "exponential", "optimiser": "rmsprop",
         "rms_decay": 0.9, "rms_epsilon": 1, "momentum": 0.9, "clip_norm": 10, "dropout": 0.5,
         "label_smoothing": 0.1, "auxiliary_weight": 0.4, "drop_path": 0, "ema_decay": 0.9999,
         "norm_momentum": 0.9997, "norm_epsilon": 1e-3},
    ),
    "train_nasnet_imagenet_large": (
        "nasnet-a", of_imagenet(331), 88_753_150, None,
        {"batch_size": 1600, "learning_rate": 1.5, "decay_epochs": 2.4, "weight_decay": 5e-5,
         "optimiser": "rmsprop", "clip_norm": 10, "dropout": 0.5, "label_smoothing": 0.1,
         "auxiliary_weight": 0.4, "drop_path": 0.3, "drop_path_by": "cell_and_step",
         "ema_decay": 0.9999, "norm_momentum": 0.9997, "norm_epsilon": 1e-3},
    ),
    "train_darts_cifar10": (
        "darts-v2", CIFAR, 3_349_342, 476_426,
        {"epochs": 600, "batch_size": 96, "learning_rate": 0.025, "weight_decay": 3e-4,
         "schedule": "cosine_by_epoch", "least_learning_rate": 0, "clip_norm": 5, "cutout": 16,
         "auxiliary_weight": 0.4, "drop_path": 0.2, "drop_path_by": "epoch", "decay_norm": True},
    ),
    "train_darts_imagenet": (
        "darts-v2", of_imagenet(224), 4_718_752, 1_260_776,
        {"epochs": 250, "batch_size": 128, "learning_rate": 0.1, "weight_decay": 3e-5,
         "schedule": "exponential", "learning_rate_decay": 0.97, "decay_epochs": 1,
         "clip_norm": 5, "label_smoothing": 0.1, "auxiliary_weight": 0.4, "drop_path": 0},
    ),
    "train_enas_cifar10": (
        "enas-micro", CIFAR, 4_587_372, 494_848,
        {"epochs": 630, "batch_size": 144, "learning_rate": 0.05, "least_learning_rate": 1e-4,
         "schedule": "restarts", "first_period": 10, "period_factor": 2, "weight_decay": 4e-4,
         "nesterov": True, "dropout": 0.2, "drop_path": 0.4, "drop_path_by": "cell_and_step",
         "auxiliary_weight": 0.4, "clip_norm": 0, "decay_norm": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_the_presets_have_the_published_numbers_and_networks(name):
    cell, info, wanted, head, recipe = PRESETS[name]
    settings = training.parse([cell, f"--preset={name}"])
    found = dataclasses.asdict(settings.recipe)
    assert {key: found[key] for key in recipe} == recipe
    assert (settings.data.hold_out, settings.data.image_size) == (False, (info.seen[0] % 32 and 331)
            or (224 if info.classes == 1000 else 0))  # fmt: skip
    layout = network_layout(settings.layout, resolve(cell, 23), info)
    design = design_of(published()[cell])
    assert cost(design, layout).parameters == wanted
    assert head is None or auxiliary_parameters(design, layout) == head
    check_paths(settings.recipe, design_plan(design, layout), layout)


def test_what_belongs_together_is_said_before_the_first_step():
    words = beside(training.parse(["nasnet-a", "--preset=train_nasnet_cifar10"]).recipe)
    assert words == [
        "cutout of 16 pixels",
        "drop-path 0.4 by cell and step",
        "auxiliary head of weight 0.4",
        "gradients clipped at 5",
    ]
    assert beside(FullRecipe()) == []
    recipe = training.parse(["nasnet-a", "--preset=train_nasnet_imagenet_large"]).recipe
    assert beside(recipe) == [
        "drop-path 0.3 by cell and step",
        "auxiliary head of weight 0.4",
        "dropout 0.5",
        "label smoothing 0.1",
        "gradients clipped at 10",
        "average of weights 0.9999",
        "RMSProp with epsilon 1",
        "batch norm of 0.9997 and 0.001",
    ]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--schedule=cosine"], "learning rate 0.1 along half a cosine;"),
        (["--schedule=cosine_by_epoch"], "learning rate 0.1 along half a cosine by epochs;"),
        (["--schedule=restarts"], "learning rate 0.1 along cosines with restarts;"),
        (["--schedule=exponential"], "learning rate 0.1, times 0.1 each epoch;"),
        (["--schedule=exponential", "--decay_epochs=2.4"], "0.1, times 0.1 every 2.4 epochs;"),
    ],
)
def test_every_schedule_is_said_in_words(tmp_path, flags, words):
    words_of = ["residual", "--preset=train_cifar10", "--dataset=synthetic:8x8x3:3:200"]
    settings = training.parse([*words_of, *flags, f"--out_dir={tmp_path / 'none'}"])
    assert words in training_heading(settings, prepare(settings))


def test_a_head_and_mean_squares_need_memory_too(tmp_path):
    words = ["darts-v2", "--dataset=synthetic:32x32x3:10:99", "--layout=cells", "--cells=3"]
    words += ["--filters=2", "--batch_size=10", f"--out_dir={tmp_path / 'none'}"]
    plain, headed = (
        prepare(training.parse([*words, *more]))[0] for more in ((), ("--auxiliary_weight=0.4",))
    )
    assert plain.trained_cost == plain.cost == headed.cost
    # 32 channels of 8x8 pixels: see the sizes of published heads.
    head = 32 * 128 + 256 + 4 * 128 * 768 + 1536 + 7690
    assert headed.trained_cost.parameters == plain.cost.parameters + head
    maps = 32 * 64 + 32 * 4 + 3 * 128 * 4 + 3 * 768 + 768 + 10
    assert headed.trained_cost.activations == plain.cost.activations + maps
    sgd, rms = FullRecipe(), FullRecipe(optimiser="rmsprop")
    needed = [training_bytes(plain.cost, recipe, 1, 0) for recipe in (sgd, rms)]
    assert needed[1] - needed[0] == 4 * plain.cost.parameters
    # Two checkpoints that are kept and the next one, of weights, momentum and squares.
    settings = training.parse([*words, "--auxiliary_weight=0.4", "--optimiser=rmsprop"])
    assert _bytes_on_disk(headed, settings) == 3 * 3 * 4 * headed.trained_cost.parameters


def test_records_of_recipes_stay_what_they_were():
    usual = FullRecipe()
    known = {
        field.name for field in dataclasses.fields(usual)
    } - {"drop_path_by", "auxiliary_weight", "dropout", "optimiser", "rms_decay", "rms_epsilon",
         "least_learning_rate", "decay_epochs", "first_period", "period_factor", "norm_momentum",
         "norm_epsilon"}  # fmt: skip
    assert usual.as_json().keys() == known
    assert FullRecipe(dropout=0.5).as_json() == usual.as_json() | {"dropout": 0.5}


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["residual", "--cells=5", "--layout=cifar"],
         "--cells belongs to auto or cells or cells_imagenet; this training's layout is cifar."),
        (["residual", "--rms_decay=0.5"],
         "--rms_decay belongs to rmsprop; this training's optimiser is sgd."),
        (["residual", "--first_period=3"],
         "--first_period belongs to restarts; this training's schedule is steps."),
        (["residual", "--least_learning_rate=0.01"],
         "--least_learning_rate belongs to cosine or cosine_by_epoch or restarts; this training's "
         "schedule is steps."),
        (["residual", "--decay_epochs=3"],
         "--decay_epochs belongs to exponential; this training's schedule is steps."),
    ],
)  # fmt: skip
def test_a_flag_without_effect_is_refused(flags, sentence):
    with pytest.raises(UserError) as refusal:
        training.parse(flags)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        (["residual", "--cells=5"], LayoutError, "--cells belongs to layouts of cells"),
        (["residual", "--cell_rules=darts"], LayoutError, "--cell_rules belongs to layouts of"),
        (["residual", "--drop_path=0.2", "--drop_path_by=step"], UserError,
         "--drop_path_by is step, but no operation of this network in the layout cifar"),
        (["residual", "--auxiliary_weight=0.4"], LayoutError, "nsc has no auxiliary head"),
        (["darts-v2", "--auxiliary_weight=0.4"], LayoutError, "are 2x2; larger images"),
        (["residual", "--schedule=cosine", "--least_learning_rate=0.5"], UserError,
         "--least_learning_rate is 0.5; allowed: at most the --learning_rate, 0.05."),
    ],
)  # fmt: skip
def test_a_recipe_that_does_not_suit_the_network_is_refused(tmp_path, words, error, sentence):
    settings = training.parse([*words, "--dataset=digits", f"--out_dir={tmp_path / 'none'}"])
    with pytest.raises(error, match=sentence):
        prepare(settings)


def test_cells_stand_in_other_layouts_than_that_of_their_run():
    reference = dataclasses.replace(
        resolve("darts-v1", 23), layout=Layout("cells", (4, 8, 16), 1, 8, 8, 1, 10, 6, "enas")
    )
    chosen = network_layout(LayoutChoice("cells", (36,), 0, 20), reference, CIFAR)
    assert chosen == Layout("cells", (36, 72, 144), 1, 32, 32, 3, 10, 20, "enas")
    assert cost(design_of(reference.code), chosen).parameters > 3_000_000
    own = network_layout(LayoutChoice(), reference, CIFAR)
    assert (own.filters, own.cells, own.rules) == ((4, 8, 16), 6, "enas")
    by_repeats = network_layout(LayoutChoice("auto", (), 3, rules="darts"), reference, CIFAR)
    assert (by_repeats.repeats, by_repeats.cells, by_repeats.rules) == (3, 0, "darts")
    assert network_layout(LayoutChoice(), resolve("residual", 23), CIFAR).rules == ""
