"""Plans: shapes and names worked out by hand, and what holds of every plan."""

import pytest
from hypothesis import given

from blockqnn.networks.layout import Layout
from blockqnn.networks.operations.table import OperationEntry
from blockqnn.networks.plan import Operation
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.stacking import block_plan, make_plan
from tests.strategies import blocks

TINY = Layout(filters=(2, 3), repeats=1, height=4, width=6, channels=1, classes=5)
DEEP = Layout(filters=(2, 3, 4), repeats=2, height=9, width=7, channels=3, classes=2)

IDENTIFIERS = {
    entry.name: identifier
    for identifier, entry in vars(Operation).items()
    if isinstance(entry, OperationEntry)
}


def planned(text, layout):
    return make_plan(canonical_form(parse(text)), layout)


def written(plan):
    """The layers as (name, operation, kernel, names of inputs, shape)."""
    return [
        (
            layer.name,
            IDENTIFIERS[layer.operation.name],
            layer.kernel,
            " ".join(plan[i].name for i in layer.inputs),
            layer.shape,
        )
        for layer in plan
    ]


def test_a_small_network_by_hand():
    plan = planned("[(1,1,5,0,0),(2,5,0,0,1),(3,2,3,1,0)]", TINY)
    assert written(plan) == [
        ("image", "IMAGE", 0, "", (4, 6, 1)),
        ("stem/convolution1", "CONVOLUTION", 3, "image", (4, 6, 2)),
        ("stage1/block1/layer1", "PCC", 5, "stem/convolution1", (4, 6, 2)),
        ("stage1/block1/layer2", "MAX_POOLING", 3, "stage1/block1/layer1", (4, 6, 2)),
        (
            "stage1/block1/layer3",
            "ADD",
            0,
            "stem/convolution1 stage1/block1/layer1",
            (4, 6, 2),
        ),
        (
            "stage1/block1/output",
            "CONCAT",
            0,
            "stage1/block1/layer2 stage1/block1/layer3",
            (4, 6, 4),
        ),
        ("stage2/pooling", "DOWNSAMPLING", 2, "stage1/block1/output", (2, 3, 4)),
        ("stage2/block1/layer1", "PCC", 5, "stage2/pooling", (2, 3, 3)),
        ("stage2/block1/layer2", "MAX_POOLING", 3, "stage2/block1/layer1", (2, 3, 3)),
        # Add is as wide as the wider of its inputs, 4 and 3; Concat as both, 3 and 4.
        ("stage2/block1/layer3", "ADD", 0, "stage2/pooling stage2/block1/layer1", (2, 3, 4)),
        (
            "stage2/block1/output",
            "CONCAT",
            0,
            "stage2/block1/layer2 stage2/block1/layer3",
            (2, 3, 7),
        ),
        ("head/relu", "RELU", 0, "stage2/block1/output", (2, 3, 7)),
        ("head/pooling", "GLOBAL_POOLING", 0, "head/relu", (7,)),
        ("head/linear", "LINEAR", 0, "head/pooling", (5,)),
    ]


def test_a_block_of_one_output_is_not_concatenated():
    plan = planned("[(1,3,3,0,0)]", TINY)
    assert written(plan)[2:-3] == [
        ("stage1/block1/layer1", "AVERAGE_POOLING", 3, "stem/convolution1", (4, 6, 2)),
        ("stage2/pooling", "DOWNSAMPLING", 2, "stage1/block1/layer1", (2, 3, 2)),
        ("stage2/block1/layer1", "AVERAGE_POOLING", 3, "stage2/pooling", (2, 3, 2)),
    ]


def test_a_block_that_is_nothing_leaves_stem_pooling_and_head():
    names = [layer.name for layer in planned("[(1,4,0,0,0)]", DEEP)]
    assert names == [
        "image",
        "stem/convolution1",
        "stage2/pooling",
        "stage3/pooling",
        "head/relu",
        "head/pooling",
        "head/linear",
    ]


def test_repeats_follow_one_another_and_odd_sizes_are_halved_downwards():
    plan = planned("[(1,1,1,0,0)]", DEEP)
    assert written(plan) == [
        ("image", "IMAGE", 0, "", (9, 7, 3)),
        ("stem/convolution1", "CONVOLUTION", 3, "image", (9, 7, 2)),
        ("stage1/block1/layer1", "PCC", 1, "stem/convolution1", (9, 7, 2)),
        ("stage1/block2/layer1", "PCC", 1, "stage1/block1/layer1", (9, 7, 2)),
        ("stage2/pooling", "DOWNSAMPLING", 2, "stage1/block2/layer1", (4, 3, 2)),
        ("stage2/block1/layer1", "PCC", 1, "stage2/pooling", (4, 3, 3)),
        ("stage2/block2/layer1", "PCC", 1, "stage2/block1/layer1", (4, 3, 3)),
        ("stage3/pooling", "DOWNSAMPLING", 2, "stage2/block2/layer1", (2, 1, 3)),
        ("stage3/block1/layer1", "PCC", 1, "stage3/pooling", (2, 1, 4)),
        ("stage3/block2/layer1", "PCC", 1, "stage3/block1/layer1", (2, 1, 4)),
        ("head/relu", "RELU", 0, "stage3/block2/layer1", (2, 1, 4)),
        ("head/pooling", "GLOBAL_POOLING", 0, "head/relu", (4,)),
        ("head/linear", "LINEAR", 0, "head/pooling", (2,)),
    ]


