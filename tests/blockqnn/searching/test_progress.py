"""What a person sees while a search goes on, with a clock that is set by hand."""

import dataclasses
import io
import re

import pytest

from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.searching.estimate import Estimate
from blockqnn.searching.progress import PlainProgress, TerminalProgress, make_progress
from blockqnn.settings import Budget
from blockqnn.trial import Status, Trial

TRIAL = Trial(1, 1, 1.0, PUBLISHED["residual"], "a", 0, Status.COMPLETED, 1.0, 1, 1, 1, 1)


class Clock:
    """A time in seconds that passes when it is told to."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


def trials(*what):
    """Trials from (iteration, status, reward)."""
    return [
        dataclasses.replace(
            TRIAL, number=number, iteration=iteration, status=status, reward=reward,
            epsilon=1.0 if iteration == 1 else 0.5,
        )
        for number, (iteration, status, reward) in enumerate(what, start=1)
    ]  # fmt: skip


# Of two iterations with four blocks each, not counting infeasible ones.
WHAT = trials(
    (1, Status.INFEASIBLE, 10.0),
    (1, Status.COMPLETED, 40.0),
    (1, Status.COMPLETED, 60.0),
    (1, Status.FAILED, 10.0),
    (1, Status.KNOWN, 40.0),
    (2, Status.COMPLETED, 50.0),
    (2, Status.INFEASIBLE, 10.0),
)


def shown(kind, stream, clock, *size, **more):
    """Progress with an estimate of its own."""
    return kind(stream, Estimate(*size, now=clock, **more), clock)


def tell(progress, clock, found=WHAT, seconds=10.0):
    for trial in found:
        clock.seconds += seconds
        progress.finished(trial)
    progress.close()


def parts(line):
    return line.replace("about ", "").split("  ")


def test_plain_progress_is_a_line_for_each_iteration():
    stream, clock = io.StringIO(), Clock()
    tell(shown(PlainProgress, stream, clock, 3, 4), clock)
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()
    first, second = stream.getvalue().splitlines()
    # Of what was trained or known: (40 + 60 + 40) / 3. Four of twelve blocks took a minute.
    assert parts(first) == [
        "iteration 1/3",
        "epsilon 1",
        "trained 2",
        "known 1",
        "infeasible 1",
        "failed 1",
        "mean reward 46.67",
        "best 60.00 (#3)",
        "1:00 so far",
        "2:00 left",
    ]
    # Five of twelve blocks in 70 seconds: seven more take 98.
    assert parts(second) == [
        "iteration 2/3",
        "epsilon 0.5",
        "trained 3",
        "known 1",
        "infeasible 2",
        "failed 1",
        "mean reward 50.00",
        "best 60.00 (#3)",
        "1:10 so far",
        "1:38 left",
    ]


def test_history_counts_but_takes_no_time():
    stream, clock = io.StringIO(), Clock()
    progress = shown(PlainProgress, stream, clock, 3, 4)
    for trial in WHAT[:5]:
        progress.history(trial)
    assert stream.getvalue() == ""
    tell(progress, clock, WHAT[5:])
    last = stream.getvalue().splitlines()[-1]
    assert "trained 3" in last
    assert "best 60.00 (#3)" in last
    # One block in 20 seconds here, and seven are left.
    assert parts(last)[-2:] == ["0:20 so far", "2:20 left"]


def test_the_last_block_leaves_nothing():
    stream, clock = io.StringIO(), Clock()
    tell(shown(PlainProgress, stream, clock, 1, 2), clock, WHAT[1:3])
    assert parts(stream.getvalue().splitlines()[-1])[-1] == "0:20 so far"


def test_without_anything_trained_there_is_no_best_and_no_mean():
    stream, clock = io.StringIO(), Clock()
    tell(shown(PlainProgress, stream, clock, 1, 2), clock, WHAT[:1])
    (line,) = stream.getvalue().splitlines()
    assert "mean reward -" in line
    assert "best" not in line
    assert "left" not in line


def test_the_first_of_equals_is_the_best():
    stream, clock = io.StringIO(), Clock()
    found = trials((1, Status.COMPLETED, -5.0), (1, Status.COMPLETED, -5.0))
    tell(shown(PlainProgress, stream, clock, 1, 2), clock, found)
    assert "best -5.00 (#1)" in stream.getvalue()


@pytest.mark.parametrize("kind", [PlainProgress, TerminalProgress])
def test_closing_before_the_first_trial_says_nothing(kind):
    stream = io.StringIO()
    shown(kind, stream, Clock(), 1, 1).close()
    assert stream.getvalue() == ""


def test_a_terminal_line_is_rewritten_and_one_is_kept_for_each_iteration(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    stream, clock = io.StringIO(), Clock()
    tell(shown(TerminalProgress, stream, clock, 3, 4), clock)
    text = stream.getvalue()
    assert text.startswith("\r\x1b[2K")
    assert text.count("\n") == 2
    kept = [line.rpartition("\x1b[2K")[2] for line in text.split("\n")[:-1]]
    plain, clock = io.StringIO(), Clock()
    tell(shown(PlainProgress, plain, clock, 3, 4), clock)
    assert kept == plain.getvalue().splitlines()
    # Each of the seven trials showed itself, and each iteration its end.
    assert text.count("\r\x1b[2K") == 7 + 2


def test_a_terminal_is_not_written_to_more_often_than_one_can_read(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    stream, clock = io.StringIO(), Clock()
    progress = shown(TerminalProgress, stream, clock, 1, 4000)
    for _ in range(1000):
        clock.seconds += 0.001
        progress.finished(WHAT[1])
    assert 5 <= stream.getvalue().count("\r") <= 11
    progress.close()
    assert "trained 1000" in stream.getvalue()


@pytest.mark.parametrize("columns", [20, 60])
def test_a_line_fits_its_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    stream, clock = io.StringIO(), Clock()
    tell(shown(TerminalProgress, stream, clock, 3, 4), clock)
    for line in re.split(r"\r\x1b\[2K|\n", stream.getvalue()):
        assert len(line) < columns


def test_a_stream_decides_how_progress_is_shown():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    assert isinstance(make_progress(io.StringIO(), Estimate(1, 1)), PlainProgress)
    assert isinstance(make_progress(Terminal(), Estimate(1, 1)), TerminalProgress)


def test_with_a_budget_of_blocks_what_is_trained_counts_and_nothing_else():
    stream, clock = io.StringIO(), Clock()
    tell(shown(PlainProgress, stream, clock, 3, 4, budget=Budget(max_blocks=10)), clock)
    # Four were trained, one of them in vain, in 70 seconds: six more take 105.
    last = parts(stream.getvalue().splitlines()[-1])
    assert (last[0], last[-1]) == ("block 4/10", "1:45 left")


def test_with_a_budget_of_hours_the_clock_counts():
    stream, clock = io.StringIO(), Clock()
    budget = Budget(max_hours=0.1)
    tell(shown(PlainProgress, stream, clock, 3, 4, budget=budget, seconds=30), clock)
    # Of 360 seconds an earlier process took 30, and this one 70.
    last = parts(stream.getvalue().splitlines()[-1])
    assert (last[0], last[-1]) == ("block 4", "4:20 left")


@pytest.mark.parametrize(("hours", "left"), [(0.04, "0:44 left"), (1, "1:45 left")])
def test_of_two_budgets_the_one_that_ends_first_says_what_is_left(hours, left):
    stream, clock = io.StringIO(), Clock()
    budget = Budget(max_blocks=10, max_hours=hours)
    tell(shown(PlainProgress, stream, clock, 3, 4, budget=budget, seconds=30), clock)
    assert parts(stream.getvalue().splitlines()[-1])[-1] == left


def test_before_all_workers_have_ended_a_child_their_number_counts():
    stream, clock = io.StringIO(), Clock()
    child = dataclasses.replace(WHAT[1], train_seconds=10.0)
    budget = Budget(max_blocks=9)
    tell(shown(PlainProgress, stream, clock, 3, 4, budget=budget, slots=4), clock, [child])
    # Eight more of 10 seconds, four at a time.
    assert parts(stream.getvalue().splitlines()[-1])[-1] == "0:20 left"
