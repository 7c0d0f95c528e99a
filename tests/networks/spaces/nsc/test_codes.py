"""Reading and writing codes; what is refused is in `test_code_refusals`."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.spaces.nsc.codes import (
    MAX_LAYERS,
    CodeError,
    LayerCode,
    LayerType,
    check,
    describe,
    parse,
    terminal,
    write,
)
from tests.strategies import blocks


def chain(length):
    """Rows of 3x3 convolutions one after the other."""
    return [(index, 1, 3, index - 1, 0) for index in range(1, length + 1)]


@given(blocks(max_layers=MAX_LAYERS))
def test_text_is_read_back(code):
    assert parse(write(code)) == code


@given(blocks(max_layers=MAX_LAYERS))
def test_json_is_read_back(code):
    assert parse(json.dumps(code)) == code
    assert check(json.loads(json.dumps(code))) == code


@given(blocks(max_layers=MAX_LAYERS))
def test_terminal_is_optional_on_input_and_written_on_output(code):
    without = code[:-1]
    assert check(without) == code
    assert parse(write(without)) == code
    assert parse(json.dumps(without)) == code
    assert write(code).endswith(f",({len(code)},7,0,0,0)]")


@given(blocks(), st.data())
def test_predecessors_may_be_given_in_either_order_and_come_out_ascending(code, data):
    rows = [
        (*layer[:3], layer.pred2, layer.pred1)
        if len(layer.predecessors) == 2 and data.draw(st.booleans())
        else layer
        for layer in code
    ]
    assert check(rows) == code
    assert all(p1 < p2 for _, kind, _, p1, p2 in check(rows) if kind in (5, 6))


def test_the_text_form_is_the_papers():
    code = check([(1, 1, 5, 0, 0), (2, 5, 0, 1, 0)])
    assert write(code) == "[(1,1,5,0,0),(2,5,0,0,1),(3,7,0,0,0)]"


@pytest.mark.parametrize(
    "text",
    [
        "[(1,1,3,0,0),(2,7,0,0,0)]",
        "[[1,1,3,0,0],[2,7,0,0,0]]",
        "[(1,1,3,0,0)]",
        "[[1, 1, 3, 0, 0]]",
        " [ ( 1 , 1 , 3 , 0 , 0 ) , [ 2 , 7 , 0 , 0 , 0 ] ] \n",
        "[\n  [1, 1, 3, 0, 0],\n  [2, 7, 0, 0, 0]\n]",
        "[(+1,01,3,-0,0)]",
    ],
)
def test_ways_of_writing_one_block(text):
    assert parse(text) == ((1, 1, 3, 0, 0), (2, 7, 0, 0, 0))


def test_a_checked_block_holds_plain_integers_in_layer_codes():
    for layer in check([[LayerType.CONVOLUTION, 1, 3, 0, 0]])[:-1]:
        assert isinstance(layer, LayerCode)
        assert [type(field) for field in layer] == [int] * 5


def test_the_largest_block_has_23_layers_before_terminal():
    assert MAX_LAYERS == 23
    code = check(chain(23))
    assert len(code) == 24
    assert parse(write(code)) == code
    for rows in (chain(24), [*chain(24), (25, 7, 0, 0, 0)]):
        with pytest.raises(CodeError, match=r"^Layer 24: .* more than 23 layers .*1 to 23 "):
            check(rows)
        with pytest.raises(CodeError, match=r"^Layer 24: .* more than 23 layers"):
            parse(json.dumps(rows))


def test_the_largest_number_of_layers_can_be_set():
    assert len(check(chain(3), max_layers=3)) == 4
    assert len(check([*chain(3), (4, 7, 0, 0, 0)], max_layers=3)) == 4
    assert len(parse(write(check(chain(30), max_layers=30)), max_layers=30)) == 31
    for rows in (chain(4), [*chain(4), (5, 7, 0, 0, 0)]):
        with pytest.raises(CodeError, match=r"^Layer 4: .* more than 3 layers .*: 1 to 3 \(--max_"):
            check(rows, max_layers=3)
        with pytest.raises(CodeError, match=r"^Layer 4: "):
            parse(json.dumps(rows), max_layers=3)


def test_an_endless_block_is_refused_without_reading_it_all():
    def endless():
        for index in range(1, 100):
            assert index <= 24
            yield (index, 1, 1, 0, 0)

    with pytest.raises(CodeError, match="more than 23 layers"):
        check(endless())


@pytest.mark.parametrize(
    ("kind", "number", "kernels", "arity"),
    [
        (LayerType.CONVOLUTION, 1, (1, 3, 5), 1),
        (LayerType.MAX_POOLING, 2, (1, 3), 1),
        (LayerType.AVERAGE_POOLING, 3, (1, 3), 1),
        (LayerType.IDENTITY, 4, (0,), 1),
        (LayerType.ADD, 5, (0,), 2),
        (LayerType.CONCAT, 6, (0,), 2),
        (LayerType.TERMINAL, 7, (0,), 0),
    ],
)
def test_table_1_of_the_paper(kind, number, kernels, arity):
    assert (kind.value, kind.kernels, kind.arity) == (number, kernels, arity)
    assert len(LayerType) == 7


def test_terminal_reads_nothing():
    assert terminal(5) == (5, 7, 0, 0, 0)
    assert terminal(5).predecessors == ()


def test_predecessors_are_as_many_as_the_type_reads():
    assert LayerCode(3, 1, 3, 2, 0).predecessors == (2,)
    assert LayerCode(3, 5, 0, 0, 2).predecessors == (0, 2)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ((1, 1, 3, 0, 0), "Convolution 3x3 of the input"),
        ((9, 1, 5, 7, 0), "Convolution 5x5 of layer 7"),
        ((3, 2, 3, 2, 0), "Max pooling 3x3 of layer 2"),
        ((3, 3, 1, 2, 0), "Average pooling 1x1 of layer 2"),
        ((2, 4, 0, 1, 0), "Identity of layer 1"),
        ((2, 5, 0, 0, 1), "Add of the input and layer 1"),
        ((4, 6, 0, 2, 3), "Concat of layer 2 and layer 3"),
        ((4, 7, 0, 0, 0), "Terminal"),
    ],
)
def test_layers_in_words(layer, words):
    assert describe(LayerCode(*layer)) == words


@given(st.one_of(st.text(max_size=60), st.text("[](),0123456789-+ \n", max_size=80)))
def test_arbitrary_text_is_a_block_or_refused(text):
    read_or_refused(text)


@given(
    st.lists(
        st.one_of(
            st.tuples(*[st.integers(-1, 8)] * 5),
            st.lists(st.integers(-1, 10**12), max_size=6),
            st.tuples(*[st.one_of(st.none(), st.floats(), st.booleans(), st.text())] * 5),
        ),
        max_size=26,
    ),
    st.sampled_from([str, json.dumps]),
)
def test_arbitrary_lists_are_a_block_or_refused(rows, write_rows):
    read_or_refused(write_rows(rows))
    with contextlib.suppress(CodeError):
        check(rows)


@given(blocks(max_layers=4).map(write), st.data())
def test_a_block_with_one_wrong_character_is_a_block_or_refused(text, data):
    position = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.one_of(st.just(""), st.characters(), st.sampled_from("[](),07-٣ ")))
    read_or_refused(text[:position] + character + text[position + 1 :])


def read_or_refused(text):
    """Anything but a CodeError, which is one sentence, is a failure."""
    refusal = None
    try:
        code = parse(text)
    except CodeError as error:
        refusal = str(error)
    if refusal is None:
        assert parse(write(code)) == code
    else:
        assert refusal.endswith(".")
        assert len(refusal.splitlines()) == 1
