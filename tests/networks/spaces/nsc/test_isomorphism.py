"""Equal canonical forms against networkx's isomorphism of the same blocks."""

import itertools

import networkx as nx
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import LayerType, check
from tests.strategies import UNBOUNDED, blocks, near_misses, renumbered, rewritings

NO_OPERATIONS = {(4, 0), (2, 1), (3, 1)}


def graph_of(code):
    """A block as networkx sees it, made without the code under test."""
    graph = nx.DiGraph()
    graph.add_node("input", label="input")
    graph.add_node("output", label="output")

    def tensors(index):
        """What the output of a layer is a concatenation of."""
        if index == 0:
            return ["input"]
        _, kind, kernel, pred1, pred2 = code[index - 1]
        if (kind, kernel) in NO_OPERATIONS:
            return tensors(pred1)
        return [*tensors(pred1), *tensors(pred2)] if kind == 6 else [index]

    def link(source, target):
        count = graph.get_edge_data(source, target, {"count": 0})["count"]
        graph.add_edge(source, target, count=count + 1)

    def as_one(parts):
        """The node of a concatenation, which is made where it is read."""
        if len(parts) == 1:
            return parts[0]
        name = " ".join(sorted(map(str, parts)))
        if name not in graph:
            graph.add_node(name, label="concat")
            for part in parts:
                link(part, name)
        return name

    read = {0}
    for index, kind, kernel, pred1, pred2 in code[:-1]:
        sources = (pred1, pred2) if kind in (5, 6) else (pred1,)
        read.update(sources)
        if (kind, kernel) not in NO_OPERATIONS and kind != 6:
            graph.add_node(index, label=(int(kind), kernel))
            for source in sources:
                link(as_one(tensors(source)), index)
    for index in range(1, len(code)):
        for tensor in tensors(index) if index not in read else []:
            link(tensor, "output")
    return graph


def isomorphic(one, other):
    return nx.is_isomorphic(
        graph_of(one),
        graph_of(other),
        node_match=nx.algorithms.isomorphism.categorical_node_match("label", None),
        edge_match=nx.algorithms.isomorphism.numerical_edge_match("count", 0),
    )


def agree(one, other):
    """Whether two blocks are one, once both ways of finding out have said the same."""
    same = isomorphic(one, other)
    assert (canonical_form(one) == canonical_form(other)) == same
    assert (canonical_form(one).hash == canonical_form(other).hash) == same
    return same


any_blocks = st.one_of(
    blocks(max_layers=10),
    blocks(
        min_layers=3, max_layers=7, types=(LayerType.CONVOLUTION, LayerType.ADD), kernels=(0, 3)
    ),
    blocks(min_layers=3, max_layers=7, types=(LayerType.IDENTITY, LayerType.ADD, LayerType.CONCAT)),
)


@given(st.data())
def test_a_block_written_in_another_way_is_the_same_block(data):
    code = data.draw(any_blocks)
    assert agree(code, data.draw(rewritings(code)))


@settings(max_examples=300)
@given(st.data())
def test_a_block_with_one_change_is_the_same_if_networkx_says_so(data):
    code = data.draw(any_blocks)
    changed = data.draw(near_misses(data.draw(rewritings(code, insertions=1))))
    event(f"same: {agree(code, data.draw(rewritings(changed, insertions=1)))}")


SMALL = blocks(
    min_layers=2, max_layers=4, types=(LayerType.CONVOLUTION, LayerType.ADD), kernels=(0, 1)
)


@settings(max_examples=200)
@given(SMALL, SMALL)
def test_two_small_blocks_are_the_same_if_networkx_says_so(one, other):
    event(f"same: {agree(one, other)}")


def cycle(*vertices):
    return [(a, b) for a, b in zip(vertices, (*vertices[1:], vertices[0]), strict=True)]


