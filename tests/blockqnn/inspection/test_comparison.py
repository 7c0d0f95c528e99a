"""Layers of two blocks side by side."""

from hypothesis import given
from hypothesis import strategies as st

from blockqnn.inspection.comparison import compare, leaves_of
from blockqnn.networks.spaces.nsc.codes import LayerType, parse
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from tests.strategies import LAYERS, blocks, renumbered


def shown(first, second):
    """The rows as pairs of indices, with a mark where they differ."""
    return [
        (row.first and row.first.index, row.second and row.second.index, row.equal)
        for row in compare(parse(first), parse(second))
    ]


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


def test_leaves_are_what_nobody_reads():
    assert leaves_of(PUBLISHED["residual"]) == {4}
    assert leaves_of(parse("[(1,1,3,0,0),(2,1,3,0,0)]")) == {1, 2}


COMPUTING = [kind for kind in LAYERS if kind is not LayerType.IDENTITY]


# Of equal branches, one may have a layer that computes nothing, which no matching looks at first.
@given(st.data(), blocks(types=COMPUTING, kernels=(0, 3, 5)))
def test_a_block_in_another_order_differs_nowhere(data, code):
    rows = compare(code, renumbered(data.draw, code))
    assert all(row.equal for row in rows)


@given(blocks(), blocks())
def test_each_layer_has_its_place_once(first, second):
    rows = compare(first, second)
    assert [row.first.index for row in rows if row.first] == list(range(1, len(first)))
    assert sorted(row.second.index for row in rows if row.second) == list(range(1, len(second)))
    assert all(row.first or row.second for row in rows)
    for row in rows:
        if row.equal:
            assert row.first[1:3] == row.second[1:3], "type and kernel are the same"
    if first != second and all(row.equal for row in rows):
        assert len(first) == len(second)
