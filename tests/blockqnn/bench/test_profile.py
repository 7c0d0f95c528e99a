"""`bench --profile`: where a step goes, on both sides, and the table of it."""

import pytest

from blockqnn.bench import profile
from blockqnn.bench.jax_profile import JaxProfile
from blockqnn.bench.profile import (
    Direction,
    Measured,
    as_facts,
    flops_of,
    in_words,
    kind_of,
    median_seconds,
)
from blockqnn.networks.layout import Layout
from blockqnn.networks.parts import Step, StepKind
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.stacking import make_plan
from blockqnn.networks.spaces.registry import design_of, design_plan
from blockqnn.settings import Recipe
from tests.blockqnn.trained import DARTS

LAYOUT = Layout(filters=(4,), repeats=1, height=4, width=4, channels=3, classes=5)
BATCH = 8
# A convolution that two others read, whose sum goes out.
CODE = "[(1,1,3,0,0),(2,1,3,1,0),(3,1,1,1,0),(4,5,0,2,3),(5,7,0,0,0)]"
PLAN = make_plan(canonical_form(parse(CODE)), LAYOUT)
KINDS = {
    *("convolution 1x1", "convolution 3x3", "batch norm", "sums", "weights"),
    "classifier, loss",
}
SINGLE = "[(1,1,3,0,0),(2,7,0,0,0)]"
MEGA = 1e6


