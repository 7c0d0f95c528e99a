"""Runs compared: groups, curves over seeds, and the page of it."""

import math
import pathlib

import pytest

from blockqnn.report.comparison import comparison, run_figures, sentences
from blockqnn.report.grouping import Group, differing, groups
from blockqnn.report.mean_curves import (
    group_curves,
    held,
    run_curves,
    spread,
)
from blockqnn.trial import Status
from tests.blockqnn.trials_by_hand import EPOCH, run_record, trial, write_store


def flagged(name, trials=(), **flags):
    """A run by its flags."""
    values = {key: str(value) for key, value in flags.items()}
    return run_record(pathlib.Path(name), trials, flags=values)


def rewards(*values, seconds=10.0):
    """Trained blocks of these rewards, two in each iteration, one after another."""
    return [
        trial(
            i + 1,
            iteration=1 + i // 2,
            accuracy=reward + 1,
            reward=reward,
            worker=0,
            device="cpu",
            train_seconds=seconds,
            finished=EPOCH + seconds * (i + 1),
        )
        for i, reward in enumerate(values)
    ]


def test_runs_that_differ_in_the_seed_alone_are_a_group():
    runs = [
        flagged("b", seed=10, agent="q", mu=1),
        flagged("c", seed=0, agent="random", mu=1),
        flagged("a", seed=9, agent="q", mu=1),
        flagged("d", seed=0, agent="q", mu=2),
    ]
    found = groups(runs)
    assert [[run.path.name for run in group.runs] for group in found] == [["a", "b"], ["c"], ["d"]]
    assert [group.name for group in found] == [
        "agent=q, mu=1",
        "agent=random, mu=1",
        "agent=q, mu=2",
    ]
    assert found[0].flags == {"agent": "q", "mu": "1"}


