"""Mixtures: a chain of small programs and one whole program compute and train the same."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.children.training import on_device
from blockqnn.data.images import Images
from blockqnn.mixture_settings import (
    EXACT,
    FIRST,
    JOINT,
    SECOND,
    MixtureSettings,
)
from blockqnn.networks import lowerings
from blockqnn.networks.layout import Layout
from blockqnn.networks.lowerings import LoweringTable
from blockqnn.networks.mixed_plan import edges_of
from blockqnn.networks.plan import Operation
from blockqnn.networks.shares import shares_of, softmax
from blockqnn.networks.spaces.registry import space_named
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets import bilevel
from blockqnn.supernets.alpha import (
    Alpha,
    adam_step,
    decided,
    discrete,
    first_alpha,
    left_out,
)
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.device_group import PARTS, WHOLE, DeviceGroup
from blockqnn.supernets.mixture_chain import MixtureChain
from blockqnn.supernets.mixture_program import MixtureProgram

SPACE = space_named("nasbench201")
LAYOUT = Layout(
    **{"kind": "nasbench201", "filters": (4,), "repeats": 1, "height": 3, "width": 3},
    **{"channels": 1, "classes": 3, "unscaled": True},
)
BATCH, RATE = 8, 0.1


@pytest.fixture(autouse=True)
def plain_convolutions(monkeypatch):
    """XLA's own, of which a whole program compiles in a fraction of the time."""
    monkeypatch.setattr(lowerings, "_in_use", LoweringTable("usual"))


@pytest.fixture(scope="module")
def part():
    random = np.random.default_rng(0)
    labels = np.arange(64) % 3
    pixels = random.integers(0, 120, (64, 3, 3, 1)) + 60 * labels[:, None, None, None]
    images = Images(pixels.clip(0, 255).astype(np.uint8), labels)
    return on_device(images, images)[0]


def supernet(mixture):
    return SupernetSettings(mixture=mixture, batch_size=BATCH)


def made(kind, part, partial=1, seed=3, **changes):
    """An execution with fresh weights, its bank, and alpha before any step."""
    mixture = MixtureSettings(**{"partial_channels": partial, "alpha_rate": 0.05} | changes)
    bank = Bank(compiled_for(supernet(mixture)), seed)
    plan = SPACE.mixture_plan(LAYOUT, partial)
    execution = kind(plan, bank, mixture, BATCH, 5.0, part)
    return execution, bank, first_alpha(SPACE.mixture_rows(partial), 0.5, seed)


def batches(steps, seed=1):
    random = np.random.default_rng(seed)
    return [
        np.stack([half + random.permutation(32)[:BATCH] for _ in range(steps)]).astype(np.int32)
        for half in (0, 32)
    ]


def arrays_of(bank):
    return {
        key: jax.device_get((entry.parameters, entry.statistics))
        for key, entry in bank.entries.items()
    }


def close(one, other, tolerance):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), one, other
    )


@pytest.mark.parametrize(
    ("bilevel", "partial", "tolerance"),
    [pytest.param(FIRST, 2, 1e-4, marks=pytest.mark.long), (JOINT, 1, 1e-4)],
)
def test_both_executions_train_weights_and_alpha_alike(part, bilevel, partial, tolerance):
    found = []
    for kind in (MixtureChain, MixtureProgram):
        execution, bank, alpha = made(kind, part, partial, bilevel=bilevel)
        order, judged = batches(2)
        losses, after = execution.train(part, order, judged, RATE, alpha, trains_alpha=True)
        execution.put_back()
        accuracy = execution.accuracy(after.rows, part)
        found.append((losses, after.rows, arrays_of(bank), accuracy))
        assert after.steps == 2
        assert any(np.abs(after.rows[n] - alpha.rows[n]).max() > 0.01 for n in alpha.rows)
    close(found[0], found[1], tolerance)


def of_alpha(kind, part, **changes):
    """The gradient of alpha in the second step, read off Adam's first moment."""
    still = {"alpha_decay": 0.0, "alpha_beta1": 0.0, "alpha_rate": 1e-6}
    execution, _, alpha = made(kind, part, **still, **changes)
    _, after = execution.train(part, *batches(2), RATE, alpha, trains_alpha=True)
    return np.concatenate([after.first[name] for name in sorted(after.first)])


