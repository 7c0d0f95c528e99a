"""What of a program XLA compiles by itself, and batch norm, which is such a part."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks import normalisation
from blockqnn.networks.calls import as_call
from blockqnn.networks.norm_settings import BATCH_NORM_EPSILON, NormSettings
from blockqnn.networks.normalisation import batch_norm


def compiled_text(function, *arrays):
    return jax.jit(function).lower(*arrays).compile().as_text()


def test_a_call_stays_one_where_xla_would_merge_it():
    def wave(x):
        return jnp.sin(x) * 2.0

    x = np.ones(1000, np.float32)
    assert " call(" not in compiled_text(lambda x: jax.jit(wave)(x) + 1.0, x)
    assert compiled_text(lambda x: as_call(wave)(x) + 1.0, x).count(" call(") == 1
    np.testing.assert_array_equal(as_call(wave)(x), wave(x))


def test_batch_norm_and_its_gradient_are_a_call_each():
    x, ones = np.ones((4, 3, 3, 2), np.float32), np.ones(2, np.float32)
    parameters, running = {"scale": ones, "bias": ones}, {"mean": ones, "variance": ones}

    def loss(x, parameters):
        return (batch_norm(x, parameters, running, True)[0] ** 2).sum()

    text = compiled_text(jax.grad(loss, argnums=(0, 1)), x, parameters)
    assert text.count(" call(") == 2


@given(
    shape=st.tuples(*(st.integers(1, 4) for _ in range(4))).filter(lambda s: np.prod(s[:3]) > 1),
    seed=st.integers(0, 2**20),
    scales=st.booleans(),
    epsilon=st.sampled_from([BATCH_NORM_EPSILON, 1e-3]),
)
def test_the_gradient_is_the_one_that_is_derived(shape, seed, scales, epsilon):
    random = np.random.default_rng(seed)
    x = random.standard_normal(shape).astype(np.float32)
    weights = random.standard_normal(shape).astype(np.float32)
    names = ("scale", "bias") if scales else ()
    own = {name: random.uniform(0.5, 2, shape[-1]).astype(np.float32) for name in names}
    running = {name: np.ones(shape[-1], np.float32) for name in ("mean", "variance")}
    settings = NormSettings(0.9, epsilon)

    def ours(x, own):
        y, after = batch_norm(x, own, running, True, settings=settings)
        return (y * weights).sum(), (y, after)

    def derived(x, own):
        """Ioffe and Szegedy, 2015, algorithm 1, by whatever JAX makes of it."""
        mean = x.mean((0, 1, 2))
        variance = ((x - mean) ** 2).mean((0, 1, 2))
        y = (x - mean) / jnp.sqrt(variance + epsilon)
        y = y * own["scale"] + own["bias"] if own else y
        kept = {
            "mean": 0.9 + 0.1 * mean,
            "variance": 0.9 + 0.1 * (variance + epsilon - BATCH_NORM_EPSILON),
        }
        return (y * weights).sum(), (y, kept)

    with jax.numpy_rank_promotion("allow"):
        wanted = jax.jit(jax.value_and_grad(derived, (0, 1), has_aux=True))(x, own)
    found = jax.jit(jax.value_and_grad(ours, (0, 1), has_aux=True))(x, own)
    # A channel that hardly varies is divided by next to nothing.
    largest = max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(wanted))
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * max(1.0, largest))


@pytest.fixture
def on_a_gpu(monkeypatch):
    """JAX believes that it computes on one."""
    calls = normalisation._forward_call, normalisation._backward_call
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    for call in calls:
        call.cache_clear()
    yield
    for call in calls:
        call.cache_clear()


@pytest.mark.parametrize("scales", [True, False])
def test_off_a_processor_a_norm_is_no_call_and_has_the_same_gradient(request, scales):
    random = np.random.default_rng(0)
    x, weights = random.standard_normal((2, 4, 3, 5, 2)).astype(np.float32)
    own = {"scale": x[0, 0, 0], "bias": x[0, 0, 1]} if scales else {}
    running = {"mean": np.zeros(2, np.float32), "variance": np.ones(2, np.float32)}

    def loss(x, own):
        y, after = batch_norm(x, own, running, True)
        return (y * weights).sum(), (y, after)

    wanted = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(x, own)
    request.getfixturevalue("on_a_gpu")

    def again(x, own):
        return loss(x, own)

    compiled = jax.jit(jax.value_and_grad(again, (0, 1), has_aux=True)).lower(x, own).compile()
    assert " call(" not in compiled.as_text()
    for one, other in zip(jax.tree.leaves(compiled(x, own)), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("on_a_gpu")
def test_off_a_processor_the_variance_of_what_hardly_varies_is_not_negative():
    x = np.broadcast_to(np.linspace(900, 1100, 99, dtype=np.float32), (64, 3, 3, 99))
    mean, square = (np.asarray(jnp.mean(each, (0, 1, 2))) for each in (x, jnp.square(x)))
    assert (square < mean**2).any(), "or it proves nothing"
    found = np.asarray(normalisation.batch_statistics(x)["variance"])
    assert (found >= 0.0).all()


def test_what_is_not_of_the_norm_gets_no_gradient_of_it():
    ones = np.ones(2, np.float32)
    kernel = np.ones((1, 1, 2, 2), np.float32)
    running = {"mean": ones, "variance": ones}

    def loss(parameters):
        x = jnp.arange(16.0, dtype=jnp.float32).reshape(2, 2, 2, 2)
        return (batch_norm(x, parameters, running, True)[0] ** 3).sum()

    gradient = jax.grad(loss)({"scale": ones, "bias": ones, "kernel": kernel})
    assert float(np.abs(gradient["kernel"]).max()) == pytest.approx(0.0)
    assert float(np.abs(gradient["bias"]).min()) > 0.0
