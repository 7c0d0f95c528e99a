"""A chain of programs: what it does with the arrays that it is given."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from blockqnn.children.chain import Chain, Held, held
from blockqnn.children.execution import mean_cross_entropy
from blockqnn.children.optimiser import Adam, Compiled, Momentum
from blockqnn.children.training import on_device
from blockqnn.children.whole_program import forward
from blockqnn.data.images import Images
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layout import Layout
from blockqnn.networks.parts import cut_into_layers
from blockqnn.networks.spaces.registry import design_of, design_plan, parse

LAYOUT = Layout(filters=(3,), repeats=1, height=4, width=4, channels=2, classes=3)
BLOCK = parse("[(1,1,3,0,0),(2,2,3,0,0),(3,1,1,1,0),(4,7,0,0,0)]")
BATCH = 8


def images():
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (BATCH, 4, 4, 2), np.uint8)
    part = Images(pixels, np.arange(BATCH) % 3)
    return on_device(part, part)[0]


def made(compiled):
    """A chain, and what its steps hold."""
    plan = design_plan(design_of(BLOCK), LAYOUT)
    parameters, statistics = initial_parameters(plan, 1), initial_statistics(plan)
    steps = cut_into_layers(plan)
    weights = [Held()]
    for step in steps[1:]:
        own = parameters[step.layer] if step.parameter_shapes else {}
        rows = {"kernel": np.ones((own["kernel"].shape[-2], 1), np.float32)} if step.rows else {}
        copies = {name: np.ones((), np.float32) for name in own} | rows
        norm = statistics[step.layer] if step.normalises else {}
        weights.append(held(compiled, own, norm, copies))
    return plan, parameters, Chain(steps, compiled, BATCH), weights


def after_steps(compiled, most_norm, rate=0.05, steps=3):
    """What the arrays are after some steps."""
    plan, parameters, chain, weights = made(compiled)
    part = images()
    losses = []
    for _ in range(steps):
        for own in weights:
            own.follow(np.float32(rate))
        batch = chain.batch(part, np.arange(BATCH))
        losses.append(float(chain.train_step(weights, *batch, most_norm)))
    return plan, parameters, [own.parameters for own in weights], losses


def by_optax(transformation, rate, steps=3):
    """The same steps by optax and one function of the whole network."""
    plan = design_plan(design_of(BLOCK), LAYOUT)
    parameters = jax.tree.map(jnp.asarray, initial_parameters(plan, 1))
    statistics = jax.tree.map(jnp.asarray, initial_statistics(plan))
    _, _, chain, _ = made(Compiled())
    pixels, labels = chain.batch(images(), np.arange(BATCH))

    def loss_of(arrays):
        logits, _ = forward(plan, arrays, statistics, pixels, training=True)
        return mean_cross_entropy(logits, labels)

    state = transformation.init(parameters)
    losses = []
    for _ in range(steps):
        loss, gradients = jax.value_and_grad(loss_of)(parameters)
        with jax.numpy_dtype_promotion("standard"):
            changes, state = transformation.update(gradients, state, parameters)
        parameters = optax.apply_updates(parameters, changes)
        losses.append(float(loss))
    return parameters, losses


CLIPPED = 0.3


@pytest.mark.parametrize("most_norm", [0.0, CLIPPED, 1e6])
@pytest.mark.parametrize(
    ("optimiser", "reference"),
    [
        (Adam(), optax.scale_by_adam()),
        (
            Momentum(0.8, True, 0.1),
            optax.chain(optax.add_decayed_weights(0.1), optax.trace(0.8, nesterov=True)),
        ),
        (Momentum(0.8, False, 0.0), optax.trace(0.8)),
    ],
)
def test_steps_are_those_of_optax(optimiser, reference, most_norm):
    rate = 0.05
    parts = [reference, optax.scale(-rate)]
    if most_norm:
        parts.insert(0, optax.clip_by_global_norm(most_norm))
    wanted, wanted_losses = by_optax(optax.chain(*parts), rate)
    plan, initial, found, losses = after_steps(Compiled(optimiser), most_norm, rate)
    assert losses == pytest.approx(wanted_losses, rel=1e-4)
    assert losses[0] != pytest.approx(losses[-1], rel=1e-3)
    steps = cut_into_layers(plan)
    for step, arrays in zip(steps[1:], found[1:], strict=True):
        for name, array in arrays.items():
            assert array == pytest.approx(np.asarray(wanted[step.layer][name]), abs=2e-4)
            assert np.any(np.asarray(array) != initial[step.layer][name])


def test_a_bound_on_the_norm_changes_what_is_learned():
    free, bound = (after_steps(Compiled(Momentum()), norm)[3] for norm in (0.0, CLIPPED))
    assert free[-1] != pytest.approx(bound[-1], rel=1e-3)


def test_momentum_by_hand():
    # v = 0.9 * 0 + (0.5 + 0.1 * 2) = 0.7, along 0.7 + 0.9 * 0.7; then v = 0.9 * 0.7 + 0.7.
    transformation = Momentum(0.9, True, 0.1).transformation()
    weights, gradients = {"w": jnp.array([2.0])}, {"w": jnp.array([0.5])}
    state = transformation.init(weights)
    first, state = transformation.update(gradients, state, weights)
    second, _ = transformation.update(gradients, state, weights)
    assert first["w"] == pytest.approx(1.33)
    assert second["w"] == pytest.approx(0.7 + 0.9 * 1.33)


def test_a_rate_is_told_to_arrays_times_what_they_stand_for():
    own = Held(copies={"kernel": np.array([[2.0], [1.0]], np.float32)})
    own.follow(np.float32(0.5))
    assert own.rates["kernel"].tolist() == [[1.0], [0.5]]
    kept = own.rates
    own.follow(np.float32(0.5))
    assert own.rates is kept
    assert dataclasses.replace(own).rates is kept
