"""The presets of the field's methods have the numbers that their papers print."""

import dataclasses

import pytest

from blockqnn.agents.growing import Growth
from blockqnn.agents.ppo import PPOConfig
from blockqnn.agents.reinforce import ReinforceConfig
from blockqnn.errors import UserError
from blockqnn.flags.search import parse
from blockqnn.settings import RewardSettings


def settings_of(preset, *flags):
    # Digits stand in for CIFAR-10, which a test machine need not have.
    return parse([f"--preset={preset}", "--dataset=digits", *flags])[0]


def test_nas_has_12800_children_of_networks_that_grow():
    found = settings_of("nas")
    assert found.iterations * found.blocks_per_iteration == 12_800
    assert found.growth == Growth(6, 2, 1_600) and found.max_layers == 20
    assert (found.recipe.epochs, found.reward.last_epochs) == (50, 5)
    recipe = found.recipe
    assert (recipe.optimiser, recipe.learning_rate, recipe.momentum) == ("momentum", 0.1, 0.9)
    assert (recipe.weight_decay, recipe.augmentation) == (1e-4, "enlarged")
    agent = found.agent
    assert isinstance(agent, ReinforceConfig) and found.asynchronous
    assert (agent.children, agent.layers, agent.units, agent.scale) == (8, 2, 35, 0.08)
    assert (agent.learning_rate, agent.exponent) == (0.0006, 3.0)


def test_nasnet_has_20000_children_and_trains_the_best_250():
    found = settings_of("nasnet")
    assert found.iterations * found.blocks_per_iteration == 20_000
    assert (found.recipe.epochs, found.recipe.schedule, found.layout.repeats) == (20, "cosine", 2)
    assert found.recipe.augmentation == "enlarged"
    agent = found.agent
    assert isinstance(agent, PPOConfig) and found.asynchronous
    assert (agent.children, agent.layers, agent.units, agent.scale) == (20, 1, 100, 0.1)
    assert (agent.learning_rate, agent.entropy_weight, agent.baseline_decay) == (3.5e-4, 1e-5, 0.95)
    assert parse(["--preset=nasnet", "--dataset=digits"])[1].finals.startswith("250:")


@pytest.mark.parametrize(
    ("preset", "epochs", "batch", "decay"),
    [("enas_macro", 310, 128, 5e-4), ("enas_micro", 150, 160, 2e-4)],
)
def test_enas_learns_2000_times_after_each_epoch(preset, epochs, batch, decay):
    found = settings_of(preset)
    own = found.supernet
    assert (own.epochs, own.batch_size, own.weight_decay) == (epochs, batch, decay)
    assert (own.learning_rate, own.least_rate, own.first_period) == (0.05, 0.0005, 10)
    assert (own.paths, own.agent_updates, own.agent_batch) == ("agent", 2_000, 1)
    assert (own.augmentation, own.norm_scale) == ("padded", True)
    agent = found.agent
    assert isinstance(agent, ReinforceConfig)
    assert (agent.layers, agent.units, agent.scale, agent.learning_rate) == (1, 100, 0.1, 3.5e-4)
    assert (agent.temperature, agent.tanh, agent.baseline_decay) == (5.0, 2.5, 0.99)
    assert (agent.skip_rate, agent.skip_weight) == (0.4, 0.8 if preset == "enas_macro" else 0.0)


@pytest.mark.parametrize(
    ("kind", "updates", "children", "rate", "tanh"),
    [("macro", 50, 20, 1e-3, 1.5), ("micro", 30, 10, 3.5e-3, 1.1)],
)
def test_enas_with_the_numbers_of_its_code(kind, updates, children, rate, tanh):
    paper, code = settings_of(f"enas_{kind}"), settings_of(f"enas_{kind}_code")
    own, agent = code.supernet, code.agent
    assert isinstance(agent, ReinforceConfig)
    assert (own.agent_updates, own.agent_batch, agent.children) == (updates, children, children)
    assert (agent.layers, agent.units, agent.learning_rate) == (1, 64, rate)
    assert (agent.momentum, agent.epsilon, agent.entropy_weight) == (0.0, 1e-3, 1e-4)
    assert (agent.temperature, agent.tanh, agent.baseline_decay) == (1.0, tanh, 0.99)
    # Those of the weights are the same.
    assert dataclasses.replace(own, agent_updates=2_000, agent_batch=1) == paper.supernet
    if kind == "micro":
        assert code.layout.rules == "enas_search_in_code" and code.layout.filters == (20, 40, 80)


