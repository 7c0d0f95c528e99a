"""Batch norm with a momentum and an epsilon that are not the usual ones."""

import jax
import numpy as np
import pytest

from blockqnn.full_training.settings import FullRecipe
from blockqnn.networks.child import ChildNetwork
from blockqnn.networks.norm_settings import NormSettings
from blockqnn.networks.normalisation import batch_norm, normalised
from tests.blockqnn.small_trainings import NORMALISATION, images, program

BATCH = images(8)
ODD = {"norm_momentum": 0.75, "norm_epsilon": 0.1, "crop_padding": 0}


def after(made, count):
    state, losses = made.start(), []
    for _ in range(count):
        pixels, labels = (
            jax.device_put(array, made.in_parts) for array in (BATCH.images, BATCH.labels)
        )
        state, loss = made.step(state, pixels, labels)
        losses.append(float(loss))
    return jax.device_get(state), losses


def test_by_hand():
    x = np.array([[[[1.0]], [[3.0]]]], np.float32)
    own = {"scale": np.array([2.0], np.float32), "bias": np.array([1.0], np.float32)}
    running = {"mean": np.zeros(1, np.float32), "variance": np.ones(1, np.float32)}
    y, kept = batch_norm(x, own, running, True, settings=NormSettings(0.5, 3.0))
    # Mean 2 and variance 1, so that the deviation is 2.
    np.testing.assert_allclose(y.ravel(), [0.0, 2.0], atol=1e-6)
    assert float(kept["mean"][0]) == pytest.approx(1.0)
    assert float(kept["variance"][0]) == pytest.approx(0.5 * 1 + 0.5 * (1 + 3.0 - 1e-5))
    # What was kept is used with the usual epsilon.
    z = normalised(x, own, {"mean": np.zeros(1), "variance": np.array([1 + 3.0 - 1e-5])})
    np.testing.assert_allclose(z.ravel(), [2.0, 4.0], rtol=1e-5)


def test_training_and_evaluation_use_them():
    made = program(**ODD)
    start = jax.device_get(made.start())
    for own in jax.tree.leaves(start["statistics"], is_leaf=lambda x: "variance" in x):
        np.testing.assert_allclose(own["variance"], 1 + 0.1 - 1e-5)
    x = (BATCH.images.astype(np.float32) - NORMALISATION[0]) / NORMALISATION[1]
    parameters = start["parameters"]
    stem = parameters["stem"]["convolution1"]
    block = parameters["stage1"]["block1"]["layer1"]
    y = convolved(np.maximum(convolved(x, stem["kernel"]), 0), block["kernel"])
    mean, variance = y.mean((0, 1, 2)), y.var((0, 1, 2))
    wanted = logits((y - mean) / np.sqrt(variance + 0.1), parameters)
    state, losses = after(made, 1)
    shifted = wanted - wanted.max(1, keepdims=True)
    entropy = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(8), BATCH.labels]
    assert losses[0] == pytest.approx(entropy.mean(), rel=1e-4)
    kept = state["statistics"]["stage1"]["block1"]["layer1"]
    np.testing.assert_allclose(kept["mean"], 0.25 * mean, rtol=1e-3, atol=1e-5)
    running = 0.75 * 1 + 0.25 * variance
    np.testing.assert_allclose(kept["variance"], running + 0.1 - 1e-5, rtol=1e-3)
    # Evaluation of the first weights by running statistics of mean 0 and variance 1.
    found = made.logits(made.start(), BATCH.images)
    np.testing.assert_allclose(found, logits(y / np.sqrt(1.1), parameters), rtol=1e-3, atol=1e-4)


def convolved(x, kernel):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1:3]
    return sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)
    )


def logits(y, parameters):
    features = np.maximum(y, 0).mean((1, 2))
    head = parameters["head"]["linear"]
    return features @ head["kernel"] + head["bias"]


def test_four_devices_compute_what_one_does():
    (one, losses), (four, others) = (after(program(devices, **ODD), 3) for devices in (1, 4))
    assert losses == pytest.approx(others, rel=1e-5)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(four), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_usual_settings_leave_the_module_and_the_record_as_they_were():
    assert FullRecipe(norm_epsilon=1e-5, norm_momentum=0.9).as_json() == FullRecipe().as_json()
    assert FullRecipe(norm_epsilon=1e-3).as_json()["norm_epsilon"] == 1e-3
    assert ChildNetwork.__init__.__kwdefaults__["norms"] == NormSettings()
