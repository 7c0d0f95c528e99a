"""How the search is, on the page: running, stopped, finished, died; no verdict too early."""

import dataclasses
import json
import os
import platform
import time

import pytest

from blockqnn.report.data import summary
from blockqnn.report.early import too_early
from blockqnn.report.state import search_state, seconds_left, unfinished_words
from blockqnn.runs.run_record import read_run
from blockqnn.runs.status_file import FILE_NAME, RunStatus
from blockqnn.trial import Status
from blockqnn.workers.state import ChildState, WorkerState
from tests.blockqnn.trials_by_hand import EPOCH, chain, trial, write_store

FLAGS = {"epsilon_schedule": "1:3,0.5:6", "blocks_per_iteration": "2", "mu": "1", "rho": "8"}


def write_status(run, **fields):
    """The file that the driver of a run writes, of a driver that lives."""
    now = time.time()
    worker = WorkerState(
        0, "here", 5, "cpu 0", "training", now, now, (ChildState(7, now - 30), ChildState(8, None))
    )
    status = RunStatus(
        state="searching",
        node=platform.node(),
        process=os.getpid(),
        executor="local",
        begun=now - 100,
        written=now,
        every=1.0,
        iteration=1,
        iterations=9,
        epsilon=1.0,
        counts={},
        best=None,
        workers=(worker, dataclasses.replace(worker, number=1, state="idle", children=())),
    )
    status = dataclasses.replace(status, **fields)
    (run / FILE_NAME).write_text(json.dumps(dataclasses.asdict(status)), encoding="utf-8")


def a_run(directory, iterations=1, epsilon=1.0, last=None):
    """A run of which so many iterations of nine are over, with two blocks each."""
    now = time.time()
    trials = [
        trial(2 * i + j + 1, i + 1, accuracy=50.0 + i + j, epsilon=epsilon, finished=now - 50)
        for i in range(last or iterations)
        for j in range(2)
    ]
    trials.append(
        trial(
            len(trials) + 1, iterations, Status.FAILED, reason="odd", epsilon=epsilon, finished=now
        )
    )
    return write_store(directory, trials, FLAGS, iterations)


def test_a_running_search_says_who_trains_what(tmp_path):
    run = a_run(tmp_path / "run", 2)
    write_status(run)
    found = search_state(read_run(run))
    assert found["name"] == "running"
    assert found["workers"] == {"idle": 1, "training": 1}
    (child,) = found["children"]
    assert (child["trial"], child["worker"], child["device"]) == (7, 0, "cpu 0")
    assert child["seconds"] == pytest.approx(30, abs=5)
    assert found["failed"] == 1
    # Five of 18 are over, in 100 seconds.
    assert found["left"] == pytest.approx(20 * 13, rel=0.1)
    assert f"process {os.getpid()} on {platform.node()}" in found["words"]


@pytest.mark.parametrize(
    ("fields", "iterations", "name", "words"),
    [
        ({"state": "stopped", "workers": ()}, 2, "stopped", "was stopped"),
        ({"written": 1000.0}, 2, "died", "died or hangs"),
        ({"written": 1000.0}, 9, "finished", "has finished"),
        ({"state": "finished", "workers": ()}, 9, "finished", "has finished"),
    ],
)
def test_a_search_that_does_not_run_is_called_so(tmp_path, fields, iterations, name, words):
    run = a_run(tmp_path / "run", iterations)
    write_status(run, **fields)
    found = search_state(read_run(run))
    assert (found["name"], found["children"], found["left"]) == (name, [], None)
    assert words in found["words"]


def test_without_the_drivers_file_only_the_end_is_known(tmp_path):
    assert search_state(read_run(a_run(tmp_path / "a", 9)))["name"] == "finished"
    run = read_run(a_run(tmp_path / "b", 4))
    assert search_state(run)["name"] == "unfinished"
    assert unfinished_words(run, "stopped") == "stopped after 4 of 9 iterations"
    assert unfinished_words(run, "running") == "running, 4 of 9 iterations so far"
    assert unfinished_words(run, "finished") == ""


