"""The beginning of a block: layers without a Terminal."""

import pytest
from hypothesis import given

from blockqnn.networks.spaces.nsc.codes import CodeError, parse_prefix, write
from tests.strategies import UNBOUNDED, blocks


@pytest.mark.parametrize("text", ["", "  ", "[]", " [] "])
def test_nothing_is_the_empty_prefix(text):
    assert parse_prefix(text) == ()


@given(blocks())
def test_the_layers_of_a_block_are_a_prefix_and_with_terminal_they_are_none(code):
    for length in range(1, len(code)):
        assert parse_prefix(write(code[:length]), UNBOUNDED) == code[:length]
    with pytest.raises(CodeError) as caught:
        parse_prefix(write(code), UNBOUNDED)
    assert f"Layer {len(code)}: a prefix has no Terminal" in str(caught.value)


def test_predecessors_are_put_in_order():
    assert parse_prefix("[(1,1,3,0,0),(2,5,0,1,0)]")[1] == (2, 5, 0, 0, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(1,1,3,0,0)", "starts with '['"),
        ("[(1,1,3,0,0),(2,7,0,0,0)]", "allowed: '[(1,1,3,0,0)]', what stands before it"),
        ("[(1,7,0,0,0)]", "Layer 1: a prefix has no Terminal, which ends a block; allowed: '[]'"),
        ("[(1,7,0,0,0),(2,1,3,0,0)]", "Layer 2: nothing may follow Terminal"),
        ("[(1,1,3,1,0)]", "pred1 of Convolution is 1; allowed: 0"),
        ("[(2,1,3,0,0)]", "index is 2; allowed: 1"),
        ("[(1,1,3,0)]", "five fields"),
        ("[(1,7)]", "five fields"),
        ("[x]", "expected (index,type,kernel,pred1,pred2)"),
        ("[(1,1,3,0,0),(2,1,3,0,0),(3,1,3,0,0)]", "more than 2 layers"),
    ],
)
def test_what_begins_no_block_is_refused_by_saying_what_would(text, said):
    with pytest.raises(CodeError) as caught:
        parse_prefix(text, max_layers=2)
    assert said in str(caught.value)


def test_a_prefix_may_be_as_long_as_a_block():
    assert len(parse_prefix("[(1,1,3,0,0),(2,1,3,0,0)]", max_layers=2)) == 2
