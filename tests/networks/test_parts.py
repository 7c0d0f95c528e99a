"""Cutting a plan into steps over parts: by hand, as properties, and how many signatures meet."""

import itertools

import hypothesis
import jax
import numpy as np
import pytest

from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layers import compute, compute_step
from blockqnn.networks.layout import Layout
from blockqnn.networks.parts import StepKind, cut_into_steps
from blockqnn.networks.plan import Operation
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.space import BlockSpace
from blockqnn.networks.spaces.nsc.stacking import make_plan
from tests.strategies import blocks

ONE_STAGE = Layout(filters=(4,), repeats=1, height=4, width=4, channels=1, classes=3)
TWO_STAGES = Layout(filters=(4, 8), repeats=2, height=4, width=4, channels=1, classes=3)


def plan_of(text, layout=ONE_STAGE):
    return make_plan(canonical_form(parse(text)), layout)


def listed(steps):
    return [(step.kind, step.inputs, step.shape[-1]) for step in steps]


def test_a_concatenation_computes_nothing():
    steps = cut_into_steps(plan_of("[(1,1,3,0,0),(2,1,1,0,0),(3,6,0,1,2),(4,1,5,3,0),(5,7,0,0,0)]"))
    convolutions = [step for step in steps if step.kind is Operation.PCC]
    assert sorted(step.kernel for step in convolutions) == [1, 3, 5]
    last = next(step for step in convolutions if step.kernel == 5)
    assert [shape[-1] for shape in last.input_shapes] == [4, 4]
    assert sorted(last.rows) == [(0,), (4,)]
    assert {step.kind for step in steps} == {
        Operation.IMAGE,
        Operation.CONVOLUTION,
        Operation.PCC,
        StepKind.RELU_POOLING,
        StepKind.LOGITS,
        StepKind.BIAS,
    }


def test_a_narrow_map_is_added_to_a_wide_one_part_by_part():
    """Add of the stem's 4 channels and a concat of 4 + 4: one sum, and one part passed on."""
    steps = cut_into_steps(plan_of("[(1,1,3,0,0),(2,6,0,0,1),(3,5,0,0,2),(4,7,0,0,0)]"))
    assert listed(steps) == [
        (Operation.IMAGE, (), 1),
        (Operation.CONVOLUTION, (0,), 4),
        (Operation.PCC, (1,), 4),
        (StepKind.SUM, (1, 1), 4),
        (StepKind.RELU_POOLING, (3,), 4),
        (StepKind.RELU_POOLING, (2,), 4),
        (StepKind.LOGITS, (4, 5), 3),
        (StepKind.BIAS, (6,), 3),
    ]


def test_a_map_that_ends_within_a_part_leaves_it_whole():
    """In the second stage the 4 channels of the first are added to a part of 8."""
    layout = Layout(filters=(4, 8), repeats=1, height=4, width=4, channels=1, classes=3)
    steps = cut_into_steps(plan_of("[(1,1,3,0,0),(2,5,0,0,1),(3,7,0,0,0)]", layout))
    assert not [step for step in steps if step.kind is StepKind.SLICE]
    sums = [step for step in steps if step.kind is StepKind.SUM]
    assert [[shape[-1] for shape in step.input_shapes] for step in sums] == [[4, 4], [8, 4]]
    total = next(step for step in steps if step.kind is StepKind.LOGITS)
    assert [shape[-1] for shape in total.input_shapes] == [8]


def test_parts_of_unequal_width_are_cut_where_they_meet():
    """A part of 8 channels is added to two of 4, of which the first ends within it."""
    layout = Layout(filters=(4, 8), repeats=1, height=4, width=4, channels=1, classes=3)
    text = "[(1,1,3,0,0),(2,4,0,0,0),(3,6,0,0,2),(4,5,0,1,3),(5,7,0,0,0)]"
    steps = cut_into_steps(plan_of(text, layout))
    slices = [step for step in steps if step.kind is StepKind.SLICE]
    assert [(step.first_channel, step.shape[-1]) for step in slices] == [(0, 4), (4, 4)]


def test_a_part_that_occurs_twice_is_read_once():
    """The stem beside a map that the stem is part of."""
    text = "[(1,1,3,0,0),(2,6,0,0,1),(3,6,0,0,2),(4,1,1,3,0),(5,7,0,0,0)]"
    steps = cut_into_steps(plan_of(text))
    (reader,) = [s for s in steps if s.kind is Operation.PCC and s.kernel == 1]
    assert reader.inputs == (1, 2)
    assert reader.rows == ((0, 4), (8,))
    assert reader.copies == (2, 1)


