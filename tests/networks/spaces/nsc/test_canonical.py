"""What a block means: what dissolves, what counts twice, and what has no order."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from blockqnn.networks.spaces.nsc.canonical import (
    CanonicalBlock,
    CanonicalLayer,
    canonical_form,
    computes_nothing,
)
from blockqnn.networks.spaces.nsc.codes import LayerType, check, parse
from blockqnn.networks.spaces.nsc.space import BlockSpace
from tests.strategies import UNBOUNDED, blocks

CONV1, CONV3, CONV5 = (1, 1), (1, 3), (1, 5)
MAX, AVERAGE, ADD, CONCAT = (2, 3), (3, 3), (5, 0), (6, 0)


def layers_of(text):
    """The layers and outputs of a block's canonical form as plain tuples."""
    block = canonical_form(parse(text))
    return [tuple(layer) for layer in block.layers], block.outputs


# Each with (nodes, edges, leaves), counted by hand: nodes are the input, the
# layers and the output; edges the links and one for each output.
@pytest.mark.parametrize(
    ("text", "layers", "outputs", "figures"),
    [
        pytest.param("[(1,4,0,0,0)]", [], (0,), (2, 1, 1), id="the input is the output"),
        pytest.param("[(1,2,1,0,0)]", [], (0,), (2, 1, 1), id="max pooling 1x1 dissolves"),
        pytest.param("[(1,3,1,0,0)]", [], (0,), (2, 1, 1), id="average pooling 1x1 dissolves"),
        pytest.param(
            "[(1,4,0,0,0),(2,2,1,1,0),(3,3,1,2,0)]", [], (0,), (2, 1, 1), id="a chain dissolves"
        ),
        pytest.param("[(1,1,1,0,0)]", [(*CONV1, (0,))], (1,), (3, 2, 1), id="conv 1x1 stays"),
        pytest.param("[(1,2,3,0,0)]", [(*MAX, (0,))], (1,), (3, 2, 1), id="max 3x3 stays"),
        pytest.param("[(1,3,3,0,0)]", [(*AVERAGE, (0,))], (1,), (3, 2, 1), id="average 3x3 stays"),
        pytest.param(
            "[(1,4,0,0,0),(2,4,0,0,0)]", [], (0, 0), (2, 2, 2), id="the input is two leaves"
        ),
        pytest.param(
            "[(1,4,0,0,0),(2,5,0,0,1)]", [(*ADD, (0, 0))], (1,), (3, 3, 1), id="twice the input"
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,4,0,1,0),(3,5,0,1,2)]",
            [(*CONV3, (0,)), (*ADD, (1, 1))],
            (2,),
            (4, 4, 1),
            id="Add(x, x) keeps both edges",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,2,1,1,0),(3,6,0,1,2)]",
            [(*CONV3, (0,))],
            (1, 1),
            (3, 3, 2),
            id="Concat(x, x) that only the output reads",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,2,1,1,0),(3,6,0,1,2),(4,3,3,3,0)]",
            [(*CONV3, (0,)), (*CONCAT, (1, 1)), (*AVERAGE, (2,))],
            (3,),
            (5, 5, 1),
            id="Concat(x, x) keeps both edges",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,2,3,0,0),(3,6,0,1,2)]",
            [(*CONV3, (0,)), (*MAX, (0,))],
            (1, 2),
            (4, 4, 2),
            id="a Concat that only the output reads",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,6,0,0,1),(3,6,0,1,2),(4,6,0,2,3)]",
            [(*CONV3, (0,))],
            (0, 0, 1, 1, 1),
            (3, 6, 5),
            id="Concats of Concats that only the output reads",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,6,0,0,1),(3,6,0,1,2),(4,1,5,3,0)]",
            [(*CONV3, (0,)), (*CONCAT, (0, 1, 1)), (*CONV5, (2,))],
            (3,),
            (5, 6, 1),
            id="a Concat of a Concat that a layer reads",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,6,0,0,1),(3,4,0,2,0),(4,1,5,2,0)]",
            [(*CONV3, (0,)), (*CONCAT, (0, 1)), (*CONV5, (2,))],
            (0, 1, 3),
            (5, 7, 3),
            id="a Concat that the output reads and a layer too",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,6,0,0,1),(3,6,0,0,1),(4,1,5,2,0),(5,1,5,3,0)]",
            [(*CONV3, (0,)), (*CONCAT, (0, 1)), (*CONV5, (2,)), (*CONV5, (2,))],
            (3, 4),
            (6, 7, 2),
            id="two Concats of the same tensors are one",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,4,0,1,0),(3,3,1,1,0)]",
            [(*CONV3, (0,))],
            (1, 1),
            (3, 3, 2),
            id="a tensor that is two leaves",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,4,0,1,0),(3,1,5,1,0)]",
            [(*CONV3, (0,)), (*CONV5, (1,))],
            (1, 2),
            (4, 4, 2),
            id="an output that is used by another layer",
        ),
        pytest.param(
            "[(1,4,0,0,0),(2,1,5,0,0)]",
            [(*CONV5, (0,))],
            (0, 1),
            (3, 3, 2),
            id="the input beside a layer",
        ),
        pytest.param(
            "[(1,4,0,0,0),(2,4,0,1,0),(3,1,5,1,0)]",
            [(*CONV5, (0,))],
            (0, 1),
            (3, 3, 2),
            id="the input through an Identity that is used, and one that is not",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,1,3,0,0)]",
            [(*CONV3, (0,)), (*CONV3, (0,))],
            (1, 2),
            (4, 4, 2),
            id="twins stay two",
        ),
    ],
)
def test_special_cases(text, layers, outputs, figures):
    assert layers_of(text) == (layers, outputs)
    block = canonical_form(parse(text))
    assert (block.nodes, block.edges, block.leaves) == figures
    assert block.density == figures[1] / figures[0]
    assert block.convolutions == sum(layer[0] == 1 for layer in layers)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            "[(1,1,3,0,0),(2,1,5,0,0),(3,6,0,1,2)]",
            "[(1,1,5,0,0),(2,1,3,0,0),(3,6,0,1,2)]",
            id="Concat has no order",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,1,5,0,0)]", "[(1,1,5,0,0),(2,1,3,0,0)]", id="outputs have no order"
        ),
        pytest.param(
            "[(1,4,0,0,0),(2,1,3,1,0),(3,1,3,2,0),(4,5,0,1,3)]",
            "[(1,1,3,0,0),(2,2,1,1,0),(3,1,3,2,0),(4,5,0,0,3)]",
            id="the input hub is nothing",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,4,0,1,0),(3,4,0,1,0)]",
            "[(1,1,3,0,0),(2,2,1,1,0),(3,3,1,1,0),(4,4,0,3,0)]",
            id="how a tensor becomes two leaves",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,2,3,0,0),(3,6,0,1,2)]",
            "[(1,1,3,0,0),(2,2,3,0,0)]",
            id="a Concat that is the output, and two leaves",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,4,0,1,0),(3,6,0,1,2)]",
            "[(1,1,3,0,0),(2,4,0,1,0),(3,4,0,1,0)]",
            id="a Concat of one tensor twice, and that tensor as two leaves",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,2,3,0,0),(3,6,0,1,2),(4,4,0,3,0)]",
            "[(1,1,3,0,0),(2,2,3,0,0)]",
            id="a Concat that the output reads through an Identity",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,2,3,0,0),(3,6,0,1,2),(4,4,0,3,0),(5,4,0,3,0)]",
            "[(1,1,3,0,0),(2,2,3,0,0),(3,4,0,1,0),(4,4,0,2,0),(5,4,0,1,0),(6,4,0,2,0)]",
            id="a Concat that the output reads twice",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,2,3,0,0),(3,1,5,0,0),(4,6,0,1,2),(5,6,0,3,4)]",
            "[(1,1,3,0,0),(2,2,3,0,0),(3,1,5,0,0)]",
            id="a Concat of a Concat, and three leaves",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,2,3,0,0),(3,1,5,0,0),(4,6,0,1,2),(5,6,0,3,4),(6,1,1,5,0)]",
            "[(1,1,3,0,0),(2,2,3,0,0),(3,1,5,0,0),(4,6,0,2,3),(5,6,0,1,4),(6,1,1,5,0)]",
            id="how three tensors become one that a layer reads",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,6,0,0,1),(3,1,5,2,0),(4,4,0,2,0)]",
            "[(1,1,3,0,0),(2,6,0,0,1),(3,1,5,2,0),(4,4,0,0,0),(5,4,0,1,0)]",
            id="a Concat that a layer reads, as leaves too",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,6,0,0,1),(3,1,5,2,0),(4,3,3,2,0)]",
            "[(1,1,3,0,0),(2,6,0,0,1),(3,1,5,2,0),(4,6,0,0,1),(5,3,3,4,0)]",
            id="one Concat for two readers, and one for each",
        ),
    ],
)
def test_one_meaning_has_one_form_and_hash(one, other):
    assert canonical_form(parse(one)) == canonical_form(parse(other))
    assert canonical_form(parse(one)).hash == canonical_form(parse(other)).hash


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("[(1,1,3,0,0)]", "[(1,1,5,0,0)]", id="kernel"),
        pytest.param("[(1,2,3,0,0)]", "[(1,3,3,0,0)]", id="type"),
        pytest.param("[(1,1,3,0,0),(2,4,0,1,0),(3,5,0,1,2)]", "[(1,1,3,0,0)]", id="2x is not x"),
        pytest.param(
            "[(1,1,3,0,0),(2,1,5,0,0),(3,6,0,1,2),(4,1,1,3,0)]",
            "[(1,1,3,0,0),(2,1,5,0,0),(3,1,1,1,0),(4,1,1,2,0)]",
            id="a layer of a Concat is not a layer of each",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,4,0,1,0),(3,6,0,1,2)]", "[(1,1,3,0,0)]", id="Concat(x, x) is not x"
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,6,0,0,1)]", "[(1,1,3,0,0),(2,5,0,0,1)]", id="Concat is not Add"
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,6,0,0,1),(3,5,0,0,2)]",
            "[(1,1,3,0,0),(2,5,0,0,1),(3,4,0,0,0)]",
            id="an Add reads a Concat as one",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,6,0,0,1),(3,6,0,0,2),(4,1,1,3,0)]",
            "[(1,1,3,0,0),(2,6,0,0,1),(3,6,0,1,2),(4,1,1,3,0)]",
            id="which tensor a Concat has twice",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,4,0,1,0),(3,4,0,1,0)]", "[(1,1,3,0,0)]", id="two leaves are not one"
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,1,5,1,0)]",
            "[(1,1,3,0,0),(2,1,5,1,0),(3,4,0,1,0)]",
            id="an output that is used",
        ),
        pytest.param(
            "[(1,1,3,0,0),(2,1,5,1,0)]", "[(1,1,5,0,0),(2,1,3,1,0)]", id="the order of a chain"
        ),
        pytest.param(
            "[(1,1,3,0,0)]", "[(1,1,3,0,0),(2,4,0,0,0)]", id="the input is an output or not"
        ),
    ],
)
def test_different_meanings_have_different_forms_and_hashes(one, other):
    assert canonical_form(parse(one)) != canonical_form(parse(other))
    assert canonical_form(parse(one)).hash != canonical_form(parse(other)).hash


