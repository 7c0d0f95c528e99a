"""Mutations leave legal blocks, change little, and between them lead everywhere."""

import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.spaces.nasbench201.codes import check_cell
from blockqnn.networks.spaces.nasbench201.space import CellSpace
from blockqnn.networks.spaces.nsc.codes import LayerType, check, parse
from blockqnn.networks.spaces.nsc.mutation import mutated_block
from blockqnn.networks.spaces.nsc.space import BlockSpace
from tests.strategies import blocks

SEEDS = st.integers(0, 2**32 - 1)


@given(blocks(max_layers=9), SEEDS)
def test_a_mutation_is_another_legal_block_of_nearly_the_same_length(code, seed):
    layers = len(code) - 1
    changed = mutated_block(code, np.random.default_rng(seed), max_layers=9)
    assert check(changed, 9) == changed != code
    assert abs(len(changed) - len(code)) <= 1
    same = mutated_block(code, np.random.default_rng(seed), max_layers=9)
    assert same == changed
    assert len(mutated_block(code, np.random.default_rng(seed), layers)) <= len(code)


@given(blocks(min_layers=2, max_layers=9), SEEDS)
def test_what_was_not_changed_stays(code, seed):
    changed = mutated_block(code, np.random.default_rng(seed), max_layers=9)

    def operations(layers):
        return collections.Counter((layer.type, layer.kernel) for layer in layers)

    lost = operations(code) - operations(changed)
    # A layer that would read one layer twice gives way once, at the very beginning.
    assert lost.total() <= 2
    if len(changed) == len(code):
        assert sum(a != b for a, b in zip(code, changed, strict=True)) == 1


def neighbours(text, count=400, max_layers=4):
    random = np.random.default_rng(0)
    return {mutated_block(parse(text), random, max_layers) for _ in range(count)}


def test_all_single_changes_of_a_small_block():
    """By hand: the changes of one 3x3 convolution, among them both layers put in before it."""
    found = neighbours("[(1,1,3,0,0)]")
    singles = {code for code in found if len(code) == 2}
    assert singles == {
        parse(f"[(1,{kind},{kernel},0,0)]")
        for kind, kernel in [(1, 1), (1, 5), (2, 1), (2, 3), (3, 1), (3, 3), (4, 0)]
    }
    for text in (
        "[(1,4,0,0,0),(2,1,3,1,0)]",  # before it, and read by it
        "[(1,4,0,0,0),(2,1,3,0,0)]",  # before it, beside it
        "[(1,1,3,0,0),(2,4,0,1,0)]",
        "[(1,1,3,0,0),(2,4,0,0,0)]",
        "[(1,1,3,0,0),(2,5,0,0,1)]",
        "[(1,1,3,0,0),(2,6,0,0,1)]",
    ):
        assert parse(text) in found


def test_predecessors_move_with_their_layers():
    found = neighbours("[(1,1,1,0,0),(2,1,3,1,0),(3,1,5,2,0)]", count=2000)
    assert parse("[(1,1,1,0,0),(2,1,5,1,0)]") in found, "what read layer 2 reads its source"
    assert parse("[(1,1,3,0,0),(2,1,5,1,0)]") in found
    assert parse("[(1,1,1,0,0),(2,1,3,1,0)]") in found
    assert parse("[(1,1,1,0,0),(2,4,0,1,0),(3,1,3,2,0),(4,1,5,3,0)]") in found
    assert parse("[(1,1,1,0,0),(2,1,3,0,0),(3,1,5,2,0)]") in found, "rewired"


def test_a_sum_that_loses_its_second_layer_reads_another_or_gives_way():
    found = neighbours("[(1,1,1,0,0),(2,5,0,0,1)]")
    assert parse("[(1,4,0,0,0)]") in found
    found = neighbours("[(1,1,1,0,0),(2,1,3,0,0),(3,5,0,0,1)]")
    assert parse("[(1,1,3,0,0),(2,5,0,0,1)]") in found


def test_mutations_lead_from_any_block_to_any_other():
    random = np.random.default_rng(0)
    start = parse("[(1,4,0,0,0)]")
    reached, frontier = {start}, [start]
    while frontier:
        code = frontier.pop()
        for _ in range(60):
            changed = mutated_block(code, random, 2)
            if changed not in reached:
                reached.add(changed)
                frontier.append(changed)
    # One layer: 8 operations. Two: 8 x (8 operations x 2 sources + Add and Concat of both).
    assert len(reached) == 8 + 8 * (8 * 2 + 2)


@pytest.mark.parametrize("max_layers", [1, 2])
def test_the_space_mutates_within_its_limit(max_layers):
    random = np.random.default_rng(0)
    code = parse("[(1,4,0,0,0)]")
    lengths = set()
    for _ in range(200):
        code = BlockSpace(max_layers).mutated(code, random)
        lengths.add(len(code) - 1)
    assert lengths == set(range(1, max_layers + 1))
    assert code[-1].type == LayerType.TERMINAL


@given(st.tuples(*[st.integers(0, 4)] * 6), SEEDS)
def test_a_cell_changes_on_one_edge(operations, seed):
    code = check_cell(enumerate(operations, start=1))
    changed = CellSpace().mutated(code, np.random.default_rng(seed))
    assert check_cell(changed) == changed
    assert sum(a != b for a, b in zip(code, changed, strict=True)) == 1


def test_all_neighbours_of_a_cell_are_alike():
    random = np.random.default_rng(0)
    code = check_cell((edge, 2) for edge in range(1, 7))
    counts = collections.Counter(CellSpace().mutated(code, random) for _ in range(4800))
    assert len(counts) == 24
    assert min(counts.values()) > 140
