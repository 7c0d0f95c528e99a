"""Pooling, against XLA's windows and by hand, in value and gradient."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from blockqnn.networks.pooling import (
    average_pooling,
    downsampling,
    max_pooling,
    plain_downsampling,
    plain_max_pooling,
)

SIZES = [(6, 5), (2, 3)]


def random_map(size, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal((2, *size, 3)).astype(dtype)


@functools.partial(jax.jit, static_argnums=(0, 3))
def value_and_gradient(function, x, cotangent, side=None):
    arguments = () if side is None else (side,)
    y, pullback = jax.vjp(lambda x: function(x, *arguments), x)
    return y, pullback(cotangent)[0]


def windows_maximum(x, side):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, side, side, 1), (1, 1, 1, 1), "SAME")


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("side", [3, 5, 7])
def test_max_pooling_is_the_maximum_of_windows(side, size):
    x, cotangent = random_map(size), random_map(size, seed=1)
    y, gradient = value_and_gradient(max_pooling, x, cotangent, side)
    wanted, wanted_gradient = value_and_gradient(windows_maximum, x, cotangent, side)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_allclose(gradient, wanted_gradient, rtol=1e-5, atol=1e-6)


def test_max_pooling_of_negative_numbers_ignores_the_padding():
    x = -1 - np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    assert jax.jit(max_pooling, static_argnums=1)(x, 3)[0, :, :, 0].tolist() == [
        [-1, -1, -2, -3],
        [-1, -1, -2, -3],
        [-5, -5, -6, -7],
    ]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("pooling", [average_pooling, max_pooling])
def test_on_a_gpu_a_pooling_and_its_gradient_are_kernels_of_their_own(monkeypatch, pooling, stride):
    x = random_map((6, 5))
    cotangent = pooling(x, 3, stride)

    def twice(x):
        y, pullback = jax.vjp(lambda x: pooling(x, 3, stride), x)
        return y, pullback(cotangent)[0]

    wanted = jax.jit(twice)(x)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    # One behind what it reads and one before its readers, in both directions.
    assert str(jax.make_jaxpr(lambda x: twice(x))(x)).count("optimization_barrier") == 4
    found = jax.jit(lambda x: twice(x))(x)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), found, wanted)


@pytest.mark.parametrize("side", [3, 5, 7])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_the_gradient_of_max_pooling_is_conserved_where_values_tie(side, size, levels):
    x = np.random.default_rng(2).integers(0, levels, (2, *size, 3)).astype(np.float32)
    cotangent = np.abs(random_map(size, seed=3))
    y, gradient = value_and_gradient(max_pooling, x, cotangent, side)
    np.testing.assert_array_equal(y, windows_maximum(x, side))
    np.testing.assert_allclose(
        gradient.sum(axis=(1, 2)), cotangent.sum(axis=(1, 2)), rtol=1e-5, atol=1e-5
    )
    # No pixel has a negative share, and one that is less than another in all windows has none.
    gradient, largest = np.asarray(gradient), np.asarray(y)
    assert (gradient >= 0).all()
    hidden = np.asarray(-windows_maximum(-largest, side)) > x
    assert not gradient[hidden].any()


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("size", [(6, 5), (1, 4)], ids=str)
def test_the_gradient_that_is_gathered_is_the_one_that_jax_derives(side, size):
    """Also where values tie, as in the first map, and on maps that are smaller than the window."""
    few, many = (np.random.default_rng(4).integers(-n, n, (*size, 3)) for n in (2, 1000))
    x = np.stack([few, many]).astype(np.float32)
    cotangent = random_map(size, seed=5)
    found = value_and_gradient(max_pooling, x, cotangent, side)
    wanted = value_and_gradient(plain_max_pooling, x, cotangent, side)
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-6, atol=1e-6)


def test_shares_of_a_tie_are_halved_by_each_maximum():
    """Of 2, 2, 2 in a row: the first two share a half, and the third has the other."""
    x = np.full((1, 1, 3, 1), 2, np.float32)
    middle = np.array([0, 1, 0], np.float32).reshape(x.shape)
    gradient = value_and_gradient(max_pooling, x, middle, 3)[1]
    assert gradient.ravel().tolist() == [0.25, 0.25, 0.5]


@pytest.mark.parametrize("name", ["max", "down"])
def test_gradients_of_maxima_are_differentiated_forward(name):
    """As second-order architecture search does."""
    size = (4, 4) if name == "max" else (2, 2)
    functions = {
        "max": (lambda x: max_pooling(x, 3), lambda x: plain_max_pooling(x, 3)),
        "down": (downsampling, plain_downsampling),
    }[name]
    x, cotangent = random_map((4, 4)), random_map(size, seed=1)

    def curvature(function):
        def gradient(x):
            return jax.vjp(lambda x: function(x) ** 2, x)[1](cotangent)[0]

        return jax.jit(lambda x: jax.jvp(gradient, (x,), (jnp.ones_like(x),))[1])(x)

    np.testing.assert_allclose(*map(curvature, functions), rtol=1e-5, atol=1e-6)


def test_average_pooling_does_not_count_the_padding():
    pool = jax.jit(average_pooling, static_argnums=1)
    x = np.arange(1, 7, dtype=np.float32).reshape(1, 2, 3, 1)
    np.testing.assert_allclose(pool(x, 3)[0, :, :, 0], [[3.0, 3.5, 4.0]] * 2, rtol=1e-6)
    threes = np.full((1, 4, 5, 2), 3, np.float32)
    for side in (3, 5, 7):
        np.testing.assert_allclose(pool(threes, side), threes, rtol=1e-6)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("side", [3, 5, 7])
def test_average_pooling_is_the_mean_of_the_pixels_in_the_window(side, size):
    x, cotangent = random_map(size), random_map(size, seed=1)
    y, gradient = value_and_gradient(average_pooling, x, cotangent, side)
    half = side // 2
    wanted, wanted_gradient = np.zeros(x.shape), np.zeros(x.shape)
    for row, column in np.ndindex(*size):
        rows = slice(max(0, row - half), row + half + 1)
        columns = slice(max(0, column - half), column + half + 1)
        window = x[:, rows, columns]
        wanted[:, row, column] = window.mean(axis=(1, 2))
        share = cotangent[:, row, column] / (window.shape[1] * window.shape[2])
        wanted_gradient[:, rows, columns] += share[:, None, None]
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, wanted_gradient, rtol=1e-5, atol=1e-6)


def test_downsampling_leaves_out_an_odd_last_row_and_column():
    x = np.arange(15, dtype=np.float32).reshape(1, 3, 5, 1)
    assert downsampling(x)[0, :, :, 0].tolist() == [[6.0, 8.0]]
    assert downsampling(-x)[0, :, :, 0].tolist() == [[-0.0, -2.0]]


@pytest.mark.parametrize("size", [(4, 6), (5, 4), (3, 3)], ids=str)
def test_downsampling_is_the_maximum_of_2x2_windows(size):
    x = random_map(size)

    def windows(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    cotangent = random_map((size[0] // 2, size[1] // 2), seed=1)
    y, gradient = value_and_gradient(downsampling, x, cotangent)
    wanted, wanted_gradient = value_and_gradient(windows, x, cotangent)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_allclose(gradient, wanted_gradient, rtol=1e-6)


@pytest.mark.parametrize("size", [(4, 6), (5, 3)], ids=str)
def test_the_gradient_of_downsampling_is_the_one_that_jax_derives(size):
    few, many = (np.random.default_rng(6).integers(-n, n, (*size, 3)) for n in (2, 1000))
    x = np.stack([few, many]).astype(np.float32)
    cotangent = random_map((size[0] // 2, size[1] // 2), seed=7)
    found = value_and_gradient(downsampling, x, cotangent)
    wanted = value_and_gradient(plain_downsampling, x, cotangent)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_gradient_of_downsampling_is_conserved_where_values_tie():
    ones = np.ones((1, 4, 5, 1), np.float32)
    _, gradient = value_and_gradient(downsampling, ones, ones[:, :2, :2])
    assert gradient.sum() == 4.0
    assert not gradient[:, :, 4].any()


@pytest.mark.parametrize("pool", [max_pooling, average_pooling])
def test_pooling_in_bfloat16_stays_bfloat16(pool):
    x = random_map((3, 3), dtype=jnp.bfloat16)
    y = jax.jit(pool, static_argnums=1)(x, 3)
    assert y.dtype == jnp.bfloat16
    wanted = jax.jit(pool, static_argnums=1)(x.astype(np.float32), 3)
    np.testing.assert_allclose(y.astype(np.float32), wanted, rtol=0.02, atol=0.02)


def test_downsampling_in_bfloat16_stays_bfloat16():
    x = random_map((4, 4), dtype=jnp.bfloat16)
    assert jax.eval_shape(downsampling, x).dtype == jnp.bfloat16
