"""Depthwise-separable, dilated and strided operations: every lowering equals XLA's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.networks import pooling, separable
from blockqnn.networks.convolution import (
    padded_convolution,
    pointwise_convolution,
    strided_convolution,
)
from blockqnn.networks.separable import LOWERINGS, grouped, separable_convolution

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def wanted_separable(x, depthwise, kernel, stride, dilation):
    """XLA's grouped convolution, and a 1x1 one."""
    half = dilation * (depthwise.shape[0] // 2)
    y = jax.lax.conv_general_dilated(
        x,
        depthwise,
        (stride, stride),
        ((half, half), (half, half)),
        rhs_dilation=(dilation, dilation),
        dimension_numbers=DIMENSIONS,
        feature_group_count=x.shape[-1],
    )
    return jax.lax.conv_general_dilated(y, kernel, (1, 1), "VALID", dimension_numbers=DIMENSIONS)


def with_gradients(function, *arguments):
    """The value, and the gradients of all arguments for one that is the same every time."""

    @jax.jit
    def both(*arguments):
        value, backward = jax.vjp(function, *arguments)
        return value, backward(jnp.asarray(values(*value.shape, seed=9)))

    return both(*arguments)


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize(
    ("size", "side", "stride", "dilation"),
    [
        ((6, 6), 3, 1, 1),
        ((5, 7), 5, 1, 1),
        ((6, 6), 3, 2, 1),
        ((5, 7), 3, 2, 1),
        ((5, 7), 3, 1, 2),
        ((6, 5), 5, 2, 2),
        ((7, 7), 3, 3, 1),
        ((1, 2), 7, 1, 1),
    ],
)
def test_every_lowering_gives_values_and_gradients_of_the_grouped_convolution(
    lowering, size, side, stride, dilation
):
    arrays = values(2, *size, 3), values(side, side, 1, 3, seed=1), values(1, 1, 3, 4, seed=2)
    value, gradients = with_gradients(
        lambda x, d, k: pointwise_convolution(LOWERINGS[lowering](x, d, stride, dilation), k),
        *map(jnp.asarray, arrays),
    )
    wanted, wanted_gradients = with_gradients(
        lambda *a: wanted_separable(*a, stride, dilation), *map(jnp.asarray, arrays)
    )
    np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-4)
    for found, right in zip(gradients, wanted_gradients, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("most", [1, 2 * 9 * 6 * 5 * 3 * 4, 3 * 9 * 6 * 5 * 3 * 4])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_batch_in_pieces_has_values_and_gradients_of_the_whole(most, stride, monkeypatch):
    # Six images in pieces of one, two and three, as that many slices may have bytes.
    monkeypatch.setattr(separable, "_MOST_BYTES", most)
    arrays = values(6, 6, 5, 3), values(3, 3, 1, 3, seed=1), values(1, 1, 3, 4, seed=2)
    images = {1: 1}.get(most, most // (9 * 6 * 5 * 3 * 4))
    assert separable._pieces(*map(jnp.asarray, arrays[:2])).shape == (6 // images, images, 6, 5, 3)
    value, gradients = with_gradients(
        lambda *a: separable_convolution(*a, stride), *map(jnp.asarray, arrays)
    )
    wanted, wanted_gradients = with_gradients(
        lambda *a: wanted_separable(*a, stride, 1), *map(jnp.asarray, arrays)
    )
    np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-4)
    for found, right in zip(gradients, wanted_gradients, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-4)


def test_weights_are_used_in_the_dtype_of_the_map():
    x = jnp.asarray(values(1, 4, 4, 2), jnp.bfloat16)
    kernels = values(3, 3, 1, 2, seed=1), values(1, 1, 2, 2, seed=2)
    found = separable_convolution(x, *map(jnp.asarray, kernels))
    assert found.dtype == jnp.bfloat16


def test_a_depthwise_convolution_by_hand():
    x = jnp.arange(9.0).reshape(1, 3, 3, 1)
    ones = jnp.ones((3, 3, 1, 1))
    assert grouped(x, ones, 1, 1)[0, :, :, 0].tolist() == [
        [8, 15, 12], [21, 36, 27], [20, 33, 24]
    ]  # fmt: skip
    # Two pixels apart only the corners of the map are met by a corner, and the middle by itself.
    assert grouped(x, ones, 2, 2)[0, :, :, 0].tolist() == [[16, 16], [16, 16]]


@pytest.mark.parametrize("kernel", [(1, 7), (7, 1), (3, 3), (1, 1)])
@pytest.mark.parametrize("strides", [(1, 1), (1, 2), (2, 2)])
def test_any_window_and_strides_take_pixels_of_the_convolution_without_strides(kernel, strides):
    x, w = jnp.asarray(values(2, 5, 6, 3)), jnp.asarray(values(*kernel, 3, 2, seed=1))
    whole = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=DIMENSIONS)
    found = padded_convolution(x, w, strides)
    np.testing.assert_allclose(found, whole[:, :: strides[0], :: strides[1]], rtol=1e-4, atol=1e-4)
    if kernel == (1, 1) and strides == (2, 2):
        np.testing.assert_allclose(strided_convolution(x, w, 2), found, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pool", [pooling.max_pooling, pooling.average_pooling])
@pytest.mark.parametrize("size", [(6, 6), (5, 7)])
@pytest.mark.parametrize("side", [3, 7])
def test_pooling_with_a_stride_takes_pixels_of_pooling_without(pool, size, side):
    x = jnp.asarray(values(2, *size, 3))
    np.testing.assert_allclose(pool(x, side, 2), pool(x, side)[:, ::2, ::2], rtol=1e-5)
    strided, whole = (
        jax.grad(lambda x, f=f: (f(x) ** 2).sum())(x)
        for f in (lambda x: pool(x, side, 2), lambda x: pool(x, side)[:, ::2, ::2])
    )
    np.testing.assert_allclose(strided, whole, rtol=1e-4, atol=1e-5)


def test_average_pooling_with_a_stride_by_hand():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    # The first window has the four pixels 0, 1, 4, 5 only.
    assert pooling.average_pooling(x, 3, 2)[0, :, :, 0].tolist() == [[2.5, 4.0], [8.5, 10.0]]
