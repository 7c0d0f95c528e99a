"""Blocks as graphs: by hand, and widths against the plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.canonical import canonical_form, canonical_numbers
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.graph import block_graph
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.networks.spaces.nsc.stacking import block_plan
from tests.strategies import blocks


def test_a_code_keeps_what_computes_nothing():
    graph = block_graph(PUBLISHED["residual"])
    assert [(layer.kind, layer.label, layer.inputs) for layer in graph.layers] == [
        ("identity", "identity", (0,)),
        ("convolution", "conv 3x3", (1,)),
        ("convolution", "conv 3x3", (2,)),
        ("add", "add", (1, 3)),
    ]
    assert graph.outputs == (4,)
    assert graph.ends == [(0, 1), (1, 2), (2, 3), (1, 4), (3, 4), (4, 5)]


def test_what_is_read_twice_has_two_edges():
    # Both leaves are the input, and so are both that the Add reads.
    block = canonical_form(parse("[(1,4,0,0,0),(2,5,0,0,1),(3,4,0,0,0),(4,4,0,0,0)]"))
    assert block_graph(block).ends == [(0, 1), (0, 1), (0, 2), (0, 2), (1, 2)]


def test_widths_by_hand():
    code = parse("[(1,4,0,0,0),(2,6,0,0,1)]")
    assert block_graph(code, 8).widths == (8, 8, 16, 16)
    assert block_graph(code).widths is None
    # A convolution narrows, an Add is as wide as the wider, a pool as what it reads.
    code = parse("[(1,4,0,0,0),(2,6,0,0,1),(3,1,3,2,0),(4,5,0,2,3),(5,2,3,4,0),(6,1,1,0,0)]")
    assert block_graph(code, 8).widths == (8, 8, 16, 8, 16, 16, 8, 24)


@pytest.mark.parametrize(
    ("name", "output"),
    [("inception", 96), ("residual", 32), ("block-qnn-a", 160), ("block-qnn-s", 192)],
)
def test_widths_of_the_published_blocks(name, output):
    assert block_graph(PUBLISHED[name], 32).widths[-1] == output


@given(blocks(max_layers=14), st.integers(1, 64))
def test_widths_of_the_code_and_of_its_meaning_are_those_of_the_plan(code, filters):
    block, nodes = canonical_numbers(code)
    plan = block_plan(block, Layout(filters=(filters,), repeats=1))
    planned = {layer.name: layer.shape[-1] for layer in plan}
    means = block_graph(block, filters).widths
    assert means[0] == planned["image"]
    for node in range(1, len(block.layers) + 1):
        assert means[node] == planned[f"block/layer{node}"]
    assert means[-1] == plan[-1].shape[-1] or len(block.outputs) == 1
    assert means[-1] == sum(means[node] for node in block.outputs)
    written = block_graph(code, filters).widths
    for node, width in zip(nodes, written[:-1], strict=True):
        assert node is None or means[node] == width
    assert written[-1] == means[-1]