@given(blocks(max_layers=12))
def test_inputs_and_outputs_ascend_and_the_order_is_topological(code):
    block = canonical_form(code)
    for node, layer in enumerate(block.layers, start=1):
        assert all(source < node for source in layer.inputs)
        assert list(layer.inputs) == sorted(layer.inputs)
        assert len(layer.inputs) == {5: 2, 6: max(len(layer.inputs), 2)}.get(layer.type, 1)
        read = {layer.inputs for layer in block.layers if layer.type == 6}
        assert len(read) == sum(layer.type == 6 for layer in block.layers)
    assert list(block.outputs) == sorted(block.outputs)
    assert all(0 <= node <= len(block.layers) for node in block.outputs)
    concats = {node for node, layer in enumerate(block.layers, start=1) if layer.type == 6}
    assert concats.isdisjoint(block.outputs)
    for layer in block.layers:
        assert layer.type != 6 or concats.isdisjoint(layer.inputs)


@given(blocks(max_layers=12))
def test_a_canonical_form_written_as_a_code_is_its_own_canonical_form(code):
    block = canonical_form(code)
    assert canonical_form(as_code(block)) == block


@given(blocks())
def test_a_hash_is_sixteen_hexadecimal_digits_that_name_the_form(code):
    block = canonical_form(code)
    assert len(block.hash) == 16
    assert int(block.hash, 16) >= 0
    assert block.hash == canonical_form(code).hash


