"""A mixture of recurrent cells: gradients of both orders, on windows whose states go on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.children.compiler_options import compiler_options
from blockqnn.children.language_steps import streams
from blockqnn.language_settings import LanguageRecipe
from blockqnn.mixture_settings import DIFFERENCE, EXACT, FIRST, SECOND, MixtureSettings
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.recurrent.initial import shared_arrays
from blockqnn.networks.recurrent.sequence import zero_states
from blockqnn.networks.spaces.registry import space_named
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets import bilevel
from blockqnn.supernets.alpha import discrete, first_alpha
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.language_mixture import LanguageMixture

SPACE = space_named("darts_cell", 2)
LAYOUT = Layout(LANGUAGE, (4,), 1, 1, 1, 1, 7)
BATCH, STEPS, MOST, RATE, DECAY = 3, 3, 0.05, 0.5, 0.01
LANGUAGE_RECIPE = LanguageRecipe(
    bptt_steps=STEPS, input_dropout=0.2, hidden_dropout=0.2, output_dropout=0.2, first_weights=0.5
)
WORDS = np.random.default_rng(0).integers(7, size=60).astype(np.int32)
TEXT, JUDGING = streams(WORDS, BATCH), streams(WORDS[::-1].copy(), BATCH)
ROWS = SPACE.mixture_rows()
ALPHA = first_alpha(ROWS, 0.5, 3)


def compiled(function):
    return jax.jit(function, compiler_options=compiler_options())


def made(order=FIRST, hessian=EXACT, nodes=2):
    settings = MixtureSettings(bilevel=order, hessian=hessian)
    trained_by = compiled_for(SupernetSettings(momentum=0.0, weight_decay=DECAY, mixture=settings))
    bank = Bank(trained_by, 1, first=functools.partial(shared_arrays, within=0.5))
    plan = space_named("darts_cell", nodes).mixture_plan(LAYOUT)
    return LanguageMixture(plan, bank, settings, LANGUAGE_RECIPE, BATCH, MOST), bank


def losses(mixture):
    """The losses of two windows as functions of weights and rows."""
    zeros, key = zero_states(mixture._plan, BATCH), jax.random.key(5)
    return (
        functools.partial(mixture._loss, jnp.asarray(TEXT), jnp.int32(1), zeros, key),
        functools.partial(mixture._loss, jnp.asarray(JUDGING), jnp.int32(0), zeros, key),
    )


@pytest.mark.long
def test_second_order_is_the_derivative_of_the_loss_after_a_cut_step():
    # One node: the whole step's derivative is a large program, compiled for this alone.
    mixture, _ = made(SECOND, nodes=1)
    train, judging = losses(mixture)
    rows = {"cell/1<-0": jnp.asarray(ALPHA.rows["cell/1<-0"])}
    weights = mixture._parameters, mixture._moments

    @compiled
    def all_ways(parameters, rows):
        gradient = jax.grad(lambda w: train(w, rows)[0])(parameters)
        cut = MOST / bilevel.norm(gradient)

        def after(a):
            own = jax.grad(lambda w: train(w, a)[0])(parameters)
            moved = jax.tree.map(lambda w, g: w - RATE * (cut * g + DECAY * w), parameters, own)
            return judging(moved, a)[0]

        exact, _ = mixture._of_alpha(train, judging, weights, rows, jnp.float32(RATE))
        return cut, jax.grad(after)(rows), exact

    cut, wanted, exact = jax.device_get(all_ways(weights[0], rows))
    assert 0 < cut < 1, "else nothing is cut"
    other, _ = made(SECOND, DIFFERENCE, nodes=1)
    difference, _ = jax.device_get(
        compiled(functools.partial(other._of_alpha, train, judging))(
            weights, rows, jnp.float32(RATE)
        )
    )
    plain, _ = jax.device_get(
        compiled(functools.partial(made(nodes=1)[0]._of_alpha, train, judging))(
            weights, rows, jnp.float32(RATE)
        )
    )
    unlike = 0.0
    for name in rows:
        assert exact[name] == pytest.approx(wanted[name], abs=1e-6)
        assert difference[name] == pytest.approx(exact[name], abs=5e-5)
        unlike = max(unlike, float(np.abs(plain[name] - exact[name]).max()))
    assert unlike > 2e-4, "the second term is no rounding error"


def test_an_epoch_trains_what_it_should_and_is_the_same_twice():
    found, (mixture, bank) = [], made()
    begun = mixture._parameters, mixture._moments
    first = {key: jax.device_get(entry.parameters) for key, entry in bank.entries.items()}
    for _ in range(2):
        mixture._parameters, mixture._moments = begun
        own, alpha = mixture.train(TEXT, JUDGING, RATE, ALPHA, True, (4, 1))
        mixture.put_back()
        found.append((own.tolist(), {name: row.tolist() for name, row in alpha.rows.items()}))
    assert found[0] == found[1]
    assert len(found[0][0]) == (len(TEXT) - STEPS) // STEPS == alpha.steps
    for key, arrays in first.items():
        for name, array in arrays.items():
            assert not np.array_equal(array, bank.entries[key].parameters[name])
    # Adam's first steps are as long as its rate, whatever the gradient.
    for name, row in alpha.rows.items():
        assert 0 < np.abs(row - ALPHA.rows[name]).max() < 1.01 * alpha.steps * 3e-4


def test_alpha_may_stay_and_rows_of_one_choice_are_the_derived_cell():
    mixture, _ = made()
    _, alpha = mixture.train(TEXT, JUDGING, RATE, ALPHA, False, (4, 0))
    for name, row in alpha.rows.items():
        assert np.array_equal(row, ALPHA.rows[name])
    kept = {"cell/1<-0": "relu", "cell/2<-0": "tanh"}
    derived = discrete(ROWS, ALPHA.rows, kept)
    judged = [mixture.perplexity(rows, WORDS) for rows in (ALPHA.rows, derived)]
    assert all(1 < each < 100 for each in judged) and judged[0] != judged[1]
    # What a row gives the edge that is left out counts for nothing.
    derived["cell/1<-0"] = derived["cell/1<-0"] + np.float32(7)
    assert mixture.perplexity(derived, WORDS) == pytest.approx(judged[1], rel=1e-6)


def test_the_curvature_is_that_of_differences():
    mixture, _ = made()
    product = mixture.curvature(ALPHA.rows, JUDGING, 2)
    direction = first_alpha(ROWS, 1.0, 9).rows
    found = product(direction)

    @compiled
    def gradient(rows):
        zeros = zero_states(mixture._plan, BATCH)
        text = jnp.asarray(JUDGING), jnp.int32(2)
        return jax.grad(lambda a: mixture._loss(*text, zeros, None, mixture._parameters, a)[0])(
            rows
        )

    ahead, behind = (
        jax.device_get(
            gradient({n: jnp.asarray(r + s * 0.01 * direction[n]) for n, r in ALPHA.rows.items()})
        )
        for s in (np.float32(1), np.float32(-1))
    )
    for name, row in found.items():
        assert row == pytest.approx((ahead[name] - behind[name]) / 0.02, abs=2e-4)
