"""The gradients of DARTS against its printed example, each other, and a derivation in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.supernets.bilevel import (
    curvature,
    first_order,
    mixed_difference,
    mixed_product,
    second_order,
    unrolled,
)
from blockqnn.supernets.curvature import dominant_eigenvalue


def validation(w, alpha):
    """Figure 2 of the paper."""
    return alpha * w - 2 * alpha + 1


def train(w, alpha):
    """Likewise."""
    return w**2 - 2 * alpha * w + alpha**2


def of_alpha(w, alpha, xi, exact=True):
    return float(second_order(train, validation, w, alpha, 0.0, xi, exact=exact))


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("xi", "expected"), [(0.0, -4.0), (0.1, -2.8), (0.25, -1.0), (0.5, 2.0)])
def test_the_papers_example(xi, expected, exact):
    # It starts at alpha 2 and w -2.
    assert of_alpha(-2.0, 2.0, xi, exact) == pytest.approx(expected, abs=2e-3)
    if xi == 0:
        assert float(first_order(validation, -2.0, 2.0)) == -4


def test_two_steps_of_the_papers_example_alpha_first():
    alpha, w = 2.0, -2.0
    for expected in ((1.8, -1.24), (1.64, -0.664)):
        alpha -= 0.1 * of_alpha(w, alpha, 0.5)
        w -= 0.1 * float(jax.grad(train)(w, alpha))
        assert (alpha, w) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("xi", "point"), [(0.0, 2), (0.1, 1.6667), (0.25, 1.3333), (0.5, 1)])
def test_the_papers_example_rests_where_alpha_is_two_over_one_and_two_xi(xi, point):
    assert 2 / (1 + 2 * xi) == pytest.approx(point, abs=1e-4)
    assert of_alpha(float(point), float(point), xi) == pytest.approx(0, abs=2e-4)


def test_the_finite_difference_of_the_example_lies_around_w():
    # At xi 0.5 the step leads to 2; v is 2, so epsilon is 0.005.
    after = float(unrolled(-2.0, float(jax.grad(train)(-2.0, 2.0)), 0.0, 0.5, 0.0, 0.0))
    assert after == 2
    ahead, behind = (float(jax.grad(train, 1)(-2.0 + s * 0.005 * 2.0, 2.0)) for s in (1, -1))
    assert (ahead, behind) == pytest.approx((7.98, 8.02), abs=1e-6)
    assert float(mixed_difference(train, -2.0, 2.0, 2.0)) == pytest.approx(-4, abs=2e-3)


def test_the_unrolled_weight_has_the_momentum_of_before_and_the_decay():
    assert float(unrolled(1.0, 0.2, 0.5, 0.025, 0.9, 3e-4)) == pytest.approx(0.9837425, abs=1e-9)


def networks(dtype):
    """Two losses of a small network whose three paths are mixed by alpha."""
    random = np.random.default_rng(0)
    weights = [jnp.asarray(random.normal(size=(4, 4)), dtype) for _ in range(3)]
    alpha = jnp.asarray(random.normal(size=3), dtype)
    data = [(random.normal(size=(6, 4)), random.normal(size=(6, 4))) for _ in range(2)]

    def loss_on(part):
        x, y = (jnp.asarray(each, dtype) for each in part)

        def loss(w, a):
            shares = jax.nn.softmax(a)
            mixed = sum(share * jnp.tanh(x @ each) for share, each in zip(shares, w, strict=True))
            return jnp.mean(jnp.square(mixed - y))

        return loss

    velocity = [0.1 * each for each in weights]
    return loss_on(data[0]), loss_on(data[1]), weights, alpha, velocity


def test_the_second_order_is_the_derivative_of_the_loss_after_the_step():
    with jax.enable_x64(True):
        on_train, on_validation, weights, alpha, velocity = networks(jnp.float64)

        def after(a):
            """The loss on validation data after a step on the others: the definition."""
            w = unrolled(weights, jax.grad(on_train)(weights, a), velocity, 0.3, 0.9, 3e-4)
            return on_validation(w, a)

        steps = 1e-6 * np.eye(3)
        oracle = [float(after(alpha + s) - after(alpha - s)) / 2e-6 for s in steps]
        exact = second_order(on_train, on_validation, weights, alpha, velocity, 0.3, 0.9, 3e-4)
        np.testing.assert_allclose(exact, oracle, atol=1e-9)
        np.testing.assert_allclose(exact, jax.grad(after)(alpha), rtol=1e-12)
        by_difference = second_order(
            *(on_train, on_validation, weights, alpha, velocity, 0.3, 0.9, 3e-4), exact=False
        )
        np.testing.assert_allclose(by_difference, exact, rtol=2e-5)
        assert not np.allclose(exact, first_order(on_validation, weights, alpha), rtol=1e-2)


def test_the_mixed_product_by_both_ways_in_float32():
    on_train, _, weights, alpha, _ = networks(jnp.float32)
    direction = [jnp.cos(each) for each in weights]
    exact = mixed_product(on_train, weights, alpha, direction)
    np.testing.assert_allclose(
        mixed_difference(on_train, weights, alpha, direction), exact, rtol=5e-3, atol=1e-4
    )


def test_power_iteration_finds_the_largest_eigenvalue_of_the_hessian():
    on_train, _, weights, alpha, _ = networks(jnp.float32)
    hessian = np.asarray(jax.hessian(on_train, 1)(weights, alpha))
    values = np.linalg.eigvalsh(hessian)
    largest = values[np.argmax(np.abs(values))]

    def product(rows):
        vector = jnp.concatenate([jnp.asarray(rows["a"]), jnp.asarray(rows["b"])])
        found = np.asarray(curvature(on_train, weights, alpha, vector))
        return {"a": found[:2], "b": found[2:]}

    begin = {"a": np.array([1.0, -0.5]), "b": np.array([0.3])}
    value, vector = dominant_eigenvalue(product, begin, 60)
    assert value == pytest.approx(largest, rel=1e-4)
    again, _ = dominant_eigenvalue(product, vector, 1)
    assert again == pytest.approx(largest, rel=1e-4)


def test_power_iteration_of_nothing_is_zero():
    value, vector = dominant_eigenvalue(lambda rows: {"a": 0 * rows["a"]}, {"a": np.ones(3)}, 4)
    assert value == 0 and np.isfinite(vector["a"]).all()
