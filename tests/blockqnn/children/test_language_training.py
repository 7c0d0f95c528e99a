"""Language models trained: windows, perplexity, dropout, averaged descent, by hand."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.children.language_program import LanguageProgram
from blockqnn.children.language_steps import clipped, dropout_masks, streams
from blockqnn.children.language_training import (
    as_accuracy,
    compile_model,
    no_better,
    require_words,
    train_model,
)
from blockqnn.children.training import TrainingError
from blockqnn.errors import UserError
from blockqnn.language_settings import LanguageRecipe, window_count
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.recurrent.initial import initial_weights
from blockqnn.networks.recurrent.sequence import run, zero_states
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, published
from blockqnn.reward import RewardSettings, corrected_reward, guessing_reward
from blockqnn.settings import Recipe

WORDS = 7
PLAIN = LanguageRecipe(
    bptt_steps=4,
    clip_norm=0.0,
    averaging_patience=0,
    embedding_dropout=0.0,
    input_dropout=0.0,
    hidden_dropout=0.0,
    output_dropout=0.0,
    temporal_penalty=0.0,
    first_weights=0.3,
    judging_batch=2,
)
RECIPE = Recipe(
    epochs=3,
    batch_size=3,
    learning_rate=0.5,
    learning_rate_decay=1.0,
    optimiser="asgd",
    language=PLAIN,
)
# Each word follows from the one before it.
TEXT = np.resize(np.array([0, 1, 2, 3, 4, 5, 6], np.int32), 200)


def plan_of(name="darts_cell tanh(0) relu(1)"):
    code = published()[name] if name in published() else parse(name)
    return design_plan(design_of(code), Layout(LANGUAGE, (5,), 1, 1, 1, 1, WORDS))


def recipe(**more):
    names = {field.name for field in dataclasses.fields(LanguageRecipe)}
    own = {name: value for name, value in more.items() if name in names}
    rest = {name: value for name, value in more.items() if name not in names}
    return dataclasses.replace(RECIPE, language=dataclasses.replace(PLAIN, **own), **rest)


@functools.cache
def compiled(optimiser):
    """One model for several tests: its learning rate and its epochs are not compiled into it."""
    own = recipe(optimiser=optimiser, clip_norm=0.25)
    return compile_model(plan_of(), own), own


def test_a_text_is_cut_into_sequences_side_by_side():
    np.testing.assert_array_equal(
        streams(np.arange(11, dtype=np.int32), 3), [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    )
    # 12 words are 2 windows of 4 from any of 4 first words, the word after the last included.
    assert window_count(12, 4) == 2
    assert window_count(5, 4) == 0


def test_the_perplexity_of_a_model_that_knows_nothing_is_the_number_of_words():
    program = compiled("asgd")[0].program
    program.start(jax.tree.map(np.zeros_like, initial_weights(plan_of(), 0)))
    assert program.perplexity(TEXT) == pytest.approx(WORDS, rel=1e-6)
    assert as_accuracy(WORDS) == pytest.approx(100 / WORDS)


@pytest.mark.parametrize("length", [2, 41, 42])
def test_perplexity_counts_each_word_once_and_carries_the_state(length):
    plan = plan_of()
    program, weights = compiled("asgd")[0].program, initial_weights(plan, 1, 1.0)
    program.start(weights)
    words = np.random.default_rng(0).integers(0, WORDS, length).astype(np.int32)
    text = streams(words, 2 if length > 3 else 1)
    values, _ = jax.jit(functools.partial(run, plan))(
        weights, jnp.asarray(text[:-1]), zero_states(plan, text.shape[1])
    )
    logs = np.asarray(jax.nn.log_softmax(values[len(plan) - 1]))
    chosen = np.take_along_axis(logs, text[1:, :, None], axis=-1)
    assert program.perplexity(words) == pytest.approx(math.exp(-chosen.mean()), rel=1e-5)


def test_a_step_is_plain_descent_with_decay_along_cut_gradients():
    plan, own = plan_of(), recipe(clip_norm=0.05, weight_decay=0.1)
    weights = initial_weights(plan, 0, 0.3)
    program = LanguageProgram(plan, own)
    program.start(weights)
    text = streams(TEXT[:27], 3)
    program.train_epoch(text, np.array([0.25]), seed=0, epoch=0)
    after = program.weights()

    def loss(weights, first):
        read = jax.lax.dynamic_slice_in_dim(jnp.asarray(text), first, 5)
        values, _ = run(plan, weights, read[:-1], zero_states(plan, 3))
        logs = jax.nn.log_softmax(values[len(plan) - 1])
        return -jnp.mean(jnp.take_along_axis(logs, read[1:, :, None], -1))

    slope = jax.jit(jax.grad(loss))

    def stepped(first):
        arrays = jax.tree.map(jnp.asarray, weights)
        gradients = slope(arrays, first)
        norm = math.sqrt(sum(float(jnp.sum(g**2)) for g in jax.tree.leaves(gradients)))
        assert norm > 0.05
        return jax.tree.map(lambda w, g: w - 0.25 * (g * 0.05 / norm + 0.1 * w), arrays, gradients)

    # The epoch begins at one of the first words.
    distances = [
        max(
            float(jnp.max(jnp.abs(a - b)))
            for a, b in zip(jax.tree.leaves(stepped(first)), jax.tree.leaves(after), strict=True)
        )
        for first in range(4)
    ]
    assert min(distances) < 1e-6


def test_gradients_below_the_bound_stay():
    small = {"a": jnp.array([3.0, 4.0])}
    np.testing.assert_allclose(clipped(small, 10.0)["a"], [3, 4])
    np.testing.assert_allclose(clipped(small, 1.0)["a"], [0.6, 0.8], rtol=1e-6)


def test_masks_are_drawn_by_their_shares():
    plan = plan_of()
    own = dataclasses.replace(PLAIN, hidden_dropout=0.25, word_dropout=0.5)
    masks = dropout_masks(plan, own, 4000, jax.random.key(0))
    shapes = {name: mask.shape for name, mask in masks.items()}
    assert shapes == {"layer1/cell/hidden": (4000, 5), "vectors/dropped": (WORDS, 1)}
    hidden = np.asarray(masks["layer1/cell/hidden"])
    assert set(np.unique(hidden)) == {0.0, np.float32(1 / 0.75)}
    assert hidden.mean() == pytest.approx(1, abs=0.02)
    other = dropout_masks(plan, own, 4000, jax.random.key(1))["layer1/cell/hidden"]
    assert (hidden != np.asarray(other)).any()


@pytest.mark.parametrize(
    ("perplexities", "patience", "averages"),
    [
        ([9, 8, 7], 1, False),
        ([9, 8, 8.5], 1, False),
        ([9, 8, 8.5, 9.5], 1, True),
        ([9, 8, 8.5], 2, False),
        ([7, 8, 8], 2, False),
        ([7, 8, 8, 8], 2, True),
        ([7], 1, False),
    ],
)
def test_the_trigger_of_averaged_descent(perplexities, patience, averages):
    assert no_better(perplexities, patience) == averages


def test_averaged_weights_are_the_mean_of_those_that_follow():
    program = compiled("asgd")[0].program
    program.start(initial_weights(plan_of(), 0, 0.3))
    text, seen = streams(TEXT, 3), []
    program.train_epoch(text, np.array([0.1, 0.1]), 0, 0)
    program.begin_average()
    for epoch in (1, 2):
        program.train_epoch(text, np.array([0.3]), 0, epoch)
        seen.append(jax.device_get(program._state[0]))
    for mean, one, two in zip(*map(jax.tree.leaves, (program.weights(), *seen)), strict=True):
        np.testing.assert_allclose(mean, (one + two) / 2, atol=1e-6)


def test_a_model_learns_what_follows_what_and_the_same_again_by_the_same_seed():
    model, own = compiled("adam")
    own = dataclasses.replace(own, epochs=4, learning_rate=0.05)
    told = []
    first = train_model(
        model, own, TEXT, TEXT[:60], 3, lambda so_far: not told.append(so_far.losses[-1])
    ).epochs
    assert first.perplexities[-1] < 2 < first.perplexities[0]
    assert told == first.losses and len(told) == 4
    again = train_model(model, own, TEXT, TEXT[:60], 3).epochs
    assert again.perplexities == first.perplexities
    other = train_model(model, own, TEXT, TEXT[:60], 4).epochs
    assert other.perplexities != first.perplexities


def test_descent_turns_to_averages_when_validation_gets_no_better():
    model, own = compiled("asgd")
    language = dataclasses.replace(own.language, averaging_patience=1)
    own = dataclasses.replace(own, epochs=5, learning_rate=4.0, language=language)
    random = np.random.default_rng(0).integers(0, WORDS, 120).astype(np.int32)
    trained = train_model(model, own, TEXT, random, 0).epochs
    assert 0 < trained.averaged_after < 5
    worse = trained.perplexities[: trained.averaged_after]
    assert no_better(worse, 1) and not no_better(worse[:-1], 1)


def test_a_loss_that_is_no_number_is_a_failure():
    model, own = compiled("asgd")
    own = dataclasses.replace(own, epochs=3, learning_rate=1e38)
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) in epoch"):
        train_model(model, own, TEXT, TEXT[:20], 0)


def test_a_text_that_is_too_short_is_refused():
    require_words(RECIPE, 27, 2)
    with pytest.raises(UserError, match="has 26 words; 3 sequences of windows of 4 words need"):
        require_words(RECIPE, 26, 2)
    with pytest.raises(UserError, match="The validation text has 1 words"):
        require_words(RECIPE, 27, 1)


@pytest.mark.parametrize(
    ("perplexity", "power", "reward"),
    [(100.0, 2, 0.008), (62.4, 2, 0.0205457), (80.0, 1, 1.0), (100.0, 1, 0.8)],
)
def test_rewards_of_nas_and_enas(perplexity, power, reward):
    found = corrected_reward(as_accuracy(perplexity), 1e6, 1.0, RewardSettings(0, 0, 1, power))
    assert found / 100 == pytest.approx(reward, rel=1e-5)
    assert guessing_reward(100, RewardSettings(0, 0, 1, 2)) == pytest.approx(0.8)


def test_texts_of_any_length_take_the_two_programs_that_were_compiled():
    program = compiled("asgd")[0].program
    program.start(initial_weights(plan_of(), 0, 0.3))
    programs = program._step._cache_size(), program._judge._cache_size()
    program.train_epoch(streams(TEXT[:150], 3), np.array([0.1] * 3), 0, 0)
    program.perplexity(TEXT[:77])
    assert (program._step._cache_size(), program._judge._cache_size()) == programs
