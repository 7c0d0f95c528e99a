"""One network of all designs: each is a path through it, with its own keys and numbers."""

import jax
import numpy as np
import pytest

from blockqnn.children.whole_program import forward
from blockqnn.networks.initial import initial_statistics, shared_arrays
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.parts import cut_into_layers
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, space_named
from blockqnn.searching.supernet_paths import uniform_path
from blockqnn.supernets.all_paths import AllPaths
from blockqnn.supernets.branches import rows_of, ways_of

SMALL = {"height": 8, "width": 8, "channels": 1, "classes": 3}
LAYOUTS = {
    "nasbench201": Layout("nasbench201", (4, 6), 1, **SMALL),
    "darts": Layout("cells", (4, 4), 1, unscaled=True, **SMALL),
    "enas_micro": Layout("cells", (4, 4), 1, rules="enas_search", **SMALL),
    "enas_micro in code": Layout("cells", (4, 4), 1, rules="enas_search_in_code", **SMALL),
    "pnas": Layout("cells", (4, 4), 1, rules="enas_search", **SMALL),
    "enas_macro": Layout("whole", (4,), 1, rules="sum_skips", **SMALL),
}
TWICE = (
    "enas_micro normal 2 sep3(0)+sep3(0) 3 id(1)+id(1) 4 avg3(2)+sep5(2) 5 id(0)+max3(4) "
    "6 id(0)+id(1) reduction 2 id(0)+id(0) 3 max3(0)+max3(0) 4 id(0)+id(1) "
    "5 sep5(2)+sep3(2) 6 id(0)+id(1)"
)


def spaced(name):
    return space_named(name, 5) if name == "enas_macro" else space_named(name.split()[0])


def codes_of(name, count):
    random = np.random.default_rng(2)
    found = [uniform_path(spaced(name), {}, random) for _ in range(count)]
    return [*found, parse(TWICE)] if name.startswith("enas_micro") else found


def read_by(plan):
    """The layers of a plan with arrays or statistics that its output depends on, by key."""
    layers = {step.layer for step in cut_into_layers(plan)}
    return {
        layer.bank_key
        for number, layer in enumerate(plan)
        if number in layers and (layer.parameter_shapes or layer.normalises)
    }


@pytest.mark.parametrize("name", LAYOUTS)
def test_all_that_a_design_uses_is_in_the_plan_of_all_paths(name):
    layout, space, found = LAYOUTS[name], spaced(name), set()
    for code in codes_of(name, 60):
        design = design_of(code)
        plan = space.paths_plan(design, layout)
        keys = [layer.bank_key for layer in plan if layer.parameter_shapes or layer.normalises]
        assert len(keys) == len(set(keys))
        assert read_by(design_plan(design, layout)) <= set(keys)
        found |= read_by(design_plan(design, layout))
        path = space.path(design)
        assert rows_of(plan).places.keys() <= path.keys()
        assert all(len(path[row]) == count for row, (_, count) in rows_of(plan).places.items())
        assert all(sum(path[row]) <= 1 for row in rows_of(plan).places if space.takes_one(row))
    # Nothing stands in the plan that no design could have: 60 have met much of it.
    assert found <= set(keys) and len(found) > 0.4 * len(keys)


@pytest.mark.parametrize("name", ["nasbench201", "darts", "enas_micro", "enas_macro"])
def test_along_a_path_it_computes_the_design(name):
    layout, space = LAYOUTS[name], spaced(name)
    images = np.random.default_rng(0).standard_normal((3, 8, 8, 1), np.float32)
    for code in codes_of(name, 2)[-1:]:
        design = design_of(code)
        own, whole = design_plan(design, layout), space.paths_plan(design, layout)
        network = AllPaths(whole, space.takes_one)
        used = np.array([layer.bank_key in read_by(own) for layer in whole])
        vector = network.vector(space.path(design), used)
        arrays = [shared_arrays(layer, 1) for layer in own]
        running = initial_statistics(own)
        # Without jit only the branches that are taken are computed.
        with jax.disable_jit():
            wanted, _ = forward(own, arrays, running, jax.numpy.asarray(images), True)
            those = [shared_arrays(layer, 1) for layer in whole]
            logits, seen = network.forward(those, None, jax.numpy.asarray(images), vector)
        assert np.asarray(logits) == pytest.approx(np.asarray(wanted), abs=1e-4)
        normed = [number for number in np.flatnonzero(used) if whole[number].normalises]
        assert all(np.any(np.asarray(seen[number]["variance"])) for number in normed)


def test_the_ways_of_an_edge_are_its_operations():
    space, layout = spaced("nasbench201"), Layout("nasbench201", (4,), 1, **SMALL)
    code = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_3x3~1|none~2|"
    plan = space.paths_plan(design_of(parse(code)), layout)
    ways = ways_of(plan)
    assert [plan[number].mixture for number in ways] == [
        *("cell/1<-0", "cell/2<-0", "cell/2<-1", "cell/3<-0", "cell/3<-1", "cell/3<-2")
    ]
    for number, those in ways.items():
        # The identity is no layer; the other three are one each, and read what it is.
        assert [len(way.layers) for way in those] == [0, 1, 1, 1]
        assert all(way.reads == (those[0].end,) for way in those[1:])
        assert [plan[way.end].kernel for way in those[1:]] == [1, 3, 3]
        assert plan[number].inputs == tuple(way.end for way in those)
    design = design_of(parse(code))
    used = np.array([layer.bank_key in read_by(design_plan(design, layout)) for layer in plan])
    vector = AllPaths(plan, space.takes_one).vector(space.path(design), used)
    # Skip, 1x1, 3x3 and pooling of each edge; nobody reads node 2, but what it reads is no work.
    assert vector.reshape(6, 4).tolist() == [
        *([0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0])
    ]


def test_spaces_without_such_a_plan_say_why():
    for name, layout, why in [
        ("nsc", Layout(filters=(4,), **SMALL), "has all designs of this space as its paths"),
        ("nasnet", LAYOUTS["pnas"], "Nodes of the space nasnet that concatenate are wider"),
        ("enas_micro", Layout("cells", (4, 4), 1, **SMALL), "share weights only under"),
        ("enas_macro", Layout("whole", (4,), 1, **SMALL), "have one width only under"),
    ]:
        space = spaced(name)
        assert why in space.unplanned(layout)
        design = design_of(uniform_path(space, {}, np.random.default_rng(0)))
        with pytest.raises(LayoutError, match=why):
            space.paths_plan(design, layout)


def keys_after(name, layout, counts):
    """How many different layers with arrays so many random designs have together."""
    space, random, keys, found = space_named(name), np.random.default_rng(0), set(), []
    for number in range(1, max(counts) + 1):
        design = design_of(uniform_path(space, {}, random))
        if not design.emptiness:
            plan = design_plan(design, layout)
            keys |= {layer.bank_key for layer in plan if layer.parameter_shapes}
        if number in counts:
            found.append(len(keys))
    return found


def test_cells_soon_have_all_their_layers_in_common_and_blocks_never():
    """Why weights of blocks are not shared; docs/methods.md has these numbers."""
    cells = Layout("nasbench201", (16, 32, 64), 1)
    assert keys_after("nasbench201", cells, (50, 100, 200, 300)) == [46, 46, 46, 46]
    blocks = Layout("cifar", (16, 32, 64), 1)
    assert keys_after("nsc", blocks, (50, 100, 200, 300)) == [390, 607, 1145, 1550]
