"""Motifs: of the published blocks by hand, and one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.motifs import MOTIFS
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.networks.spaces.registry import design_of
from blockqnn.networks.spaces.registry import parse as parse_any
from tests.drawn import motifs_of
from tests.strategies import blocks, rewritings


def found(code):
    return {name for name, has in motifs_of(canonical_form(code)).items() if has}


# Read off the drawings of the blocks.
BY_HAND = {
    "inception": {
        "several branches",
        "several leaves",
        "convolutions in sequence",
        "convolutions side by side",
        "1x1 before a larger kernel",
        "pooling beside convolution",
    },
    "residual": {
        "several branches",
        "shortcut from input to output",
        "residual Add around convolutions",
        "convolutions in sequence",
    },
    "block-qnn-a": {
        "several branches",
        "several leaves",
        "residual Add around convolutions",
        "convolutions in sequence",
        "convolutions side by side",
        "kernels of several sizes side by side",
        "pooling after convolution",
    },
    "block-qnn-b": {
        "several branches",
        "several leaves",
        "residual Add around convolutions",
        "Add of two convolutions",
        "Concat inside",
        "convolutions in sequence",
        "convolutions side by side",
        "kernels of several sizes side by side",
        "pooling after convolution",
    },
    "block-qnn-s": {
        "several branches",
        "several leaves",
        "Add of two convolutions",
        "convolutions in sequence",
        "convolutions side by side",
        "kernels of several sizes side by side",
        "1x1 before a larger kernel",
        "pooling after convolution",
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_blocks(name):
    assert found(PUBLISHED[name]) == BY_HAND[name]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[(1,1,3,0,0)]", set()),
        # The input twice: concatenated with itself, by two readers of it.
        ("[(1,4,0,0,0),(2,4,0,0,0)]", {
            "several branches", "several leaves", "shortcut from input to output",
        }),
        ("[(1,1,3,0,0),(2,6,0,0,1)]", {
            "several branches", "several leaves", "shortcut from input to output",
        }),
        ("[(1,1,3,0,0),(2,6,0,0,1),(3,2,3,2,0)]", {"several branches", "Concat inside"}),
        # Through a pool the input comes changed; pooling alone makes no residual.
        ("[(1,2,3,0,0),(2,5,0,0,1),(3,2,3,2,0)]", {"several branches"}),
        # An Add of an Add: the input passes through both.
        ("[(1,1,3,0,0),(2,5,0,0,1),(3,1,5,2,0),(4,5,0,2,3)]", {
            "several branches", "shortcut from input to output",
            "residual Add around convolutions",
        }),
        # Around a convolution and a pool after it, from a tensor that is not the input.
        ("[(1,2,3,0,0),(2,1,1,1,0),(3,3,3,2,0),(4,5,0,1,3),(5,1,3,4,0)]", {
            "several branches", "residual Add around convolutions", "pooling after convolution",
        }),
        ("[(1,1,1,0,0),(2,1,1,1,0)]", {"convolutions in sequence"}),
        ("[(1,1,1,0,0),(2,4,0,1,0),(3,1,5,2,0)]", {
            "convolutions in sequence", "1x1 before a larger kernel",
        }),
        ("[(1,1,3,0,0),(2,3,3,0,0)]", {
            "several branches", "several leaves", "pooling beside convolution",
        }),
    ],
)  # fmt: skip
def test_each_by_hand(text, wanted):
    assert found(parse(text)) == wanted


@given(st.data())
def test_they_depend_on_the_meaning_alone(data):
    code = data.draw(blocks())
    assert found(code) == found(data.draw(rewritings(code)))


@pytest.mark.parametrize(
    ("first", "wanted"),
    [
        # Neither of the two maps that a cell is given is made of the other.
        ("sep3(1)+id(0)", {"shortcut from input to output"}),
        ("sep3(0)+id(1)", {"shortcut from input to output"}),
        ("sep3(0)+id(0)", {"shortcut from input to output", "residual Add around convolutions"}),
        ("sep3(1)+id(1)", {"shortcut from input to output", "residual Add around convolutions"}),
        ("max3(1)+id(0)", {"shortcut from input to output"}),
        ("max3(1)+sep3(0)", set()),
    ],
)
def test_cells_that_read_two_maps(first, wanted):
    rest = " ".join(f"{node} max3(0)+max3(1)" for node in range(3, 7))
    has = motifs_of(design_of(parse_any(f"pnas normal 2 {first} {rest}")))
    always = {"several branches", "several leaves"}
    if "sep3" in first:
        always |= {"pooling beside convolution"}
    assert {name for name, found in has.items() if found} == wanted | always


def test_what_joins_the_output_is_no_concat_inside():
    rest = "3 sep3(0)+sep3(1) 4 sep3(0)+sep3(1) 5 sep3(0)+sep3(1)"
    cells = f"normal 2 sep3(0)+sep3(1) {rest} reduction 2 sep3(0)+sep3(1) {rest}"
    has = motifs_of(design_of(parse_any(f"darts {cells}")))
    assert not has["Concat inside"]
    assert has["several leaves"]


def test_all_are_always_named():
    assert list(motifs_of(canonical_form(parse("[(1,4,0,0,0)]")))) == list(MOTIFS)


def test_each_is_in_some_block_and_missing_in_another():
    for name in MOTIFS:
        assert any(name in has for has in BY_HAND.values()), name
        assert any(name not in has for has in [*BY_HAND.values(), set()]), name
