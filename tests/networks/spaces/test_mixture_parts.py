"""Parts of a mixture that was split: their rows, their networks and what these share."""

import pytest

from blockqnn.networks.layout import Layout
from blockqnn.networks.mixed_plan import edges_of
from blockqnn.networks.plan import Operation
from blockqnn.networks.plan_counts import parameters
from blockqnn.networks.spaces.contract import NONE
from blockqnn.networks.spaces.mixture_parts import is_left, part_plan, part_rows
from blockqnn.networks.spaces.registry import space_named

CELLS, DARTS = space_named("nasbench201"), space_named("darts")
NB201 = Layout(kind="nasbench201", filters=(16, 32, 64), repeats=5, unscaled=True)
SEARCH = Layout(kind="cells", filters=(16, 32, 64), cells=8, unscaled=True)
FIRST = "cell/1<-0"


def keys_of(plan):
    return {layer.bank_key for layer in plan if layer.parameter_shapes or layer.normalises}


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        ("none", 1_417_306),
        ("skip_connect", 1_417_306),
        ("avg_pool_3x3", 1_417_306),
        ("nor_conv_1x1", 1_444_186),
        ("nor_conv_3x3", 1_659_226),
    ],
)
def test_parts_of_nasbench201_have_the_published_parameters(operation, wanted):
    plan = part_plan(CELLS, NB201, 1, {FIRST: (operation,)})
    assert parameters(plan) == wanted
    whole = CELLS.mixture_plan(NB201)
    # The arrays of a part, on the split edge too, are those that the whole mixture has.
    assert keys_of(plan) < keys_of(whole) and parameters(whole) == 1_686_106
    mixtures = [plan[place] for place in edges_of(plan) if plan[place].mixture == FIRST]
    assert len(mixtures) == 15
    assert {(layer.choices, len(layer.inputs)) for layer in mixtures} == {(2, 1)}
    assert all(tuple(plan[i].shape for i in layer.inputs) == layer.input_shapes for layer in plan)


def test_a_part_of_a_normal_cell_of_darts_loses_what_its_six_cells_had_there():
    # Without scale and shift an edge has 3,168, 9,408 and 31,104 numbers at 16, 32 and 64 filters,
    # sep3 800, 2,624 and 9,344 of them; two normal cells have each width.
    lost = 2 * ((3_168 - 800) + (9_408 - 2_624) + (31_104 - 9_344))
    plan = part_plan(DARTS, SEARCH, 1, {"normal/2<-0": ("sep3",)})
    assert parameters(plan) == 1_930_618 - lost
    assert sum(layer.operation is Operation.MIXTURE for layer in plan) == 8 * 14


def test_rows_keep_none_and_what_is_left_in_their_order():
    rows = {row.name: row for row in CELLS.mixture_rows()}
    left = {FIRST: ("avg_pool_3x3", "nor_conv_1x1"), "cell/3<-2": (NONE,)}
    found = {row.name: row for row in part_rows(tuple(rows.values()), left)}
    assert found[FIRST].choices == (NONE, "nor_conv_1x1", "avg_pool_3x3")
    # Something must have the shape of what an edge of nothing brings.
    assert found["cell/3<-2"].choices == (NONE, "skip_connect")
    assert found["cell/2<-0"] == rows["cell/2<-0"]
    shares = {
        row.name: [is_left(row, each, left) for each in row.choices] for row in found.values()
    }
    assert shares[FIRST] == [False, True, True] and shares["cell/3<-2"] == [True, False]
    assert all(shares["cell/2<-0"])


def test_edges_have_names_and_none_is_a_choice_where_every_edge_is_kept():
    assert list(CELLS.split_choices()) == list(CELLS.edges)
    assert CELLS.split_choices()["1<-0"] == CELLS.mixture_rows()[0].choices
    darts = DARTS.split_choices()
    assert len(darts) == 28 and next(iter(darts)) == "normal/2<-0"
    assert all(len(own) == 7 and NONE not in own for own in darts.values())
    assert space_named("nsc").split_choices() == {}


def test_partial_channels_are_split_too():
    whole = DARTS.mixture_plan(SEARCH, 4)
    plan = part_plan(DARTS, SEARCH, 4, {"reduction/4<-3": ("id", "max3")})
    assert keys_of(plan) < keys_of(whole)
    own = [layer for layer in plan if layer.mixture == "reduction/4<-3"]
    assert [layer.choices for layer in own] == [3, 3]
    assert part_plan(DARTS, SEARCH, 4, {}) == whole