def test_one_group_and_flags_that_some_runs_do_not_know():
    assert [group.name for group in groups([flagged("a", seed=0), flagged("b", seed=1)])] == [
        "all runs"
    ]
    found = groups([flagged("a", seed=0, mu=1), flagged("b", seed=0, mu=1, new="x")])
    assert [group.name for group in found] == ["new=unset", "new=x"]
    assert differing([{"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}]) == ["b", "c"]


def test_a_curve_holds_its_value_until_the_next_point():
    curve = [(1, 10.0), (3, 20.0), (3, 25.0), (5, 30.0)]
    assert [held(curve, x) for x in (0.9, 1, 2.9, 3, 4, 5, 99)] == [None, 10, 10, 25, 25, 30, 30]
    assert held([], 1) is None


def test_the_curves_of_a_run():
    trials = [
        *rewards(50, 40, 70),
        trial(4, 2, Status.KNOWN, accuracy=91.0, reward=90.0),
        trial(5, 2, Status.INFEASIBLE, reward=10.0),
    ]
    found = run_curves(trials)
    assert found["best_reward"] == {
        "iteration": [(1, 50), (1, 50), (2, 70)],
        "trained": [(1, 50), (2, 50), (3, 70)],
        "seconds": [(10, 50), (20, 50), (30, 70)],
    }
    assert found["best_accuracy"]["trained"] == [(1, 51), (2, 51), (3, 71)]
    # Known blocks count in the means.
    assert found["mean_reward"] == {
        "iteration": [(1, 45), (2, 80)],
        "trained": [(2, 45), (3, 80)],
        "seconds": [(20, 45), (30, 80)],
    }


def test_a_dry_run_has_no_curve_over_seconds():
    found = run_curves([trial(1, accuracy=50.0)])
    assert found["best_reward"]["seconds"] == []
    assert found["best_reward"]["trained"] == [(1, 50)]


def test_the_curves_of_a_group_are_means_over_its_runs():
    runs = (flagged("a", rewards(50, 40, 70)), flagged("b", rewards(60, 80)))
    found = group_curves(Group("all", runs))
    curve = found["best_reward"]["trained"]
    # The second run ends after two blocks: its best holds, its mean does not.
    assert (curve["x"], curve["mean"]) == ([1, 2, 3], [55, 65, 75])
    assert curve["deviation"] == pytest.approx([math.sqrt(50), math.sqrt(450), math.sqrt(50)])
    assert curve["runs"] == [2, 2, 2]
    assert found["mean_reward"]["iteration"] == {
        "x": [1, 2],
        "mean": [57.5, 70],
        "deviation": [pytest.approx(25 / math.sqrt(2)), None],
        "runs": [2, 1],
    }
    with_an_empty_one = group_curves(Group("all", (*runs[:1], flagged("c"))))
    assert with_an_empty_one["best_reward"]["trained"]["x"] == [1, 2, 3]
    single = group_curves(Group("one", runs[:1]))["best_reward"]["trained"]
    assert (single["mean"], single["deviation"]) == ([50, 50, 70], [None, None, None])


def test_long_curves_are_thinned_from_end_to_end():
    found = group_curves(Group("all", (flagged("a", rewards(*range(1000))),)))
    curve = found["best_reward"]["trained"]
    assert (len(curve["x"]), curve["x"][0], curve["x"][-1]) == (200, 1, 1000)
    assert curve["mean"][-1] == 999


def test_figures_and_their_spread():
    assert run_figures(flagged("a", rewards(50, 70))) == {
        "best_reward": 70,
        "best_accuracy": 71,
        "final_accuracy": None,
        "trained": 2,
        "iterations": 1,
        "seconds": 20.0,
        "supernet_seconds": None,
        "finals_seconds": None,
        "tau_scores": None,
        "tau_parameters": None,
    }
    assert run_figures(flagged("a"))["best_reward"] is None
    assert spread([1.0, 3.0, None]) == {"mean": 2.0, "deviation": pytest.approx(math.sqrt(2))}
    assert spread([1.0]) == {"mean": 1.0, "deviation": None}
    assert spread([None]) == {"mean": None, "deviation": None}


def compared_in_words(*values):
    """The sentences on groups whose runs have these best rewards."""
    found = [Group(f"group {i}", (flagged("x"),) * len(v)) for i, v in enumerate(values)]
    return " ".join(sentences(found, [[{"best_reward": x} for x in v] for v in values]))


def test_the_comparison_in_words():
    text = compared_in_words((10.0, 12.0), (20.0, 22.0))
    assert "4 runs in 2 groups of 2 and 2" in text
    assert "Highest is group 1: best reward 21.00 ± 1.41" in text
    # The variances are 2 and 2: the standard error is the root of 2/2 + 2/2.
    assert "group 0: 11.00 ± 1.41; 10.00 lower, which is more than two standard errors (2.83)" in (
        text
    )
    assert "no more than two standard errors" in compared_in_words((10.0, 30.0), (20.0, 22.0))
    assert "says nothing of the spread" in compared_in_words((10.0,), (20.0, 22.0))
    assert "differ in the seed alone. Over the seeds" in compared_in_words((10.0, 12.0))
    assert "No block has been trained yet." in compared_in_words((None,), (None, None))


def test_dry_runs_are_named_unless_all_are():
    runs = [flagged("a", rewards(50), seed=0), flagged("b", rewards(60), seed=1)]
    assert comparison(runs, 4)["notice"] is None
    dry = [run_record(run.path, run.trials, dry=True) for run in runs]
    assert comparison(dry, 4)["notice"].startswith("DRY RUN")
    assert comparison([runs[0], dry[1]], 4)["notice"] == "Accuracies are made up in the dry runs b."


@pytest.fixture
def compared(blockqnn):
    """The page of two agents with two seeds each."""
    names = []
    for agent in ("q_learning", "random"):
        for seed in (0, 1):
            names.append(f"{agent}-{seed}")
            flags = ["--preset=smoke", "--max_layers=6", "--epsilon_schedule=1.0:3"]
            blockqnn.search(*flags, f"--agent={agent}", f"--seed={seed}", f"--run_dir={names[-1]}")
    # In another order than that of the groups.
    names.reverse()
    assert blockqnn("report", *names)[0] == 0
    return blockqnn.directory / "report.html"


def test_the_page_of_several_runs(browser, blockqnn, compared):
    browser.open_file(compared)
    assert browser.errors() == []
    assert browser.text("h1") == "4 runs compared"
    assert browser.text(".notice").startswith("DRY RUN")
    assert browser.texts("#groups tbody th") == ["agent=random", "agent=q_learning"]
    assert browser.texts("#groups tbody td:nth-child(2)") == ["2", "2"]
    assert browser.texts("#differing tbody tr") == ["--agentrandomq_learning"]
    assert "best of finals, %" not in browser.texts("#groups th")
    best = [
        max(t["reward"] for t in blockqnn.trials(f"random-{s}") if t["status"] == "trained")
        for s in (0, 1)
    ]
    wanted = spread(best)
    assert browser.texts("#groups tbody td:nth-child(3)")[0] == (
        f"{wanted['mean']:.2f} ± {wanted['deviation']:.2f}"
    )
    lines = browser.script("document.getElementById('best_reward-chart').data.length")
    assert lines == 6, "for each group a band, a line and what lies below the axis"


def test_the_curves_turn_to_another_axis(browser, compared):
    browser.open_file(compared)
    title = "document.querySelector('#mean_reward-chart .xtitle').textContent"
    assert browser.script(title) == "trained blocks"
    browser.click("input[value=iteration]")
    browser.wait(f"{title} === 'iterations'")
    assert browser.errors() == []


def test_each_runs_best_blocks_open(browser, blockqnn, compared):
    browser.open_file(compared)
    assert browser.texts("#best h3") == ["random-0", "random-1", "q_learning-0", "q_learning-1"]
    browser.click("#best .run:nth-of-type(3) .block")
    best = max(
        (t for t in blockqnn.trials("q_learning-0") if t["status"] == "trained"),
        key=lambda t: t["reward"],
    )
    assert browser.text("#panel h2") == f"q_learning-0#{best['number']}"
    assert browser.text("#panel code.code") == best["code"]
    assert browser.all("#panel .drawing svg")


def test_a_run_without_results_can_be_compared(browser, blockqnn, tmp_path):
    empty = write_store(tmp_path / "empty", [], {"seed": "1"})
    some = write_store(tmp_path / "some", [trial(1, accuracy=50.0)], {"seed": "0"})
    assert blockqnn("report", empty, some)[0] == 0
    browser.open_file(blockqnn.directory / "report.html")
    assert browser.errors() == []
    mark = "unfinished after 1 iteration"
    assert [text.removesuffix(mark) for text in browser.texts("#best h3")] == [
        str(some),
        str(empty),
    ]
