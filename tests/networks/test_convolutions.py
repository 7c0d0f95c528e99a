"""Every lowering of a convolution, against a direct sum in NumPy, in value and gradient."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blockqnn.networks.convolution
from blockqnn.networks import lowerings
from blockqnn.networks.convolution import (
    KERNEL_GRADIENTS,
    VALUES,
    convolution,
    dense_convolution,
    neighbours_convolution,
    piecewise_kernel_gradient,
    plain_convolution,
    pointwise_convolution,
)
from blockqnn.networks.lowerings import CANDIDATES, LoweringTable, Row, Shape, applies

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


@pytest.mark.parametrize(
    ("name", "side"),
    [
        (name, side)
        for name in KERNEL_GRADIENTS
        for side in (1, 3, 5)
        if name != "winograd" or applies(name, Shape(side, 4, 3, 3, 4))
    ],
)
def test_every_kernel_gradient_is_that_of_the_direct_sum(name, side):
    gradient = KERNEL_GRADIENTS[name]
    x, kernel, cotangent = example((4, 3), side)
    arrays = x.astype(np.float32), cotangent.astype(np.float32)
    wanted = direct_gradients(x, kernel, cotangent)[1]
    np.testing.assert_allclose(gradient(*arrays, side), wanted, rtol=1e-4, atol=1e-4)


def test_pieces_of_half_precision_are_added_in_single():
    """A large piece and then small ones, each too small to move a sum in bfloat16."""
    number = np.arange(144)[:, None, None, None]
    gradient = np.ones((144, 8, 8, 1)) * np.where(number < 16, 1.0, 1 / 512)
    x = jnp.ones((144, 8, 8, 1), jnp.bfloat16)
    found = piecewise_kernel_gradient(x, jnp.asarray(gradient, jnp.bfloat16), 3, 16)
    assert found.dtype == jnp.bfloat16
    # 1,024 of the first piece and 2 of each of the eight others; bfloat16 has steps of 8 there.
    assert found[1, 1, 0, 0] == 1040.0


def test_a_batch_is_parted_into_pieces_and_what_is_left(monkeypatch):
    taken = []

    def of_piece(x, gradient, side):
        taken.append(len(x))
        return blockqnn.networks.convolution.plain_kernel_gradient(x, gradient, side)

    x, kernel, cotangent = (np.concatenate([a] * 6) for a in example((5, 4), 3))
    arrays = x.astype(np.float32), cotangent.astype(np.float32)
    found = piecewise_kernel_gradient(*arrays, 3, 8, of_piece)
    assert taken == [8] * (len(x) // 8) + [len(x) % 8]
    wanted = direct_gradients(x, kernel[:3], cotangent)[1]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("value", "kernel_gradient"),
    [
        ("pairs", "exchanged"),
        ("quads", "pieces of 8"),
        ("plain", "exchanged, pieces of 16"),
        ("winograd", "winograd"),
    ],
)
def test_a_convolution_takes_what_the_table_in_use_says(monkeypatch, value, kernel_gradient):
    shape = Shape(3, 8, 8, 2, 3)
    row = Row(shape, {value: 0.5}, {kernel_gradient: 0.5})
    monkeypatch.setattr(lowerings, "_in_use", LoweringTable("made up", (row,)))
    asked = []
    for candidates in (blockqnn.networks.convolution.VALUES, KERNEL_GRADIENTS):
        for name, function in list(candidates.items()):
            monkeypatch.setitem(
                candidates,
                name,
                lambda *arrays, name=name, function=function: (
                    asked.append(name) or function(*arrays)
                ),
            )
    x, kernel, cotangent = (jnp.asarray(a) for a in example((8, 8), 3))
    jax.eval_shape(lambda x, k, g: jax.vjp(convolution, x, k)[1](g), x, kernel, cotangent)
    # The value, the gradient for the input, which is a value again, and that for the kernel.
    assert asked == [value, kernel_gradient, value] or asked == [value, value, kernel_gradient]


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
    monkeypatch.setattr(lowerings, "_in_use", lowerings.USUAL)
    x, kernel = jnp.zeros((1, *size, 2)), jnp.zeros((side, side, 2, 2))
    program = str(jax.make_jaxpr(lambda x, k: convolution(x, k))(x, kernel))
    assert ("conv_general_dilated" in program) == plain


@pytest.mark.parametrize("pixels", [2, 4])
@pytest.mark.parametrize("side", [1, 3, 5, 7])
@pytest.mark.parametrize("size", [(5, 8), (1, 4), (8, 4)])
def test_neighbours_taken_together_give_the_direct_sum(size, side, pixels):
    x, kernel, cotangent = example(size, side)
    arrays = x.astype(np.float32), kernel.astype(np.float32)
    value, back = jax.vjp(lambda x, k: neighbours_convolution(x, k, pixels), *arrays)
    np.testing.assert_allclose(value, direct_sum(x, kernel), rtol=1e-4, atol=1e-4)
    gradients = back(jnp.asarray(cotangent, jnp.float32))
    for found, wanted in zip(gradients, direct_gradients(x, kernel, cotangent), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_every_candidate_of_a_table_is_there_and_no_other():
    assert set(VALUES) == set(CANDIDATES["value"])
    assert set(KERNEL_GRADIENTS) == set(CANDIDATES["kernel_gradient"])