@pytest.mark.long
def test_second_order_exactly_and_by_differences_and_unlike_the_first(part):
    exact = of_alpha(MixtureProgram, part, bilevel=SECOND, hessian=EXACT)
    chain = of_alpha(MixtureChain, part, bilevel=SECOND)
    first = of_alpha(MixtureChain, part, bilevel=FIRST)
    size = np.abs(exact).max()
    # A difference also sees the ReLUs that turn between its two points, on a few edges.
    assert np.median(np.abs(chain - exact)) < 0.01 * size
    assert np.corrcoef(chain, exact)[0, 1] > 0.95
    assert np.median(np.abs(first - exact)) > 0.02 * size


@pytest.mark.long
def test_devices_that_share_batches_end_as_one_does(part):
    found = []
    for count in (1, 4):
        kind = functools.partial(MixtureProgram, group=DeviceGroup(jax.devices()[:count]))
        execution, bank, alpha = made(kind, part, bilevel=JOINT, alpha_beta1=0.0)
        order, judged = batches(2)
        losses, after = execution.train(part, order, judged, RATE, alpha, trains_alpha=True)
        execution.put_back()
        accuracy = execution.accuracy(after.rows, part)
        found.append((losses, after.rows, after.first, arrays_of(bank), accuracy))
    close(found[0], found[1], 1e-4)


def test_second_derivatives_are_those_of_the_mean_over_devices():
    """The mean of weights over devices, which are equal, averages whatever is derived by them."""
    random = np.random.default_rng(0)
    data = random.standard_normal((2, 8, 4), np.float32)
    w, alpha = random.standard_normal((2, 4), np.float32)

    def gradient(group):
        def of_part(w, alpha, train, judged):
            def loss(images):
                def of(w, alpha):
                    w, alpha = group.mean((w, alpha))
                    y = jnp.tanh(images * w[None]) * alpha[None]
                    y = y - group.mean(jnp.mean(y, axis=0))[None]
                    return group.mean(jnp.mean(jnp.square(y - jnp.sin(images))))

                return of

            rate, velocity = jnp.float32(0.3), jnp.ones_like(w)
            return bilevel.second_order(loss(train), loss(judged), w, alpha, velocity, rate, 0.9)

        return group.program(of_part, (WHOLE, WHOLE, PARTS, PARTS), WHOLE)(w, alpha, *data)

    one, four = (gradient(DeviceGroup(jax.devices()[:count])) for count in (1, 4))
    np.testing.assert_allclose(one, four, rtol=1e-5, atol=1e-6)


@pytest.mark.long
def test_what_is_within_an_edge_may_be_computed_again_and_steps_scanned(part):
    found = []
    for otherwise in (False, True):
        execution, bank, alpha = made(MixtureProgram, part, rematerialise=otherwise)
        # As on GPUs and TPUs.
        execution._scans = otherwise
        order, judged = batches(1)
        losses, after = execution.train(part, order, judged, RATE, alpha, trains_alpha=True)
        execution.put_back()
        found.append((losses, after.rows, arrays_of(bank)))
    close(found[0], found[1], 2e-5)


def test_the_curvature_of_a_chain_is_that_of_its_loss(part):
    execution, _, alpha = made(MixtureChain, part)
    indices = np.arange(BATCH, dtype=np.int32)
    vector = {name: softmax(row) - 0.2 for name, row in alpha.rows.items()}
    length = np.sqrt(sum(np.sum(row**2) for row in vector.values()))
    vector = {name: row / length for name, row in vector.items()}
    product = execution.curvature(alpha.rows, indices)(vector)
    along = sum(float(vector[name] @ product[name]) for name in vector)

    def loss(reach):
        """Of the batch, so far along the vector."""
        rows = {name: row + reach * vector[name] for name, row in alpha.rows.items()}
        batch = execution._chain.batch(part, indices)
        return float(execution._chain.gradients(execution._placed(rows), *batch)[0])

    reach = 0.05
    second = (loss(reach) - 2 * loss(0) + loss(-reach)) / reach**2
    assert along == pytest.approx(second, rel=0.15) and abs(second) > 1e-3


def test_alpha_that_is_settled_stays_while_weights_are_trained(part):
    execution, bank, alpha = made(MixtureChain, part)
    before = arrays_of(bank)
    _, after = execution.train(part, *batches(1), RATE, alpha, trains_alpha=False)
    assert after is alpha
    assert any(
        not np.array_equal(one["kernel"], other["kernel"])
        for (one, _), (other, _) in zip(before.values(), arrays_of(bank).values(), strict=True)
        if "kernel" in one
    )


