"""The published blocks, copied by hand from `paper.md` into this module."""

import pytest

from blockqnn.networks.cost import cost
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse, write
from blockqnn.networks.spaces.nsc.published import PUBLISHED

PAPER = {
    "inception": "[(1,4,0,0,0),(2,1,1,1,0),(3,1,3,2,0),(4,1,1,1,0),(5,1,5,4,0),(6,6,0,3,5),"
    "(7,2,3,1,0),(8,1,1,7,0),(9,6,0,6,8),(10,7,0,0,0)]",
    "residual": "[(1,4,0,0,0),(2,1,3,1,0),(3,1,3,2,0),(4,5,0,1,3),(5,7,0,0,0)]",
    "block-qnn-a": "[(1,4,0,0,0),(2,1,5,1,0),(3,1,1,1,0),(4,1,3,1,0),(5,1,5,1,0),(6,1,3,1,0),"
    "(7,5,0,1,2),(8,2,1,4,0),(9,2,1,5,0),(10,2,3,6,0),(11,1,3,7,0),(12,1,1,8,0),(13,3,3,9,0),"
    "(14,7,0,0,0)]",
    "block-qnn-b": "[(1,4,0,0,0),(2,1,1,1,0),(3,1,3,1,0),(4,1,5,1,0),(5,1,3,1,0),(6,1,5,3,0),"
    "(7,3,3,4,0),(8,5,0,3,6),(9,6,0,3,6),(10,1,3,9,0),(11,7,0,0,0)]",
    "block-qnn-s": "[(1,4,0,0,0),(2,1,3,1,0),(3,1,3,1,0),(4,1,1,1,0),(5,1,1,1,0),(6,1,3,2,0),"
    "(7,1,1,2,0),(8,5,0,3,4),(9,1,3,4,0),(10,1,5,6,0),(11,2,3,7,0),(12,1,3,8,0),(13,2,3,3,0),"
    "(14,5,0,10,3),(15,7,0,0,0)]",
}


def test_names():
    assert list(PUBLISHED) == list(PAPER)


@pytest.mark.parametrize("name", PAPER)
def test_blocks_are_those_of_the_paper(name):
    assert PUBLISHED[name] == parse(PAPER[name])
    # The paper writes the last Add of S with its predecessors in descending order.
    assert write(PUBLISHED[name]) == PAPER[name].replace("(14,5,0,10,3)", "(14,5,0,3,10)")


# Counted by hand on the drawings of the blocks: Identity and the two pools of
# block-qnn-a with a 1x1 window are no nodes, nor are the Concats of inception,
# which only the output reads.
@pytest.mark.parametrize(
    ("name", "nodes", "edges", "leaves", "convolutions"),
    [
        ("inception", 8, 9, 3, 5),
        ("residual", 5, 5, 1, 2),
        ("block-qnn-a", 12, 16, 5, 7),
        ("block-qnn-b", 11, 16, 5, 6),
        ("block-qnn-s", 15, 21, 6, 9),
    ],
)
def test_figures_of_the_canonical_form(name, nodes, edges, leaves, convolutions):
    block = canonical_form(PUBLISHED[name])
    assert (block.nodes, block.edges, block.leaves) == (nodes, edges, leaves)
    assert block.convolutions == convolutions
    assert block.density == edges / nodes


def test_densities():
    density = {name: canonical_form(code).density for name, code in PUBLISHED.items()}
    assert density == pytest.approx(
        {
            "inception": 9 / 8,
            "residual": 1.0,
            "block-qnn-a": 4 / 3,
            "block-qnn-b": 16 / 11,
            "block-qnn-s": 1.4,
        }
    )


def test_blocks_differ():
    assert len({canonical_form(code).hash for code in PUBLISHED.values()}) == len(PUBLISHED)


@pytest.mark.parametrize(("classes", "parameters"), [(10, 6_125_802), (100, 6_195_012)])
def test_parameters_of_block_qnn_s(classes, parameters):
    layout = Layout(filters=(32, 64, 128), repeats=2, classes=classes)
    assert cost(canonical_form(PUBLISHED["block-qnn-s"]), layout).parameters == parameters


@pytest.mark.parametrize(
    ("name", "repeats", "depth"),
    [("block-qnn-a", 4, 25), ("block-qnn-b", 4, 37), ("block-qnn-s", 2, 19)],
)
def test_depths_of_the_papers_table_3(name, repeats, depth):
    layout = Layout(filters=(32, 64, 128), repeats=repeats)
    assert cost(canonical_form(PUBLISHED[name]), layout).depth == depth
