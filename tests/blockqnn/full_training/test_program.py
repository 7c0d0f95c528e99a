"""The compiled steps of a full training: one device and several, averages, losses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.children.named_weights import by_layer, by_name
from blockqnn.children.whole_program import forward
from blockqnn.data.images import Images
from blockqnn.full_training.lesson import smoothed_cross_entropy
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.stacking import make_plan
from tests.blockqnn.small_trainings import CONV3, JOINED, LAYOUT, equal, images, program

BATCH = images(8)
HALVES = (slice(0, 4), slice(4, 8))


def steps(made, count=3, batch=BATCH):
    """The state after some steps on one batch, and the losses."""
    state, losses = made.start(), []
    for _ in range(count):
        pixels, labels = (
            jax.device_put(array, made.in_parts) for array in (batch.images, batch.labels)
        )
        state, loss = made.step(state, pixels, labels)
        losses.append(float(loss))
    return jax.device_get(state), losses


def close(one, other, rtol=1e-4, atol=1e-5):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


EVERYTHING = {
    "flip": True,
    "cutout": 3,
    "label_smoothing": 0.1,
    "drop_path": 0.4,
    "ema_decay": 0.9,
    "nesterov": True,
}


@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=["plain", "everything"])
def test_four_devices_compute_what_one_does(options):
    (one, losses), (four, others) = (
        steps(program(devices, JOINED, **options)) for devices in (1, 4)
    )
    assert losses == pytest.approx(others, rel=1e-5)
    close(one, four)
    assert len(set(losses)) == 3


def test_the_first_loss_is_that_of_the_untrained_network():
    made = program(crop_padding=0)
    state, losses = steps(made, 1)
    plan = make_plan(canonical_form(CONV3), LAYOUT)
    inputs = (BATCH.images.astype(np.float32) - 127) / 60
    logits, after = forward(
        plan, initial_parameters(plan, 0), initial_statistics(plan), inputs, training=True
    )
    logits = np.asarray(logits, np.float64)
    wanted = np.log(np.exp(logits).sum(1)) - logits[np.arange(8), BATCH.labels]
    assert losses[0] == pytest.approx(wanted.mean(), rel=1e-4)
    assert state["sums"]["correct"] == np.sum(logits.argmax(1) == BATCH.labels)
    close(state["statistics"], by_name(plan, after), rtol=1e-3)


def test_a_step_of_sgd_by_hand():
    made = program(crop_padding=0, weight_decay=0.1, momentum=0.5)
    (first, _), (second, _) = steps(made, 1), steps(made, 2)
    start = jax.device_get(made.start())
    # After the first step the momentum is the gradient with decay; the second adds half of it.
    close(
        first["parameters"],
        jax.tree.map(lambda p, m: p - 0.05 * m, start["parameters"], first["momentum"]),
    )
    close(
        second["parameters"],
        jax.tree.map(lambda p, m: p - 0.05 * m, first["parameters"], second["momentum"]),
    )
    assert (first["step"], second["step"]) == (1, 2)


def test_devices_may_normalise_each_by_its_own_statistics():
    (together, losses), (apart, others) = (
        steps(program(2, sync_batch_norm=sync)) for sync in (True, False)
    )
    assert abs(losses[0] - others[0]) > 1e-4
    assert not np.allclose(
        jax.tree.leaves(together["statistics"])[0], jax.tree.leaves(apart["statistics"])[0]
    ) or not np.allclose(
        jax.tree.leaves(together["statistics"])[1], jax.tree.leaves(apart["statistics"])[1]
    )
    # The running statistics are the mean over the parts.
    halves = [Images(*(a[part] for a in (BATCH.images, BATCH.labels))) for part in HALVES]
    alone = [steps(program(1, crop_padding=0), 1, half)[0]["statistics"] for half in halves]
    (both, _) = steps(program(2, sync_batch_norm=False, crop_padding=0), 1)
    close(both["statistics"], jax.tree.map(lambda a, b: (a + b) / 2, *alone))
    # With one device there is only one part.
    assert steps(program(1, sync_batch_norm=False))[1] == steps(program(1))[1]


def test_sums_are_those_of_the_epoch_alone():
    made = program(steps=2)
    state, losses = steps(made, 5)
    assert float(state["sums"]["loss"]) == pytest.approx(losses[4], rel=1e-6)
    state, losses = steps(made, 4)
    assert float(state["sums"]["loss"]) == pytest.approx(losses[2] + losses[3], rel=1e-6)


def test_the_moving_average_is_evaluated_and_follows_the_weights():
    made = program(ema_decay=0.9)
    first, _ = steps(made, 1)
    start = jax.device_get(made.start())
    wanted = jax.tree.map(lambda s, p: 0.1 * s + 0.9 * p, start["parameters"], first["parameters"])
    close(first["average"]["parameters"], wanted)
    weights = made.weights(first)
    assert equal(weights["parameters"], first["average"]["parameters"])
    assert not equal(weights["parameters"], first["parameters"])
    plain = program()
    state, _ = steps(plain, 1)
    assert equal(plain.weights(state)["parameters"], state["parameters"])


@pytest.mark.parametrize("options", [{}, {"ema_decay": 0.9}], ids=["plain", "average"])
def test_a_saved_state_goes_on_as_if_nothing_had_happened(options):
    made = program(**options)
    whole, _ = steps(made, 4)
    half, _ = steps(made, 2)
    weights, training = made.saved(half)
    training["sums"] = {
        "loss": float(half["sums"]["loss"]),
        "correct": int(half["sums"]["correct"]),
    }
    state = made.restored(2, weights, training)
    for _ in range(2):
        state, _ = made.step(state, jnp.asarray(BATCH.images), jnp.asarray(BATCH.labels))
    assert equal(jax.device_get(state), whole)


def test_gathering_on_the_device_is_the_same_step():
    made, many = program(), images(20, seed=3)
    chosen = np.array([3, 19, 4, 4, 0, 7, 8, 11], np.int32)
    wanted, losses = steps(made, 1, many.take(chosen))
    on_device = [jax.device_put(a, made.everywhere) for a in (many.images, many.labels)]
    state, loss = made.step_of(made.start(), *on_device, chosen)
    assert float(loss) == losses[0]
    assert equal(jax.device_get(state), wanted)


def test_logits_are_those_of_running_statistics_and_the_middle_of_the_image():
    made = program(crop_padding=0)
    state, _ = steps(made, 2)
    large = images(4, (10, 9, 1), seed=5).images
    plan = make_plan(canonical_form(CONV3), LAYOUT)
    inputs = (large[:, 1:9, :8].astype(np.float32) - 127) / 60
    weights = (by_layer(plan, state[name]) for name in ("parameters", "statistics"))
    wanted, _ = forward(plan, *weights, inputs, training=False)
    np.testing.assert_allclose(made.logits(state, large), wanted, rtol=1e-3, atol=1e-4)


def test_the_seed_makes_the_weights_and_the_random_choices():
    assert steps(program(seed=1))[1] == steps(program(seed=1))[1]
    assert steps(program(seed=1))[1] != steps(program(seed=2))[1]


def test_drop_path_changes_training_but_for_the_first_step():
    plain, dropped = (steps(program(code=JOINED, drop_path=rate))[1] for rate in (0.0, 0.9))
    assert plain[0] == pytest.approx(dropped[0], rel=1e-6), "it grows from zero"
    assert plain[2] != pytest.approx(dropped[2], rel=1e-6)


def test_bfloat16_keeps_weights_in_float32():
    state, losses = steps(program(bfloat16=True), 2)
    assert {leaf.dtype for leaf in jax.tree.leaves(state["parameters"])} == {np.dtype("float32")}
    assert losses == pytest.approx(steps(program(), 2)[1], rel=0.05)
    assert losses != steps(program(), 2)[1]


def test_label_smoothing_by_hand():
    logits = jnp.array([[2.0, 0.0, 0.0]])
    logs = np.log(np.exp([2.0, 0.0, 0.0]) / (np.exp(2.0) + 2))
    for smoothing, targets in ((0.0, [1, 0, 0]), (0.3, [0.8, 0.1, 0.1])):
        found = smoothed_cross_entropy(logits, jnp.array([0]), smoothing)
        assert float(found) == pytest.approx(-np.dot(targets, logs), rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"label_smoothing": 0.2}, {"cutout": 4}, {"flip": True}, {"crop_padding": 0}],
    ids=lambda options: next(iter(options)),
)
def test_each_of_the_recipes_options_reaches_the_step(options):
    assert steps(program(), 1)[1] != steps(program(**options), 1)[1]


def collectives(made):
    """How often the compiled step of a program adds up over devices."""
    state = made.start()
    assert {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(state)} == {2}
    batch = [jax.device_put(array, made.in_parts) for array in (BATCH.images, BATCH.labels)]
    assert [shard.data.shape[0] for shard in batch[0].addressable_shards] == [4, 4]
    text = made._step.lower(state, *batch).compile().as_text()
    # No device gathers the whole batch; weights and images are where they are needed.
    assert "all-gather" not in text
    return text.count("all-reduce(") + text.count("all-reduce-start(")


def test_devices_share_the_work_and_meet_in_batch_norm_only_if_asked_to():
    together, apart = (collectives(program(2, sync_batch_norm=sync)) for sync in (True, False))
    assert together > apart > 0
