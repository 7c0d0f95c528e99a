"""Cutting the operations of an edge in two by their gradients: figures by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.supernets.cuts import (
    best_cut,
    halves,
    largest_cut,
    read_distances,
    write_distances,
)
from blockqnn.supernets.matching import distance

LETTERS = "abcde"


@pytest.mark.parametrize(("count", "ways"), [(2, 1), (3, 3), (4, 3), (5, 10), (6, 10), (7, 35)])
def test_all_ways_to_cut_in_two(count, ways):
    operations = tuple("abcdefg"[:count])
    found = halves(operations)
    assert len(found) == ways == len({frozenset(map(frozenset, pair)) for pair in found})
    for first, second in found:
        assert sorted((*first, *second)) == list(operations)
        assert sorted(map(len, (first, second))) == [count // 2, count - count // 2]


def test_the_groups_that_agree_within_are_found():
    # a and d agree, b, c and e agree; each of the six pairs between lies 1 apart.
    group = {"a": 0, "d": 0, "b": 1, "c": 1, "e": 1}
    distances = np.array([[0.1 + 0.9 * (group[x] != group[y]) for y in LETTERS] for x in LETTERS])
    cut = best_cut("1<-0", LETTERS, distances)
    assert cut.groups == (("a", "d"), ("b", "c", "e"))
    assert cut.between == pytest.approx(6.0)
    # An edge on which all are 0.9 apart has a cut of 5.4, less than this one.
    flat = 0.9 * (1 - np.eye(5))
    edges = {"0": LETTERS, "1": LETTERS}
    assert largest_cut(edges, {"0": flat, "1": distances}).edge == "1"
    assert largest_cut(edges, {"0": flat, "1": 0.8 * distances}).edge == "0"


@given(st.integers(2, 6), st.integers(0, 10_000))
def test_the_cut_has_the_smallest_sum_within(count, seed):
    random = np.random.default_rng(seed).random((count, count))
    distances = random + random.T
    operations = "abcdef"[:count]
    cut = best_cut("e", operations, distances)

    def within(groups):
        pairs = [p for group in groups for p in itertools.combinations(group, 2)]
        return sum(distances[operations.index(x), operations.index(y)] for x, y in pairs)

    sums = [within(groups) for groups in halves(operations)]
    assert within(cut.groups) == pytest.approx(min(sums))


def test_the_distance_is_of_what_both_use():
    first = {"stem": np.array([3.0, 4.0]), "own": np.array([9.0])}
    assert distance(first, {"stem": np.array([4.0, 3.0])}) == pytest.approx(1 - 24 / 25)
    assert distance(first, {"stem": np.array([-6.0, -8.0])}) == pytest.approx(2.0)
    assert distance(first, first) == pytest.approx(0.0)
    assert distance(first, {"other": np.array([1.0])}) == 1.0
    assert distance(first, {"stem": np.zeros(2)}) == 1.0


def test_distances_on_disk(tmp_path):
    found = {"1<-0": np.array([[0.0, 0.25], [0.25, 0.0]])}
    write_distances(tmp_path / "d.json", found)
    assert read_distances(tmp_path / "d.json")["1<-0"].tolist() == found["1<-0"].tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["d.json"]
