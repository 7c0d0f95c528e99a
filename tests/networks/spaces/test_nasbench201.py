"""The cells of NAS-Bench-201: text, decisions, costs as published, and what is refused."""

import csv
import gzip
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.cost import Limits, cost, flops, infeasible_reason, parameters
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan import Operation
from blockqnn.networks.spaces.nasbench201.codes import (
    EDGES,
    OPERATIONS,
    START,
    Cell,
    EdgeOperation,
    check_cell,
    parse_cell,
    write_cell,
)
from blockqnn.networks.spaces.nasbench201.space import CellSpace
from blockqnn.networks.spaces.nasbench201.stacking import cell_plan
from blockqnn.networks.spaces.nsc.codes import CodeError, parse
from blockqnn.networks.spaces.registry import (
    design_of,
    design_plan,
    space_named,
    space_of,
    write,
)
from blockqnn.networks.spaces.registry import parse as parse_any
from tests.paths import SHARED_DATA

NASBENCH201 = CellSpace.name
LAYOUT = Layout(kind=NASBENCH201, filters=(16, 32, 64), repeats=5)
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
CONVOLUTIONS = NOTHING.replace("none", "nor_conv_3x3")
MIXED = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|none~0|nor_conv_3x3~1|none~2|"
TABLE = SHARED_DATA / "nas" / "nasbench201.csv.gz"
CODES = st.tuples(*[st.integers(0, 4)] * 6).map(lambda c: check_cell(enumerate(c, start=1)))


def test_the_text_names_the_operations_into_each_node():
    code = parse_cell(MIXED)
    assert [OPERATIONS[operation] for _, operation in code] == [
        *("avg_pool_3x3", "nor_conv_1x1", "skip_connect", "none", "nor_conv_3x3", "none")
    ]
    assert [edge for edge, _ in code] == [1, 2, 3, 4, 5, 6]
    assert EDGES == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    assert write_cell(code) == MIXED


@given(CODES)
def test_text_and_code_are_one(code):
    assert parse_cell(write_cell(code)) == code
    assert parse_any(write(code)) == code
    assert space_of(code).name == NASBENCH201
    assert design_of(code) == Cell(code)


def test_the_decisions_make_all_cells_once():
    space = CellSpace()
    codes = [()]
    for _ in EDGES:
        codes = [
            (*code, action)
            for code in codes
            for group in space.choices(code[-1] if code else START)
            for action in group
        ]
    assert len(set(codes)) == 5**6 == 15_625
    assert all(space.is_end(code[-1]) and not space.is_end(code[-2]) for code in codes)
    assert len({Cell(code).hash for code in codes}) == 15_625
    assert [len(group) for group in space.choices(START)] == [1] * 5


def test_spaces_are_made_by_name():
    assert isinstance(space_named(NASBENCH201), CellSpace)
    assert space_named("nsc", 3).max_layers == 3
    assert space_named(NASBENCH201).check([(i, 0) for i in range(1, 7)]) == parse_cell(NOTHING)
    assert space_named("nsc").check([(1, 1, 3, 0, 0)]) == parse("[(1,1,3,0,0)]")


@pytest.mark.parametrize(
    ("text", "parameters_published", "macs_published"),
    [(NOTHING, 73_306, 7_783_050), (CONVOLUTIONS, 1_531_546, 220_119_690)],
)
def test_costs_are_those_of_the_benchmark(text, parameters_published, macs_published):
    """The benchmark's own figures for CIFAR-10; it counts the classifier's 10 biases as well."""
    plan = cell_plan(Cell(parse_cell(text)), LAYOUT)
    assert parameters(plan) == parameters_published
    assert flops(plan) == 2 * (macs_published - 10)


