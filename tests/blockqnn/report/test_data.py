"""What a report says, by numbers worked out by hand."""

import dataclasses
import math
import pathlib

import pytest

from blockqnn.networks.spaces.nasbench201.codes import parse_cell, write_cell
from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.report.blocks import common_motifs, top_blocks
from blockqnn.report.columns import STATUSES, columns, short
from blockqnn.report.curves import learning_curves, quantile
from blockqnn.report.data import carried_out, summary
from blockqnn.report.drawings import of_trials
from blockqnn.report.findings import findings, planned_iterations, trend
from blockqnn.report.pareto import pareto_front
from blockqnn.trial import Status
from tests.blockqnn.trials_by_hand import chain, run_record, trial

KNOWN, INFEASIBLE, FAILED = Status.KNOWN, Status.INFEASIBLE, Status.FAILED


def test_learning_curves():
    found = learning_curves(
        [
            trial(1, 1, accuracy=60.0, reward=50.0, epsilon=1.0),
            trial(2, 1, accuracy=70.0, reward=54.0, epsilon=1.0),
            # Infeasible and failed trials earn a reward that says nothing of blocks.
            trial(3, 1, INFEASIBLE, reward=10.0, epsilon=1.0),
            trial(4, 2, FAILED, reward=10.0, epsilon=0.5),
            trial(5, 3, accuracy=65.0, reward=90.0, epsilon=0.1),
            trial(6, 3, KNOWN, accuracy=99.0, reward=99.0, epsilon=0.1),
            trial(7, 3, accuracy=71.0, reward=54.0, epsilon=0.1),
        ]
    )
    assert found["iteration"] == [1, 2, 3]
    assert found["epsilon"] == [1.0, 0.5, 0.1]
    assert found["valued"] == [2, 0, 3]
    assert found["reward"]["mean"] == [52.0, None, 81.0]
    assert found["reward"]["deviation"][0] == pytest.approx(math.sqrt(8))
    assert found["reward"]["deviation"][1] is None
    # 9, 18 and -27 from the mean: their squares sum to 1134.
    assert found["reward"]["deviation"][2] == pytest.approx(math.sqrt(1134 / 2))
    # What is known was trained before and cannot be a new best.
    assert found["reward"]["best"] == [54.0, 54.0, 90.0]
    assert found["reward"]["records"] == [1, 2, 5]
    assert found["accuracy"]["best"] == [70.0, 70.0, 71.0]
    assert found["accuracy"]["records"] == [1, 2, 7]


def test_one_value_has_no_deviation_and_nothing_has_no_best():
    found = learning_curves([trial(1, accuracy=50.0)])
    assert found["reward"]["deviation"] == [0.0]
    found = learning_curves([trial(1, status=INFEASIBLE, reward=10.0)])
    assert (found["reward"]["best"], found["reward"]["records"]) == ([None], [])


def test_quantiles_lie_between_neighbours():
    assert quantile([1, 2, 4], 0.5) == 2
    assert quantile([1, 2, 4], 0.75) == 3
    assert quantile([7], 0.9) == 7


def test_the_pareto_front():
    trials = [
        trial(1, accuracy=50.0, flops=100),
        trial(2, accuracy=60.0, flops=300),
        trial(3, accuracy=60.0, flops=200),  # As good as 2 and cheaper.
        trial(4, accuracy=55.0, flops=250),  # Worse than 3 and dearer.
        trial(5, accuracy=40.0, flops=50),
        trial(6, accuracy=90.0, flops=1000),
        trial(7, accuracy=50.0, flops=100),  # Equal to 1, and later.
        trial(8, status=KNOWN, accuracy=99.0, flops=1),
        trial(9, status=FAILED, flops=1),
    ]
    front = pareto_front(trials, lambda t: t.flops)
    assert [t.number for t in front] == [5, 1, 3, 6]
    assert pareto_front([], lambda t: t.flops) == []