def test_hashes_stay_what_they_are():
    """Stores and seeds hold hashes: a change of the canonical form must be deliberate."""
    code = parse("[(1,4,0,0,0),(2,1,3,1,0),(3,1,3,2,0),(4,5,0,1,3),(5,7,0,0,0)]")
    assert canonical_form(code).hash == "89e270377fb3868a"


def test_a_block_written_by_the_space_has_the_hash_of_the_same_block_read_from_text():
    space = BlockSpace()
    first = space.choices(space.start)[0][1]
    code = (first, space.choices(first)[-1][0])
    assert code == check(code)
    assert canonical_form(code).hash == canonical_form(check(code)).hash


def as_code(block: CanonicalBlock):
    """A block's code, with an Identity for every second edge and every output that is used."""
    rows, place = [], {0: 0}

    def append(*layer):
        rows.append((len(rows) + 1, *layer))
        return len(rows)

    for node, layer in enumerate(block.layers, start=1):
        first, *others = (place[source] for source in layer.inputs)
        if not others:
            place[node] = append(layer.type, layer.kernel, first, 0)
        for other in others:
            second = append(4, 0, other, 0) if other == first else other
            place[node] = first = append(layer.type, layer.kernel, first, second)
    used = {source for layer in block.layers for source in layer.inputs}
    for node in block.outputs:
        if node in used or node == 0 or block.outputs.count(node) > 1:
            append(4, 0, place[node], 0)
    return check(rows, UNBOUNDED)


