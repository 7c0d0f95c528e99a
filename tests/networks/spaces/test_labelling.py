"""The canonical order of graphs, against trying every order, and where search trees explode."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockqnn.networks.spaces.labelling import canonical_order
from blockqnn.networks.spaces.nsc.canonical import canonical_form, dissolve
from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.networks.spaces.nsc.space import BlockSpace
from tests.strategies import blocks, near_misses, rewritings


def relabelled(labels, inputs, outputs, order):
    """A graph whose nodes stand in another order, edges without one."""
    place = {0: 0} | {node: new for new, node in enumerate(order, start=1)}
    return (
        tuple((labels[n - 1], tuple(sorted(place[i] for i in inputs[n - 1]))) for n in order),
        tuple(sorted(place[n] for n in outputs)),
    )


def least_of_all_orders(labels, inputs, outputs):
    """Canonical by brute force: the least of all that a graph can be written as."""
    orders = itertools.permutations(range(1, len(labels) + 1))
    return min(relabelled(labels, inputs, outputs, order) for order in orders)


def canonical(labels, inputs, outputs):
    order = canonical_order(labels, inputs, outputs)
    return relabelled(labels, inputs, outputs, order)


def graph_of(code):
    layers, outputs = dissolve(code)
    labels = [(int(layer.type), layer.kernel) for layer in layers]
    return labels, [layer.inputs for layer in layers], outputs


@st.composite
def graphs(draw, max_nodes=5):
    """Directed acyclic multigraphs of any in-degree, beyond what codes can say."""
    count = draw(st.integers(0, max_nodes))
    labels = [(draw(st.integers(0, 1)),) for _ in range(count)]
    inputs = [draw(st.lists(st.integers(0, node), min_size=1, max_size=3)) for node in range(count)]
    return labels, inputs, draw(st.lists(st.integers(0, count), max_size=3))


@given(graphs(max_nodes=12))
def test_the_order_is_a_topological_one_of_all_nodes(graph):
    labels, inputs, outputs = graph
    order = canonical_order(labels, inputs, outputs)
    assert sorted(order) == list(range(1, len(labels) + 1))
    place = {0: 0} | {node: new for new, node in enumerate(order, start=1)}
    assert all(place[i] < place[n] for n in order for i in inputs[n - 1])


@given(graphs(), st.randoms(use_true_random=False))
def test_numbering_does_not_matter(graph, random):
    labels, inputs, outputs = graph
    order = list(range(1, len(labels) + 1))
    random.shuffle(order)
    place = {0: 0} | {node: new for new, node in enumerate(order, start=1)}
    if any(place[i] >= place[n] for n in order for i in inputs[n - 1]):
        order.sort()
    shuffled, new_outputs = relabelled(labels, inputs, outputs, order)
    new_labels = [label for label, _ in shuffled]
    new_inputs = [list(sources) for _, sources in shuffled]
    for sources in (*new_inputs, list(new_outputs)):
        random.shuffle(sources)
    assert canonical(new_labels, new_inputs, new_outputs) == canonical(*graph)


@settings(max_examples=200)
@given(graphs(4), graphs(4))
def test_two_graphs_have_one_form_if_brute_force_says_so(one, other):
    same = least_of_all_orders(*one) == least_of_all_orders(*other)
    assert (canonical(*one) == canonical(*other)) == same


@given(st.data())
def test_two_tiny_blocks_have_one_form_if_brute_force_says_so(data):
    one = data.draw(blocks(max_layers=6))
    other = data.draw(near_misses(data.draw(rewritings(one, insertions=1))))
    same = least_of_all_orders(*graph_of(one)) == least_of_all_orders(*graph_of(other))
    assert (canonical_form(one) == canonical_form(other)) == same


def test_all_blocks_of_three_layers_fall_into_the_classes_of_brute_force():
    space = BlockSpace(3)
    codes = [()]
    for _ in range(3):
        codes = [
            (*code, layer)
            for code in codes
            for group in space.choices(code[-1] if code else space.start)
            for layer in group
            if not space.is_end(layer)
        ]
    assert len(codes) == 8 * 18 * 30
    by_force, by_form, by_hash = {}, {}, {}
    for number, code in enumerate(map(check, codes)):
        by_force.setdefault(least_of_all_orders(*graph_of(code)), []).append(number)
        form = canonical_form(code)
        by_form.setdefault(form, []).append(number)
        by_hash.setdefault(form.hash, []).append(number)
    assert sorted(by_form.values()) == sorted(by_force.values())
    assert sorted(by_hash.values()) == sorted(by_force.values())


def circulant(count, steps):
    """Convolutions, and an Add for each edge of a circulant graph over them."""
    rows = [(vertex + 1, 1, 3, 0, 0) for vertex in range(count)]
    for step in steps:
        for vertex in range(count):
            pair = (vertex + 1, (vertex + step) % count + 1)
            rows.append((len(rows) + 1, 5, 0, *pair))
    return rows


def tree(height):
    """Sums of pairs of sums of pairs of ... identical convolutions."""
    rows = [(index, 1, 1, 0, 0) for index in range(1, 2**height + 1)]
    tier = [row[0] for row in rows]
    while len(tier) > 1:
        pairs = list(zip(tier[::2], tier[1::2], strict=True))
        tier = []
        for pair in pairs:
            rows.append((len(rows) + 1, 5, 0, *pair))
            tier.append(len(rows))
    return rows


COMPLETE = list(itertools.combinations(range(1, 7), 2))
SYMMETRIC = {
    "23 twins": [(index, 1, 3, 0, 0) for index in range(1, 24)],
    "22 leaves of one layer": [(1, 1, 3, 0, 0), *((i, 4, 0, 1, 0) for i in range(2, 24))],
    "11 chains of two": [
        (index, 1, 3, index - 1 if index % 2 == 0 else 0, 0) for index in range(1, 23)
    ],
    "five chains of four": [
        (index, 1, 3, index - 1 if index % 4 != 1 else 0, 0) for index in range(1, 21)
    ],
    "11 twins summed in pairs with the input": [
        *((index, 1, 3, 0, 0) for index in range(1, 12)),
        *((index, 5, 0, 0, index - 11) for index in range(12, 23)),
    ],
    "a cycle of eleven": circulant(11, [1]),
    "seven vertices, each with four neighbours": circulant(7, [1, 2]),
    "a complete graph of six": [
        *((index, 1, 1, 0, 0) for index in range(1, 7)),
        *((7 + i, 5, 0, *pair) for i, pair in enumerate(COMPLETE)),
    ],
    "eight twins summed as a tree": tree(3),
    "a doubling chain": [
        row
        for index in range(1, 22, 2)
        for row in ((index, 4, 0, index - 1, 0), (index + 1, 5, 0, index - 1, index))
    ],
}


@pytest.mark.parametrize("name", SYMMETRIC)
@settings(max_examples=3)
@given(data=st.data())
def test_symmetric_blocks_are_labelled_in_time(name, data):
    """Without pruning by automorphisms the search for these would not end."""
    code = check(SYMMETRIC[name])
    block = canonical_form(code)
    assert canonical_form(data.draw(rewritings(code, insertions=0))) == block
    assert block.edges == sum(len(layer.inputs) for layer in dissolve(code)[0]) + len(
        dissolve(code)[1]
    )
