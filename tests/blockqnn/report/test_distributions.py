"""What the agent wrote: lengths, layer types and windows, by numbers worked out by hand."""

import dataclasses

import pytest

from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.networks.spaces.registry import parse
from blockqnn.report.curves import distributions
from blockqnn.trial import Status
from tests.blockqnn.trials_by_hand import chain, trial


def test_distributions():
    pooled = check([(1, 2, 3, 0, 0), (2, 3, 1, 1, 0), (3, 5, 0, 1, 2), (4, 4, 0, 3, 0)])
    found = distributions(
        [trial(1, code=chain(1, 5)), trial(2, status=Status.INFEASIBLE, code=pooled)]
    )
    assert found["length"] == {"low": [2.2], "median": [3], "high": [3.8], "mean": [3]}
    assert found["types"] == {
        "convolution": [2 / 6],
        "max_pooling": [1 / 6],
        "average_pooling": [1 / 6],
        "identity": [1 / 6],
        "add": [1 / 6],
        "concat": [0],
    }
    # Of the four layers with a window two are 1x1, one 3x3 and one 5x5.
    assert found["kernels"] == {"1x1": [0.5], "3x3": [0.25], "5x5": [0.25]}


REST = "3 id(0)+id(1) 4 id(0)+id(1) 5 id(0)+id(1)"


@pytest.mark.parametrize(
    ("text", "types"),
    [
        (
            f"darts normal 2 id(0)+id(1) {REST} reduction 2 id(0)+id(1) {REST}",
            {"identity": 2 / 3, "add": 1 / 3},
        ),
        # Two of its three nodes are sums of several tensors.
        (
            "|skip_connect~0|+|skip_connect~0|skip_connect~1|+"
            "|skip_connect~0|skip_connect~1|skip_connect~2|",
            {"identity": 6 / 8, "add": 2 / 8},
        ),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", {}),
        ("1 (1,7,24;0) 2 (7,1,24;0)", {"convolution": 1}),
        ("enas_cell tanh(input) relu(0) tanh(0)", {"activation": 1}),
    ],
)
def test_what_a_design_does_is_counted_and_not_what_it_is_given(text, types):
    found = distributions([dataclasses.replace(trial(1), code=parse(text))])
    shares = {kind: share for kind, (share,) in found["types"].items() if share}
    assert shares == pytest.approx(types)


def test_every_window_has_a_share_the_smallest_first():
    code = parse("1 (1,7,24;0) 2 (7,1,24;1) 3 (7,7,24;2) 4 (3,3,24;3)")
    found = distributions([dataclasses.replace(trial(1), code=code)])["kernels"]
    assert list(found) == ["1x1", "1x7", "7x1", "3x3", "5x5", "7x7"]
    assert [share for (share,) in found.values()] == [0, 0.25, 0.25, 0.25, 0, 0.25]


def test_a_row_of_pixels_and_then_a_column_are_no_square():
    cell = "2 c13(0)+c17(1) 3 id(0)+c17(2) 4 id(0)+id(2) 5 id(0)+id(2) 6 id(0)+id(2) out 3,4,5,6"
    code = parse(f"nasnet normal {cell} reduction {cell}")
    found = distributions([dataclasses.replace(trial(1), code=code)])["kernels"]
    shares = {window: share for window, (share,) in found.items() if share}
    assert shares == pytest.approx({"1x3": 1 / 3, "1x7": 2 / 3})


def test_distributions_are_of_enough_blocks_each():
    few = [trial(i, iteration=i) for i in range(1, 31)]
    assert distributions(few)["iteration"] == [15, 30], "a line has two points"
    assert distributions(few[:1])["iteration"] == [1]
    many = [trial(i, iteration=1 + i // 10) for i in range(6000)]
    found = distributions(many)
    assert (found["first"][:2], found["iteration"][:2]) == ([1, 11], [10, 20])
    assert (len(found["iteration"]), found["iteration"][-1]) == (60, 600)
    assert distributions([])["iteration"] == []