def test_supernets_of_nas_bench_201_are_trained_as_by_its_authors():
    one, few = (settings_of(f"{way}_shot_nasbench201") for way in ("one", "few"))
    for found in (one, few):
        own = found.supernet
        assert (own.epochs, own.batch_size, own.optimiser) == (250, 64, "momentum")
        assert (own.learning_rate, own.least_rate, own.weight_decay) == (0.025, 0.001, 5e-4)
        assert (own.gradient_norm, own.paths) == (5.0, "uniform")
        assert (own.augmentation, own.norm_scale) == ("padded", False)
        assert (found.layout.filters, found.layout.repeats) == ((16, 32, 64), 5)
        assert found.data.train_examples == 25_000
    assert (one.supernet.split, few.supernet.split) == ((), ("1<-0",))
    assert few.supernet.split_epochs * 2 == few.supernet.epochs and few.supernet.control


def test_darts_has_the_numbers_of_its_code():
    for preset, order in (("darts", "first_order"), ("darts_second_order", "second_order")):
        found, run = parse([f"--preset={preset}", "--dataset=digits"])
        own, mixture = found.supernet, found.supernet.mixture
        assert (own.epochs, own.batch_size, own.optimiser) == (50, 64, "momentum")
        assert (own.learning_rate, own.least_rate, own.momentum) == (0.025, 0.001, 0.9)
        assert (own.weight_decay, own.gradient_norm) == (3e-4, 5.0)
        assert mixture.bilevel == order and mixture.partial_channels == 1
        assert (mixture.alpha_rate, mixture.alpha_decay) == (3e-4, 1e-3)
        assert (mixture.alpha_beta1, mixture.alpha_beta2) == (0.5, 0.999)
        assert (mixture.alpha_deviation, mixture.frozen_epochs) == (1e-3, 0)
        layout = found.layout
        assert (layout.kind, layout.cells, layout.filters) == ("cells", 8, (16, 32, 64))
        assert found.iterations == 50 and run.finals == "4:100"


def test_a_mixture_of_own_data_has_epochs_and_no_budget():
    given = ("--dataset=synthetic:12x12x3:4:600", "--space=darts", "--weights=mixture")
    found = parse(given)[0]
    assert not found.budget and found.schedule == ((0.0, 50),)
    assert found.blocks_per_iteration == 1 and found.supernet.mixture.bilevel == "first_order"


def test_darts_on_nas_bench_201_has_the_numbers_of_the_benchmark():
    found = settings_of("darts_nasbench201")
    own, mixture = found.supernet, found.supernet.mixture
    assert (own.epochs, own.batch_size, own.weight_decay) == (50, 64, 5e-4)
    assert (mixture.alpha_rate, mixture.alpha_decay, mixture.bilevel) == (3e-4, 1e-3, "first_order")
    assert (found.layout.filters, found.layout.repeats) == ((16, 32, 64), 5)
    # Halves of 24,500. The benchmark's are 25,000, which leaves nothing to look at the mixture by.
    assert (found.data.train_examples, found.data.validation_examples) == (49_000, 1_000)


def test_few_shot_darts_has_what_is_published_and_parts_half_as_long():
    found = settings_of("few_shot_darts_nasbench201")
    own, mixture = found.supernet, found.supernet.mixture
    assert (own.epochs, own.batch_size, own.split, own.split_epochs) == (60, 48, ("1<-0",), 30)
    assert own.control and (mixture.alpha_rate, mixture.alpha_decay) == (3e-4, 1e-3)
    # All parts and the control are epochs of the search: 60 + 2 x 5 x 30.
    assert found.iterations == 360
    plain = settings_of("darts_nasbench201")
    assert mixture == plain.supernet.mixture and found.layout == plain.layout
    assert found.data == plain.data


def test_a_mixture_has_the_epochs_and_the_decay_of_darts_unless_they_are_named():
    given = ("--preset=smoke", "--evaluator=train", "--space=darts", "--layout=cells")
    found = parse([*given, "--weights=mixture"])[0].supernet
    assert (found.epochs, found.weight_decay) == (50, 3e-4)
    named = ("--weights=mixture", "--supernet_epochs=7", "--supernet_weight_decay=0.5")
    found = parse([*given, *named])[0].supernet
    assert (found.epochs, found.weight_decay) == (7, 0.5)


def test_cells_of_nas_on_penn_treebank_have_the_numbers_of_the_paper():
    found, _ = parse(["--preset=nas_cell_ptb", "--dataset=text"])
    assert found.iterations * found.blocks_per_iteration == 15_000
    layout, recipe, agent = found.layout, found.recipe, found.agent
    assert (layout.filters, layout.repeats, layout.untied) == ((650,), 2, True)
    assert (recipe.epochs, recipe.language.bptt_steps, recipe.batch_size) == (35, 35, 20)
    assert isinstance(agent, ReinforceConfig)
    assert (agent.learning_rate, agent.children, agent.exponent) == (0.0005, 10, 1.0)
    assert found.reward == RewardSettings(0.0, 0.0, 1, 2)


