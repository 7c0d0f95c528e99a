"""What holds of every search space, whichever it is."""

import itertools
import json

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockqnn.networks.child import ChildNetwork
from blockqnn.networks.cost import cost
from blockqnn.networks.graph import INPUT, KINDS, OUTPUT, expanded
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.motifs import MOTIFS, motifs
from blockqnn.networks.plan_counts import parameters
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.registry import (
    SPACES,
    design_of,
    design_plan,
    graph_of,
    layouts,
    parse,
    published,
    side_of,
    space_named,
    space_of,
    write,
)
from tests.networks.spaces.rows import RowSpace

# Of whole networks a short one says as much.
ALL = list(
    {
        space.name: space.limited(4) if space.whole else space
        for space in (RowSpace(), *SPACES.values())
    }.values()
)
BUILT = pytest.mark.parametrize(
    "space", [space for space in ALL if not space.tabular], ids=lambda space: space.name
)
"""Those whose designs are networks, and not rows of a table."""
EVERY = pytest.mark.parametrize("space", ALL, ids=lambda space: space.name)


def layout_of(space):
    return Layout(kind=next(iter(space.layouts)), filters=(4, 6), repeats=1, height=8, width=8)


@st.composite
def episodes(draw, space):
    """Random episodes: a group of choices, then one of the group."""
    actions, state = [], space.start
    while not actions or not space.is_end(state):
        group = draw(st.sampled_from(space.choices(state)))
        state = draw(st.sampled_from(group))
        actions.append(state)
    return tuple(actions)


@EVERY
@given(data=st.data())
def test_every_episode_is_a_legal_code_that_can_be_written_and_read(space, data):
    code = data.draw(episodes(space))
    assert space.check(code) == code
    assert space.check([list(map(int, action)) for action in code]) == code
    text = space.write(code)
    assert space.recognises(text)
    assert space.parse(text) == code
    assert space.write(tuple(tuple(map(int, action)) for action in code)) == text
    assert [action[0] for action in code] == list(range(1, len(code) + 1))


@EVERY
@given(data=st.data())
def test_a_prefix_can_be_written_and_read(space, data):
    code = data.draw(episodes(space))
    for length in range(len(code)):
        assert space.parse_prefix(space.write_prefix(code[:length])) == code[:length]
    with pytest.raises(CodeError):
        space.parse_prefix(space.write_prefix(code))


@EVERY
@given(data=st.data())
def test_no_other_space_takes_its_codes(space, data):
    code = data.draw(episodes(space))
    assert [other.name for other in ALL if other.owns(code)] == [space.name]
    assert [other.name for other in ALL if other.recognises(space.write(code))] == [space.name]


@BUILT
@settings(max_examples=25)
@given(data=st.data())
def test_equal_hashes_mean_equal_plans(space, data):
    one, other = data.draw(episodes(space)), data.draw(episodes(space))
    layout = layout_of(space)
    designs = space.design(one), space.design(other)
    same = designs[0].hash == designs[1].hash
    assert same == (designs[0] == designs[1])
    if same:
        assert space.plan(designs[0], layout) == space.plan(designs[1], layout)
    assert (space.identity(one) == space.identity(other)) == same
    assert designs[0].space == space.name


@EVERY
@settings(max_examples=25)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_a_mutation_is_a_legal_code_and_not_the_same(space, data, seed):
    code = data.draw(episodes(space))
    found = space.mutated(code, np.random.default_rng(seed))
    assert space.check(found) == found
    assert found != code


@EVERY
@given(data=st.data())
def test_the_graph_has_as_many_edges_as_the_density_says(space, data):
    code = data.draw(episodes(space))
    design = space.design(code)
    graph = space.design_graph(design)
    assert design.density == pytest.approx(len(graph.edges) / len(graph.nodes))


