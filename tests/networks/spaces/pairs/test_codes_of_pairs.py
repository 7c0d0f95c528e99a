"""Codes of cells of pairs: how many there are, how they are written, and what they mean."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.pairs import codes
from blockqnn.networks.spaces.pairs.families import CONCAT, FAMILIES, OPERATIONS
from blockqnn.networks.spaces.registry import design_of, parse, published, space_named, write

FAMILY_NAMES = tuple(FAMILIES)


def sequences(name, positions=None):
    """How many codes, or beginnings of codes, the decision process writes."""
    family = FAMILIES[name]
    return math.prod(codes.choices(family, p) for p in range(1, (positions or family.length) + 1))


def test_there_are_as_many_codes_as_the_papers_count():
    per_cell = [sequences("nasnet", 5 * nodes) for nodes in range(1, 6)]
    assert per_cell == [
        1_352,
        4_112_784,
        22_241_935_872,
        187_944_358_118_400,
        2_286_906_949_584_691_200,
    ]
    assert sequences("nasnet") == per_cell[-1] ** 2
    assert sequences("pnas") == 556_627_761_561_600
    assert sequences("enas_micro", 20) == 5_062_500_000_000
    # Both orders of the two different states that a node reads.
    assert sequences("darts", 16) == 1_037_664_180 * 2**4


def test_there_are_as_many_cells_of_enas_up_to_swapped_halves_as_the_reference_counts():
    family = FAMILIES["enas_micro"]
    forms = []
    for node in range(family.nodes):
        options = codes.choices(family, 4 * node + 1) * len(family.operations)
        forms.append(options * (options + 1) // 2)
    assert math.prod(forms) == 209_459_250_000
    # The first node's are counted by what they mean.
    rest = " ".join(f"{node} id(0)+id(2)" for node in range(3, 7))
    halves = [f"{name}({state})" for name in family.operations for state in (0, 1)]
    hashes = {
        design_of(parse(f"enas_micro normal 2 {a}+{b} {rest} reduction 2 {a}+{b} {rest}")).hash
        for a in halves
        for b in halves
    }
    assert len(hashes) == forms[0] == 55


def test_there_are_as_many_codes_of_nasnet_b_and_c_as_their_spaces_say():
    """Appendix B: four ways to combine; a node of B reads four inputs or an earlier node."""
    per_cell = {"nasnet_b": 4 * 5 * 6 * 7, "nasnet_c": 2 * 3 * 4 * 5}
    for name, states in per_cell.items():
        assert sequences(name) == (states**2 * 13**8 * 4**4) ** 2


def test_choices_of_a_block_are_those_of_the_paper():
    family = FAMILIES["nasnet"]
    found = [codes.choices(family, position) for position in range(1, 26)]
    assert found == [n for b in range(2, 7) for n in (b, b, 13, 13, 2)]
    assert sum(found) == 180
    entropy = 2 * sum(math.log(count) for count in found)
    assert entropy == pytest.approx(84.547464, abs=1e-6)


def test_decisions_as_numbers_are_read():
    numbers = (
        "nasnet normal 1 0 11 10 0 | 0 0 11 10 0 | 1 0 4 0 0 | 0 0 4 4 0 | 1 1 10 0 0 "
        "reduction 1 0 11 12 0 | 1 0 5 12 0 | 1 0 4 11 0 | 3 2 0 4 0 | 2 1 10 5 0"
    )
    assert parse(numbers) == published()["nasnet-a-paper"]


@pytest.mark.parametrize(
    "text",
    [
        # Without the numbers of nodes, and with other blanks.
        "darts normal sep3(0)+sep3(1) sep3(0)+sep3(1) sep3(1) + id(0) id(0)+dil3(2) "
        "reduction 2 max3(0)+max3(1) id(2)+max3(1)  4 max3(0)+id(2) 5 id(2)+max3(1)",
        " darts normal 2 sep3(0)+sep3(1) 3 sep3(0)+sep3(1) 4 sep3(1)+id(0) 5 id(0)+dil3(2)\n"
        "reduction 2 max3(0)+max3(1) 3 id(2)+max3(1) 4 max3(0)+id(2) 5 id(2)+max3(1)\n",
    ],
)
def test_other_ways_of_writing_are_read(text):
    assert parse(text) == published()["darts-v2"]


def random_code(name, seed):
    space, random = space_named(name), np.random.default_rng(seed)
    code, state = [], space.start
    while not code or not space.is_end(state):
        groups = space.choices(state)
        (state,) = groups[int(random.integers(len(groups)))]
        code.append(state)
    return tuple(code)


@given(name=st.sampled_from(FAMILY_NAMES), seed=st.integers(0, 10**6))
def test_what_is_written_is_read(name, seed):
    code = random_code(name, seed)
    assert parse(write(code)) == code
    space = space_named(name)
    prefix = code[: seed % len(code)]
    assert space.parse_prefix(space.write_prefix(prefix)) == prefix


@given(name=st.sampled_from(FAMILY_NAMES), seed=st.integers(0, 10**6))
def test_a_node_means_the_same_with_its_halves_swapped(name, seed):
    family, code = FAMILIES[name], random_code(name, seed)
    node = seed % family.nodes
    begin = node * family.fields
    node_code = code[begin : begin + family.fields]
    first, second, on_first, on_second, *rest = (each.value for each in node_code)
    state = codes.second_state(family, first, second)
    swapped = [state, codes.second_value(family, state, first), on_second, on_first, *rest]
    other = list(code)
    for place, value in enumerate(swapped, start=begin):
        other[place] = other[place]._replace(value=value)
    same = (first, on_first) == (state, on_second) or not (rest and rest[0] == CONCAT)
    assert (design_of(tuple(other)) == design_of(code)) == same
    assert (design_of(tuple(other)).hash == design_of(code).hash) == same


def test_nodes_that_nothing_reads_dissolve_where_they_do_not_go_out():
    text = "pnas 2 {} 3 sep3(0)+sep3(1) 4 id({})+max3(1) 5 avg3(0)+avg3(1) 6 sep5(0)+id(1) out {}"
    one = design_of(parse(text.format("sep5(0)+max3(0)", 3, "4")))
    other = design_of(parse(text.format("avg3(1)+id(0)", 3, "4")))
    assert one == other and one.hash == other.hash
    assert [len(cell.nodes) for cell in one.cells] == [2]
    assert one.cells[0].outputs == (3,)
    read = design_of(parse(text.format("avg3(1)+id(0)", 2, "4")))
    assert read.hash != one.hash
    seen = design_of(parse(text.format("avg3(1)+id(0)", 3, "2,4")))
    assert seen.hash not in (one.hash, read.hash)


def test_which_states_go_out():
    names = ("nasnet-a", "nasnet-a-paper", "darts-v2", "pnasnet-5", "enas-micro")
    designs = {name: design_of(published()[name]) for name in names}
    assert {name: [c.outputs for c in design.cells] for name, design in designs.items()} == {
        "nasnet-a": [(0, 2, 3, 4, 5, 6), (3, 4, 5, 6)],
        "nasnet-a-paper": [(2, 3, 4, 5, 6), (4, 5, 6)],
        "darts-v2": [(2, 3, 4, 5), (2, 3, 4, 5)],
        "pnasnet-5": [(2, 3, 4, 5, 6)],
        "enas-micro": [(2, 3, 4, 5, 6), (2, 4, 5, 6)],
    }
    examples = {name: space_named(name).example for name in ("nasnet_b", "nasnet_c")}
    found = {name: design_of(parse(each)).cells for name, each in examples.items()}
    assert [cell.outputs for cell in found["nasnet_b"]] == [(4, 5, 6, 7)] * 2
    assert [cell.outputs for cell in found["nasnet_c"]] == [(3, 4, 5), (4, 5)]


def test_an_input_that_no_node_reads_goes_out_in_enas_alone():
    text = " 2 sep3(1)+id(1) 3 sep3(1)+id(2) 4 sep3(1)+id(3) 5 sep3(1)+id(4) 6 sep3(1)+id(5)"
    enas = design_of(parse(f"enas_micro normal{text} reduction{text}"))
    assert [cell.outputs for cell in enas.cells] == [(0, 6)] * 2
    assert design_of(parse(f"pnas{text}")).cells[0].outputs == (6,)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("darts normal 2 sep3(0)+sep3(0)", "A code is written darts normal 2 OP"),
        ("darts normal 2 sep3(0)+sep3(0) reduction", "Node 2 of the normal cell reads state 0 tw"),
        ("darts normal 2 sep3(0)+sep3(1) reduction", "has 4 nodes of 4 decisions, so 16; given 4"),
        ("darts normal 2 sep7(0)+sep3(1) reduction", "darts has no operation 'sep7'; allowed: m"),
        ("darts normal 3 sep3(0)+sep3(1) reduction", "Node 2 of the normal cell is written as no"),
        ("darts normal sep3(0)&sep3(1) reduction", "Nodes of darts are added"),
        ("nasnet normal 2 id(0)+id(1):layer reduction", r"combined as A\+B, A&B; given '2 id\(0\)"),
        ("nasnet_c normal 2 id(0)&id(1):layer reduction", r"A&B, A\+B:layer, A\+B:instance; given"),
        ("nasnet_b normal 2 id(0)+id(1) reduction", "Node 4 of the normal cell is written as node"),
        (
            space_named("nasnet_b").example.replace(" reduction", " out 4 reduction") + " out 5",
            "All nodes of a cell of nasnet_b go out",
        ),
        ("darts normal what reduction", "'what' is no node of the normal cell"),
        ("pnas " + "sep3(0)+sep3(4) " * 5, "Node 2 .*: the second state is 4; allowed: 0 to 1"),
        (
            write(published()["pnasnet-5"]).replace("2,3,4,5,6", "9"),
            "from 1 to 127, given 512",
        ),
    ],
)
def test_what_is_no_code_is_refused(text, complaint):
    with pytest.raises(CodeError, match=complaint):
        parse(text)


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_rows_that_are_no_code_are_refused(name):
    space, code = space_named(name), random_code(name, 0)
    for rows in (code[:-1], (*code, code[-1]), ((9, *code[0][1:]), *code[1:]), ((1, 2), *code)):
        with pytest.raises(CodeError):
            space.check(rows)


def test_every_operation_belongs_to_a_family():
    used = {name for family in FAMILIES.values() for name in family.operations}
    assert used == set(OPERATIONS)
