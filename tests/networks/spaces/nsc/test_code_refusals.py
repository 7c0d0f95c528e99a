"""Every rule of the code, broken: the message names layer, field, given and allowed."""

import pytest

from blockqnn.networks.spaces.nsc.codes import CodeError, check, parse

CONVOLUTION = (1, 1, 3, 0, 0)
TYPES = (
    "1 (Convolution), 2 (Max pooling), 3 (Average pooling), 4 (Identity), 5 (Add), 6 (Concat), "
    "7 (Terminal)"
)
RULES = [
    # Indices run 1, 2, 3, ...
    ([(0, 1, 3, 0, 0)], "Layer 1: index is 0; allowed: 1, since indices count up from 1."),
    ([(2, 1, 3, 0, 0)], "Layer 1: index is 2; allowed: 1, since indices"),
    ([CONVOLUTION, (1, 1, 3, 0, 0)], "Layer 2: index is 1; allowed: 2, since indices"),
    ([CONVOLUTION, (3, 1, 3, 0, 0)], "Layer 2: index is 3; allowed: 2, since indices"),
    ([CONVOLUTION, (3, 7, 0, 0, 0)], "Layer 2: index is 3; allowed: 2, since indices"),
    ([(-1, 1, 3, 0, 0)], "Layer 1: index is -1; allowed: 1"),
    # Types
    ([(1, 0, 3, 0, 0)], f"Layer 1: type is 0; allowed: {TYPES}."),
    ([CONVOLUTION, (2, 8, 0, 0, 0)], f"Layer 2: type is 8; allowed: {TYPES}."),
    ([(1, -1, 3, 0, 0)], f"Layer 1: type is -1; allowed: {TYPES}."),
    # Kernels
    ([(1, 1, 0, 0, 0)], "Layer 1: kernel of Convolution is 0; allowed: 1 or 3 or 5."),
    ([(1, 1, 2, 0, 0)], "Layer 1: kernel of Convolution is 2; allowed: 1 or 3 or 5."),
    ([(1, 1, 7, 0, 0)], "Layer 1: kernel of Convolution is 7; allowed: 1 or 3 or 5."),
    ([CONVOLUTION, (2, 2, 5, 1, 0)], "Layer 2: kernel of Max pooling is 5; allowed: 1 or 3."),
    ([(1, 2, 0, 0, 0)], "Layer 1: kernel of Max pooling is 0; allowed: 1 or 3."),
    ([(1, 3, 5, 0, 0)], "Layer 1: kernel of Average pooling is 5; allowed: 1 or 3."),
    ([(1, 3, 2, 0, 0)], "Layer 1: kernel of Average pooling is 2; allowed: 1 or 3."),
    ([(1, 4, 1, 0, 0)], "Layer 1: kernel of Identity is 1; allowed: 0."),
    ([CONVOLUTION, (2, 5, 3, 0, 1)], "Layer 2: kernel of Add is 3; allowed: 0."),
    ([CONVOLUTION, (2, 6, 1, 0, 1)], "Layer 2: kernel of Concat is 1; allowed: 0."),
    ([CONVOLUTION, (2, 7, 1, 0, 0)], "Layer 2: kernel of Terminal is 1; allowed: 0."),
    # The first predecessor
    (
        [(1, 1, 3, 1, 0)],
        "Layer 1: pred1 of Convolution is 1; allowed: 0, where 0 is the block's input.",
    ),
    (
        [CONVOLUTION, (2, 2, 3, 2, 0)],
        "Layer 2: pred1 of Max pooling is 2; allowed: 0 to 1, where 0 is the block's input.",
    ),
    ([CONVOLUTION, (2, 3, 3, 3, 0)], "Layer 2: pred1 of Average pooling is 3; allowed: 0 to 1,"),
    ([CONVOLUTION, (2, 4, 0, -1, 0)], "Layer 2: pred1 of Identity is -1; allowed: 0 to 1,"),
    ([CONVOLUTION, (2, 5, 0, 2, 1)], "Layer 2: pred1 of Add is 2; allowed: 0 to 1,"),
    ([CONVOLUTION, (2, 6, 0, -1, 1)], "Layer 2: pred1 of Concat is -1; allowed: 0 to 1,"),
    ([CONVOLUTION, (2, 7, 0, 1, 0)], "Layer 2: pred1 of Terminal is 1; allowed: 0."),
    # The second predecessor
    ([CONVOLUTION, (2, 1, 3, 0, 1)], "Layer 2: pred2 of Convolution is 1; allowed: 0."),
    ([CONVOLUTION, (2, 2, 3, 0, 1)], "Layer 2: pred2 of Max pooling is 1; allowed: 0."),
    ([CONVOLUTION, (2, 3, 3, 0, 1)], "Layer 2: pred2 of Average pooling is 1; allowed: 0."),
    ([CONVOLUTION, (2, 4, 0, 0, 1)], "Layer 2: pred2 of Identity is 1; allowed: 0."),
    ([CONVOLUTION, (2, 4, 0, 0, -1)], "Layer 2: pred2 of Identity is -1; allowed: 0."),
    ([CONVOLUTION, (2, 7, 0, 0, 1)], "Layer 2: pred2 of Terminal is 1; allowed: 0."),
    (
        [CONVOLUTION, (2, 5, 0, 1, 2)],
        "Layer 2: pred2 of Add is 2; allowed: 0 to 1, where 0 is the block's input.",
    ),
    ([CONVOLUTION, (2, 6, 0, 1, -1)], "Layer 2: pred2 of Concat is -1; allowed: 0 to 1,"),
    # Two different predecessors
    (
        [CONVOLUTION, (2, 5, 0, 1, 1)],
        "Layer 2: pred2 of Add is 1; allowed: any of 0 to 1 other than pred1, 1.",
    ),
    (
        [CONVOLUTION, (2, 6, 0, 0, 0)],
        "Layer 2: pred2 of Concat is 0; allowed: any of 0 to 1 other than pred1, 0.",
    ),
    ([(1, 5, 0, 0, 0)], "Layer 1: pred2 of Add is 0; allowed: a second layer, and there is none"),
    ([(1, 6, 0, 0, 0)], "Layer 1: pred2 of Concat is 0; allowed: a second layer, and there is"),
    # Terminal comes last, after at least one layer
    ([], "A block needs at least one layer before Terminal; none was given."),
    ([(1, 7, 0, 0, 0)], "A block needs at least one layer before Terminal; none was given."),
    (
        [CONVOLUTION, (2, 7, 0, 0, 0), (3, 1, 3, 0, 0)],
        "Layer 3: nothing may follow Terminal, which is layer 2.",
    ),
    ([CONVOLUTION, (2, 7, 0, 0, 0), (3, 7, 0, 0, 0)], "Layer 3: nothing may follow Terminal"),
    # Five fields
    (
        [(1, 1, 3, 0)],
        "Layer 1: a layer has five fields (index,type,kernel,pred1,pred2), given: '(1, 1, 3, 0)'.",
    ),
    ([CONVOLUTION, (2, 1, 3, 1, 0, 0)], "Layer 2: a layer has five fields"),
]


