"""Parameters and multiply-accumulates of the networks that papers and their code publish."""

import collections
import math

import pytest

from blockqnn.networks.initial import initial_statistics
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan_counts import flops, parameters
from blockqnn.networks.spaces.registry import (
    auxiliary_head,
    design_of,
    design_plan,
    parse,
    published,
    space_named,
)

# That of DARTS's code, which is not Google's: its first block, inputs and outputs are other ones.
AMOEBANET_OF_DARTS = (
    "nasnet normal 2 avg3(0)+max3(1) 3 sep3(0)+sep5(2) 4 sep3(0)+avg3(3) 5 sep3(1)+id(1) "
    "6 id(0)+avg3(1) out 4,5,6 reduction 2 avg3(0)+sep3(1) 3 max3(0)+sep7(2) 4 sep7(0)+avg3(1) "
    "5 max3(0)+max3(1) 6 c17(0)+sep3(5) out 3,4,6"
)


def network(name, filters, cells=0, repeats=1, rules="", classes=10, size=None):
    kind = "cells" if size is None else "cells_imagenet"
    side = size or 32
    layout = Layout("cifar", (filters,), repeats, side, side, 3, classes, cells, rules)
    code = published()[name] if name in published() else parse(name)
    return design_plan(design_of(code), layout.of_kind(kind))


@pytest.mark.parametrize(
    ("name", "setting", "wanted", "multiply_accumulates"),
    [
        ("nasnet-a", {"filters": 32, "cells": 20}, 3_346_538, 544_333_312),
        ("nasnet-a", {"filters": 32, "repeats": 6}, 3_346_538, 544_333_312),
        ("nasnet-a", {"filters": 32, "repeats": 6, "classes": 100}, 3_415_748, None),
        ("nasnet-a-paper", {"filters": 32, "cells": 20}, 3_076_906, None),
        ("nasnet-a-paper", {"filters": 36, "cells": 20, "rules": "darts"}, 3_830_950, 603_452_448),
        ("nasnet-a-paper", {"filters": 32, "cells": 20, "rules": "darts"}, 3_061_738, None),
        ("amoebanet-a", {"filters": 36, "repeats": 6, "rules": "amoeba"}, 3_218_266, None),
        ("amoebanet-a", {"filters": 32, "repeats": 6, "rules": "amoeba"}, 2_567_754, None),
        ("nasnet-a-paper", {"filters": 36, "cells": 20, "rules": "darts", "classes": 100},
         3_895_840, None),
        (AMOEBANET_OF_DARTS, {"filters": 36, "cells": 20, "rules": "darts"},
         3_145_078, 488_931_552),
        (AMOEBANET_OF_DARTS, {"filters": 36, "cells": 20, "rules": "darts", "classes": 100},
         3_184_048, None),
        ("pnasnet-5", {"filters": 48, "repeats": 3}, 3_189_082, None),
        ("pnasnet-5", {"filters": 36, "cells": 20, "rules": "darts"}, 4_481_110, 706_026_528),
        ("pnasnet-5", {"filters": 36, "cells": 20, "rules": "darts", "classes": 100}, 4_546_000,
         None),
        ("darts-v1", {"filters": 36, "cells": 20}, 3_169_414, 500_987_520),
        ("darts-v1", {"filters": 36, "cells": 20, "classes": 100}, 3_221_344, None),
        ("darts-v2", {"filters": 36, "cells": 20}, 3_349_342, 528_359_040),
        ("darts-v2", {"filters": 36, "cells": 20, "classes": 100}, 3_401_272, None),
        ("enas-micro", {"filters": 36, "repeats": 5}, 3_894_372, None),
        ("enas-micro", {"filters": 36, "repeats": 6}, 4_587_372, None),
        ("enas-micro", {"filters": 4, "repeats": 1}, 26_692, None),
    ],
)  # fmt: skip
def test_on_small_images(name, setting, wanted, multiply_accumulates):
    plan = network(name, **setting)
    assert parameters(plan) == wanted
    assert multiply_accumulates is None or flops(plan) == 2 * multiply_accumulates