@pytest.fixture
def one_call(monkeypatch):
    """Every program is called twice, and no oftener."""
    monkeypatch.setattr(profile, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(profile, "_LEAST_CALLS", 1)


def flops_by_direction(facts, kind):
    return {f["direction"]: f["flops"] for f in facts if f["kind"] == kind}


def assert_counts(facts):
    """What is known of the plan: convolutions to 4 channels on maps of 4x4, 8 images."""
    # Of the image's 3 channels, and twice of 4.
    threes = 2 * BATCH * 9 * 16 * 4 * (3 + 4 + 4)
    assert flops_by_direction(facts, "convolution 3x3") == {
        "value": threes,
        "gradient for the arrays": threes,
        # Nobody wants the gradient of the image.
        "gradient for the input": threes - 2 * BATCH * 9 * 16 * 4 * 3,
    }
    ones = 2 * BATCH * 16 * 4 * 4
    assert set(flops_by_direction(facts, "convolution 1x1").values()) == {ones}
    calls = {(f["kind"], f["direction"]): f["calls"] for f in facts}
    assert calls["batch norm", "value"] == calls["batch norm", "gradient for the input"] == 3
    assert calls["sums", "value"] == 1
    # The block's first convolution is read twice.
    assert calls["sums", "gradient for the input"] == 1
    assert all(f["seconds"] > 0 for f in facts)


def test_the_programs_of_a_step_are_counted_by_kind_and_direction(one_call):
    facts = as_facts(JaxProfile(PLAN, Recipe(), BATCH).measure())
    assert_counts(facts)
    assert {f["kind"] for f in facts} == KINDS


def test_pytorch_has_the_same_kinds_and_counts(one_call):
    pytest.importorskip("torch")
    import torch

    from blockqnn.bench.torch_functions import FUNCTIONS
    from blockqnn.bench.torch_profile import TorchProfile

    device = torch.device("cpu")
    facts = as_facts(TorchProfile(PLAN, Recipe(), BATCH, device, FUNCTIONS).measure())
    assert_counts(facts)
    assert {f["kind"] for f in facts} == KINDS


def test_what_is_of_one_kind_is_added_up_as_often_as_it_is_called():
    facts = as_facts(
        [
            Measured("c", Direction.VALUE, 2.0, 5.0, times=3),
            Measured("c", Direction.VALUE, 1.0, 1.0),
            Measured("c", Direction.INPUT, 4.0),
        ]
    )
    assert facts == [
        {"kind": "c", "direction": "value", "seconds": 7.0, "calls": 4, "flops": 16.0},
        {"kind": "c", "direction": "gradient for the input", "seconds": 4.0, "calls": 1}
        | {"flops": 0.0},
    ]


def test_a_call_is_timed_until_it_was_measured_long_enough(monkeypatch):
    now = iter([0.0, 1.0, 10.0, 12.0, 20.0, 29.0])
    monkeypatch.setattr(profile, "now", lambda: next(now))
    monkeypatch.setattr(profile, "_LEAST_SECONDS", 5.0)
    monkeypatch.setattr(profile, "_LEAST_CALLS", 2)
    calls = []
    # After 1 and 2 seconds it is too little, after 9 more it is not.
    assert median_seconds(lambda: calls.append(1)) == 2.0
    assert len(calls) == 4


def test_the_table_has_shares_rates_and_ratios():
    ours = as_facts(
        [
            Measured("sums", "value", 0.001),
            Measured("convolution 3x3", "value", 0.002, 80 * MEGA, times=2),
        ]
    )
    theirs = as_facts([Measured("convolution 3x3", "value", 0.001, 80 * MEGA, times=2)])
    lines = in_words(ours, theirs, step=0.01, torch_step=0.004).splitlines()
    assert [line.split() for line in lines] == [
        [
            "ms",
            "share",
            "%",
            "calls",
            "GFLOP/s",
            "torch",
            "ms",
            "GFLOP/s",
            "ratio",
            "what",
            "direction",
        ],
        ["4.00", "40", "2", "40", "2.00", "80", "2.00", "convolution", "3x3", "value"],
        ["1.00", "10", "1", "0.00", "sums", "value"],
        ["5.00", "50", "2.00", "2.50", "all", "of", "these,", "each", "by", "itself"],
        ["10.00", "100", "4.00", "2.50", "the", "step"],
    ]
    alone = in_words(ours, [], step=0.01, torch_step=None).splitlines()
    assert alone[0].split() == ["ms", "share", "%", "calls", "GFLOP/s", "what", "direction"]
    assert alone[-1].split() == ["10.00", "100", "the", "step"]


@pytest.mark.long
def test_a_bench_says_where_the_steps_of_each_block_go(blockqnn):
    tiny = ("bench", "--filters=4", "--repeats=1", "--batch_size=8", "--steps=1", "--profile")
    status, out, _ = blockqnn(*tiny, f"--blocks={SINGLE}", "--preset=smoke")
    assert status == 0
    assert out.startswith(f"{SINGLE}: where a step goes\n")
    first = out.partition("\n\n")[0]
    assert "convolution 3x3" in first and first.splitlines()[-1].endswith("the step")


def test_pytorch_measures_cells_of_separable_convolutions(one_call):
    pytest.importorskip("torch")
    import torch

    from blockqnn.bench.torch_functions import FUNCTIONS
    from blockqnn.bench.torch_profile import TorchProfile

    plan = design_plan(
        design_of(DARTS), Layout("cells", (2, 4), 1, 4, 4, 2, 3, cells=2, rules="darts")
    )
    facts = as_facts(TorchProfile(plan, Recipe(), BATCH, torch.device("cpu"), FUNCTIONS).measure())
    found = [fact for fact in facts if "separable" in fact["kind"]]
    assert {fact["kind"].partition(",")[0] for fact in found} == {
        *("separable 3x3", "separable 5x5", "dilated separable 3x3", "dilated separable 5x5")
    }
    assert all(fact["flops"] > 0 for fact in found)
    assert {fact["direction"] for fact in found} == {*Direction} - {Direction.UPDATE}


def test_flops_of_a_separable_convolution_are_those_of_both():
    """Of 2 images, 3x3 pixels: 5x5 taps for each of 4 channels, and 4 to 6 channels of a pixel."""
    placed = Step(StepKind.SUM, (0,), ((3, 3, 4),), (3, 3, 6), kernel=5)
    arrays = {"depthwise": (5, 5, 1, 4), "kernel": (1, 1, 4, 6)}
    assert flops_of(2, placed, arrays) == 2 * 2 * 9 * (25 * 4 + 4 * 6)
    assert kind_of("relu, separable convolution", placed, arrays) == "separable 5x5"
    assert kind_of("factorised", placed, arrays | {"kernel_shifted": ()}) == "factorised reduction"
