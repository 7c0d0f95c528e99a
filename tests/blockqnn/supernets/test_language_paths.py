"""A bank of recurrent cells: the same numbers as language models of their own, to the last step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.children.language_loss import window_loss
from blockqnn.children.language_program import LanguageProgram
from blockqnn.children.language_steps import dropout_masks, streams
from blockqnn.language_settings import ASGD, LanguageRecipe
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.recurrent.initial import shared_arrays
from blockqnn.networks.recurrent.sequence import zero_states
from blockqnn.networks.spaces.registry import design_of, design_plan, parse
from blockqnn.settings import Recipe
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.bank_file import read_bank, write_bank
from blockqnn.supernets.language_paths import LanguagePaths

LAYOUT = Layout(LANGUAGE, (5,), 1, 1, 1, 1, 9)
FIRST, SECOND = (
    design_of(parse(code))
    for code in (
        "enas_cell tanh(input) relu(0) sigmoid(1)",
        "enas_cell sigmoid(input) identity(0) tanh(0)",
    )
)
BATCH, STEPS, SEED = 3, 4, 7
LANGUAGE_RECIPE = LanguageRecipe(
    bptt_steps=STEPS,
    clip_norm=0.2,
    word_dropout=0.1,
    hidden_dropout=0.3,
    input_dropout=0.3,
    output_dropout=0.2,
    activation_penalty=0.1,
    temporal_penalty=0.5,
    first_weights=0.5,
    judging_batch=BATCH,
)
DECAY = 0.01
COMPILED = compiled_for(SupernetSettings(momentum=0.0, weight_decay=DECAY))
WORDS = np.random.default_rng(0).integers(9, size=100).astype(np.int32)
TEXT = streams(WORDS, BATCH)
RATES = np.full(3, 0.5)


def new_bank(seed=1):
    return Bank(COMPILED, seed, first=functools.partial(shared_arrays, within=0.5))


@pytest.fixture(scope="module")
def paths():
    return LanguagePaths(LAYOUT, COMPILED, LANGUAGE_RECIPE, BATCH, LANGUAGE_RECIPE.clip_norm)


@pytest.fixture(scope="module")
def alone():
    """The first design as a child of its own, with the weights of a new bank."""
    plan = design_plan(FIRST, LAYOUT)
    recipe = Recipe(batch_size=BATCH, optimiser=ASGD, weight_decay=DECAY, language=LANGUAGE_RECIPE)
    program = LanguageProgram(plan, recipe)
    program.start(weights_of(new_bank(), FIRST))
    before = program.perplexity(WORDS)
    loss = program.train_epoch(TEXT, RATES, SEED, 2)
    return before, loss, program.weights(), program.perplexity(WORDS)


def weights_of(bank, design):
    return [
        jax.device_get(bank.entry(layer).parameters) if layer.parameter_shapes else {}
        for layer in design_plan(design, LAYOUT)
    ]


def test_with_the_same_weights_it_has_the_loss_of_a_child_of_its_own(paths, alone):
    assert paths.perplexity(new_bank(), FIRST, WORDS) == pytest.approx(alone[0], rel=1e-5)


def test_an_epoch_of_one_design_trains_as_that_design_alone_is_trained(paths, alone):
    bank = new_bank()
    losses = paths.train(bank, [FIRST] * 3, TEXT, RATES, (SEED, 2))
    assert np.mean(losses) == pytest.approx(alone[1], rel=1e-5)
    for found, wanted in zip(weights_of(bank, FIRST), alone[2], strict=True):
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            assert found[name] == pytest.approx(array, abs=1e-5)
    assert paths.perplexity(bank, FIRST, WORDS) == pytest.approx(alone[3], rel=1e-5)


def test_states_go_on_from_one_design_to_the_next(paths):
    bank = new_bank()
    losses = paths.train(bank, [FIRST, SECOND], TEXT, np.zeros(2), (SEED, 0))
    # At a rate of nothing the weights stay; dropout and the first word follow from the seed.
    first = int(np.random.default_rng((SEED, 0)).integers(min(STEPS, len(TEXT) - 2 * STEPS)))
    key = jax.random.fold_in(jax.random.key(SEED), 0)
    states, wanted = zero_states(design_plan(FIRST, LAYOUT), BATCH), []
    for number, design in enumerate((FIRST, SECOND)):
        plan, here = design_plan(design, LAYOUT), first + number * STEPS
        window = jnp.asarray(TEXT[here : here + STEPS]), jnp.asarray(TEXT[here + 1 :][:STEPS])
        masks = dropout_masks(plan, LANGUAGE_RECIPE, BATCH, jax.random.fold_in(key, number))
        loss, _, states = window_loss(
            plan, weights_of(bank, design), window, states, masks, jnp.float32
        )
        wanted.append(float(loss))
    assert losses == pytest.approx(wanted, rel=1e-5)


def test_what_a_step_does_not_use_stays_to_the_last_bit(paths):
    bank = new_bank()
    paths.train(bank, [SECOND], TEXT, RATES[:1], (SEED, 0))
    before = {key: jax.device_get(entry.parameters) for key, entry in bank.entries.items()}
    paths.train(bank, [FIRST], TEXT, RATES[:1], (SEED, 1))
    used = {layer.bank_key for layer in design_plan(FIRST, LAYOUT) if layer.parameter_shapes}
    unused = before.keys() - used
    assert len(unused) == 2
    for key, arrays in before.items():
        for name, array in arrays.items():
            same = np.array_equal(array, jax.device_get(bank.entries[key].parameters[name]))
            assert same == (key in unused)


def test_a_score_is_of_one_window_alone_and_changes_nothing(paths):
    bank = new_bank()
    kept = {key: entry.parameters for key, entry in bank.entries.items()}
    plan, sequences = design_plan(FIRST, LAYOUT), streams(WORDS, BATCH)
    for number in (1, 1 + 8):
        # Of 33 words a sequence there are 8 windows, and they are counted round.
        assert -(-(len(sequences) - 1) // STEPS) == 8
        window = jnp.asarray(sequences[4:8]), jnp.asarray(sequences[5:9])
        loss, _, _ = window_loss(
            plan, weights_of(bank, FIRST), window, zero_states(plan, BATCH), None, jnp.float32
        )
        found = paths.perplexity(bank, FIRST, WORDS, number)
        assert found == pytest.approx(float(np.exp(loss)), rel=1e-5)
    assert all(bank.entries[key].parameters is arrays for key, arrays in kept.items())


def test_a_bank_on_disk_trains_on_as_if_it_had_stayed(paths, tmp_path):
    bank = new_bank()
    paths.train(bank, [FIRST, SECOND], TEXT, RATES[:2], (SEED, 0))
    write_bank(tmp_path / "bank", bank, 1.0, 1.0)
    again = read_bank(tmp_path / "bank", new_bank())
    third = design_of(parse("enas_cell tanh(input) tanh(0) tanh(1)"))
    both = [paths.train(each, [third], TEXT, RATES[:1], (SEED, 1)) for each in (bank, again)]
    assert both[0].tolist() == both[1].tolist()
    for key, entry in bank.entries.items():
        for name, array in jax.device_get(entry.parameters).items():
            assert np.array_equal(array, jax.device_get(again.entries[key].parameters[name]))
            assert np.abs(array).max() < 1 or key.startswith("decoder")
