"""Initial weights: He's variance, and the same for the same seed."""

import math

import numpy as np
import pytest
from hypothesis import given

from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Operation
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.stacking import make_plan
from tests.strategies import blocks

SMALL = Layout(filters=(3, 4), repeats=1, height=4, width=4, channels=2, classes=3)
WIDE = Layout(filters=(64, 96), repeats=1, height=4, width=4, channels=40, classes=200)


def plan_of(text, layout):
    return make_plan(canonical_form(parse(text)), layout)


@given(blocks(max_layers=5))
def test_arrays_are_float32_of_the_planned_shapes(code):
    plan = make_plan(canonical_form(code), SMALL)
    weights = initial_parameters(plan, seed=0)
    statistics = initial_statistics(plan)
    assert len(weights) == len(statistics) == len(plan)
    for layer, arrays, running in zip(plan, weights, statistics, strict=True):
        assert {name: array.shape for name, array in arrays.items()} == layer.parameter_shapes
        assert all(array.dtype == np.float32 for array in (*arrays.values(), *running.values()))
        pcc = layer.operation is Operation.PCC
        assert list(running) == (["mean", "variance"] if pcc else [])
        assert all(array.shape == layer.shape[-1:] for array in running.values())


# (layer, fan_in): taps x input channels, whatever the number of filters.
@pytest.mark.parametrize(
    ("text", "name", "fan_in"),
    [
        ("[(1,1,3,0,0)]", "stem/convolution1", 9 * 40),
        ("[(1,1,1,0,0)]", "stage1/block1/layer1", 64),
        ("[(1,1,3,0,0)]", "stage2/block1/layer1", 9 * 64),
        ("[(1,1,5,0,0)]", "stage1/block1/layer1", 25 * 64),
        ("[(1,1,5,0,0)]", "head/linear", 96),
    ],
)
def test_kernels_are_normal_with_variance_2_over_fan_in(text, name, fan_in):
    plan = plan_of(text, WIDE)
    index = [layer.name for layer in plan].index(name)
    kernel = initial_parameters(plan, seed=7)[index]["kernel"].ravel()
    deviation = math.sqrt(2 / fan_in)
    standard_error = 1 / math.sqrt(kernel.size)
    assert abs(kernel.mean()) < 4 * deviation * standard_error
    assert kernel.std() == pytest.approx(deviation, rel=4 * standard_error)
    within = np.mean(np.abs(kernel) < deviation)
    assert within == pytest.approx(0.6827, abs=4 * standard_error)


def test_biases_are_0_scales_1_and_statistics_those_of_a_standard_normal():
    plan = plan_of("[(1,1,3,0,0)]", SMALL)
    weights, statistics = initial_parameters(plan, 3), initial_statistics(plan)
    pcc = [layer.operation for layer in plan].index(Operation.PCC)
    assert weights[pcc]["scale"].tolist() == [1.0] * 3
    assert weights[pcc]["bias"].tolist() == [0.0] * 3
    assert weights[-1]["bias"].tolist() == [0.0] * 3
    assert statistics[pcc]["mean"].tolist() == [0.0] * 3
    assert statistics[pcc]["variance"].tolist() == [1.0] * 3


def test_the_same_seed_gives_the_same_weights_and_another_others():
    plan = plan_of("[(1,1,3,0,0),(2,1,3,0,0)]", SMALL)
    one, same, other = (initial_parameters(plan, seed) for seed in (5, 5, 6))
    for position, arrays in enumerate(one):
        if "kernel" in arrays:
            assert np.array_equal(arrays["kernel"], same[position]["kernel"])
            assert not np.array_equal(arrays["kernel"], other[position]["kernel"])


def test_twins_do_not_start_alike():
    weights = initial_parameters(plan_of("[(1,1,3,0,0),(2,1,3,0,0)]", SMALL), seed=0)
    assert weights[2]["kernel"].shape == weights[3]["kernel"].shape
    assert not np.array_equal(weights[2]["kernel"], weights[3]["kernel"])
