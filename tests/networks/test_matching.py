"""Matching of blocks: by hand, and what holds of every matching."""

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import LayerType, check, parse
from blockqnn.networks.spaces.nsc.graph import block_graph
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from tests.drawn import match
from tests.strategies import blocks, renumbered, rewritings

RESIDUAL = PUBLISHED["residual"]


def test_a_kernel_that_changed():
    other = parse("[(1,4,0,0,0),(2,1,5,1,0),(3,1,3,2,0),(4,5,0,1,3)]")
    found = match(RESIDUAL, other)
    assert found.same == ((0, 0), (1, 1), (3, 3), (4, 4), (5, 5))
    assert found.changed == ((2, 2),)
    assert (found.only_first, found.only_second) == ((2,), (2,))
    assert (found.edges_only_first, found.edges_only_second) == ((), ())


def test_an_add_that_became_a_concat():
    found = match(RESIDUAL, parse("[(1,4,0,0,0),(2,1,3,1,0),(3,1,3,2,0),(4,6,0,1,3)]"))
    assert found.same == ((0, 0), (1, 1), (2, 2), (3, 3), (5, 5))
    assert found.changed == ((4, 4),)
    assert (found.edges_only_first, found.edges_only_second) == ((), ())


def test_a_branch_that_was_added():
    other = parse("[(1,1,5,0,0),(2,4,0,0,0),(3,1,3,2,0),(4,1,3,3,0),(5,5,0,2,4)]")
    found = match(RESIDUAL, other)
    assert found.same == ((0, 0), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6))
    assert (found.changed, found.only_first, found.only_second) == ((), (), (1,))
    assert found.edges_only_first == ()
    assert found.edges_only_second == ((0, 1), (1, 6))


def test_an_edge_that_moved():
    one = parse("[(1,1,3,0,0),(2,1,5,1,0),(3,5,0,0,2)]")
    other = parse("[(1,1,3,0,0),(2,1,5,1,0),(3,5,0,1,2)]")
    found = match(one, other)
    assert found.same == ((0, 0), (1, 1), (2, 2), (3, 3), (4, 4))
    assert found.edges_only_first == ((0, 3),)
    assert found.edges_only_second == ((1, 3),)


def test_twins_are_told_apart_by_what_reads_them():
    # Layer 1 goes to the output and 2 into a pool; in the other block it is the other way round.
    one = parse("[(1,1,3,0,0),(2,1,3,0,0),(3,2,3,2,0)]")
    other = parse("[(1,1,3,0,0),(2,1,3,0,0),(3,2,3,1,0),(4,3,3,0,0)]")
    found = match(one, other)
    assert found.same == ((0, 0), (1, 2), (2, 1), (3, 3), (4, 5))
    assert found.only_second == (4,)


def test_layers_with_nothing_but_a_name_in_common_are_no_pair():
    one = parse("[(1,1,3,0,0),(2,2,3,1,0),(3,1,1,2,0)]")
    other = parse("[(1,1,1,0,0),(2,3,3,1,0),(3,1,3,2,0)]")
    found = match(one, other)
    assert found.same == ((0, 0), (4, 4))
    assert found.changed == ((1, 1), (2, 2), (3, 3))


def test_an_identity_is_only_in_the_code_that_has_it():
    found = match(RESIDUAL, canonical_form(RESIDUAL))
    assert found.same == ((0, 0), (2, 1), (3, 2), (4, 3), (5, 4))
    assert found.only_first == (1,)
    assert found.edges_only_first == ((0, 1), (1, 2), (1, 4))
    assert found.edges_only_second == ((0, 1), (0, 3))


@given(st.data())
def test_the_same_block_written_otherwise_has_nothing_that_differs(data):
    code = data.draw(blocks(max_layers=12))
    found = match(code, renumbered(data.draw, code))
    assert len(found.same) == len(code) + 1
    other = data.draw(rewritings(code))
    found = match(canonical_form(code), canonical_form(other))
    assert found.same == tuple((node, node) for node in range(canonical_form(code).nodes))
    assert not found.changed + found.only_first + found.only_second
    assert not found.edges_only_first + found.edges_only_second


@given(blocks(max_layers=12), blocks(max_layers=12), st.booleans())
def test_what_holds_of_every_matching(one, other, canonical):
    if canonical:
        one, other = canonical_form(one), canonical_form(other)
    found = match(one, other)
    first, second = block_graph(one), block_graph(other)
    pairs = dict(found.same)
    assert len(set(pairs.values())) == len(pairs) == len(found.same)
    assert pairs[0] == 0
    assert pairs[first.output] == second.output
    for a, b in found.same:
        if 0 < a < first.output:
            assert first.nodes[a].label == second.nodes[b].label
    assert sorted([*pairs, *found.only_first]) == list(range(first.output + 1))
    assert sorted([*pairs.values(), *found.only_second]) == list(range(second.output + 1))
    assert {a for a, _ in found.changed} <= set(found.only_first)
    assert {b for _, b in found.changed} <= set(found.only_second)
    # What is left of the first block's edges is what is left of the second's.
    together = pairs | dict(found.changed)
    shared = Counter(first.ends) - Counter(found.edges_only_first)
    assert shared == shared & Counter(first.ends)
    assert Counter({(together[s], together[t]): n for (s, t), n in shared.items()}) == Counter(
        second.ends
    ) - Counter(found.edges_only_second)


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_leaf_that_was_taken_away_is_all_that_differs(name, index):
    code = PUBLISHED[name]
    leaf = parse(str([list(layer) for layer in code[:-1]] + [[len(code), 2, 3, index + 1, 0]]))
    found = match(code, leaf)
    assert found.only_first == ()
    assert len(found.only_second) == 1


def random_block(generator):
    rows = []
    for index in range(1, generator.randrange(3, 7)):
        kind = generator.choice([k for k in LayerType if k.arity == 1 or (k.arity and index > 1)])
        sources = [*generator.sample(range(index), kind.arity), 0]
        rows.append((index, kind, generator.choice(kind.kernels), sources[0], sources[1]))
    return canonical_form(check(rows))


def most_shared_edges(one, other):
    """By trying every way of taking layers of one block for layers of the other."""
    first, second = block_graph(one), block_graph(other)
    short, long = sorted((first, second), key=lambda graph: graph.output)
    edges, other_edges = Counter(short.ends), Counter(long.ends)
    best = 0
    for partners in itertools.permutations(range(1, long.output), short.output - 1):
        pairs = dict(enumerate([0, *partners, long.output]))
        fits = {
            n: p
            for n, p in pairs.items()
            if not 0 < n < short.output
            or len(short.layers[n - 1].inputs) == len(long.layers[p - 1].inputs)
        }
        mapped = Counter()
        for (source, target), count in edges.items():
            if source in fits and target in fits:
                mapped[fits[source], fits[target]] += count
        best = max(best, (mapped & other_edges).total())
    return best


def test_small_blocks_share_as_many_edges_as_can_be():
    generator = random.Random(0)
    found, most = [], []
    for _ in range(60):
        one, other = random_block(generator), random_block(generator)
        left = len(match(one, other).edges_only_first)
        found.append(len(block_graph(one).ends) - left)
        most.append(most_shared_edges(one, other))
    assert max(most) > 4
    assert all(a <= b for a, b in zip(found, most, strict=True))
    assert sum(a == b for a, b in zip(found, most, strict=True)) >= 57
