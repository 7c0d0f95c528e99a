"""The integers of the reference for whole networks: of plans, and of the real modules."""

import collections
import math

import jax
import numpy as np
import pytest
from flax import nnx

from blockqnn.networks.child import ChildNetwork
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan import Operation
from blockqnn.networks.plan_counts import flops, parameters
from blockqnn.networks.spaces.registry import (
    SPACES,
    design_of,
    design_plan,
    fitting,
    parse,
    published,
    write,
)

NAS_V1, ENAS = published()["nas-v1"], published()["enas-macro"]
V1 = write(NAS_V1)


def network(what, filters, rules="", size=32):
    layout = Layout("whole", filters, 1, size, size, 3, 10, rules=rules)
    return design_plan(design_of(parse(what) if isinstance(what, str) else what), layout)


@pytest.mark.parametrize(
    ("name", "wanted", "multiply_accumulates"),
    [("nas-v1", 4_201_630, 4_300_665_312), ("enas-macro", 42_559_392, None)],
)
def test_as_published_where_nobody_names_a_layout(name, wanted, multiply_accumulates):
    code = published()[name]
    plan = design_plan(design_of(code), fitting(code, Layout(named=False)))
    assert parameters(plan) == wanted
    assert multiply_accumulates is None or flops(plan) == 2 * multiply_accumulates
    # Shapes alone: weights are not drawn.
    module = nnx.eval_shape(lambda: ChildNetwork(plan, rngs=nnx.Rngs(0)))
    arrays = jax.tree.leaves(nnx.state(module, nnx.Param))
    assert sum(math.prod(array.shape) for array in arrays) == wanted


def test_a_named_layout_is_not_replaced():
    assert fitting(NAS_V1, Layout(filters=(7,))) == Layout("whole", (7,))
    usual = fitting(NAS_V1, Layout(filters=(7,), height=8, channels=1, named=False))
    assert usual == Layout("whole", (24,), 1, 8, 32, 1)
    assert fitting(parse("0 1:0 2:11"), Layout(named=False)) == Layout("whole", (96,), 1)


def kernels(plan):
    """Weights of convolutions."""
    shapes = (layer.parameter_shapes.get("kernel", ()) for layer in plan)
    return sum(math.prod(shape) for shape in shapes if len(shape) == 4)


def rewired(inputs):
    """The layers of NAS's network with other inputs: from the number of a layer to text."""
    layers = (part.split(";")[0] for part in V1.split(")") if part)
    return " ".join(f"{text};{inputs(number)})" for number, text in enumerate(layers, start=1))


def chain(number):
    return number - 1


def dense(number):
    return ",".join(map(str, range(1, number))) or 0


def test_parts_and_neighbours_of_the_network_of_nas():
    plan = network(NAS_V1, (24,))
    assert kernels(plan) == 4_199_868
    filters = [layer.filters for layer in design_of(NAS_V1).layers]
    assert parameters(plan) + sum(filters) == 4_202_266
    assert sum(len(layer.inputs) for layer in design_of(NAS_V1).layers[1:]) == 65
    assert sum(row.bit > 0 for row in NAS_V1) == 105
    assert parameters(network(rewired(chain), (24,))) == 809_134
    assert parameters(network(rewired(dense), (24,))) == 6_630_910
    assert parameters(network(V1.replace("(7,5,48;2,7,", "(7,5,48;7,"), (24,))) == 4_120_990
    for window in ("5,7", "7,7"):
        other = network(V1.replace("12 (7,7,48;", f"12 ({window},36;"), (24,))
        assert 3.88 <= round(parameters(other) / 1e6, 2) <= 4.00