def incidence(links, kind=5):
    """A block that is an undirected graph: 3x3 convolutions, and an Add for each edge.

    Instead of an Add it may have a Concat that is pooled, so that not the output reads it.
    """
    count = max(map(max, links))
    rows = [(vertex, 1, 3, 0, 0) for vertex in range(1, count + 1)]
    rows += [(count + 1 + i, kind, 0, *link) for i, link in enumerate(links)]
    if kind == 6:
        joined = range(count + 1, len(rows) + 1)
        rows += [(index + len(links), 2, 3, index, 0) for index in joined]
    return check(rows, UNBOUNDED)


# Pairs in which every vertex of both graphs has as many neighbours, so that
# refining colours by neighbourhoods tells nothing apart.
REGULAR = {
    "two 5-cycles, one 10-cycle": (
        cycle(1, 2, 3, 4, 5) + cycle(6, 7, 8, 9, 10),
        cycle(*range(1, 11)),
    ),
    "a 4-cycle and a 6-cycle, two 5-cycles": (
        cycle(1, 2, 3, 4) + cycle(5, 6, 7, 8, 9, 10),
        cycle(1, 2, 3, 4, 5) + cycle(6, 7, 8, 9, 10),
    ),
    "three triangles, one 9-cycle": (
        cycle(1, 2, 3) + cycle(4, 5, 6) + cycle(7, 8, 9),
        cycle(*range(1, 10)),
    ),
    "three triangles, a 4-cycle and a 5-cycle": (
        cycle(1, 2, 3) + cycle(4, 5, 6) + cycle(7, 8, 9),
        cycle(1, 2, 3, 4) + cycle(5, 6, 7, 8, 9),
    ),
    "a prism, the complete bipartite graph of 3 and 3": (
        cycle(1, 2, 3) + cycle(4, 5, 6) + [(1, 4), (2, 5), (3, 6)],
        list(itertools.product((1, 2, 3), (4, 5, 6))),
    ),
    "a cube, a Moebius ladder": (
        cycle(1, 2, 3, 4) + cycle(5, 6, 7, 8) + [(1, 5), (2, 6), (3, 7), (4, 8)],
        [*cycle(*range(1, 9)), (1, 5), (2, 6), (3, 7), (4, 8)],
    ),
}


@pytest.mark.parametrize("name", REGULAR)
@pytest.mark.parametrize("kind", [5, 6])
def test_graphs_that_neighbourhoods_cannot_tell_apart(name, kind):
    one, other = (incidence(links, kind) for links in REGULAR[name])
    assert len(one) == len(other)
    assert not agree(one, other)


@pytest.mark.parametrize("name", REGULAR)
@settings(max_examples=10)
@given(data=st.data())
def test_symmetric_graphs_are_recognised_however_they_are_numbered(name, data):
    for links in REGULAR[name]:
        code = incidence(links)
        assert canonical_form(renumbered(data.draw, code)) == canonical_form(code)


@settings(max_examples=60)
@given(st.data())
def test_symmetric_graphs_with_one_change(data):
    links = [list(link) for link in data.draw(st.sampled_from([*REGULAR.values()]))[0]]
    changed = [list(link) for link in links]
    link = data.draw(st.integers(0, len(links) - 1))
    vertices = range(1, max(map(max, links)) + 1)
    changed[link][0] = data.draw(st.sampled_from([v for v in vertices if v not in changed[link]]))
    agree(incidence(links), renumbered(data.draw, incidence(changed)))


@settings(max_examples=60)
@given(st.data())
def test_layers_on_top_of_twins(data):
    """Two tiers of sums over identical convolutions, and the same with one link moved."""
    links = st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 4)).filter(lambda pair: pair[0] != pair[1]),
        min_size=4,
        max_size=4,
    )
    rows = [(vertex, 1, 1, 0, 0) for vertex in range(1, 5)]
    rows += [(5 + i, 5, 0, *pair) for i, pair in enumerate(data.draw(links))]
    rows += [(9 + i, 6, 0, 4 + a, 4 + b) for i, (a, b) in enumerate(data.draw(links))]
    code = check(rows)
    assert agree(code, renumbered(data.draw, code))
    agree(code, renumbered(data.draw, data.draw(near_misses(code))))
