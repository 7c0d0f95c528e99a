"""Winograd's products against the published matrices, a direct sum, and XLA's own convolution."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockqnn.networks.convolution import plain_convolution, plain_kernel_gradient
from blockqnn.networks.lowerings import WINOGRAD_ROWS
from blockqnn.networks.winograd import (
    _matrices,
    winograd_convolution,
    winograd_kernel_gradient,
)


def test_four_pixels_of_three_taps_have_the_matrices_of_the_paper():
    """F(4, 3) of Lavin and Gray, equation 16 and what follows it, up to the sign of a row."""
    outputs, taps, inputs = _matrices(3)
    paper_taps = [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
    paper_inputs = [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
    paper_outputs = [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]
    np.testing.assert_allclose(taps, paper_taps, rtol=1e-6)
    np.testing.assert_array_equal(inputs, paper_inputs)
    np.testing.assert_array_equal(outputs, paper_outputs)


@pytest.mark.parametrize("side", WINOGRAD_ROWS)
def test_the_matrices_filter_a_column_as_a_sum_does(side):
    """Whole numbers, so that nothing but G rounds."""
    outputs, taps, inputs = _matrices(side)
    random = np.random.default_rng(side)
    pixels, kernel = random.integers(-9, 9, inputs.shape[1]), random.integers(-9, 9, side)
    found = outputs @ ((taps @ kernel) * (inputs @ pixels))
    np.testing.assert_allclose(found, np.correlate(pixels, kernel, "valid"), atol=1e-3)


@functools.partial(jax.jit, static_argnums=0)
def value_and_gradients(function, x, kernel, cotangent):
    y, pullback = jax.vjp(function, x, kernel)
    return y, pullback(cotangent)


@settings(deadline=None, max_examples=8)
@given(
    side=st.sampled_from(sorted(WINOGRAD_ROWS)),
    tiles=st.integers(1, 3),
    width=st.integers(1, 7),
    inputs=st.integers(1, 4),
    filters=st.integers(1, 4),
)
def test_values_and_gradients_are_those_of_the_plain_convolution(
    side, tiles, width, inputs, filters
):
    random = np.random.default_rng(0)
    height = tiles * WINOGRAD_ROWS[side]
    shapes = ((2, height, width, inputs), (side, side, inputs, filters))
    x, kernel = (random.standard_normal(shape, np.float32) for shape in shapes)
    cotangent = random.standard_normal((2, height, width, filters), np.float32)
    y, gradients = value_and_gradients(winograd_convolution, x, kernel, cotangent)
    wanted, plain_gradients = value_and_gradients(plain_convolution, x, kernel, cotangent)
    np.testing.assert_allclose(y, wanted, atol=1e-4)
    for found, plain in zip(gradients, plain_gradients, strict=True):
        np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-3)
    own = jax.jit(winograd_kernel_gradient, static_argnums=2)(x, cotangent, side)
    np.testing.assert_allclose(own, plain_gradients[1], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("side", WINOGRAD_ROWS)
def test_half_precision_rounds_only_the_result(side):
    """The matrices would cost bfloat16, which has eight bits, all but two or three."""
    random = np.random.default_rng(1)
    shapes = ((2, 8, 8, 32), (side, side, 32, 8))
    x, kernel = (jnp.asarray(random.standard_normal(s), jnp.bfloat16) for s in shapes)
    single = x.astype(jnp.float32), kernel.astype(jnp.float32)
    y = jax.jit(winograd_convolution)(x, kernel)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        y.astype(jnp.float32), plain_convolution(*single), rtol=2**-8, atol=1e-3
    )
    own = jax.jit(winograd_kernel_gradient, static_argnums=2)(x, y, side)
    assert own.dtype == jnp.bfloat16
    exact = plain_kernel_gradient(single[0], y.astype(jnp.float32), side)
    np.testing.assert_allclose(own.astype(jnp.float32), exact, rtol=2**-8, atol=1e-2)


@pytest.mark.parametrize("side", WINOGRAD_ROWS)
def test_it_makes_half_or_three_fifths_of_the_products(side):
    """What it is for; counted by XLA, whose own convolution leaves the border out of its count."""
    shapes = ((4, 32, 32, 32), (side, side, 32, 32))
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]

    def products(function):
        jaxpr = jax.make_jaxpr(function)(*arrays)
        found = [e for e in jaxpr.eqns if e.primitive.name == "conv_general_dilated"]
        taps = [int(np.prod(e.invars[1].aval.shape)) for e in found]
        pixels = [int(np.prod(e.outvars[0].aval.shape[:3])) for e in found]
        return sum(t * p for t, p in zip(taps, pixels, strict=True))

    share = products(winograd_convolution) / products(plain_convolution)
    assert share == pytest.approx({3: 0.5, 5: 0.6}[side])