def test_filters_scale_all_layers():
    widths = [layer.shape[-1] for layer in network(NAS_V1, (12,)) if layer.name.endswith("/relu")]
    assert widths == [layer.filters // 2 for layer in design_of(NAS_V1).layers]


def by_part(plan):
    """Parameters of stem, layers, reductions and classifier, in order."""
    counts = collections.Counter()
    for layer in plan[1:]:
        words = layer.name.split("/")
        own = sum(math.prod(shape) for shape in layer.parameter_shapes.values())
        counts[words[2] if words[0] == "whole" else words[0]] += own
    return list(counts.values())


def test_parts_of_a_network_of_enas():
    plan = network("0 3:0 0:10", (4,), "as_in_code")
    assert by_part(plan) == [116, 176, 96, 1_776, 480, 3_168, 160]
    assert parameters(plan) == 5_972
    six = " ".join(write(ENAS).split()[:6])
    assert parameters(network(six, (8,), "as_in_code")) == 75_544
    # Separable ones are smaller: 25 x 8 taps and 8 x 8 weights for 25 x 8 x 8.
    assert by_part(network("0 3:0 0:10", (4,)))[3] == 1_776 - 25 * 64 + 25 * 8 + 64


def test_more_filters_multiply_as_the_two_published_sizes_do():
    code = " ".join(write(ENAS).split()[:12])
    sizes = [parameters(network(code, (filters,), "as_in_code")) for filters in (96, 128)]
    assert 11_400_000 < sizes[0] < 25_000_000
    assert sizes[1] / sizes[0] == pytest.approx(1.777, abs=1e-3)


def test_random_codes_have_the_size_that_the_reference_counts():
    """12 layers at 96 filters, built as the authors' code builds them: 11.4 to 25.0 million.

    That code has no pooling when it trains a network to the end.
    """
    random = np.random.default_rng(0)
    sizes = []
    for _ in range(40):
        words = [
            f"{random.integers(4)}:{''.join(map(str, random.integers(0, 2, layer)))}".strip(":")
            for layer in range(12)
        ]
        sizes.append(parameters(network(" ".join(words), (96,), "as_in_code")))
    assert min(sizes) >= 11_400_000 and max(sizes) <= 25_000_000
    assert max(sizes) > 1.3 * min(sizes)


def test_the_last_map_of_nas_v1_is_averaged_and_not_flattened():
    plan = design_plan(design_of(NAS_V1), fitting(NAS_V1, Layout(named=False)))
    pooling, classifier = plan[-2:]
    assert pooling.operation is Operation.GLOBAL_POOLING
    # Flattened, the classifier alone would have as many weights.
    assert 10 * math.prod(pooling.input_shapes[0]) == 491_520
    assert classifier.parameter_shapes == {"kernel": (48, 10), "bias": (10,)}


@pytest.mark.parametrize(
    ("layers", "filters", "wanted"),
    [(3, 4, 2_956), (6, 8, 19_752), (12, 36, 697_860), (14, 36, 810_756)],
)
def test_all_paths_of_a_search_of_enas_together(layers, filters, wanted):
    arrays = {}
    for operation in range(6):
        text = " ".join(f"{operation}:{'1' * n}" if n else f"{operation}" for n in range(layers))
        for layer in network(text, (filters,), "sum_skips"):
            for name, shape in layer.parameter_shapes.items():
                arrays[layer.name, name] = math.prod(shape)
    assert sum(arrays.values()) == wanted


def test_channels_double_at_each_reduction_or_stay():
    sides = [(32, 96), (16, 192), (8, 384)]
    for rules, shapes in (
        ("as_in_code", sides),
        ("concat_skips", sides),
        ("sum_skips", [(32, 96), (16, 96), (8, 96)]),
    ):
        plan = network(ENAS, (96,), rules)
        ends = {}
        for layer in plan:
            words = layer.name.split("/")
            if words[0] == "whole" and words[2].startswith("layer"):
                ends[words[2]] = (layer.shape[0], layer.shape[-1])
        assert list(ends.values()) == [shape for shape in shapes for _ in range(8)]
    own = network(ENAS, (4, 6))
    assert {(layer.shape[0], layer.shape[-1]) for layer in own if "/join/width" in layer.name} == {
        (32, 4),
        (16, 6),
    }


def count_of(space):
    """How many codes there are."""
    actions = space.numbered()
    return math.prod(int(actions.mask(at).sum()) for at in range(1, actions.length + 1))


@pytest.mark.parametrize(
    ("name", "layers", "decisions", "codes"),
    [
        ("nas", 2, 7, 8_192),
        ("nas", 6, 33, 2**51),
        ("nas", 15, 150, 2**195),
        ("nas_strides", 20, 290, 576**20 * 2**190),
        ("enas_macro", 12, 78, 160_618_186_625_454_535_808_756_219_904),
    ],
)
def test_sizes_of_the_spaces(name, layers, decisions, codes):
    space = SPACES[name].limited(layers)
    assert space.numbered().length == decisions
    assert count_of(space) == codes


@pytest.mark.parametrize(
    ("name", "layers", "nats"),
    [
        ("nas", 2, 9.010913),
        ("nas", 6, 35.350506),
        ("nas", 15, 135.163700),
        ("enas_macro", 12, 67.24883),
    ],
)
def test_entropy_of_uniform_decisions(name, layers, nats):
    assert math.log(count_of(SPACES[name].limited(layers))) == pytest.approx(nats, abs=1e-5)
    assert count_of(SPACES["nas_strides"].limited(20)) == pytest.approx(2.5e112, rel=0.05)


def test_bits_of_the_published_network_of_enas():
    assert sum(row.value for row in ENAS if row.bit) == 98
    assert sum(row.bit > 0 for row in ENAS) == 276


def shapes(plan, end):
    return [layer.shape for layer in plan if layer.name.endswith(end)]


def test_repairs():
    alone = network("1 (3,3,36;0) 2 (3,3,24;0)", (24,))
    read = [layer.inputs for layer in alone if layer.name.endswith("/convolution")]
    assert read == [(0,), (0,)]
    assert shapes(alone, "output/concat") == [(32, 32, 60)]
    assert shapes(alone, "head/pooling") == [(60,)]
    uneven = network("1 (3,3,1,1,36;0) 2 (3,3,2,2,24;1) 3 (1,1,1,1,48;1,2)", (24,))
    assert shapes(uneven, "layer3/concat") == [(32, 32, 60)]
    assert shapes(uneven, "layer3/zeros2") == [(32, 32, 24)]


def test_same_padding_at_stride_3():
    text = "1 (3,5,3,3,24;0) " + " ".join(f"{n} (3,5,3,3,24;{n - 1})" for n in range(2, 6))
    sides = [shape[0] for shape in shapes(network(text, (24,)), "/relu")]
    assert [32, *sides] == [32, 11, 4, 2, 1, 1]


def test_stages_of_nas_are_halved_between():
    plan = network("1 (3,3,24;0) 2 (3,3,36;0) 3 (3,3,24;2) 4 (1,7,48;1,3)", (24, 12))
    pooled = [layer.name for layer in plan if "/pooling1" in layer.name]
    assert sorted(pooled) == [f"whole/network/layer{n}/pooling1" for n in (1, 2)]
    assert [shape[0] for shape in shapes(plan, "/relu")] == [32, 32, 16, 16]
    assert shapes(plan, "/relu")[2:] == [(16, 16, 12), (16, 16, 24)]


@pytest.mark.parametrize("name", ["nas-v1", "enas-macro"])
@pytest.mark.parametrize("filters", [(4,), (4, 6)])
def test_no_layer_has_a_name_within_another_ones(name, filters):
    # Checkpoints nest weights by the words of names.
    rules = ("concat_skips", "sum_skips", "as_in_code") if name == "enas-macro" else ("",)
    for rule in rules:
        names = [layer.name for layer in network(published()[name], filters, rule)]
        assert len(set(names)) == len(names)
        starts = {f"{each}/" for each in names}
        assert not [each for each in names if any(each.startswith(start) for start in starts)]


def test_what_cannot_be_built_is_refused():
    with pytest.raises(LayoutError, match=r"no rules 'darts' of networks of NAS; allowed: zeros_"):
        network(NAS_V1, (24,), "darts")
    with pytest.raises(LayoutError, match=r"no rules 'zeros_after' .*\(--network_rules\)"):
        network(ENAS, (24,), "zeros_after")
    with pytest.raises(LayoutError, match="of 3 stages has at least as many layers, given 2; "):
        network("0 1:0", (4,))
    with pytest.raises(LayoutError, match="of 2 stages has at least as many layers, given 1; "):
        network("1 (3,3,24;0)", (4, 4))
    with pytest.raises(LayoutError, match="cannot stand in the layout cifar"):
        design_plan(design_of(NAS_V1), Layout())
