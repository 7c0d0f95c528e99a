"""Filters that bring a design to a wanted size."""

import math

import pytest
from hypothesis import given

from blockqnn.networks.layout import Layout
from blockqnn.networks.plan_counts import flops, parameters
from blockqnn.networks.sizing import STEPS_PER_OCTAVE, TOLERANCE, Match, matched, scaled
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, published
from tests.strategies import blocks

LAYOUT = Layout(filters=(16, 32, 64), repeats=1, height=16, width=16)
CONV3 = design_of(parse("[(1,1,3,0,0)]"))


def test_a_grid_of_eight_factors_an_octave():
    assert scaled(LAYOUT, 0) == LAYOUT
    assert scaled(LAYOUT, 8).filters == (32, 64, 128)
    assert scaled(LAYOUT, -16).filters == (4, 8, 16)
    # 16 times the fourth root of 2 is 19.03, 32 times 38.05, 64 times 76.1.
    assert scaled(LAYOUT, 2).filters == (19, 38, 76)
    assert scaled(Layout(filters=(3,)), -32).filters == (1,)


def test_one_convolution_by_hand():
    """A stem of 27 w, three convolutions of 9 w w, 18 w w and 72 w w with norms, a classifier."""

    def by_hand(first, second, third):
        kernels = 27 * first + 9 * (first * first + first * second + second * third)
        return kernels + 2 * (first + second + third) + 10 * third + 10

    found = matched(CONV3, LAYOUT, Match("parameters", 75_000))
    assert found.layout.filters == (27, 54, 108)
    assert found.amount == by_hand(27, 54, 108) == 74_368
    assert found.reason is None
    # The neighbours on the grid are further away.
    assert by_hand(25, 49, 99) < 75_000 - 368 - 264 < 75_000 + 632 < by_hand(29, 59, 117)


def test_a_design_that_has_the_size_already_keeps_its_filters():
    for name, block in (("residual", design_of(published()["residual"])), ("convolution", CONV3)):
        for figure, count in (("parameters", parameters), ("flops", flops)):
            has = count(design_plan(block, LAYOUT))
            found = matched(block, LAYOUT, Match(figure, has))
            assert (found.layout, found.amount, found.reason) == (LAYOUT, has, None), name


@given(blocks(max_layers=5))
def test_no_other_filters_of_the_grid_are_nearer(code):
    design = canonical_form(code)
    match = Match("parameters", 20_000)
    found = matched(design, LAYOUT, match)
    assert found.amount == parameters(design_plan(design, found.layout))

    def distance(amount):
        return abs(math.log(amount / match.target))

    steps = range(-4 * STEPS_PER_OCTAVE, 5 * STEPS_PER_OCTAVE + 1)
    amounts = [parameters(design_plan(design, scaled(LAYOUT, step))) for step in steps]
    assert distance(found.amount) == min(map(distance, amounts))
    near = abs(found.amount - match.target) <= TOLERANCE * match.target
    assert (found.reason is None) == near


def test_what_cannot_come_near_says_how_near_it_comes():
    found = matched(CONV3, LAYOUT, Match("parameters", 30))
    assert found.layout.filters == (1, 2, 4)
    assert found.reason == (
        f"no filters come within 10 % of 30 parameters, the nearest being 1,2,4 with {found.amount}"
    )
    tiny = Layout(filters=(16,), height=16, width=16)
    assert matched(CONV3, tiny, Match("flops", 10**12)).reason.startswith(
        "no filters come within 10 % of 1,000,000,000,000 FLOPs, the nearest being 512 with "
    )


@pytest.mark.parametrize(
    ("match", "words"),
    [
        (Match("parameters", 75_000), "75,000 parameters"),
        (Match("flops", 10_000_000), "10,000,000 FLOPs"),
    ],
)
def test_a_match_in_words(match, words):
    assert match.words == words