@pytest.mark.skipif(not TABLE.exists(), reason="needs the table of NAS-Bench-201")
def test_parameters_of_all_cells_are_those_of_the_table():
    with gzip.open(TABLE, "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15_625
    for row in rows:
        plan = cell_plan(Cell(parse_cell(row["arch_str"])), LAYOUT)
        assert parameters(plan) == round(float(row["cifar10_params_M"]) * 1e6)


def test_the_skeleton_is_the_benchmarks():
    plan = cell_plan(Cell(parse_cell(CONVOLUTIONS)), LAYOUT)
    names = [layer.name for layer in plan]
    assert names[:3] == ["image", "stem/convolution", "stem/norm"]
    assert names[-4:] == ["head/norm", "head/relu", "head/pooling", "head/linear"]
    cells = {name.rpartition("/")[0] for name in names if "/cell" in name and "edge" in name}
    assert cells == {f"stage{s}/cell{r}" for s, r in itertools.product((1, 2, 3), range(1, 6))}
    by_name = {layer.name: layer for layer in plan}
    reduction = [by_name[f"stage2/reduction/{name}"] for name in ("layer1", "layer2", "shortcut")]
    assert [layer.stride for layer in reduction] == [2, 1, 1]
    assert [layer.kernel for layer in reduction] == [3, 3, 1]
    assert [layer.shape for layer in reduction] == [(16, 16, 32)] * 3
    assert by_name["stage3/cell1/node3/sum2"].shape == (8, 8, 64)
    assert plan[by_name["stage2/reduction/shortcut"].inputs[0]].operation is (
        Operation.AVERAGE_DOWNSAMPLING
    )


def test_a_node_is_the_sum_of_what_its_edges_bring():
    plan = cell_plan(Cell(parse_cell(MIXED)), Layout(NASBENCH201, (4,), 1, 8, 8))
    by_name = {layer.name: number for number, layer in enumerate(plan)}
    source = by_name["stem/norm"]
    pooling, point, conv = (by_name[f"stage1/cell1/edge{edge}"] for edge in (1, 2, 5))
    assert plan[pooling].inputs == plan[point].inputs == (source,)
    assert (plan[pooling].operation, plan[pooling].kernel) == (Operation.AVERAGE_POOLING, 3)
    assert (plan[point].operation, plan[point].kernel) == (Operation.PCC, 1)
    # Node 2 sums the 1x1 convolution and node 1; nobody reads it, for edge 6 is none.
    assert plan[by_name["stage1/cell1/node2/sum1"]].inputs == (point, pooling)
    assert plan[conv].inputs == (pooling,)
    assert plan[by_name["head/norm"]].inputs == (conv,)


def test_a_node_that_nothing_reaches_is_zero():
    plan = cell_plan(Cell(parse_cell(NOTHING)), Layout(NASBENCH201, (4,), 1, 8, 8))
    zeros = [layer for layer in plan if layer.operation is Operation.ZERO]
    assert [layer.name for layer in zeros] == [f"stage1/cell1/zero{node}" for node in (1, 2, 3)]


def test_what_the_reward_takes():
    cell = Cell(parse_cell(MIXED))
    spent = cost(cell, LAYOUT)
    assert cell.density == 4 / 4
    assert spent.block_flops == spent.flops, "a cell may compute nothing; its network does"
    assert Cell(parse_cell(NOTHING)).density == 0
    assert infeasible_reason(Cell(parse_cell(NOTHING)), spent, Limits(), 1, 4) == "no operation"
    assert infeasible_reason(cell, spent, Limits(), 1, 4) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        NOTHING[:-1],
        NOTHING.replace("none~2", "none~1"),
        NOTHING + "+|none~0|",
        NOTHING.replace("|+|", "+"),
    ],
)
def test_text_of_another_form_is_refused(text):
    with pytest.raises(CodeError, match=r"A cell is written \|OP~0\|\+.*given: "):
        parse_cell(text)


def test_unknown_operations_are_refused_by_name():
    with pytest.raises(CodeError, match="given: 'conv_7x7'"):
        parse_cell(NOTHING.replace("none~1|+", "conv_7x7~1|+"))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "has 6 edges, given 0"),
        ([(1, 0), (3, 0)], r"Edge 2: .* given \(3, 0\)"),
        ([(1, 5)], "Edge 1: operation is 5; allowed: 0 .none., 1"),
        ([(1, 0, 0)], r"given \(1, 0, 0\)"),
        ([(i, 0) for i in range(1, 8)], r"Edge 7: .* given \(7, 0\)"),
    ],
)
def test_decisions_that_make_no_cell_are_refused(rows, words):
    with pytest.raises(CodeError, match=words):
        check_cell(rows)


def test_layouts_are_for_their_own_designs():
    cell, block = parse_cell(MIXED), parse("[(1,1,3,0,0)]")
    with pytest.raises(LayoutError, match="cannot stand in the layout cifar; allowed: nasbench201"):
        design_plan(design_of(cell), Layout())
    with pytest.raises(LayoutError, match="layout nasbench201; allowed: cifar or imagenet"):
        design_plan(design_of(block), LAYOUT)


def test_images_that_cannot_be_halved_are_refused():
    layout = Layout(kind=NASBENCH201, filters=(4, 8, 16), repeats=1, height=30, width=32)
    with pytest.raises(LayoutError, match="must be multiples of 4; given 30x32"):
        design_plan(design_of(parse_cell(MIXED)), layout)


def test_a_decision_is_a_pair():
    assert parse_cell(MIXED)[0] == EdgeOperation(1, 4) == (1, 4)
