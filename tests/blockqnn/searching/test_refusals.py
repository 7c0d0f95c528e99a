"""What is said where most suggestions are refused for their size, with costs made by hand."""

import dataclasses

import pytest

from blockqnn.agents.random_search import RandomSearchConfig
from blockqnn.networks.cost import Limits, cost
from blockqnn.networks.spaces.registry import design_of
from blockqnn.searching.refusals import (
    RefusalWatch,
    Sizes,
    advice,
    warning_afterwards,
    warning_beforehand,
)
from blockqnn.trial import Status, Trial
from tests.blockqnn.small_searches import CONV1, CONV3, CONV5, LAYOUT, search_settings


def sizes(total, flops=(), parameters=(), activations=()):
    """Suggestions with these costs; what is not named costs 1."""
    length = max(map(len, (flops, parameters, activations)))
    columns = (tuple(column) or (1,) * length for column in (parameters, flops, activations))
    names = ("max_parameters", "max_flops", "max_activation_bytes")
    return Sizes(total, [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)])


def test_the_value_is_the_quantile_that_refuses_less_than_two_in_five():
    # Of ten, three may be refused: those of 800, 900 and 1000.
    found = advice(sizes(10, flops=range(100, 1100, 100)), Limits(0, 399), "Of 10 suggestions")
    assert found == (
        "Of 10 suggestions 70 % are refused for their size, most of them because they have more "
        "FLOPs than --max_flops=399 allows; --max_flops=700 would refuse under 40 %."
    )


def test_suggestions_that_are_refused_for_other_reasons_count_as_suggestions():
    # Of 20 suggestions seven may be refused, of the ten that have a size.
    assert advice(sizes(20, flops=range(100, 1100, 100)), Limits(0, 1), "Of 20") is None
    found = advice(sizes(15, flops=range(100, 1100, 100)), Limits(0, 1), "Of 15")
    assert "67 % are refused" in found
    assert "--max_flops=500 would" in found


def test_values_are_rounded_up_to_two_digits():
    found = advice(sizes(10, flops=[1_234_567] * 10), Limits(0, 99), "All")
    assert "--max_flops=1_300_000 would" in found


@pytest.mark.parametrize("most", [0, 600])
def test_half_is_not_too_much(most):
    assert advice(sizes(8, flops=range(300, 1100, 100)), Limits(0, most), "Of 8") is None


def test_the_limit_is_named_that_most_exceed():
    rows = sizes(10, flops=range(10, 110, 10), activations=[*[7] * 8, *[90] * 2])
    found = advice(rows, Limits(0, 30, 8), "Of 10")
    assert "FLOPs than --max_flops=30" in found
    # Two are refused for their activations anyway, so of the others one may be.
    assert "--max_flops=70 would refuse" in found
    assert "--max_activation_bytes" not in found


def test_where_two_limits_refuse_too_much_both_are_raised_alike():
    rows = sizes(10, flops=[20] * 10, parameters=[*range(10, 60, 10), *range(60, 110, 10)])
    found = advice(rows, Limits(40, 10), "Of 10")
    # More than two in five exceed either; 70 parameters and 20 FLOPs are two times a limit at most.
    assert "--max_parameters=80 --max_flops=20 would" in found.replace(
        "--max_flops=20 --max_parameters=80", "--max_parameters=80 --max_flops=20"
    )


def test_before_a_search_random_blocks_are_asked():
    agent = RandomSearchConfig("uniform")
    flops = [cost(design_of(code), LAYOUT).flops for code in (CONV1, CONV3)]
    assert warning_beforehand(search_settings(agent=agent, limits=Limits(0))) is None
    assert (
        warning_beforehand(search_settings(agent=agent, limits=Limits(0, max(flops) * 100))) is None
    )
    warning = warning_beforehand(search_settings(agent=agent, limits=Limits(0, min(flops) - 1)))
    assert warning.startswith("Of 300 random suggestions ")
    value = int(warning.rpartition("--max_flops=")[2].split()[0])
    assert warning_beforehand(search_settings(agent=agent, limits=Limits(0, value))) is None


def trial(number, code, refused):
    reason = "5 FLOPs, allowed are 4" if refused else None
    status = Status.INFEASIBLE if refused else Status.COMPLETED
    return Trial(number, 1, 1.0, code, "a", 0, status, 1.0, 1, 1, 1, 1, reason=reason)


def test_a_running_search_says_it_once_and_not_before_there_are_enough():
    limit = cost(design_of(CONV3), LAYOUT).flops - 1
    settings = search_settings(limits=Limits(0, limit))
    trials = [trial(n, CONV5 if n % 4 else CONV1, bool(n % 4)) for n in range(1, 41)]
    watch = RefusalWatch(settings, trials[:3])
    assert watch.beforehand() is None, "it goes on"
    said = [(one.number, line) for one in trials[3:] if (line := watch.finished(one))]
    ((number, line),) = said
    assert number == 20
    assert line.startswith("Of 20 suggestions 75 % are refused")
    assert warning_afterwards(settings, trials).startswith("Of 40 suggestions 75 %")
    assert warning_afterwards(settings, trials[:19]) is None


def test_blocks_without_convolution_are_not_too_large():
    settings = search_settings(limits=Limits(0, 10**9))
    empty = dataclasses.replace(trial(1, CONV1, True), reason="no convolution")
    assert warning_afterwards(settings, [empty] * 50) is None


def test_the_command_says_it_before_and_at_the_end(blockqnn):
    out = blockqnn.search(
        "--preset=smoke", "--dataset=synthetic:64x64x1:3", "--run_dir=run", "--max_blocks=8"
    )
    first, last = (line for line in out.splitlines() if "are refused for their size" in line)
    assert first.startswith("Of 300 random suggestions ")
    assert "more FLOPs than --max_flops=1_000_000 allows" in last
    value = last.rpartition("--max_flops=")[2].split()[0]
    more = (f"--max_flops={value}", "--run_dir=more", "--max_blocks=20")
    out = blockqnn.search("--preset=smoke", "--dataset=synthetic:64x64x1:3", *more)
    assert "are refused for their size" not in out
