"""Blocks in the layout of cells: where they stand, and what they cost."""

import pytest

from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan_counts import parameters
from blockqnn.networks.spaces.registry import design_of, design_plan, published, stacked
from blockqnn.networks.units import Unit, units_of


def network(filters=(4, 8, 16), repeats=1, cells=0, rules="", name="residual"):
    layout = Layout("cells", filters, repeats, 32, 32, 3, 10, cells, rules)
    return design_plan(design_of(published()[name]), layout)


def places(plan):
    """Blocks and poolings in order, by the stages that they are of."""
    words = [layer.name.split("/")[:2] for layer in plan]
    kept = [w for w in words if w[0].startswith("stage") and not w[1].startswith("input")]
    return ["/".join(w) for w in dict.fromkeys(map(tuple, kept))]


def test_pooling_stands_where_cells_reduce():
    found = places(network(cells=20))
    assert len(found) == 20
    assert [i for i, name in enumerate(found) if name.endswith("pooling")] == [6, 13]
    assert found == places(network(repeats=6))
    assert places(network(filters=(4, 8), cells=3)) == [
        "stage1/block1", "stage2/pooling", "stage2/block1"
    ]  # fmt: skip
    assert stacked(Layout("cells", cells=20)) == "20 cells"


def test_the_parameters_of_a_small_one_by_hand():
    plan = network(filters=(2, 4), repeats=1)
    # Stem of 3x3x3 to 6 channels; 1x1 to the filters and two 3x3 a block; classifier.
    stem = 27 * 6 + 12
    blocks = (6 * 2 + 4) + 2 * (9 * 2 * 2 + 4), (2 * 4 + 8) + 2 * (9 * 4 * 4 + 8)
    assert parameters(plan) == stem + sum(blocks) + 4 * 10 + 10
    assert [layer.shape for layer in plan if layer.name.startswith("stage2/input")] == [(16, 16, 4)]


def test_each_block_is_a_unit_of_one_form():
    units = [each for each in units_of(network(cells=8)) if isinstance(each, Unit)]
    assert len(units) == 6
    assert len({unit.form for unit in units}) == 1


def test_what_cannot_be_stacked_is_refused():
    with pytest.raises(LayoutError, match="at least 5 cells in all, given 4"):
        network(cells=4)
    assert len(places(network(cells=5))) == 5
    with pytest.raises(LayoutError, match="stacked without rules, given darts"):
        network(rules="darts")
