"""Every lowering of a convolution, against a direct sum in NumPy, in value and gradient."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blockqnn.networks.convolution
from blockqnn.networks.convolution import (
    convolution,
    dense_convolution,
    piecewise_kernel_gradient,
    plain_convolution,
    pointwise_convolution,
)

KERNEL_GRADIENTS = (
    "plain_kernel_gradient",
    "piecewise_kernel_gradient",
    "dense_kernel_gradient",
)
LOWERINGS = [
    pytest.param(lowering, side, id=f"{lowering.__name__}-{side}x{side}")
    for lowering, sides in (
        (convolution, (1, 3, 5)),
        (plain_convolution, (1, 3, 5)),
        (pointwise_convolution, (1,)),
        (dense_convolution, (1, 3, 5)),
    )
    for side in sides
]
# The second is smaller than a 5x5 kernel, and in one direction than a 3x3.
SIZES = [(6, 5), (2, 3)]


def taps(x, side):
    """Which output pixel reads which input pixel through which tap."""
    height, width = x.shape[1:3]
    half = side // 2
    for row, column in np.ndindex(height, width):
        for down, right in np.ndindex(side, side):
            r, c = row + down - half, column + right - half
            if 0 <= r < height and 0 <= c < width:
                yield (row, column), (down, right), (r, c)


def direct_sum(x, kernel):
    y = np.zeros((*x.shape[:3], kernel.shape[-1]))
    for out, tap, source in taps(x, kernel.shape[0]):
        y[:, *out] += x[:, *source] @ kernel[tap]
    return y


def direct_gradients(x, kernel, cotangent):
    dx, dkernel = np.zeros_like(x), np.zeros_like(kernel)
    for out, tap, source in taps(x, kernel.shape[0]):
        dx[:, *source] += cotangent[:, *out] @ kernel[tap].T
        dkernel[tap] += x[:, *source].T @ cotangent[:, *out]
    return dx, dkernel


def example(size, side, inputs=3, filters=4):
    random = np.random.default_rng(0)
    shapes = ((2, *size, inputs), (side, side, inputs, filters), (2, *size, filters))
    return [random.standard_normal(shape) for shape in shapes]


@functools.partial(jax.jit, static_argnums=0)
def value_and_gradients(lowering, x, kernel, cotangent):
    y, pullback = jax.vjp(lowering, x, kernel)
    return y, pullback(cotangent)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("lowering", "side"), LOWERINGS)
def test_values_and_gradients_are_those_of_the_direct_sum(lowering, side, size):
    x, kernel, cotangent = example(size, side)
    arrays = [array.astype(np.float32) for array in (x, kernel, cotangent)]
    y, found = value_and_gradients(lowering, *arrays)
    np.testing.assert_allclose(y, direct_sum(x, kernel), rtol=1e-4, atol=1e-5)
    for gradient, wanted in zip(found, direct_gradients(x, kernel, cotangent), strict=True):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(4, 5), (16, 17), (2, 3)], ids=str)
@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize(("inputs", "filters"), [(5, 2), (2, 5), (3, 3)])
def test_gradients_of_every_path_on_the_cpu(size, side, inputs, filters):
    x, kernel, cotangent = example(size, side, inputs, filters)
    arrays = [array.astype(np.float32) for array in (x, kernel, cotangent)]
    _, found = value_and_gradients(convolution, *arrays)
    for gradient, wanted in zip(found, direct_gradients(x, kernel, cotangent), strict=True):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", KERNEL_GRADIENTS)
@pytest.mark.parametrize("side", [1, 3, 5])
def test_every_kernel_gradient_is_that_of_the_direct_sum(name, side):
    gradient = getattr(blockqnn.networks.convolution, name)
    x, kernel, cotangent = example((4, 3), side)
    arrays = x.astype(np.float32), cotangent.astype(np.float32)
    wanted = direct_gradients(x, kernel, cotangent)[1]
    np.testing.assert_allclose(gradient(*arrays, side), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("size", "images", "wanted"),
    [
        ((2, 2), 40, [40]),
        ((7, 8), 40, [40]),
        ((8, 8), 40, [16, 16, 8]),
        ((15, 16), 40, [16, 16, 8]),
        ((16, 16), 20, [8, 8, 4]),
        ((16, 16), 3, [3]),
    ],
)
def test_the_kernel_gradient_takes_pieces_that_fit_the_cache(monkeypatch, size, images, wanted):
    taken = []
    plain = blockqnn.networks.convolution.plain_kernel_gradient
    monkeypatch.setattr(
        blockqnn.networks.convolution,
        "plain_kernel_gradient",
        lambda x, *rest: taken.append(len(x)) or plain(x, *rest),
    )
    random = np.random.default_rng(0)
    x, cotangent = (random.standard_normal((images, *size, n)) for n in (2, 3))
    kernel = random.standard_normal((3, 3, 2, 3))
    arrays = x.astype(np.float32), kernel.astype(np.float32)
    found = piecewise_kernel_gradient(arrays[0], cotangent.astype(np.float32), 3)
    assert taken == wanted
    wanted_gradient = direct_gradients(x, kernel, cotangent)[1]
    np.testing.assert_allclose(found, wanted_gradient, rtol=1e-3, atol=1e-3)


def test_pieces_of_half_precision_are_added_in_single():
    """A large piece and then small ones, each too small to move a sum in bfloat16."""
    number = np.arange(144)[:, None, None, None]
    gradient = np.ones((144, 8, 8, 1)) * np.where(number < 16, 1.0, 1 / 512)
    x = jnp.ones((144, 8, 8, 1), jnp.bfloat16)
    found = piecewise_kernel_gradient(x, jnp.asarray(gradient, jnp.bfloat16), 3)
    assert found.dtype == jnp.bfloat16
    # 1,024 of the first piece and 2 of each of the eight others; bfloat16 has steps of 8 there.
    assert found[1, 1, 0, 0] == 1040.0


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((2, 2), "dense_kernel_gradient"), ((4, 4), "piecewise_kernel_gradient")],
)
def test_the_kernel_gradient_fits_the_shape(monkeypatch, size, wanted):
    asked = []
    for name in ("dense_kernel_gradient", "piecewise_kernel_gradient"):
        function = getattr(blockqnn.networks.convolution, name)
        monkeypatch.setattr(
            blockqnn.networks.convolution,
            name,
            lambda *arrays, name=name, function=function: asked.append(name) or function(*arrays),
        )
    x, kernel, cotangent = (jnp.asarray(a) for a in example(size, 3, 4, 4))
    jax.eval_shape(lambda x, k, g: jax.vjp(convolution, x, k)[1](g), x, kernel, cotangent)
    assert asked == [wanted]


def test_a_kernel_is_not_mirrored():
    """The tap at row 0, column 0 reads the pixel up and left."""
    x, kernel = np.zeros((1, 2, 3, 1), np.float32), np.zeros((3, 3, 1, 1), np.float32)
    x[0, 0, 1] = 10.0
    kernel[0, 0] = 1.0
    kernel[2, 1] = 2.0
    assert dense_convolution(x, kernel)[0, :, :, 0].tolist() == [[0, 0, 0], [0, 0, 10]]
    x[0, 1, 1] = 1.0
    assert dense_convolution(x, kernel)[0, :, :, 0].tolist() == [[0, 2, 0], [0, 0, 10]]


@pytest.mark.parametrize(("lowering", "side"), LOWERINGS)
def test_bfloat16_stays_bfloat16(lowering, side):
    x, kernel, _ = [array.astype(jnp.bfloat16) for array in example((4, 4), side)]
    assert jax.eval_shape(lowering, x, kernel).dtype == jnp.bfloat16


def test_bfloat16_is_as_exact_as_it_can_be():
    x, kernel, _ = example((4, 4), 3)
    y = dense_convolution(x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16))
    np.testing.assert_allclose(y.astype(np.float32), direct_sum(x, kernel), rtol=0.05, atol=0.1)


@pytest.mark.parametrize(("size", "side"), [((4, 4), 1), ((4, 4), 3), ((2, 2), 3)])
def test_float32_weights_are_converted_to_the_dtype_of_the_map(size, side):
    x, kernel, cotangent = example(size, side)
    arrays = x.astype(jnp.bfloat16), kernel.astype(np.float32), cotangent.astype(jnp.bfloat16)
    y, (dx, dkernel) = jax.eval_shape(functools.partial(value_and_gradients, convolution), *arrays)
    assert (y.dtype, dx.dtype, dkernel.dtype) == (jnp.bfloat16, jnp.bfloat16, jnp.float32)


# XLA's own convolution is slow on the CPU for these shapes, see measured.md.
@pytest.mark.parametrize(
    ("backend", "side", "size", "plain"),
    [
        ("cpu", 1, (8, 8), False),
        ("cpu", 3, (8, 8), True),
        ("cpu", 3, (3, 3), True),
        ("cpu", 3, (2, 4), False),
        ("cpu", 3, (4, 2), False),
        ("cpu", 3, (2, 8), True),
        ("cpu", 5, (5, 5), True),
        ("cpu", 5, (4, 4), False),
        ("gpu", 1, (8, 8), False),
        ("gpu", 5, (4, 4), True),
    ],
)
def test_the_lowering_fits_backend_and_shape(monkeypatch, backend, side, size, plain):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    x, kernel = jnp.zeros((1, *size, 2)), jnp.zeros((side, side, 2, 2))
    program = str(jax.make_jaxpr(lambda x, k: convolution(x, k))(x, kernel))
    assert ("conv_general_dilated" in program) == plain