def test_the_imagenet_layout():
    layout = Layout("imagenet", (64, 128, 256, 512), 3, height=224, width=224, classes=1000)
    plan = {layer.name: layer for layer in planned("[(1,1,3,0,0)]", layout)}
    assert list(plan)[:6] == [
        "image",
        "stem/convolution1",
        "stem/pooling1",
        "stem/convolution2",
        "stem/pooling2",
        "stage1/block1/layer1",
    ]
    shapes = {
        "image": (224, 224, 3),
        "stem/convolution1": (224, 224, 64),
        "stem/pooling1": (112, 112, 64),
        "stem/convolution2": (112, 112, 64),
        "stem/pooling2": (56, 56, 64),
        "stage1/block3/layer1": (56, 56, 64),
        "stage2/pooling": (28, 28, 64),
        "stage2/block3/layer1": (28, 28, 128),
        "stage3/block3/layer1": (14, 14, 256),
        "stage4/block3/layer1": (7, 7, 512),
        "head/pooling": (512,),
        "head/linear": (1000,),
    }
    assert {name: plan[name].shape for name in shapes} == shapes
    for name in ("stem/convolution1", "stem/convolution2"):
        assert (plan[name].operation, plan[name].kernel) == (Operation.CONVOLUTION, 3)
    for name in ("stem/pooling1", "stem/pooling2"):
        assert plan[name].operation is Operation.DOWNSAMPLING
    assert len(plan) == 5 + 4 * 3 + 3 + 3


def test_an_input_that_reaches_the_output_makes_every_repeat_wider():
    layout = Layout(filters=(2,), repeats=3, height=4, width=4)
    plan = planned("[(1,4,0,0,0),(2,1,3,0,0)]", layout)
    assert [layer.shape[-1] for layer in plan if layer.name.endswith("output")] == [4, 6, 8]
    plan = planned("[(1,4,0,0,0),(2,6,0,0,1)]", layout)
    assert [layer.shape[-1] for layer in plan if layer.operation is Operation.CONCAT] == [4, 8, 16]


def test_shapes_of_trained_arrays():
    plan = {layer.name: layer for layer in planned("[(1,1,5,0,0),(2,5,0,0,1)]", TINY)}
    shapes = {name: layer.parameter_shapes for name, layer in plan.items()}
    assert {name: arrays for name, arrays in shapes.items() if arrays} == {
        "stem/convolution1": {"kernel": (3, 3, 1, 2)},
        "stage1/block1/layer1": {"kernel": (5, 5, 2, 2), "scale": (2,), "bias": (2,)},
        "stage2/block1/layer1": {"kernel": (5, 5, 2, 3), "scale": (3,), "bias": (3,)},
        "head/linear": {"kernel": (3, 5), "bias": (5,)},
    }


@pytest.mark.parametrize(("kind", "size"), [("cifar", (20, 12)), ("imagenet", (5, 3))])
def test_a_block_alone_stands_at_the_first_stage_and_reads_its_filters(kind, size):
    layout = Layout(kind=kind, filters=(6, 8), repeats=3, height=20, width=12)
    plan = block_plan(canonical_form(parse("[(1,1,3,0,0),(2,2,3,0,0)]")), layout)
    assert written(plan) == [
        ("image", "IMAGE", 0, "", (*size, 6)),
        ("block/layer1", "PCC", 3, "image", (*size, 6)),
        ("block/layer2", "MAX_POOLING", 3, "image", (*size, 6)),
        ("block/output", "CONCAT", 0, "block/layer1 block/layer2", (*size, 12)),
    ]


@given(blocks())
def test_every_plan_is_in_order_with_the_shapes_of_its_inputs_and_unique_names(code):
    plan = make_plan(canonical_form(code), DEEP)
    assert len({layer.name for layer in plan}) == len(plan)
    assert [layer.operation for layer in plan].count(Operation.IMAGE) == 1
    for position, layer in enumerate(plan):
        assert all(i < position for i in layer.inputs)
        assert layer.input_shapes == tuple(plan[i].shape for i in layer.inputs)
        widths = [shape[-1] for shape in layer.input_shapes]
        if layer.operation is Operation.CONCAT:
            assert layer.shape[-1] == sum(widths)
        if layer.operation is Operation.ADD:
            assert layer.shape[-1] == max(widths)


def test_layers_that_compute_the_same_share_a_signature():
    plan = {layer.name: layer for layer in planned("[(1,1,3,0,0)]", DEEP)}
    one, other = plan["stage1/block1/layer1"], plan["stage1/block2/layer1"]
    assert one.signature == other.signature
    assert hash(one.signature) == hash(other.signature)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[(1,1,3,0,0)]", "[(1,1,5,0,0)]"),
        ("[(1,2,3,0,0)]", "[(1,3,3,0,0)]"),
        ("[(1,4,0,0,0),(2,5,0,0,1)]", "[(1,4,0,0,0),(2,6,0,0,1)]"),
    ],
)
def test_layers_that_compute_another_thing_have_another_signature(one, other):
    assert planned(one, TINY)[2].signature != planned(other, TINY)[2].signature


def test_signatures_tell_shapes_apart():
    plan = {layer.name: layer for layer in planned("[(1,1,3,0,0)]", DEEP)}
    names = ("stage1/block2/layer1", "stage2/block1/layer1", "stage2/block2/layer1")
    assert len({plan[name].signature for name in names}) == 3
