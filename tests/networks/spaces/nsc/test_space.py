"""The search space: what may follow what, and that nothing illegal can be written."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.spaces.nsc.codes import LayerCode, LayerType, check
from blockqnn.networks.spaces.nsc.space import START, BlockSpace
from tests.strategies import blocks


def state_at(index):
    """Any layer at an index; what follows does not depend on which."""
    return LayerCode(index, LayerType.IDENTITY, 0, 0, 0) if index else START


def actions(space, state):
    return [action for group in space.choices(state) for action in group]


@pytest.mark.parametrize("index", range(1, 24))
def test_numbers_of_choices_at_each_index(index):
    groups = BlockSpace().choices(state_at(index - 1))
    pairs = math.comb(index, 2)
    counts = [3 * index, 2 * index, 2 * index, index, pairs, pairs, 1]
    if index == 1:
        counts = [3, 2, 2, 1]
    assert [len(group) for group in groups] == counts
    assert all(action.index == index for group in groups for action in group)


def test_the_choices_at_index_20_are_those_that_paper_md_counts():
    codes = actions(BlockSpace(), state_at(19))
    assert len(codes) == 541
    assert sum(code.type in (LayerType.ADD, LayerType.CONCAT) for code in codes) == 380
    assert sum(code.type == LayerType.TERMINAL for code in codes) == 1


def test_all_choices_of_the_second_layer():
    assert [list(map(tuple, group)) for group in BlockSpace().choices(state_at(1))] == [
        [(2, 1, kernel, source, 0) for kernel in (1, 3, 5) for source in (0, 1)],
        [(2, 2, kernel, source, 0) for kernel in (1, 3) for source in (0, 1)],
        [(2, 3, kernel, source, 0) for kernel in (1, 3) for source in (0, 1)],
        [(2, 4, 0, 0, 0), (2, 4, 0, 1, 0)],
        [(2, 5, 0, 0, 1)],
        [(2, 6, 0, 0, 1)],
        [(2, 7, 0, 0, 0)],
    ]


@pytest.mark.parametrize("index", [2, 3, 11, 23])
def test_a_group_holds_one_type_and_no_code_twice(index):
    groups = BlockSpace().choices(state_at(index - 1))
    assert [{action.type for action in group} for group in groups] == [{k} for k in range(1, 8)]
    codes = actions(BlockSpace(), state_at(index - 1))
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("index", [2, 5, 23])
def test_pairs_are_unordered(index):
    for kind in (LayerType.ADD, LayerType.CONCAT):
        pairs = [
            (code.pred1, code.pred2)
            for code in actions(BlockSpace(), state_at(index - 1))
            if code.type == kind
        ]
        assert all(0 <= low < high < index for low, high in pairs)
        assert len(set(pairs)) == math.comb(index, 2)


def test_terminal_is_legal_from_the_second_layer_on():
    terminals = [
        [code for code in actions(BlockSpace(4), state_at(index - 1)) if code.type == 7]
        for index in range(1, 6)
    ]
    assert terminals == [[], *([(index, 7, 0, 0, 0)] for index in range(2, 6))]


@pytest.mark.parametrize("max_layers", [1, 2, 7, 23, 30])
def test_only_terminal_follows_the_last_layer(max_layers):
    space = BlockSpace(max_layers)
    assert space.choices(state_at(max_layers)) == (((max_layers + 1, 7, 0, 0, 0),),)
    assert len(actions(space, state_at(max_layers - 1))) > 1


def test_spaces_of_different_sizes_do_not_mix():
    assert len(BlockSpace(3).choices(state_at(3))) == 1
    assert len(BlockSpace(4).choices(state_at(3))) == 7
    assert len(BlockSpace(3).choices(state_at(3))) == 1


def test_the_default_size_is_the_papers():
    assert BlockSpace().max_layers == 23


def test_the_start_is_no_layer_of_a_block():
    assert BlockSpace().start == START == (0, 0, 0, 0, 0)


def test_a_block_ends_with_terminal_alone():
    space = BlockSpace()
    codes = actions(space, state_at(4))
    assert [code.type == 7 for code in codes] == [space.is_end(code) for code in codes]
    assert not space.is_end(space.start)


@given(st.integers(1, 23), st.randoms(use_true_random=False))
def test_every_walk_is_a_legal_block(max_layers, source):
    walk(BlockSpace(max_layers), source)


def test_long_walks_are_legal_blocks():
    lengths = {len(walk(BlockSpace(23), random.Random(seed), longest=True)) for seed in range(20)}
    assert lengths == {24}


@given(blocks(max_layers=12))
def test_every_legal_block_is_a_walk(code):
    space = BlockSpace(12)
    state = space.start
    for layer in code:
        assert not space.is_end(state)
        assert layer in actions(space, state)
        state = layer
    assert space.is_end(state)


def walk(space, source, longest=False):
    """A random block of the space, checked."""
    code, state = [], space.start
    while not space.is_end(state):
        codes = actions(space, state)
        if longest and len(codes) > 1:
            codes = [action for action in codes if not space.is_end(action)]
        state = source.choice(codes)
        code.append(state)
    assert check(code, space.max_layers) == tuple(code)
    return code
