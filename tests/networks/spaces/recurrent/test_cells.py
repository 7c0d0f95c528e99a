"""Recurrent cells as spaces: how many there are, what is one cell, what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.graph import expanded
from blockqnn.networks.layout import LANGUAGE, Layout, LayoutError
from blockqnn.networks.spaces.contract import MAX_LAYERS, CodeError
from blockqnn.networks.spaces.recurrent.families import DARTS, ENAS, TREE, tree_inputs
from blockqnn.networks.spaces.recurrent.meaning import as_written, meaning
from blockqnn.networks.spaces.registry import (
    SPACES,
    code_of,
    design_of,
    design_plan,
    fitting,
    parse,
    published,
    space_named,
    stacking_rules,
)

LAYOUT = Layout(LANGUAGE, (8,), 1, 1, 1, 1, 20)


def count(space):
    """How many codes a space has."""
    family = space.family
    return math.prod(len(question.answers) for question in family.questions(space.size))


def test_the_spaces_have_as_many_cells_as_their_papers_say():
    assert count(space_named("darts_cell")) == 2_642_411_520
    assert count(space_named("enas_cell")) == 4**12 * math.factorial(11)
    # 8^15 trees, 8 ways to merge the memory, and two of 15 nodes: 6.3e16.
    assert count(space_named("nas_cell")) == 8**16 * 15**2
    assert count(space_named("known_cell")) == 3


def test_the_language_model_of_enas_takes_18_decisions():
    assert space_named("enas_cell", 9).numbered().length == 18
    assert space_named("enas_cell", MAX_LAYERS).size == 12
    assert space_named("nas_cell", 5).numbered().length == 34


def test_a_tree_over_eight_leaves_reads_pairs():
    assert tree_inputs(8)[8:] == ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (12, 13))
    assert tree_inputs(2) == ((), (), (0, 1))


def test_the_published_cell_of_enas_writes_the_mean_of_the_nodes_that_no_other_reads():
    code = published()["enas-rnn"]
    assert as_written(ENAS, code).unread == (2, 5, 6, 9, 10, 11)
    usual = fitting(code, Layout(named=False))
    assert (usual.rules, usual.classes, usual.filters) == ("unread_nodes", 10_000, (850,))

    def inputs(rules):
        plan = design_plan(design_of(code), Layout(LANGUAGE, (8,), 1, 1, 1, 1, 20, rules=rules))
        return len(next(layer for layer in plan if layer.name.endswith("mean")).inputs)

    assert (inputs("unread_nodes"), inputs("all_nodes"), inputs("")) == (6, 11, 11)


def test_rules_of_cells_are_not_those_of_stacks():
    assert stacking_rules(words=True) == ("all_nodes", "unread_nodes")
    assert not set(stacking_rules()) & {"all_nodes", "unread_nodes"}
    other = Layout(LANGUAGE, (8,), 1, 1, 1, 1, 20, rules="unread_nodes")
    with pytest.raises(LayoutError, match=r"no rules 'unread_nodes' of .*; allowed: all_nodes"):
        design_plan(design_of(published()["darts-rnn-v1"]), other)


def test_nodes_that_can_be_exchanged_have_one_hash():
    one = design_of(parse("darts_cell relu(0) tanh(0) sigmoid(1)"))
    same = design_of(parse("darts_cell tanh(0) relu(0) sigmoid(2)"))
    other = design_of(parse("darts_cell tanh(0) relu(0) sigmoid(1)"))
    assert one == same and design_plan(one, LAYOUT) == design_plan(same, LAYOUT)
    assert one.hash != other.hash


def test_leaves_of_a_tree_can_be_exchanged_but_not_what_the_memory_goes_into():
    text = TREE.example
    swapped = text.replace("4:(add,tanh) 5:(add,sigmoid)", "4:(add,sigmoid) 5:(add,tanh)")
    assert swapped != text and design_of(parse(swapped)) == design_of(parse(text))
    # Nodes 8 and 9, and the leaves before them; the memory goes into 8.
    moved = text.replace("c:(add,tanh;12,8)", "c:(add,tanh;12,9)")
    assert design_of(parse(moved)) != design_of(parse(text))


@given(st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_a_relabelled_cell_is_the_same_cell(seed, random):
    space = SPACES["darts_cell"].limited(6)
    generator = np.random.default_rng(seed)
    code = space.ended(())
    for _ in range(20):
        code = space.mutated(code, generator)
    written = as_written(DARTS, code)
    # Another order in which each node still comes behind the one that it reads.
    order, waiting = [0], list(range(1, len(written.nodes)))
    while waiting:
        ready = [n for n in waiting if written.nodes[n].inputs[0] in order]
        chosen = random.choice(ready)
        waiting.remove(chosen)
        order.append(chosen)
    words = []
    for old in order[1:]:
        node = written.nodes[old]
        words.append(f"{node.function}({order.index(node.inputs[0])})")
    again = design_of(parse("darts_cell " + " ".join(words)))
    assert again == meaning(written) and again.hash == design_of(code).hash


def test_what_is_drawn_of_a_cell_is_what_it_computes():
    graph = expanded(SPACES["nas_cell"].graph(published()["nas-cell"], 8))
    labels = [node.label for node in graph.nodes]
    assert labels[:3] == ["input", "state h", "memory c"]
    # Node 8 is merged with the memory, and node 12 leaves the next one.
    merged = labels.index("add, tanh", labels.index("mul, tanh"))
    assert graph.nodes[merged].inputs == (2, merged - 1)
    assert labels.count("mul, identity -> c'") == 1
    lstm = SPACES["known_cell"].graph(published()["lstm"])
    assert lstm.nodes[-2].label == "state h'" and len(lstm.layers) == 11


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("darts_cell", "is written like darts_cell relu"),
        ("darts_cell relu(1)", r"Node 1: source is '1'; allowed: 0"),
        ("darts_cell relu(0) swish(1)", r"Node 2: function is 'swish'; allowed: tanh, relu"),
        ("darts_cell relu", r"is written FUNCTION\(NODE\), as in relu\(0\); given: 'relu'"),
        ("enas_cell tanh(0)", "Node 0: source is '0'; allowed: input"),
        ("enas_cell tanh(input)" + " tanh(0)" * 64, "allowed: up to 128"),
        ("nas_cell 0:(add,tanh)", "has 34 decisions, given 2"),
        ("nas_cell 1:(add,tanh)", "Part 1 of a code of nas_cell is 0; given"),
        ("nas_cell add", r"is written 0:\(COMBINATION,FUNCTION\)"),
        ("known_cell rnn", "Node 0: cell is 'rnn'; allowed: lstm, gru, elman"),
    ],
)
def test_what_is_no_cell_is_refused_by_its_place(text, message):
    with pytest.raises(CodeError, match=message):
        parse(text)


def test_a_cell_is_no_map_to_map():
    code = code_of("lstm")
    with pytest.raises(LayoutError, match="goes from word to word with its state"):
        SPACES["known_cell"].alone(design_of(code), 8, 8)