def test_the_time_left_counts_what_this_driver_has_done():
    trials = [trial(i, finished=EPOCH + i) for i in range(1, 11)]
    trials.append(trial(11, status=Status.INFEASIBLE, finished=EPOCH + 10))
    # Of 18 blocks 10 are over, 4 of them since the driver began, 10 seconds ago.
    left = seconds_left(trials, FLAGS, EPOCH + 7, EPOCH + 17)
    assert left == pytest.approx(10 / 4 * 8)
    assert seconds_left(trials, FLAGS, EPOCH + 99, EPOCH + 100) is None
    assert seconds_left(trials, {}, EPOCH, EPOCH + 100) is None


def test_when_it_is_too_early_for_a_verdict():
    random = [trial(1, accuracy=50.0, epsilon=1.0)]
    learned = [trial(1, accuracy=50.0, epsilon=0.5)]
    assert "epsilon is 1" in too_early(random, 5, 9, finished=False)
    assert "2 of 9 iterations" in too_early(learned, 2, 9, finished=False)
    assert too_early(learned, 3, 9, finished=False) is None
    assert too_early(random, 9, 9, finished=True) is None
    assert too_early(learned, 2, None, finished=False) is None
    assert "30 % of the budget" in too_early(learned, 2, None, finished=False, used=0.3)
    assert too_early(learned, 2, None, finished=False, used=0.34) is None


def test_a_search_in_its_first_third_gets_no_verdict(tmp_path):
    run = read_run(a_run(tmp_path / "run", 2, epsilon=0.5, last=9))
    found = summary(run, 3)["findings"]
    text = " ".join(found["sentences"])
    assert "too early" in text
    assert "best block by reward so far is trial 18" in text
    assert found["trend"] is None
    assert "better" not in text


def serves(directory, browser, run):
    from blockqnn.__main__ import main

    page = directory / "report.html"
    assert main(["report", str(run), f"--out={page}"]) == 0
    browser.open_file(page)
    assert browser.errors() == []


def test_the_page_of_a_running_search(browser, tmp_path):
    run = a_run(tmp_path / "run", 2, last=9)
    write_status(run)
    serves(tmp_path, browser, run)
    assert browser.text("#state .badge") == "running"
    facts = " ".join(browser.texts("#state dd"))
    assert "2 workers: 1 idle, 1 training" in facts
    assert "trial 7 for " in facts
    assert "1 trial" in facts
    assert "about " in facts
    main = browser.text("#main")
    assert "getting better" not in main
    assert "getting clearly better" not in main
    assert "too early" in browser.text("#findings .words")
    assert "too early" in browser.text("#motifs")
    assert browser.all("#motifs table") == []


@pytest.mark.parametrize(
    ("fields", "iterations", "name"),
    [({"state": "stopped"}, 5, "stopped"), ({"written": 1.0}, 5, "died"), ({}, 9, "finished")],
)
def test_the_page_names_the_state(browser, tmp_path, fields, iterations, name):
    run = a_run(tmp_path / "run", iterations, epsilon=0.5)
    if name != "finished":
        write_status(run, **fields)
    serves(tmp_path, browser, run)
    assert browser.text("#state .badge") == name
    assert browser.all("#state dd") == []
    assert "getting" in browser.text("#findings .words")


def test_an_unfinished_run_is_marked_among_others(browser, tmp_path, blockqnn):
    short = a_run(tmp_path / "short", 2, epsilon=0.5)
    write_status(short, state="stopped")
    long = write_store(
        tmp_path / "long",
        [trial(i, i, accuracy=60.0 + i, epsilon=0.5, code=chain(5)) for i in range(1, 10)],
        FLAGS | {"seed": "1"},
        9,
    )
    assert blockqnn("report", short, long)[0] == 0
    browser.open_file(blockqnn.directory / "report.html")
    assert browser.errors() == []
    assert browser.texts("#best .mark") == ["stopped after 2 of 9 iterations"]
    assert browser.texts("#groups .mark") == ["1 unfinished"]
    assert "1 of 2 runs has not finished" in browser.text(".words")
    x = browser.script("document.getElementById('mean_reward-chart').data.at(-2).x")
    assert max(x) == 9, "the curve goes on when the shortest has ended"
    assert "What the agent has learned" in browser.texts("h2")