@pytest.mark.parametrize(("rows", "message"), RULES)
def test_a_broken_rule_is_refused(rows, message):
    with pytest.raises(CodeError) as refusal:
        check(rows)
    assert message in str(refusal.value)
    assert str(refusal.value).startswith(message[:7])
    text = str(rows).replace(" ", "")
    with pytest.raises(CodeError) as refusal:
        parse(text)
    assert message.split(", given")[0] in str(refusal.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 1.0, 3, 0, 0)], "Layer 1: type must be an integer, given 1.0."),
        ([CONVOLUTION, ("2", 1, 3, 0, 0)], "Layer 2: index must be an integer, given '2'."),
        ([(1, 1, 3, None, 0)], "Layer 1: pred1 must be an integer, given None."),
        ([(1, 1, 3, 0, False)], "Layer 1: pred2 must be an integer, given False."),
        ([(1, 1, [3], 0, 0)], "Layer 1: kernel must be an integer, given [3]."),
        (["11300"], "Layer 1: a layer has five fields (index,type,kernel,pred1,pred2), given: '1"),
        ([b"abcde"], "Layer 1: a layer has five fields"),
        ([CONVOLUTION, 7], "Layer 2: a layer has five fields (index,type,kernel,pred1,pred2), "),
        ([None], "Layer 1: a layer has five fields"),
        ([{1, 2, 3, 4, 5}], "Layer 1: a layer has five fields"),
    ],
)
def test_a_layer_that_is_no_five_integers_is_refused(rows, message):
    with pytest.raises(CodeError) as refusal:
        check(rows)
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "A code starts with '[' and ends with ']', like [(1,1,3,0,0),(2,7,0,0,0)]; given: ''"),
        ("[", "A code starts with '[' and ends with ']'"),
        ("]", "A code starts with '[' and ends with ']'"),
        ("residua", "and ends with ']', like [(1,1,3,0,0),(2,7,0,0,0)]; given: 'residua'."),
        ("(1,1,3,0,0)", "given: '(1,1,3,0,0)'."),
        ("[]", "A block needs at least one layer before Terminal; none was given."),
        ("[ ]", "A block needs at least one layer before Terminal; none was given."),
        ("[[]]", "Layer 1: the fields are five integers of at most nine digits, given: ''."),
        ("[,]", "Layer 1: expected (index,type,kernel,pred1,pred2), given: ','."),
        ("[1,1,3,0,0]", "Layer 1: expected (index,type,kernel,pred1,pred2), given: '1,1,3,0,0'."),
        ("[(1,1,3,0,0),]", "Layer 2: expected (index,type,kernel,pred1,pred2), given: ''."),
        ("[(1,1,3,0,0)(2,7,0,0,0)]", "Layer 1: expected (index,type,kernel,pred1,pred2), given: "),
        ("[(1,1,3,0,0) x]", "Layer 1: expected (index,type,kernel,pred1,pred2), given: '(1,1,3"),
        ("[(1,1,3,0,0],[2,7,0,0,0]]", "Layer 1: expected (index,type,kernel,pred1,pred2), given"),
        ("[(1,1,3,0,0),((2,7,0,0,0))]", "Layer 2: expected (index,type,kernel,pred1,pred2), give"),
        (
            "[(1,1,three,0,0)]",
            "Layer 1: the fields are five integers of at most nine digits, given",
        ),
        (
            "[(1,1,3.0,0,0)]",
            "Layer 1: the fields are five integers of at most nine digits, given: ",
        ),
        (
            "[(1,1,3,0,)]",
            "Layer 1: the fields are five integers of at most nine digits, given: '1,",
        ),
        ("[(1,1,3,0,1234567890)]", "Layer 1: the fields are five integers of at most nine digits"),
        ("[(1,1,3,0,123456789)]", "Layer 1: pred2 of Convolution is 123456789; allowed: 0."),
        ("[(1,1,٣,0,0)]", "Layer 1: the fields are five integers of at most nine digits, given: '"),
        ("[(1,1,3,0,0),(2,1,3,0)]", "Layer 2: a layer has five fields"),
    ],
)
def test_text_that_is_no_list_of_layers_is_refused(text, message):
    with pytest.raises(CodeError) as refusal:
        parse(text)
    assert message in str(refusal.value)


def test_what_was_given_is_shortened():
    with pytest.raises(CodeError) as refusal:
        parse("x" * 500)
    assert str(refusal.value).endswith("given: '" + "x" * 57 + "...'.")
    with pytest.raises(CodeError) as refusal:
        parse("x" * 60)
    assert str(refusal.value).endswith("given: '" + "x" * 60 + "'.")