def test_looking_changes_nothing(part):
    execution, bank, alpha = made(MixtureChain, part)
    before = arrays_of(bank)
    execution.accuracy(alpha.rows, part)
    execution.curvature(alpha.rows, batches(1)[0][0])(alpha.rows)
    close(before, arrays_of(bank), 0)


def test_a_mixture_of_one_operation_each_is_the_design_itself(part):
    """With rows of zeros and ones a mixture computes what the derived cell does."""
    execution, bank, alpha = made(MixtureChain, part)
    kept = SPACE.kept(shares_of(alpha.rows))
    rows = discrete(SPACE.mixture_rows(), alpha.rows, kept)
    design = SPACE.plan(SPACE.design(SPACE.of_kept(kept)), LAYOUT)
    from blockqnn.children.chain import Chain
    from blockqnn.networks.parts import cut_into_layers
    from blockqnn.supernets.paths import share_correct

    chain = Chain(cut_into_layers(design), bank.compiled, BATCH)
    own = [dataclasses.replace(each) for each in bank.weights(design, chain.all_steps)]
    assert share_correct(chain, own, part, of_batch=True) == execution.accuracy(rows, part)


def test_adam_on_alpha_by_hand():
    settings = MixtureSettings(alpha_rate=0.1, alpha_decay=0.5)
    zero = {"a": np.zeros(2, np.float32)}
    alpha = Alpha({"a": np.array([1.0, -2.0], np.float32)}, zero, zero)
    first = adam_step(alpha, {"a": np.array([0.5, 1.0], np.float32)}, settings)
    # Gradients with the decay are 1 and 0: the first step has the length of the rate.
    np.testing.assert_allclose(first.rows["a"], [0.9, -2.0], rtol=1e-6)
    second = adam_step(first, {"a": np.array([0.55, 2.0], np.float32)}, settings)
    # 1 and 1; means (.5*.5+.5)/.75 = 1 and .5/.75; spreads 1 and sqrt(.001/.001999).
    expected = [0.9 - 0.1, -2 - 0.1 * (0.5 / 0.75) / np.sqrt(0.001 / 0.001999)]
    np.testing.assert_allclose(second.rows["a"], expected, rtol=1e-5)


def test_choices_that_are_made_or_left_out():
    rows = SPACE.mixture_rows()
    alpha = first_alpha(rows, 1.0, 0).rows
    fixed = decided(rows, alpha, {"cell/2<-1": "nor_conv_3x3", "cell/3": "<-0,<-2"})
    shares = shares_of(fixed)
    assert shares["cell/2<-1"] == [0, 0, 0, 1, 0] and shares["cell/3<-1"] == [1, 0, 0, 0, 0]
    np.testing.assert_array_equal(fixed["cell/3<-0"], alpha["cell/3<-0"])
    without = left_out(rows, alpha, "cell/1<-0", {})
    assert without[0] is None and len(without) == 5
    assert shares_of(without[3])["cell/1<-0"][3] == 0
    assert sum(shares_of(without[3])["cell/1<-0"]) == pytest.approx(1)
    edges = left_out(rows, fixed, "cell/3", {"cell/3": "<-0,<-2"})
    assert edges[1] is None
    assert shares_of(edges[0])["cell/3<-0"] == [1, 0, 0, 0, 0]
    assert shares_of(edges[0])["cell/3<-2"] != [1, 0, 0, 0, 0]


def test_the_layers_of_an_edge_are_those_that_only_its_mixture_reads():
    plan = SPACE.mixture_plan(LAYOUT)
    edges = edges_of(plan)
    assert len(edges) == 6
    for own, inside in edges.items():
        assert plan[own].operation is Operation.MIXTURE
        words = plan[own].name.rsplit("/", 1)[0]
        assert all(plan[i].name.startswith(words) for i in inside) and len(inside) == 3
    darts = space_named("darts")
    cells = dataclasses.replace(LAYOUT, kind="cells", cells=2, repeats=1)
    plan = darts.mixture_plan(cells, 2)
    for own, inside in edges_of(plan).items():
        assert plan[own].choices == 8 or all("shuffled" in plan[i].name for i in inside)
