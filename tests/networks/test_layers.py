"""Batch norm and Add by hand, and what each operation of a plan computes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.networks.layers import compute
from blockqnn.networks.normalisation import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM, batch_norm
from blockqnn.networks.plan import Operation, PlacedLayer

# Two channels over two images of one row of two pixels: means 2.5 and 10,
# variances 1.25 and 9.
X = np.array([[[[1.0, 7.0], [2.0, 13.0]]], [[[3.0, 13.0], [4.0, 7.0]]]])
PARAMETERS = {"scale": jnp.array([2.0, 3.0]), "bias": jnp.array([0.5, -1.0])}
STATISTICS = {"mean": jnp.array([10.0, 20.0]), "variance": jnp.array([4.0, 25.0])}


def test_constants_of_batch_norm():
    assert (BATCH_NORM_MOMENTUM, BATCH_NORM_EPSILON) == (0.9, 1e-5)


def test_batch_norm_in_training_normalises_by_the_batch():
    y, _ = batch_norm(jnp.asarray(X, jnp.float32), PARAMETERS, STATISTICS, training=True)
    first = [(x - 2.5) / math.sqrt(1.25 + 1e-5) * 2 + 0.5 for x in (1, 2, 3, 4)]
    second = [(x - 10) / math.sqrt(9 + 1e-5) * 3 - 1 for x in (7, 13, 13, 7)]
    np.testing.assert_allclose(y[..., 0].ravel(), first, rtol=1e-5)
    np.testing.assert_allclose(y[..., 1].ravel(), second, rtol=1e-5)


def test_batch_norm_in_training_moves_the_running_statistics_a_tenth():
    _, after = batch_norm(jnp.asarray(X, jnp.float32), PARAMETERS, STATISTICS, training=True)
    assert set(after) == {"mean", "variance"}
    np.testing.assert_allclose(after["mean"], [9.25, 19.0], rtol=1e-6)
    np.testing.assert_allclose(after["variance"], [3.725, 23.4], rtol=1e-6)


def test_batch_norm_in_evaluation_normalises_by_the_running_statistics_and_keeps_them():
    y, after = batch_norm(jnp.asarray(X, jnp.float32), PARAMETERS, STATISTICS, training=False)
    first = [(x - 10) / math.sqrt(4 + 1e-5) * 2 + 0.5 for x in (1, 2, 3, 4)]
    second = [(x - 20) / math.sqrt(25 + 1e-5) * 3 - 1 for x in (7, 13, 13, 7)]
    np.testing.assert_allclose(y[..., 0].ravel(), first, rtol=1e-5)
    np.testing.assert_allclose(y[..., 1].ravel(), second, rtol=1e-5)
    assert after["mean"].tolist() == [10.0, 20.0]
    assert after["variance"].tolist() == [4.0, 25.0]


def test_batch_norm_of_a_constant_is_its_bias():
    """Epsilon keeps a variance of zero from dividing by zero."""
    y, _ = batch_norm(jnp.full((2, 3, 3, 2), 5.0), PARAMETERS, STATISTICS, training=True)
    np.testing.assert_allclose(y, np.broadcast_to([0.5, -1.0], y.shape), atol=1e-6)


def test_the_gradient_of_batch_norm_flows_through_mean_and_variance():
    """By the batch, adding to or scaling a channel changes nothing."""
    x = jnp.asarray(np.random.default_rng(0).standard_normal((4, 3, 3, 2)), jnp.float32)
    weights = jnp.asarray(np.random.default_rng(1).standard_normal(x.shape), jnp.float32)
    gradient = jax.grad(
        lambda x: jnp.sum(weights * batch_norm(x, PARAMETERS, STATISTICS, training=True)[0])
    )(x)
    assert np.abs(gradient).max() > 0.1
    np.testing.assert_allclose(gradient.sum(axis=(0, 1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose((gradient * x).sum(axis=(0, 1, 2)), 0, atol=1e-2)


def test_batch_norm_in_bfloat16_keeps_its_statistics_in_float32():
    x = jnp.asarray(1000 + X, jnp.bfloat16)
    y, after = batch_norm(x, PARAMETERS, STATISTICS, training=True)
    assert y.dtype == jnp.bfloat16
    assert {array.dtype for array in after.values()} == {jnp.dtype("float32")}
    wide = np.asarray(x.astype(jnp.float32))
    np.testing.assert_allclose(
        after["mean"], 0.9 * STATISTICS["mean"] + 0.1 * wide.mean(axis=(0, 1, 2)), rtol=1e-6
    )


def added(*inputs):
    return compute(placed(Operation.ADD), {}, {}, inputs, training=False)[0]


@pytest.mark.parametrize("swap", [False, True])
def test_add_pads_the_narrower_map_with_zeros_at_the_end(swap):
    narrow, wide = jnp.full((1, 1, 2, 1), 5.0), jnp.arange(6.0).reshape(1, 1, 2, 3)
    y = added(wide, narrow) if swap else added(narrow, wide)
    assert y.tolist() == [[[[5.0, 1.0, 2.0], [8.0, 4.0, 5.0]]]]


def test_add_of_equal_widths_and_its_dtype():
    x = jnp.arange(4.0, dtype=jnp.bfloat16).reshape(1, 2, 1, 2)
    assert added(x, x).tolist() == [[[[0.0, 2.0]], [[4.0, 6.0]]]]
    assert added(x, x[..., :1]).dtype == jnp.bfloat16


def placed(operation, kernel=0, shape=(1, 2, 2)):
    """A layer on its own; `compute` reads operation and kernel alone."""
    return PlacedLayer("layer", operation, kernel, (0,), ((1, 2, 2),), shape)


PIXELS = jnp.array([[[[-1.0, 2.0], [3.0, -4.0]]]])


@pytest.mark.parametrize(
    ("operation", "kernel", "inputs", "output"),
    [
        (Operation.MAX_POOLING, 3, [PIXELS], [[[[3.0, 2.0], [3.0, 2.0]]]]),
        (Operation.AVERAGE_POOLING, 3, [PIXELS], [[[[1.0, -1.0], [1.0, -1.0]]]]),
        (Operation.ADD, 0, [PIXELS, PIXELS[..., :1]], [[[[-2.0, 2.0], [6.0, -4.0]]]]),
        (
            Operation.CONCAT,
            0,
            [PIXELS, PIXELS[..., :1], PIXELS[..., 1:]],
            [[[[-1.0, 2.0, -1.0, 2.0], [3.0, -4.0, 3.0, -4.0]]]],
        ),
        (Operation.DOWNSAMPLING, 2, [jnp.concatenate([PIXELS, PIXELS], 1)], [[[[3.0, 2.0]]]]),
        (Operation.RELU, 0, [PIXELS], [[[[0.0, 2.0], [3.0, 0.0]]]]),
        (Operation.GLOBAL_POOLING, 0, [PIXELS], [[1.0, -1.0]]),
    ],
)
def test_operations_without_weights(operation, kernel, inputs, output):
    y, statistics = compute(placed(operation, kernel), {}, {}, inputs, training=True)
    assert y.tolist() == output
    assert statistics == {}


def test_the_stem_is_a_bare_convolution():
    kernel = jnp.array([[[[1.0], [10.0]]]])
    y, after = compute(placed(Operation.CONVOLUTION, 1), {"kernel": kernel}, {}, [PIXELS], True)
    assert y.tolist() == [[[[19.0], [-37.0]]]]
    assert after == {}


@pytest.mark.parametrize("training", [True, False])
def test_a_pcc_is_relu_then_convolution_then_batch_norm(training):
    kernel = jnp.array([[[[1.0], [10.0]]]])
    parameters = {"kernel": kernel, "scale": jnp.array([2.0]), "bias": jnp.array([1.0])}
    running = {"mean": jnp.array([5.0]), "variance": jnp.array([4.0])}
    y, after = compute(placed(Operation.PCC, 1), parameters, running, [PIXELS], training)
    # ReLU leaves (0, 2) and (3, 0), the convolution 20 and 3: mean 11.5, variance 72.25.
    mean, variance = (11.5, 72.25) if training else (5.0, 4.0)
    wanted = [(x - mean) / math.sqrt(variance + 1e-5) * 2 + 1 for x in (20, 3)]
    np.testing.assert_allclose(np.asarray(y).ravel(), wanted, rtol=1e-5)
    if training:
        np.testing.assert_allclose(after["mean"], [0.9 * 5 + 0.1 * 11.5], rtol=1e-6)
        np.testing.assert_allclose(after["variance"], [0.9 * 4 + 0.1 * 72.25], rtol=1e-6)
    else:
        assert (after["mean"].tolist(), after["variance"].tolist()) == ([5.0], [4.0])


def test_the_head_is_linear():
    parameters = {"kernel": jnp.array([[1.0, 2.0], [3.0, 4.0]]), "bias": jnp.array([0.5, -0.5])}
    x = jnp.array([[1.0, 10.0], [0.0, 1.0]])
    y, _ = compute(placed(Operation.LINEAR), parameters, {}, [x], training=False)
    assert y.tolist() == [[31.5, 41.5], [3.5, 3.5]]


def test_global_pooling_of_bfloat16_is_float32():
    x = jnp.full((2, 4, 4, 3), 1.5, jnp.bfloat16)
    y, _ = compute(placed(Operation.GLOBAL_POOLING), {}, {}, [x], training=False)
    assert y.dtype == jnp.float32
    assert y.tolist() == [[1.5] * 3] * 2


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_pcc_in_bfloat16_takes_float32_weights_and_gives_bfloat16(kernel):
    parameters = {
        "kernel": jnp.ones((kernel, kernel, 2, 3)),
        "scale": jnp.ones(3),
        "bias": jnp.zeros(3),
    }
    running = {"mean": jnp.zeros(3), "variance": jnp.ones(3)}
    x = PIXELS.astype(jnp.bfloat16)
    y, after = compute(placed(Operation.PCC, kernel), parameters, running, [x], training=True)
    assert y.dtype == jnp.bfloat16
    assert after["mean"].dtype == jnp.float32


def test_an_image_is_given_and_not_computed():
    with pytest.raises(ValueError, match="is given, not computed"):
        compute(placed(Operation.IMAGE), {}, {}, [PIXELS], training=False)
