"""Costs, counted by hand, and the exact limits of what is trained."""

import dataclasses

import pytest
from hypothesis import given

from blockqnn.networks.cost import Cost, Limits, cost, depth, flops, infeasible_reason, parameters
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.stacking import make_plan
from tests.strategies import blocks

TINY = Layout(filters=(2, 3), repeats=1, height=4, width=6, channels=1, classes=5)


def form(text):
    return canonical_form(parse(text))


def test_a_small_network_by_hand():
    """The shapes are those of `test_plan.test_a_small_network_by_hand`, with 3x3 kernels."""
    found = cost(form("[(1,1,3,0,0),(2,5,0,0,1),(3,2,3,1,0)]"), TINY)
    stem, first, second, linear = 9 * 1 * 2, 9 * 2 * 2, 9 * 4 * 3, 7 * 5
    assert found.parameters == stem + (first + 2 + 2) + (second + 3 + 3) + (linear + 5) == 212
    assert found.flops == 2 * (24 * stem + 24 * first + 6 * second + linear) == 3958
    assert found.block_flops == 2 * 24 * first == 1728
    assert found.depth == 3
    image, stem, stage1, pooling, stage2, head = (
        24 * 1,
        24 * 2,
        24 * (2 + 2 + 2 + 4),
        6 * 4,
        6 * (3 + 3 + 4 + 7),
        6 * 7 + 7 + 5,
    )
    assert found.activations == image + stem + stage1 + pooling + stage2 + head == 492


def test_a_3x3_convolution_from_16_to_32_channels_at_32x32():
    plan = make_plan(form("[(1,4,0,0,0)]"), Layout(filters=(32,), channels=16))
    assert flops(plan[:2]) == 9_437_184
    assert parameters(plan[:2]) == 9 * 16 * 32


def test_block_flops_take_the_first_stages_filters_as_width_of_the_input():
    block = form("[(1,1,5,0,0),(2,1,1,1,0),(3,6,0,1,2),(4,1,3,3,0)]")
    layout = Layout(filters=(4, 9), repeats=3, height=8, width=6, classes=100)
    taps = 25 * 4 * 4 + 1 * 4 * 4 + 9 * 8 * 4
    assert cost(block, layout).block_flops == 2 * 8 * 6 * taps
    imagenet = dataclasses.replace(layout, kind="imagenet", height=36, width=24)
    assert cost(block, imagenet).block_flops == 2 * 9 * 6 * taps


def test_only_convolutions_and_linear_layers_have_flops():
    block = form("[(1,2,3,0,0),(2,3,3,1,0),(3,5,0,1,2),(4,6,0,2,3)]")
    found = cost(block, Layout(filters=(4,), repeats=1, height=4, width=4, channels=3, classes=7))
    assert found.block_flops == 0
    assert found.flops == 2 * (16 * 9 * 3 * 4 + 8 * 7)
    assert found.parameters == 9 * 3 * 4 + 8 * 7 + 7


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("[(1,4,0,0,0)]", 0),
        ("[(1,2,3,0,0),(2,3,3,1,0)]", 0),
        ("[(1,1,1,0,0)]", 1),
        ("[(1,1,3,0,0),(2,1,3,0,0)]", 1),
        ("[(1,1,3,0,0),(2,1,3,1,0),(3,1,3,0,0),(4,5,0,2,3)]", 2),
        ("[(1,1,3,0,0),(2,1,3,1,0),(3,1,3,0,0),(4,6,0,2,3),(5,2,3,4,0),(6,1,1,5,0)]", 3),
    ],
)
def test_depth_is_the_convolutions_of_the_longest_path(text, layers):
    layout = Layout(filters=(2, 2, 2), repeats=2, height=8, width=8)
    assert cost(form(text), layout).depth == 1 + 6 * layers
    imagenet = dataclasses.replace(layout, kind="imagenet", height=32, width=32)
    assert cost(form(text), imagenet).depth == 2 + 6 * layers


@given(blocks())
def test_a_cost_is_read_off_the_plan(code):
    block = canonical_form(code)
    plan = make_plan(block, TINY)
    found = cost(block, TINY)
    assert (found.parameters, found.flops) == (parameters(plan), flops(plan))
    assert found.depth == depth(plan)


COST = Cost(parameters=1000, flops=20_000, block_flops=1, depth=3, activations=50)
CONVOLUTION = form("[(1,1,3,0,0)]")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(0, 0, 0), None),
        (Limits(1000, 20_000, 50 * 8 * 4), None),
        (Limits(max_parameters=999), "1,000 parameters, allowed are 999"),
        (Limits(max_parameters=0, max_flops=19_999), "20,000 FLOPs, allowed are 19,999"),
        (
            Limits(max_parameters=0, max_activation_bytes=1599),
            "1,600 activation bytes, allowed are 1,599",
        ),
        (Limits(1, 1, 1), "1,000 parameters, allowed are 1"),
        (Limits(1000, 1, 1), "20,000 FLOPs, allowed are 1"),
    ],
)
def test_a_child_is_infeasible_from_one_over_the_limit(limits, reason):
    assert infeasible_reason(CONVOLUTION, COST, limits, 8, 4) == reason


@pytest.mark.parametrize("text", ["[(1,4,0,0,0)]", "[(1,2,3,0,0),(2,5,0,0,1)]"])
def test_a_block_without_convolution_is_infeasible_without_any_limit(text):
    assert infeasible_reason(form(text), COST, Limits(0, 0, 0), 8, 4) == "no convolution"


def test_activations_are_counted_for_a_batch_in_the_compute_dtype():
    limits = Limits(0, 0, max_activation_bytes=50 * 8 * 2)
    assert infeasible_reason(CONVOLUTION, COST, limits, 8, 2) is None
    assert infeasible_reason(CONVOLUTION, COST, limits, 9, 2) is not None
    assert infeasible_reason(CONVOLUTION, COST, limits, 8, 4) is not None


def test_the_papers_preset_bounds_parameters_alone():
    assert Limits() == Limits(40_000_000, 0, 0)


def test_widths_that_explode_are_counted_all_the_same():
    rows = [(1, 4, 0, 0, 0)]
    for index in range(2, 22, 2):
        rows += [(index, 6, 0, index - 2, index - 1), (index + 1, 4, 0, index, 0)]
    text = str([*rows, (22, 1, 1, 20, 0)])
    found = cost(form(text), Layout(filters=(32, 64, 128), repeats=4))
    assert found.parameters > 2**100
    assert "parameters, allowed are 40,000,000" in str(
        infeasible_reason(form(text), found, Limits(), 256, 4)
    )
