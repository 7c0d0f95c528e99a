"""The numbers that describe blocks and cells."""

import math

from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.spaces.nasbench201.codes import check_cell
from blockqnn.networks.spaces.nasbench201.space import CellSpace
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.features import BLOCK_FEATURES, block_features
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.networks.spaces.nsc.space import BlockSpace
from tests.strategies import blocks, rewritings


def described(code):
    return dict(zip(BLOCK_FEATURES, block_features(canonical_form(code)), strict=True))


def test_a_residual_block_by_hand():
    found = described(PUBLISHED["residual"])
    assert found["Convolution 3"] == 2
    assert found["Convolution 1"] == found["Convolution 5"] == found["Concat 0"] == 0
    assert found["Add 0"] == 1
    # Input to both convolutions in a row and to Add, and Add to the output.
    assert (found["edges"], found["leaves"], found["density"]) == (5, 1, 1.0)
    assert found["leaves that are the input"] == 0
    assert found["convolutions that read the input"] == 1
    assert found["convolutions on the longest path"] == 2
    assert found["layers on the longest path"] == 3
    assert found["side of the window that an output pixel sees"] == 5
    assert found["convolutions before a leaf, on average"] == 2
    # Two 3x3 convolutions of 16 channels to 16 over 8x8 pixels.
    assert found["logarithm of FLOPs"] == math.log1p(2 * 2 * 64 * 9 * 16 * 16)
    assert found["logarithm of parameters"] == math.log1p(2 * (9 * 16 * 16 + 32))


def test_leaves_by_hand():
    found = described(parse("[(1,2,3,0,0),(2,1,1,0,0),(3,1,5,2,0),(4,4,0,0,0)]"))
    assert found["leaves"] == 3
    assert found["leaves that are the input"] == 1
    assert found["convolutions before a leaf, on average"] == 2 / 3
    assert found["side of the window that an output pixel sees"] == 5
    assert found["Max pooling 3"] == 1


@given(st.data(), blocks())
def test_one_meaning_has_one_description(data, code):
    other = data.draw(rewritings(code))
    space = BlockSpace(100)
    assert space.features(code) == space.features(other)
    assert space.identity(code) == space.identity(other)
    assert len(space.features(code)) == len(BLOCK_FEATURES)
    assert all(map(math.isfinite, space.features(code)))


def test_a_cell_is_described_edge_by_edge():
    cell = check_cell(enumerate([0, 3, 3, 1, 4, 2], start=1))
    found = CellSpace().features(cell)
    assert len(found) == 35
    assert [found[i * 5 : i * 5 + 5].index(1) for i in range(6)] == [0, 3, 3, 1, 4, 2]
    assert found[30:] == (1, 1, 1, 2, 1)
    assert CellSpace().identity(cell) == cell