@EVERY
@given(data=st.data())
def test_graphs_can_be_drawn(space, data):
    code = data.draw(episodes(space))
    design = space.design(code)
    for graph in (expanded(space.graph(code, 8)), expanded(space.design_graph(design, 8))):
        assert graph.nodes[0].kind == INPUT
        assert graph.nodes[-1].kind == OUTPUT
        assert {node.kind for node in graph.nodes} <= set(KINDS)
        assert graph.widths is not None
        assert all(source < target for source, target in graph.ends)
        assert expanded(graph) == graph
        assert not any(edge.label for edge in graph.edges)
    assert list(motifs(space.design_graph(design))) == list(MOTIFS)
    meant = expanded(space.design_graph(design))
    places = space.places(code)
    shown = expanded(space.graph(code))
    for node in range(1, meant.output):
        assert meant.nodes[node].label == shown.nodes[places[node]].label


@BUILT
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_parameters_of_the_plan_are_those_of_the_module(space, data):
    code = data.draw(episodes(space))
    plan = space.plan(space.design(code), layout_of(space))
    trained, _ = ChildNetwork(plan).weights()
    assert parameters(plan) == sum(array.size for array in jax.tree.leaves(trained))


@EVERY
@given(data=st.data())
def test_a_code_has_words_facts_and_features(space, data):
    code = data.draw(episodes(space))
    facts = json.loads(json.dumps(space.facts(code)))
    design = space.design(code)
    assert (facts["code"], facts["hash"]) == (space.write(code), design.hash)
    assert facts["density"] == design.density
    decisions, meaning = space.in_words(code)
    assert decisions
    assert any(design.hash in line for line in meaning)
    assert all("\n" not in line for line in [*decisions, *meaning])
    assert len(space.features(code)) == len(space.feature_names)
    for action in code:
        position, kind = space.action_kind(action)
        assert (position, bool(kind)) == (action[0], True)
        assert space.action_title(action)
    shown = expanded(space.graph(code))
    json.dumps([space.layer_facts(code, node) for node in range(1, shown.output)])


@EVERY
@settings(max_examples=20)
@given(data=st.data())
def test_decisions_by_numbers_are_the_choices(space, data):
    code = data.draw(episodes(space))
    actions = space.numbered()
    assert len(code) <= actions.length
    state = space.start
    for position, action in enumerate(code, start=1):
        legal = set(itertools.chain.from_iterable(space.choices(state)))
        numbers = np.flatnonzero(actions.mask(position)).tolist()
        assert {actions.action(number, position) for number in numbers} == legal
        assert actions.action(actions.number(action), position) == action
        assert all(0 <= field <= most for field, most in zip(action, actions.highest, strict=True))
        state = action
        ended = space.ended(code[:position])
        if isinstance(ended, tuple):
            assert space.check(ended) == ended


@EVERY
@pytest.mark.parametrize("rows", [[], [(1,)], [(1, 99, 99, 99, 99)], [(7, 0)], [(1, -1, 0)]])
def test_what_is_no_code_is_refused_in_a_sentence(space, rows):
    with pytest.raises(CodeError) as refusal:
        space.check(rows)
    message = str(refusal.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert "given" in message or "allowed" in message


@EVERY
def test_layouts_are_for_their_own_designs(space):
    code = space.parse(space.example)
    for kind in layouts():
        if kind not in space.layouts:
            with pytest.raises(LayoutError, match="allowed: " + " or ".join(space.layouts)):
                space.plan(space.design(code), Layout(kind=kind))


@EVERY
def test_published_codes_are_legal(space):
    for code in space.published.values():
        assert space.check(code) == code


def test_names_of_published_codes_and_of_spaces_are_apart():
    names = [name for space in SPACES.values() for name in space.published]
    assert len(names) == len(set(names)) == len(published())
    assert list(SPACES) == [space.name for space in SPACES.values()]
    with pytest.raises(CodeError, match="There is no search space 'x'; allowed: "):
        space_named("x")
    with pytest.raises(CodeError, match="a code of none of"):
        space_of(((1, 99, 3),))


@pytest.mark.parametrize("name", published())
def test_the_registry_asks_the_space(name):
    code = published()[name]
    space = space_of(code)
    layout = layout_of(space)
    assert parse(write(code)) == code
    assert design_of(code) == space.design(code)
    assert design_plan(design_of(code), layout) == space.plan(space.design(code), layout)
    assert cost(design_of(code), layout).parameters > 0
    # Of whole networks the input may be the image.
    assert graph_of(code, layout).widths[0] in ((4, 3) if space.whole else (4,))
    assert side_of(design_of(code)).graph == side_of(code).meaning