@pytest.mark.parametrize(
    ("name", "setting", "wanted", "multiply_accumulates"),
    [
        ("nasnet-a", {"filters": 44, "repeats": 4, "size": 224}, 5_289_978, 563_638_816),
        ("nasnet-a", {"filters": 168, "repeats": 6, "size": 331, "rules": "nasnet_large"},
         88_753_150, 23_783_414_658),
        # The factorised reduction of a stem cell has 27 filters here, 13 and 14.
        ("pnasnet-5", {"filters": 54, "repeats": 3, "size": 224}, 5_064_487, 587_293_200),
        ("pnasnet-5", {"filters": 216, "repeats": 4, "size": 331, "rules": "nasnet_large"},
         86_057_668, None),
        ("darts-v1", {"filters": 48, "cells": 14, "size": 224}, 4_510_432, 505_864_704),
        ("darts-v2", {"filters": 48, "cells": 14, "size": 224}, 4_718_752, 529_911_552),
        ("nasnet-a-paper", {"filters": 48, "cells": 14, "size": 224, "rules": "darts"},
         5_564_320, 604_031_616),
        ("pnasnet-5", {"filters": 48, "cells": 14, "size": 224, "rules": "darts"},
         6_394_912, 696_738_048),
        (AMOEBANET_OF_DARTS, {"filters": 48, "cells": 14, "size": 224, "rules": "darts"},
         4_627_360, 526_746_624),
    ],
)  # fmt: skip
def test_on_imagenet(name, setting, wanted, multiply_accumulates):
    plan = network(name, classes=1000, **setting)
    assert parameters(plan) == wanted
    assert multiply_accumulates is None or flops(plan) == 2 * multiply_accumulates


@pytest.mark.parametrize(
    ("setting", "statistics", "together"),
    [
        ({"filters": 44, "repeats": 4, "size": 224}, 36_738, 5_326_716),
        ({"filters": 168, "repeats": 6, "size": 331, "rules": "nasnet_large"}, 196_668, 88_949_818),
    ],
)
def test_what_keras_counts_besides_are_the_running_statistics(setting, statistics, together):
    plan = network("nasnet-a", classes=1000, **setting)
    found = sum(a.size for arrays in initial_statistics(plan) for a in arrays.values())
    assert (found, parameters(plan) + found) == (statistics, together)


def by_cell(plan):
    """Parameters of stem, cells and classifier, in order."""
    counts = collections.Counter()
    for layer in plan[1:]:
        top, second = layer.name.split("/")[:2]
        counts[(top, second) if top.startswith("stage") else top] += sum(
            math.prod(shape) for shape in layer.parameter_shapes.values()
        )
    return list(counts.values())


def test_every_cell_of_nasnet_a():
    assert by_cell(network("nasnet-a", 32, 20)) == [
        2_784,
        *(40_384, 25_152, *[28_224] * 4),
        *(87_168, 81_024, 93_312, *[101_504] * 4),
        *(305_408, 301_312, 350_464, *[383_232] * 4),
        7_690,
    ]


def test_every_cell_of_darts_v2():
    assert by_cell(network("darts-v2", 36, 20)) == [
        3_132,
        *(26_532, 27_828, *[29_124] * 4),
        *(21_024, 97_128, *[107_496] * 5),
        *(83_520, 370_512, *[411_984] * 5),
        5_770,
    ]


def outputs(plan):
    """The shape of each cell's output."""
    return [layer.shape for layer in plan if layer.name.count("/") == 2 and "output" in layer.name]


def test_widths_after_the_cells():
    plan = network("nasnet-a", 32, 20)
    shapes = [shape for shape in outputs(plan) if shape[-1] >= 192]
    assert shapes[0] == (32, 32, 192) and shapes[-1] == (8, 8, 768)
    assert [s[-1] for s in dict.fromkeys(shapes)] == [192, 256, 384, 512, 768]
    assert [s for s in outputs(network("enas-micro", 4)) if s[-1] >= 20] == [
        (32, 32, 20), (16, 16, 32), (16, 16, 40), (8, 8, 64), (8, 8, 80)
    ]  # fmt: skip


def reductions(plan):
    """Positions of the cells after which maps are smaller."""
    names = dict.fromkeys(
        tuple(layer.name.split("/")[:2]) for layer in plan if layer.name.startswith("stage")
    )
    sides = {}
    for layer in plan:
        sides[tuple(layer.name.split("/")[:2])] = layer.shape[0]
    found = [sides[name] for name in names]
    return [i for i in range(1, len(found)) if found[i] < found[i - 1]]


@pytest.mark.parametrize(
    ("cells", "wanted"), [(20, [6, 13]), (8, [2, 5]), (14, [4, 9]), (18, [6, 12]), (12, [4, 8])]
)
def test_reductions_stand_after_a_third_and_two_thirds(cells, wanted):
    assert reductions(network("darts-v2", 4, cells)) == wanted