def test_motifs_of_the_best_and_of_all():
    straight = chain(3, 3)
    branched = check([(1, 1, 3, 0, 0), (2, 1, 5, 0, 0)])
    trials = [
        trial(1, accuracy=90.0, code=straight),
        trial(2, accuracy=80.0, code=chain(1, 3)),
        *[trial(i, accuracy=50.0, code=branched) for i in range(3, 11)],
        trial(11, status=INFEASIBLE, code=straight),
    ]
    found = common_motifs(run_record(pathlib.Path("run"), trials), 2)
    assert (found["top"], found["all"]) == (2, 10)
    rows = {row["name"]: row for row in found["rows"]}
    row = rows["convolutions in sequence"]
    assert (row["top"], row["all"]) == (2, 2)
    # One of the 45 pairs of ten blocks is the pair of the two that have it.
    assert row["p_value"] == pytest.approx(1 / 45)
    assert rows["several leaves"]["top"] == 0
    assert rows["several leaves"]["all"] == 8
    assert rows["1x1 before a larger kernel"]["top"] == 1
    assert found["rows"][0]["name"] == "convolutions in sequence"
    assert row["corrected"] == pytest.approx(len(rows) / 45)


def test_motifs_say_nothing_of_a_run_that_is_not_larger_than_its_best():
    found = common_motifs(run_record(pathlib.Path("run"), [trial(1, accuracy=50.0)]), 20)
    assert all(row["p_value"] is None for row in found["rows"])
    assert common_motifs(run_record(pathlib.Path("run"), []), 20)["rows"] == []


def test_the_best_blocks_are_drawn_best_first():
    trials = [trial(1, accuracy=50.0), trial(2, accuracy=70.0, code=chain(5))]
    found = top_blocks(run_record(pathlib.Path("run"), trials), 20)
    assert [block["number"] for block in found] == [2, 1]
    assert "conv 5x5" in found[0]["svg"]


def iterations_of(*rewards):
    """A run of four trials in each iteration, of these rewards."""
    return [
        trial(4 * i + j + 1, iteration=i + 1, accuracy=reward + spread, epsilon=1 / (i + 1))
        for i, reward in enumerate(rewards)
        for j, spread in enumerate((-1, -1, 1, 1))
    ]


@pytest.mark.parametrize(
    ("rewards", "verdict"),
    [
        ((10, 10, 50, 60), "rising"),
        ((10, 10, 60, 50), "falling"),
        ((10, 99, 50, 50.5), "level"),
    ],
)
def test_whether_it_is_still_getting_better(rewards, verdict):
    found = trend(iterations_of(*rewards))
    assert found["verdict"] == verdict
    assert (found["before"]["mean"], found["now"]["mean"]) == rewards[2:]
    assert found["difference"] == rewards[3] - rewards[2]
    # The variance of each four is 4/3.
    assert found["error"] == pytest.approx(math.sqrt(2 * (4 / 3) / 4))
    assert (found["before"]["first"], found["now"]["last"]) == (3, 4)
    assert found["now"]["epsilon"] == 0.25


def test_too_few_trials_have_no_trend():
    assert trend(iterations_of(1, 2, 3)) is None
    assert trend([trial(i, iteration=i, accuracy=50.0) for i in range(1, 5)]) is None


def test_the_findings_in_words():
    trials = [
        *iterations_of(10, 20, 50, 60),
        trial(17, 4, INFEASIBLE),
        trial(18, 4, FAILED),
        trial(19, 4, KNOWN, accuracy=60.0),
    ]
    found = findings(trials, notice="DRY RUN", iterations=4, planned=8)
    text = " ".join(found["sentences"])
    assert found["notice"].startswith("DRY RUN")
    assert "16 blocks were trained in 4 of 8 iterations." in text
    assert "suggested 19: 1 were known from before, 1 infeasible, 1 failed." in text
    assert "The best block by reward is trial 15: reward 61.00, accuracy 61.00 %" in text
    assert "came in iteration 4; the one trained since is not better." in text
    assert "rose from 50.00 in iteration 3 to 60.00 in iteration 4 (by +10.00" in text
    more = findings(iterations_of(1, 2, 3, 4, 50, 60, 70, 80), "", iterations=8, planned=8)
    text_of_more = " ".join(more["sentences"])
    assert "rose from 55.00 in iterations 5 to 6 to 75.00 in iterations 7 to 8" in text_of_more
    assert "It is still getting better: the mean reward" in text
    assert "most accurate" not in text
    assert (found["best"], found["most_accurate"], found["since_best"]) == (15, 15, 1)