def test_cells_of_enas_on_penn_treebank_have_the_numbers_of_its_code():
    found, _ = parse(["--preset=enas_cell_ptb", "--dataset=text"])
    own, agent = found.supernet, found.agent
    assert isinstance(agent, ReinforceConfig) and own is not None
    assert (own.epochs, own.batch_size, own.learning_rate, own.least_rate) == (600, 128, 20, 20)
    assert (own.gradient_norm, own.weight_decay, own.momentum) == (0.1, 8e-7, 0)
    assert (own.agent_updates, own.agent_batch, agent.children) == (25, 10, 10)
    assert (agent.units, agent.learning_rate, agent.baseline_decay) == (64, 5e-5, 0.999)
    assert (agent.temperature, agent.tanh, agent.entropy_weight) == (5, 2.25, 1e-5)
    assert (found.layout.filters, found.max_layers) == ((200,), 12)
    language = found.recipe.language
    assert (language.bptt_steps, language.temporal_penalty, language.word_dropout) == (35, 1, 0.1)
    assert list(language.dropouts.values()) == [0.1, 0.2, 0.75, 0.25, 0.75]


@pytest.mark.parametrize(
    ("preset", "order"),
    [("darts_cell_ptb", "first_order"), ("darts_cell_ptb_second_order", "second_order")],
)
def test_cells_of_darts_on_penn_treebank_have_the_numbers_of_its_code(preset, order):
    found, _ = parse([f"--preset={preset}", "--dataset=text"])
    own, mixed, language = found.supernet, found.supernet.mixture, found.recipe.language
    assert (own.epochs, own.batch_size, own.learning_rate, own.least_rate) == (50, 256, 20, 20)
    assert (own.gradient_norm, own.weight_decay) == (0.25, 5e-7)
    assert (mixed.bilevel, mixed.alpha_rate, mixed.alpha_decay) == (order, 3e-3, 1e-3)
    assert (mixed.alpha_beta1, mixed.alpha_beta2) == (0.9, 0.999)
    assert (found.layout.filters, found.max_layers) == ((300,), 8)
    assert list(language.dropouts.values()) == [0.0, 0.2, 0.75, 0.25, 0.75]
    assert (language.bptt_steps, language.temporal_penalty) == (35, 1e-3)


def test_supernets_of_recurrent_cells_have_numbers_of_their_own_unless_they_are_named():
    words = ["--preset=rnn_text", "--finals=off"]
    own = parse([*words, "--space=enas_cell", "--weights=shared"])[0].supernet
    assert (own.learning_rate, own.least_rate, own.momentum, own.gradient_norm) == (20, 20, 0, 0.25)
    named = ["--supernet_rate=3", "--alpha_beta1=0.5"]
    mixed = parse([*words, "--weights=mixture", "--agent=random", *named])[0].supernet
    assert (mixed.epochs, mixed.learning_rate, mixed.weight_decay) == (50, 3, 5e-7)
    assert mixed.least_rate == 3, "it stays as it was named"
    assert (mixed.mixture.alpha_rate, mixed.mixture.alpha_beta1) == (3e-3, 0.5)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--score_statistics=batch", "--score_statistics is about batch norm's statistics"),
        ("--norm_scale=false", "--norm_scale is about batch norms, which recurrent cells do not"),
        ("--augmentation=padded", "--augmentation is about images; leave it out"),
        ("--devices_per_worker=2", "a supernet of recurrent cells is trained on one"),
        ("--paths=fair", "--paths=fair needs edges"),
        ("--space=nas_cell", "those of the space nas_cell do not; --weights=shared"),
    ],
)
def test_what_means_nothing_for_shared_weights_of_recurrent_cells_is_refused(flags, said):
    words = ["--preset=rnn_text", "--space=enas_cell", "--weights=shared", "--finals=off"]
    with pytest.raises(UserError) as caught:
        parse([*words, flags])
    assert said in str(caught.value)


@pytest.mark.parametrize("preset", ["enas_text", "darts_text"])
def test_small_supernets_of_recurrent_cells_need_no_data(preset):
    found, run = parse([f"--preset={preset}"])
    assert found.data.dataset == "text" and found.supernet is not None
    assert run.finals != "off" and found.reward.perplexity_power == 1


def test_a_small_search_for_recurrent_cells_needs_no_data_and_has_finals():
    found, run = parse(["--preset=rnn_text"])
    assert found.data.dataset == "text" and found.layout.kind == "language"
    assert found.reward.perplexity_power == 1 and run.finals == "2:6"
    found, run = parse(["--preset=nas_text"])
    assert found.data.dataset == "text" and isinstance(found.agent, ReinforceConfig)
    # The square, as NAS has it.
    assert found.reward.perplexity_power == 2 and run.finals == "2:6"


@pytest.mark.parametrize(
    "preset",
    [
        *("darts_digits", "few_shot_darts_digits", "nas_digits", "nasnet_digits", "enas_digits"),
        "few_shot_digits",
    ],
)
def test_small_ones_are_of_digits(preset):
    found, run = parse([f"--preset={preset}"])
    assert found.data.dataset == "digits"
    scored = found.supernet is not None and found.supernet.mixture is None
    assert scored == bool(run.check)
