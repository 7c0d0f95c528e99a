"""Codes of whole networks: their text forms, what is refused, and what they mean."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.inspection.selection import layer_word
from blockqnn.networks.layout import Layout
from blockqnn.networks.matching import match
from blockqnn.networks.motifs import motifs
from blockqnn.networks.spaces.contract import MAX_LAYERS, CodeError
from blockqnn.networks.spaces.registry import (
    SPACES,
    code_of,
    design_of,
    graph_of,
    is_code,
    parse,
    side_of,
    write,
)

NAS, STRIDES, MACRO = SPACES["nas"], SPACES["nas_strides"], SPACES["enas_macro"]
WHOLE = (NAS, STRIDES, MACRO)
EVERY = pytest.mark.parametrize("space", WHOLE, ids=lambda space: space.name)


def drawn(space, seed):
    """A random code."""
    random, actions = np.random.default_rng(seed), [space.start]
    while len(actions) == 1 or not space.is_end(actions[-1]):
        groups = space.choices(actions[-1])
        actions.append(groups[int(random.integers(len(groups)))][0])
    return tuple(actions[1:])


def test_decisions_of_a_code_of_nas():
    code = parse("1 (3,7,48;0) 2 (1,5,24;0) 3 (7,1,64;1)")
    assert [tuple(row) for row in code] == [
        *((1, 1, 0, 1), (2, 1, 0, 3), (3, 1, 0, 2)),
        *((4, 1, 0, 0), (5, 1, 0, 2), (6, 1, 0, 0), (7, 1, 1, 0)),
        *((8, 1, 0, 3), (9, 1, 0, 0), (10, 1, 0, 3), (11, 1, 1, 1), (12, 1, 2, 0)),
    ]
    strides = parse("1 (3,7,2,3,48;0)")
    assert [tuple(row) for row in strides] == [
        (1, 2, 0, 1), (2, 2, 0, 3), (3, 2, 0, 1), (4, 2, 0, 2), (5, 2, 0, 2),
    ]  # fmt: skip


def test_decisions_of_a_code_of_enas():
    code = parse("0 3:0 5:10")
    assert [tuple(row) for row in code] == [
        (1, 3, 0, 0), (2, 3, 0, 3), (3, 3, 1, 0), (4, 3, 0, 5), (5, 3, 1, 1), (6, 3, 2, 0),
    ]  # fmt: skip
    # The first bit is the stem, the second layer 1; the layer before is never asked about.
    assert [layer.skips for layer in design_of(code).layers] == [(), (), (0,)]
    assert [layer.skips for layer in design_of(parse("0 3:1 5:01")).layers] == [(), (0,), (1,)]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("nas 1 (3,3,36;0)  2 (3,3,48; 1)", "1 (3,3,36;0) 2 (3,3,48;1)"),
        ("\n1 (3,3,36;)\n2 (3,3,48;0)", "1 (3,3,36;0) 2 (3,3,48;0)"),
        ("1(3,3,36;0)2(3,3,48;1)3(1,1,24;2,1)", "1 (3,3,36;0) 2 (3,3,48;1) 3 (1,1,24;1,2)"),
        ("nas_strides 1 (3,3,1,2,36;0)", "1 (3,3,1,2,36;0)"),
        ("enas_macro 0 3 0 0 1 0", "0 3:0 0:10"),
        ("enas_macro 0\n3 0\n0 1 0\n", "0 3:0 0:10"),
        ("enas_macro 4", "enas_macro 4"),
        ("  0 3:0 0:10 ", "0 3:0 0:10"),
    ],
)
def test_forms_that_are_read(text, written):
    assert is_code(text)
    assert write(parse(text)) == written
    assert parse(written) == parse(text)
    assert code_of([list(map(int, row)) for row in parse(text)]) == parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 (3,3,36;0) 3 (3,3,48;1)", "Layer 2 is written as layer 3."),
        ("1 (3,3,36;0) 2 (3,4,48;1)", "Layer 2: width is 4; allowed: 1, 3, 5, 7."),
        ("1 (3,3,32;0)", "Layer 1: filters is 32; allowed: 24, 36, 48, 64."),
        ("1 (3,3,36;1)", "Layer 1 reads 1; allowed: 0 for the image alone."),
        ("1 (3,3,36;0) 2 (3,3,48;0,1)", "Layer 2 reads 0; allowed: 0 for the image alone, or"),
        ("1 (3,3,36;0) 2 (3,3,48;2)", "some of 1 to 1."),
        ("1 (3,3,36;0) x", "is written 1 (HEIGHT,WIDTH,FILTERS;0) 2"),
        ("nas", "given: 'nas'."),
        ("nas 1 (3,3,1,1,36;0)", "Layer 1 has height, width, filters; given: '3,3,1,1,36'."),
        ("1 (3,3,4,1,36;0)", "Layer 1: stride height is 4; allowed: 1, 2, 3."),
        ("1 (3,,36;0)", "Layer 1: width is missing; allowed: 1, 3, 5, 7."),
        ("0 3:", "Layer 2 of a code of enas_macro is written OPERATION:b with a bit"),
        ("0 3:2", "given: '3:2'."),
        ("0:1 3:1", "Layer 1 of a code of enas_macro is written OPERATION with"),
        ("0 6:1", "Layer 2: operation is 6; allowed: 0 (conv3), 1 (sep3), 2 (conv5)"),
        ("enas_macro 0 3", "Layer 2 of a code of enas_macro is the number of an operation and 1"),
        ("enas_macro 0 3 2", "given: '3 2'."),
        ("enas_macro", "decisions for layer 1"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(CodeError, match=re.escape(message)):
        parse(text)


@pytest.mark.parametrize(
    ("space", "rows", "message"),
    [
        (NAS, [(1, 1, 0, 4)], "Layer 1: height is 4; allowed: 0 to 3."),
        (NAS, [(1, 1, 0, 0), (3, 1, 0, 0)], "Decision 2: of a code of nas it is (2,1,0,value)"),
        (NAS, [(1, 1, 0, 0)], "has 3 decisions for layer 1, 4 for layer 2 and so on, given 1"),
        (MACRO, [(1, 3, 0, 0), (2, 3, 0, 0), (3, 3, 1, 2)], "Layer 2: whether it adds map 0 is 2"),
        (NAS, [(1, 1, 0, 0)] * 6000, "Decision 2"),
    ],
)
def test_decisions_that_make_up_no_code(space, rows, message):
    with pytest.raises(CodeError, match=re.escape(message)):
        space.check(rows)


def test_codes_of_very_many_layers_are_refused():
    text = " ".join(f"0:{'0' * n}" if n else "0" for n in range(101))
    assert len(parse(" ".join(text.split()[:100]))) == 100 + 50 * 99
    plain = "enas_macro " + " ".join(["0"] * (101 + 50 * 101))
    layers = " ".join(f"{n} (3,3,24;0)" for n in range(1, 102))
    for each in (text, plain, layers):
        with pytest.raises(CodeError, match="at most 100 layers; given are more"):
            parse(each)
    rows = [tuple(row) for row in MACRO.limited(101).ended(())]
    with pytest.raises(CodeError, match="at most 100 layers; given are more"):
        MACRO.check(rows)


def test_layers_may_be_exchanged_that_do_not_read_one_another():
    one = parse("1 (3,3,36;0) 2 (5,5,24;0) 3 (1,1,48;1) 4 (7,7,64;2,3)")
    other = parse("1 (5,5,24;0) 2 (3,3,36;0) 3 (1,1,48;2) 4 (7,7,64;1,3)")
    assert one != other
    assert design_of(one) == design_of(other)
    assert NAS.identity(one) == NAS.identity(other)
    layout = Layout("whole", (24,))
    assert NAS.plan(design_of(one), layout) == NAS.plan(design_of(other), layout)
    different = parse("1 (5,5,24;0) 2 (3,3,36;0) 3 (1,1,48;1) 4 (7,7,64;1,3)")
    assert design_of(one).hash != design_of(different).hash
    # The same layers in another space are other networks, as strides may differ there.
    assert design_of(parse("1 (3,3,1,1,36;0)")).hash != design_of(parse("1 (3,3,36;0)")).hash


@given(st.integers(0, 2**32 - 1), st.integers(2, 7))
def test_the_order_of_layers_does_not_matter(seed, layers):
    code = drawn(STRIDES.limited(layers), seed)
    random = np.random.default_rng(seed)
    rows = [row.rstrip(")").partition(" (")[2].split(";") for row in write(code).split(") ")]
    read = [{int(i) for i in inputs.split(",")} - {0} for _, inputs in rows]
    order, place = [], {}
    while len(order) < layers:
        free = [n for n in range(layers) if n + 1 not in place and read[n] <= place.keys()]
        order.append(int(random.choice(free)))
        place[order[-1] + 1] = len(order)
    text = " ".join(
        f"{number} ({rows[old][0]};{','.join(str(place[i]) for i in sorted(read[old])) or 0})"
        for number, old in enumerate(order, start=1)
    )
    assert design_of(parse(text)) == design_of(code)


def test_every_bit_and_answer_of_enas_means_something():
    code = drawn(MACRO.limited(4), 0)
    hashes = {design_of(code).hash}
    for place, row in enumerate(code):
        changed = (*code[:place], row._replace(value=int(not row.value)), *code[place + 1 :])
        hashes.add(design_of(MACRO.check(changed)).hash)
    assert len(hashes) == 1 + len(code)


def test_depth_is_a_property_of_the_space():
    assert [space.layers for space in WHOLE] == [20, 20, 12]
    for space in WHOLE:
        assert space.limited(MAX_LAYERS).layers == space.layers
        short = space.limited(3)
        assert len(short.numbered().mask(1)) == len(short.numbered())
        assert short.is_end(drawn(short, 1)[-1])
        # What was decided stays where it is when a network grows.
        code, longer = drawn(short, 1), space.limited(4)
        assert not longer.is_end(code[-1])
        assert longer.check(code) == code
        ended = longer.ended(code)
        assert ended[: len(code)] == code and not any(row.value for row in ended[len(code) :])
        grown = longer.mutated(code, np.random.default_rng(0))
        assert len(grown) == len(ended)
        assert sum(a != b for a, b in zip(code, grown, strict=False)) == 1
        assert any(row.value for row in grown[len(code) :])
        assert longer.mutated(drawn(space.limited(5), 0), np.random.default_rng(0))[-1].position > (
            len(ended)
        )
        with pytest.raises(CodeError, match="with 3 layers begins with at most"):
            short.parse_prefix(short.write_prefix(code))


def test_words():
    prefix = NAS.parse_prefix("nas 3 7 36, 1 1 24 yes")
    assert NAS.write_prefix(prefix) == "nas 3 7 36 1 1 24 yes"
    assert NAS.action_title(prefix[0]) == "Layer 1: height: 3"
    assert NAS.action_title(prefix[-1]) == "Layer 2: whether it reads layer 1: yes"
    assert NAS.action_kind(prefix[2]) == (3, "36")
    assert MACRO.action_title(MACRO.parse_prefix("sep5 avg3 no")[-1]).endswith("adds map 0: no")
    with pytest.raises(CodeError, match="Layer 1: width is 4; allowed: 1, 3, 5, 7"):
        NAS.parse_prefix("3 4")
    assert NAS.in_words(parse("1 (3,7,36;0) 2 (1,1,24;0) 3 (5,5,48;1)"))[0] == [
        "  layer 1   conv 3x7, 36 filters, reads the image",
        "  layer 2   conv 1x1, 24 filters, reads the image  -> classifier",
        "  layer 3   conv 5x5, 48 filters, reads 1  -> classifier",
    ]
    assert STRIDES.in_words(parse("1 (3,7,2,1,36;0)"))[0] == [
        "  layer 1   conv 3x7 /2x1, 36 filters, reads the image  -> classifier"
    ]
    assert MACRO.in_words(parse("0 3:1 4:01"))[0] == [
        "  layer 1   conv 3x3",
        "  layer 2   sep 5x5, joins the stem",
        "  layer 3   avg 3x3, joins layer 1",
    ]


def test_features():
    code = parse("1 (3,7,36;0) 2 (1,7,24;1) 3 (5,5,36;1)")
    found = dict(zip(NAS.feature_names, NAS.features(code), strict=True))
    assert {name: value for name, value in found.items() if value} == {
        "layers": 3, "height 1": 1, "height 3": 1, "height 5": 1, "width 5": 1, "width 7": 2,
        "filters 24": 1, "filters 36": 2, "bits 1 back": 1, "bits 2 back": 1,
    }  # fmt: skip
    deep = parse(" ".join(f"5:{'1' * n}" if n else "5" for n in range(9)))
    found = dict(zip(MACRO.feature_names, MACRO.features(deep), strict=True))
    assert found["bits 1 back"] == 8 and found["bits 6 back"] == 3
    assert found["bits further back"] == 2 + 1 and found["operation max3"] == 9


def test_promises_and_facts():
    design = design_of(parse("1 (3,7,36;0) 2 (1,1,24;1) 3 (5,5,36;1,2)"))
    assert (NAS.promise(design).kernels, NAS.promise(design).shortcuts) == ((7, 1, 5), 1)
    macro = design_of(parse("0 4:1 3:11"))
    assert (MACRO.promise(macro).kernels, MACRO.promise(macro).shortcuts) == ((3, 5), 3)
    facts = NAS.facts(parse("1 (3,7,36;0) 2 (1,1,24;0)"))
    assert facts["unread"] == [1, 2]
    assert facts["layers"][0] == {
        "height": 3, "width": 7, "stride": 1, "stride_across": 1, "filters": 36, "inputs": [0],
    }  # fmt: skip
    assert MACRO.facts(parse("0 4:1"))["layers"][1] == {"operation": "avg3", "skips": [0]}


@EVERY
def test_a_network_alone_is_the_body_of_a_whole_one(space):
    code = drawn(space.limited(3), 5)
    alone = space.alone(space.design(code), 3, 4)
    layout = Layout("whole", (4,), 1, 8, 8)
    plan = space.plan(space.design(code), layout)
    body = [layer for layer in plan if layer.name.startswith("whole/")]
    assert [(x.name, x.operation, x.kernel, x.shape) for x in alone[1:]] == [
        (x.name, x.operation, x.kernel, x.shape) for x in body
    ]


def test_windows_that_are_turned_are_not_the_same():
    one, other = (
        parse(f"1 (3,3,36;0) 2 ({window},24;1) 3 (1,1,24;2)") for window in ("1,7", "7,1")
    )
    graph = graph_of(one)
    assert [node.window for node in graph.layers] == [(3, 3), (1, 7), (1, 1)]
    assert [layer_word(node) for node in graph.layers] == ["conv3x3", "conv1x7", "conv1x1"]
    assert match(side_of(one), side_of(other)).changed == ((2, 2),)
    found = motifs(graph)
    # A row of seven pixels is a larger window than one pixel.
    assert not found["1x1 before a larger kernel"]
    assert motifs(graph_of(parse("1 (1,1,36;0) 2 (1,7,24;1)")))["1x1 before a larger kernel"]