def test_the_most_accurate_is_named_where_it_is_another():
    trials = [trial(1, accuracy=80.0, reward=70.0), trial(2, accuracy=75.0, reward=74.0)]
    text = " ".join(findings(trials, "", 1, None)["sentences"])
    assert "by reward is trial 2" in text
    assert "The most accurate is trial 1 with 80.00 %" in text
    assert "none was trained since" in text
    assert "too few iterations" in text


def test_a_run_without_results_says_so():
    assert findings([], "", 0, 4, begun=False)["sentences"] == ["The run has not begun yet."]
    assert findings([], "", 0, 4)["sentences"] == ["No trial has finished yet."]
    untrained = findings([trial(1, status=INFEASIBLE)], "", 0, 4)
    assert untrained["sentences"][-1] == "No block has been trained yet."
    assert untrained["notice"] is None


def test_the_planned_iterations_are_those_of_the_schedule():
    assert planned_iterations({"epsilon_schedule": "1:14,0.8:4,0.1:2"}) == 20
    for flags in ({}, {"epsilon_schedule": "<b>"}, {"epsilon_schedule": "1:x"}):
        assert planned_iterations(flags) is None


def test_trials_as_columns():
    found = columns(
        [
            trial(1, accuracy=50.123456),
            trial(2, status=KNOWN, accuracy=50.0, source=1),
            trial(3, status=INFEASIBLE, reason="no convolution", parameters=10**400),
        ]
    )
    assert {len(column) for column in found.values()} == {3}
    assert [STATUSES[index] for index in found["status"]] == ["trained", "known", "infeasible"]
    assert found["accuracy"] == [50.1235, 50.0, None]
    # A known trial repeats the epochs of its source, which are there once.
    assert found["accuracies"] == [[25.0617, 50.1235], [], []]
    assert found["source"] == [None, 1, None]
    assert found["code"][0] == "[(1,1,3,0,0),(2,7,0,0,0)]"
    assert found["seconds"] == [0.0, None, None]
    assert found["parameters"][2] is None


def test_numbers_that_json_cannot_hold_become_none():
    for value in (math.nan, math.inf, -math.inf, "<b>", None):
        assert short(value) is None
    assert short(2**52) == 2**52
    assert short(2**60) == pytest.approx(2**60, rel=1e-5)


def test_a_summary_of_nothing_and_of_something():
    for trials in ([], [trial(1, status=INFEASIBLE)], [trial(1, accuracy=50.0)]):
        found = summary(run_record(pathlib.Path("some/run"), trials), 20)
        assert found["name"] == "run"
        assert len(found["top"]) == sum(t.status is Status.COMPLETED for t in trials)


def test_flags_that_do_not_change_the_search_come_from_its_file(tmp_path):
    run = run_record(tmp_path, [], flags={"seed": "0"})
    assert carried_out(run) == {}
    (tmp_path / "search.flags").write_bytes(
        b"--seed=1\n--workers=2\n--data_dir=\nword\n--x=a=\xff\n"
    )
    assert carried_out(run) == {"workers": "2", "x": "a=\ufffd"}


def test_cells_are_reported_with_drawings_motifs_and_operations():
    cell = parse_cell("|none~0|+|skip_connect~0|none~1|+|none~0|none~1|avg_pool_3x3~2|")
    trials = [dataclasses.replace(trial(i, accuracy=50.0 + i), code=cell) for i in (1, 2)]
    run = run_record(pathlib.Path("run"), trials)
    found = summary(run, 20)
    assert [top["number"] for top in found["top"]] == [2, 1]
    # Node 1 gets nothing, node 2 the zero of node 1, the output pools node 2.
    assert found["top"][0]["svg"].count("avg 3x3") == 1
    assert "zero" in found["top"][0]["svg"]
    assert found["distributions"]["types"]["average_pooling"] == [0.5]
    assert found["distributions"]["kernels"] == {"1x1": [0.0], "3x3": [1.0], "5x5": [0.0]}
    assert {row["name"]: row["top"] for row in found["motifs"]["rows"]}["several branches"] == 0
    assert found["findings"]["best"] == 2
    assert columns(trials)["code"] == [write_cell(cell)] * 2
    assert of_trials(trials, run.layout)["of"] == [0, 0]