@given(blocks(max_layers=8), st.data())
def test_a_concat_of_two_leaves_is_the_two_leaves(code, data):
    used = {source for layer in code[:-1] for source in layer.predecessors}
    leaves = [layer.index for layer in code[:-1] if layer.index not in used]
    assume(len(leaves) > 1)
    first, second = data.draw(st.permutations(leaves))[:2]
    joined = check([*code[:-1], (len(code), 6, 0, first, second)], UNBOUNDED)
    one, other = canonical_form(code), canonical_form(joined)
    assert (one, one.hash, one.density) == (other, other.hash, other.density)


@given(blocks(max_layers=5, kernels=(0, 1, 3)))
@settings(max_examples=25)
def test_a_code_as_written_and_its_canonical_form_give_the_same_channels(code):
    """A Concat that stands in the code is computed here, with NumPy and no convolution.

    Layers are replaced by functions that tell them apart: a convolution sums what it reads
    and adds its kernel's number; so that channels can be compared as a multiset.
    """

    def values(layers, outputs):
        found = [np.array([1.0])]
        for layer in layers:
            read = [found[i] for i in layer.inputs]
            if layer.type == LayerType.CONVOLUTION:
                found.append(np.array([np.sum(np.sin(read[0])) + layer.kernel]))
            elif layer.type == LayerType.CONCAT:
                found.append(np.concatenate(read))
            elif layer.type == LayerType.ADD:
                # Channels of one sum pair in no order that a code could name.
                found.append(np.array([sum(np.sum(np.cos(x)) for x in read)]))
            elif layer.type == LayerType.IDENTITY:
                found.append(read[0])
            else:
                found.append(read[0] * (2 if layer.type == LayerType.MAX_POOLING else 3))
        return np.sort(np.concatenate([found[i] for i in outputs]))

    used = {source for layer in code[:-1] for source in layer.predecessors}
    written = [
        CanonicalLayer(LayerType.IDENTITY, 0, layer.predecessors)
        if computes_nothing(layer)
        else CanonicalLayer(layer.type, layer.kernel, layer.predecessors)
        for layer in code[:-1]
    ]
    outputs = [layer.index for layer in code[:-1] if layer.index not in used]
    form = canonical_form(code)
    np.testing.assert_allclose(values(written, outputs), values(form.layers, form.outputs))