@pytest.mark.parametrize(
    "rules", ["nasnet", "nasnet_large", "darts", "enas", "enas_search_in_code"]
)
@pytest.mark.parametrize("size", [None, 64])
def test_no_layer_has_a_name_within_another_ones(rules, size):
    # Checkpoints nest weights by the words of names.
    for name in ("nasnet-a", "darts-v2", "enas-micro", "pnasnet-5"):
        names = [layer.name for layer in network(name, 4, 5, rules=rules, size=size)]
        assert len(set(names)) == len(names)
        starts = {f"{each}/" for each in names}
        assert not [each for each in names if any(each.startswith(start) for start in starts)]


def test_what_cannot_be_stacked_is_refused():
    with pytest.raises(LayoutError, match=r"at least as many cells, given 2 \(--cells\)"):
        network("darts-v2", 4, 2)
    with pytest.raises(LayoutError, match=r"no rules 'x' .*: nasnet, .*\(--cell_rules\)"):
        network("darts-v2", 4, 5, rules="x")
    with pytest.raises(LayoutError, match="cannot stand in the layout cifar"):
        design_plan(design_of(published()["darts-v2"]), Layout())


@pytest.mark.parametrize(("filters", "wanted", "size"), [(72, 1_152, None), (96, 1_536, 224)])
def test_four_nodes_of_nasnet_b_have_the_published_width_before_the_last_pooling(
    filters, wanted, size
):
    """4 @ 1152 on CIFAR-10 and 4 @ 1536 on ImageNet: four nodes of four times the filters."""
    code = space_named("nasnet_b").example.replace("&", "+")
    kind, side = ("cells", 32) if size is None else ("cells_imagenet", size)
    layout = Layout("cifar", (filters,), 4, side, side, 3, 10).of_kind(kind)
    plan = design_plan(design_of(parse(code)), layout)
    assert plan[-1].parameter_shapes["kernel"] == (wanted, 10)
    cells = {layer.name.rpartition("/node")[0] for layer in plan if "/node" in layer.name}
    # Four normal cells a stage and two reductions; on ImageNet two more in the stem.
    assert len(cells) == 14 + 2 * (size is not None)
    # Each cell prepares four maps, and nothing but the classifier reads them as one.
    assert sum("/input" in layer.name for layer in plan) == 4 * len(cells)
    assert [layer.name for layer in plan if layer.name.endswith("joined")] == ["head/joined"]
    joined, *_, last = auxiliary_head(design_of(parse(code)), layout)
    assert joined.name == "auxiliary/joined" and joined.shape[-1] == wanted // 2
    assert {plan[i].name.split("/node")[0] for i in joined.inputs} == {"stage2/cell5"}
    assert last.shape == (10,)


@pytest.mark.parametrize(("filters", "cells", "wanted"), [(4, 5, 268_772), (20, 8, 5_373_140)])
def test_all_paths_of_a_search_of_enas_as_its_code_builds_them(filters, cells, wanted):
    layout = Layout("cifar", (filters,), 1, 32, 32, 3, 10, cells, "enas_search_in_code")
    layout = layout.of_kind("cells")
    space, design = space_named("enas_micro"), design_of(published()["enas-micro"])
    assert parameters(space.paths_plan(design, layout)) == wanted
    # Which the loss of its code leaves out, so that it is never trained.
    if filters == 20:
        assert parameters(auxiliary_head(design, layout)) == 412_928


def test_a_reduction_as_in_the_code_of_enas_reads_its_input_brought_down_twice():
    plan = network("enas-micro", 4, 5, rules="enas_search_in_code")
    of = {layer.name: layer for layer in plan}
    reduced, older = of["stage2/cell1/newer"], of["stage2/cell1/older"]
    # By weights of their own, of the same map; only the cell's own reduction has a ReLU before.
    assert reduced.inputs == older.inputs
    assert plan[reduced.inputs[0]].name == "stage1/cell1/squeezed/norm"
    assert reduced.shape == older.shape == (16, 16, 8)
    # What the reduction made of it is the older input of the next cell, as it is.
    read = {i for layer in plan if layer.name.startswith("stage2/cell2/") for i in layer.inputs}
    assert plan.index(reduced) in read
    assert not [
        name for name in of if name.startswith(("stage2/cell2/older", "stage2/cell2/newer"))
    ]
    strides = {layer.stride for layer in plan if "/node" in layer.name}
    assert strides == {1}
