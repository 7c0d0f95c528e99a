"""Layers of two blocks side by side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.inspection.comparison import compare
from blockqnn.networks.spaces.nasbench201.codes import parse_cell
from blockqnn.networks.spaces.nsc.codes import LayerType, parse
from tests.strategies import LAYERS, blocks, renumbered


def shown(first, second):
    """The rows as pairs of indices, with a mark where they differ."""
    return [(row.first, row.second, row.equal) for row in compare(parse(first), parse(second)).rows]


def test_a_layer_of_another_kernel_stands_beside_the_one_that_it_replaces():
    rows = shown("[(1,1,3,0,0),(2,1,3,1,0),(3,5,0,0,2)]", "[(1,1,3,0,0),(2,1,5,1,0),(3,5,0,0,2)]")
    assert rows == [(1, 1, True), (2, 2, False), (3, 3, True)]


def test_a_layer_more_stands_alone_behind_the_one_that_it_follows():
    rows = shown("[(1,1,3,0,0)]", "[(1,1,3,0,0),(2,2,3,0,0)]")
    assert rows == [(1, 1, True), (None, 2, False)]
    rows = shown("[(1,1,3,0,0),(2,2,3,0,0)]", "[(1,1,3,0,0)]")
    assert rows == [(1, 1, True), (2, None, False)]


def test_a_layer_that_reads_another_one_differs():
    rows = shown("[(1,1,3,0,0),(2,1,5,1,0)]", "[(1,1,3,0,0),(2,1,5,0,0)]")
    # The first is a leaf in the second block alone, the second reads the input there.
    assert [equal for _, _, equal in rows] == [False, False]


def test_an_operation_of_a_cell_that_changed_stands_beside_the_one_that_it_replaces():
    cell = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"
    other = cell.replace("|skip_connect~0|none~1|", "|skip_connect~0|nor_conv_1x1~1|")
    compared = compare(parse_cell(cell), parse_cell(other))
    assert [node.label for node in compared.second.layers] == [
        "conv 3x3",
        "conv 3x3",
        "conv 1x1",
        "add",
    ]
    found = [(row.first, row.second, row.equal) for row in compared.rows]
    # Without the 1x1 convolution nothing but the shortcut goes into the output.
    assert {row[0] for row in found} >= {1, 2}
    assert any(first is None and second == 3 for first, second, _ in found)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        # One of two like convolutions is read; what both mean goes into the output.
        ("[(1,1,3,0,0),(2,1,3,0,0),(3,6,0,0,1)]", "[(1,1,3,0,0),(2,1,3,0,0),(3,6,0,0,2)]"),
        # One of two like concatenations, which mean one layer.
        (
            "[(1,2,3,0,0),(2,6,0,0,1),(3,6,0,0,1),(4,1,3,2,0)]",
            "[(1,2,3,0,0),(2,6,0,0,1),(3,6,0,0,1),(4,1,3,3,0)]",
        ),
    ],
)
def test_layers_that_mean_the_same_are_told_apart_by_what_reads_them(text, other):
    assert all(equal for _, _, equal in shown(text, other))


COMPUTING = [kind for kind in LAYERS if kind is not LayerType.IDENTITY]


# Of equal branches, one may have a layer that computes nothing, which no matching looks at first.
@given(st.data(), blocks(types=COMPUTING, kernels=(0, 3, 5)))
def test_a_block_in_another_order_differs_nowhere(data, code):
    rows = compare(code, renumbered(data.draw, code)).rows
    assert all(row.equal for row in rows)


@given(blocks(), blocks())
def test_each_layer_has_its_place_once(first, second):
    compared = compare(first, second)
    rows = compared.rows
    assert [row.first for row in rows if row.first] == list(range(1, len(first)))
    assert sorted(row.second for row in rows if row.second) == list(range(1, len(second)))
    assert all(row.first or row.second for row in rows)
    for row in rows:
        if row.equal:
            one, other = compared.first.nodes[row.first], compared.second.nodes[row.second]
            assert (one.kind, one.kernel) == (other.kind, other.kernel)
    if first != second and all(row.equal for row in rows):
        assert len(first) == len(second)