def test_groups_are_of_four_two_and_one_and_sums_are_short():
    """Eleven convolutions side by side, read by one."""
    layers = ",".join(f"({i},1,3,0,0)" if i == 1 else f"({i},1,3,{i - 1},0)" for i in range(1, 12))
    joined, concats = 1, []
    for i, other in enumerate(range(2, 12), start=12):
        concats.append(f"({i},6,0,{joined},{other})")
        joined = i
    text = f"[{layers},{','.join(concats)},(22,1,1,21,0),(23,7,0,0,0)]"
    steps = cut_into_steps(plan_of(text))
    wide = [s for s in steps if s.kind is StepKind.RELU_CONVOLUTION and s.kernel == 1]
    assert [len(step.inputs) for step in wide] == [4, 4, 2, 1]
    starts = [start for step in wide for rows in step.rows for start in rows]
    assert starts == list(range(0, 44, 4))
    assert max(len(step.inputs) for step in steps) <= 4


@hypothesis.given(blocks())
def test_steps_partition_the_kernels_and_are_in_order(code):
    plan = make_plan(canonical_form(code), TWO_STAGES)
    steps = cut_into_steps(plan)
    for number, step in enumerate(steps):
        assert all(source < number for source in step.inputs)
        assert step.input_shapes == tuple(steps[i].shape for i in step.inputs)
    for number, layer in enumerate(plan):
        if layer.operation in (Operation.CONVOLUTION, Operation.PCC, Operation.LINEAR):
            spans = sorted(
                (start, start + shape[-1])
                for step in steps
                if step.layer == number and step.rows
                for starts, shape in zip(step.rows, step.input_shapes, strict=True)
                for start in starts
            )
            edges = [0, *(end for _, end in spans)]
            assert spans == list(itertools.pairwise(edges))
            assert edges[-1] == layer.parameter_shapes["kernel"][-2]
    assert len(set(steps)) == len(steps)


@pytest.mark.long
@hypothesis.settings(max_examples=15)
@hypothesis.given(blocks(max_layers=6))
def test_the_steps_compute_what_the_layers_compute(code):
    plan = make_plan(canonical_form(code), TWO_STAGES)
    parameters, statistics = initial_parameters(plan, seed=1), initial_statistics(plan)
    images = np.random.default_rng(0).standard_normal((2, 4, 4, 1)).astype(np.float32)
    maps = [images]
    with jax.disable_jit():
        for number, layer in enumerate(plan[1:], start=1):
            inputs = [maps[i] for i in layer.inputs]
            maps.append(compute(layer, parameters[number], statistics[number], inputs, True)[0])
        parts = [images]
        for step in cut_into_steps(plan)[1:]:
            own = dict(parameters[step.layer])
            if step.rows:
                own["kernel"] = np.concatenate(
                    [
                        sum(own["kernel"][..., start : start + shape[-1], :] for start in starts)
                        for starts, shape in zip(step.rows, step.input_shapes, strict=True)
                    ],
                    axis=-2,
                )
            inputs = [parts[i] for i in step.inputs]
            parts.append(compute_step(step, own, statistics[step.layer], inputs, True)[0])
    np.testing.assert_allclose(parts[-1], maps[-1], rtol=2e-3, atol=2e-3)


def test_a_hundred_blocks_meet_few_signatures():
    """Were layers the unit, a hundred blocks would meet hundreds and never an end."""
    layout = Layout(filters=(16, 32), repeats=1, height=8, width=8, channels=1)
    suggest = RandomSearch(BlockSpace(23), RandomSearchConfig("uniform"), seed=0).suggest
    layers, steps, late = set(), set(), 0
    for i, code in enumerate(suggest(100)):
        plan = make_plan(canonical_form(code), layout)
        found = {step.signature for step in cut_into_steps(plan)}
        late += len(found - steps) if i >= 20 else 0
        steps |= found
        layers |= {layer.signature for layer in plan}
    assert len(steps) <= 80
    assert late <= 15
    assert len(layers) > 8 * len(steps)


def test_signatures_forget_the_place():
    steps = cut_into_steps(plan_of("[(1,1,3,0,0),(2,1,3,1,0),(3,7,0,0,0)]"))
    convolutions = [s for s in steps if s.kind is Operation.PCC]
    assert convolutions[0] != convolutions[1]
    assert convolutions[0].signature == convolutions[1].signature
