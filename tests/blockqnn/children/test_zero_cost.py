"""Zero-cost scores: against figures by hand, and what they must not depend on."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.children.whole_program import forward
from blockqnn.children.zero_cost import (
    activation_patterns,
    gradient_norm,
    log_determinant,
    synaptic_flow,
)
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layout import Layout
from blockqnn.networks.operations.table import operations
from blockqnn.networks.plan import Operation, PlanBuilder
from blockqnn.networks.spaces.registry import design_of, design_plan, parse

LAYOUT = Layout(filters=(2,), repeats=1, height=4, width=4, channels=1, classes=3)
BLOCK = "[(1,1,3,0,0),(2,1,1,0,0),(3,5,0,1,2),(4,7,0,0,0)]"


def plan_of(text):
    return design_plan(design_of(parse(text)), LAYOUT)


def chain(layers, channels, side=1):
    """Convolutions of 1x1, one behind the other, on an image, and the classifier."""
    builder = PlanBuilder()
    here = builder.place("image", Operation.IMAGE, (), shape=(side, side, channels))
    for number in range(layers):
        here = builder.convolution(f"{number}", Operation.CONVOLUTION, here, 1, channels)
    builder.head(here, 2)
    return tuple(builder.layers)


def filled(plan, value):
    return [
        {name: np.full(a.shape, value if name == "kernel" else a.flat[0], np.float32)
         for name, a in own.items()}
        for own in initial_parameters(plan, 0)
    ]  # fmt: skip


def batch(count=6):
    images = np.random.default_rng(1).standard_normal((count, 4, 4, 1), np.float32)
    return jnp.asarray(images), jnp.arange(count, dtype=jnp.int32) % 3


def test_synaptic_flow_of_a_linear_network_by_hand():
    # 1 -> 2 * -3 -> two logits of weight 5: each path carries 2 * 3 * 5 = 30, R is 60, and each of
    # the three kernels carries all of it.
    builder = PlanBuilder()
    here = builder.place("image", Operation.IMAGE, (), shape=(1, 1, 1))
    here = builder.convolution("a", Operation.CONVOLUTION, here, 1, 1)
    here = builder.convolution("b", Operation.CONVOLUTION, here, 1, 1)
    builder.head(here, 2)
    plan = tuple(builder.layers)
    weights = filled(plan, 5.0)
    weights[1]["kernel"][:], weights[2]["kernel"][:] = 2.0, -3.0
    score = synaptic_flow(plan, weights, jnp.zeros((1, 1, 1, 1)), jnp.zeros(1, jnp.int32))
    assert score == pytest.approx(math.log(3 * 60), rel=1e-6)


def test_synaptic_flow_of_a_block_is_that_of_the_whole_network_at_once():
    # The block's sum has two paths; weights are all 1, and batch norm lets everything pass.
    plan = plan_of(BLOCK)
    weights = filled(plan, 1.0)

    def flow(weights):
        ones = jnp.ones((1, 4, 4, 1))
        return jnp.sum(forward(plan, weights, initial_statistics(plan), ones, False)[0])

    gradients = jax.jit(jax.grad(flow))(weights)
    wanted = sum(float(jnp.sum(jnp.abs(g["kernel"]))) for g in gradients if "kernel" in g)
    assert synaptic_flow(plan, weights, *batch()) == pytest.approx(math.log(wanted), rel=1e-5)


def test_synaptic_flow_of_a_deep_network_does_not_overflow():
    plan = chain(60, 2)
    weights = filled(plan, 200.0)
    score = synaptic_flow(plan, weights, jnp.zeros((1, 1, 1, 2)), jnp.zeros(1, jnp.int32))
    # 61 kernels, each with all of R; every layer multiplies by 2 channels * 200.
    assert score == pytest.approx(math.log(61) + math.log(2) + 61 * math.log(400), rel=1e-6)
    assert score > math.log(np.finfo(np.float32).max)


def test_nothing_that_arrives_is_minus_infinity():
    plan = chain(1, 2)
    score = synaptic_flow(plan, filled(plan, 0.0), jnp.zeros((1, 1, 1, 2)), jnp.zeros(1, jnp.int32))
    assert score == -math.inf


def test_gradient_norm_of_a_classifier_by_hand():
    # Only a classifier of pooled positive channels: dL/dW = mean over images of x (p - y)^T.
    builder = PlanBuilder()
    here = builder.place("image", Operation.IMAGE, (), shape=(1, 1, 2))
    builder.head(here, 2)
    plan = tuple(builder.layers)
    x = np.array([[1.0, 2.0], [3.0, 0.0]], np.float32)
    labels = jnp.array([0, 1], jnp.int32)
    found = gradient_norm(plan, filled(plan, 0.0), jnp.asarray(x).reshape(2, 1, 1, 2), labels)
    residual = np.array([[-0.5, 0.5], [0.5, -0.5]])
    assert found == pytest.approx(np.linalg.norm(x.T @ residual / 2), rel=1e-6)


def test_gradient_norm_is_that_of_finite_differences():
    plan = plan_of("[(1,1,1,0,0),(2,7,0,0,0)]")
    weights = initial_parameters(plan, 3)
    images, labels = batch()

    @jax.jit
    def loss(weights):
        logits, _ = forward(plan, weights, initial_statistics(plan), images, True)
        return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(labels)), labels])

    gradients = jax.jit(jax.grad(loss))(weights)
    norms = [float(jnp.linalg.norm(g["kernel"].ravel())) for g in gradients if "kernel" in g]
    assert gradient_norm(plan, weights, images, labels) == pytest.approx(sum(norms), rel=1e-4)
    # And these are slopes of the loss: along a kernel's gradient it rises by its norm.
    last = dict(weights[-1])
    unit = np.asarray(gradients[-1]["kernel"]) / norms[-1]
    step = np.float32(0.02)
    up, down = (
        float(loss([*weights[:-1], last | {"kernel": last["kernel"] + sign * step * unit}]))
        for sign in (1, -1)
    )
    assert (up - down) / (2 * step) == pytest.approx(norms[-1], rel=1e-2)


def test_activation_patterns_of_a_code_matrix_by_hand():
    # One ReLU a channel, at the head: the codes are the signs of the images.
    builder = PlanBuilder()
    here = builder.place("image", Operation.IMAGE, (), shape=(1, 1, 3))
    builder.head(here, 2)
    plan = tuple(builder.layers)
    images = jnp.array([[1.0, -1, 1], [1, 1, 1], [-1, -1, -1]]).reshape(3, 1, 1, 3)
    # Codes 101, 111, 000: distances 1, 2 and 3 of 3 ReLUs.
    kernel = np.array([[3.0, 2, 1], [2, 3, 0], [1, 0, 3]])
    wanted = math.log(abs(np.linalg.det(kernel)))
    found = activation_patterns(plan, filled(plan, 1.0), images, jnp.zeros(3, jnp.int32))
    assert found == pytest.approx(wanted, rel=1e-9)


def test_two_images_of_one_code_are_minus_infinity():
    assert log_determinant(np.array([[4.0, 4.0], [4.0, 4.0]])) == -math.inf
    assert log_determinant(np.diag([2.0, 3.0])) == pytest.approx(math.log(6))
    plan = plan_of(BLOCK)
    images, labels = batch()
    same = images.at[1].set(images[0])
    assert activation_patterns(plan, initial_parameters(plan, 0), same, labels) == -math.inf


@pytest.mark.parametrize("score", [gradient_norm, activation_patterns, synaptic_flow])
def test_a_score_is_of_the_network_and_not_of_its_code(score):
    images, labels = batch()
    # Two ways to write one block: the order of the branches of the sum.
    other = "[(1,1,1,0,0),(2,1,3,0,0),(3,5,0,2,1),(4,7,0,0,0)]"
    assert design_of(parse(other)).hash == design_of(parse(BLOCK)).hash
    first, again, written = (
        score(plan, initial_parameters(plan, 5), images, labels)
        for plan in (plan_of(BLOCK), plan_of(BLOCK), plan_of(other))
    )
    assert math.isfinite(first) and first == again == written
    plan = plan_of(BLOCK)
    assert score(plan, initial_parameters(plan, 6), images, labels) != first


def test_an_operation_tells_whether_it_rectifies():
    rectifying = {entry.name for entry in vars(Operation).values() if _rectifies(entry)}
    # Every other one is named after the ReLU that it begins with.
    names = [entry.name for entry in operations().values()]
    assert rectifying == {name for name in names if name.startswith("relu")}
    assert {Operation.PCC.name, Operation.RELU.name, Operation.SEPARABLE.name} <= rectifying


def _rectifies(entry):
    return dataclasses.is_dataclass(entry) and entry.rectifies
