"""The finals of a run on its page: figures by hand, a real browser, and a page that follows."""

import contextlib
import csv
import dataclasses
import io
import math
import pathlib

import pytest

from blockqnn.__main__ import main
from blockqnn.calibration.early_pick import correlation_facts, pick_words, points_behind
from blockqnn.inspection.finals_table import failed_trainings
from blockqnn.measure import PERPLEXITY
from blockqnn.report.csv_file import csv_text
from blockqnn.report.data import summary
from blockqnn.report.finals import finals_of, winner_words
from blockqnn.report.state import search_state
from blockqnn.report.statistics import pooled_t_widths
from blockqnn.runs.finals import Finals, FinalsPlan, FinalTraining
from blockqnn.runs.rounds import FinalsProgress, Round
from blockqnn.runs.run_record import read_run
from blockqnn.runs.store import FILE_NAME, Store
from tests.blockqnn.report.test_page import shown
from tests.blockqnn.report.test_poisoned import POISON, serving
from tests.blockqnn.report.test_serve import news
from tests.blockqnn.report.test_state import write_status
from tests.blockqnn.test_wrong_input import refused
from tests.blockqnn.trials_by_hand import altered, chain, run_record, trial, write_store

ROUNDS = (Round(4, 6), Round(2, 18, 2))
PLAN = FinalsPlan(ROUNDS, (5, 2, 3, 1), trained=5, train_examples=0)
EARLY = {1: 61.0, 2: 63.0, 3: 62.0, 4: 50.0, 5: 64.0}
FIRST = {5: 70.0, 2: 80.0, 3: 75.0, 1: 81.0}
SECOND = {2: (85.0, 83.0), 1: (84.0, 86.0)}
DASH = "\u2013"
FLAGS = {"epsilon_schedule": "1:1", "epochs": "2"}


def training(place, number, index, accuracy, reason=None):
    epochs = ROUNDS[place - 1].epochs
    accuracies = () if reason else (accuracy / 2, accuracy)
    return FinalTraining(
        place, number, index, 7, epochs, accuracies, reason, train_seconds=60.0, finished=1e9
    )


def first_round(**fields):
    return [training(1, number, 1, a, **fields) for number, a in FIRST.items()]


def second_round(second=SECOND):
    return [training(2, n, i, a) for n, pair in second.items() for i, a in enumerate(pair, 1)]


def searched():
    return [
        trial(n, accuracy=a, code=chain(*[3] * n), parameters=1000 * n, filters=(8 * n,))
        for n, a in EARLY.items()
    ]


def a_run(path, trainings=(), plan=PLAN, flags=FLAGS, trials=None):
    """A run with finals in a store."""
    run = write_store(path, trials or searched(), flags)
    with contextlib.closing(Store.create_or_open(run / FILE_NAME)) as store:
        store.finals.begin(plan)
    add(run, trainings)
    return run


def add(run, trainings):
    with contextlib.closing(Store.create_or_open(run / FILE_NAME)) as store:
        for each in trainings:
            store.finals.add(each)


def record(trainings, plan=PLAN):
    return run_record(
        pathlib.Path("run"), searched(), flags=FLAGS, finals=Finals(plan, trainings, 10.0)
    )


def test_pooled_intervals_are_those_of_student():
    # Squares 2 and 2 around the means, of two degrees of freedom: deviation sqrt 2.
    assert pooled_t_widths([(85.0, 83.0), (84.0, 86.0)]) == pytest.approx([4.302653] * 2)
    # 2 + 8 of three degrees of freedom; t is 3.182446, and means of three are surer.
    deviation = math.sqrt(10 / 3)
    assert pooled_t_widths([(1.0, 3.0), (0.0, 2.0, 4.0)]) == pytest.approx(
        [3.182446 * deviation / math.sqrt(2), 3.182446 * deviation / math.sqrt(3)]
    )
    assert pooled_t_widths([(1.0,), (2.0,)]) == [None, None]
    assert pooled_t_widths([]) == []


def test_who_moved_by_hand():
    run = record([*first_round(), *second_round()])
    found = finals_of(run)
    rows = found["rows"]
    assert [row["trial"] for row in rows] == [1, 2, 3, 5]
    assert [row["early_rank"] for row in rows] == [4, 2, 3, 1]
    assert [row["round"] for row in rows] == [2, 2, 1, 1]
    assert rows[0]["early"] == 61.0
    assert rows[0]["results"] == [
        {"accuracy": 81.0, "deviation": None, "low": None, "high": None, "failed": 0},
        {"accuracy": 85.0, "deviation": 1.41, "low": 80.7, "high": 89.3, "failed": 0},
    ]
    assert (found["ended"], found["under_way"], found["epochs"]) == (True, None, [2, 6, 18])
    # Accuracy ranks 4, 3, 2 and 1 where rewards rank 1, 3, 2 and 4: 1 - 6 * (9 + 9) / 60.
    assert correlation_facts(run, run.finals, 1)["value"] == pytest.approx(-0.8)
    words = " ".join(found["sentences"])
    assert "-0.80 [" in words
    assert "over the 4 blocks of round 1." in words
    assert "trial 5, fell out in round 1, as rank 4 of 4" in words
    # 81 of the later winner less 70.
    assert "11.00 points behind the block that won in the end" in words
    assert "took about 8 min of device time" in words
    assert "trial 1: accuracy 85.00 ± 1.41 % after 18 epochs, of 2 trainings" in winner_words(run)
    assert winner_words(run) == summary(run, 3)["findings"]["sentences"][1]


def test_what_an_early_pick_costs_by_hand():
    plan = dataclasses.replace(PLAN, trials=(2, 5, 3, 1))
    run = record([*first_round(), *second_round()], plan)
    assert points_behind(run.finals) == 1.0
    assert "came to rank 2: taking it would have cost 1.00 points" in pick_words(run.finals)
    assert pick_words(run.finals) in finals_of(run)["sentences"]


def test_of_a_text_an_early_pick_costs_perplexity():
    # 100 / 84 and 100 / 85; 100 / 70 and 100 / 81 in the first round.
    second = dataclasses.replace(PLAN, trials=(2, 5, 3, 1))
    trainings = [*first_round(), *second_round()]
    assert pick_words(record(trainings, second).finals, PERPLEXITY) == (
        "The best by early reward, trial 2, came to rank 2: taking it would have meant a "
        "perplexity of 1.19 instead of 1.18."
    )
    assert pick_words(record(trainings).finals, PERPLEXITY).endswith(
        "there it had a perplexity of 1.43, and the block that won in the end 1.23."
    )


def test_failures_of_blocks_that_entered_no_more_count_no_more():
    # Of a search that was smaller, whose best blocks entered then.
    gone = [training(1, 4, 1, 0, "no memory"), training(2, 3, 1, 0, "no memory")]
    run = record([*first_round(), *second_round(), *gone])
    assert failed_trainings(run.finals) == 0
    assert not any("failed" in words for words in finals_of(run)["sentences"])


def test_what_failed_says_nothing_of_how_seeds_differ():
    trainings = [*first_round(), *second_round()[:3], training(2, 1, 2, 0, "no memory")]
    found = finals_of(record(trainings))
    assert [row["trial"] for row in found["rows"]] == [2, 1, 3, 5]
    winner, failed = (row["results"][1] for row in found["rows"][:2])
    # One degree of freedom: t is 12.7062.
    assert winner["high"] == pytest.approx(84 + 12.7062, abs=0.006)
    assert (failed["accuracy"], failed["low"], failed["failed"]) == (47.0, None, 1)
    assert found["rows"][1]["reasons"] == ["no memory"]
    assert "1 training failed, which counts as guessing." in found["sentences"]


def test_blocks_that_were_trained_since_are_said():
    plan = dataclasses.replace(PLAN, trained=3)
    found = finals_of(record([*first_round(), *second_round()], plan))
    assert "The finals were of 3 blocks; 2 more were trained since." in found["sentences"]


@pytest.mark.parametrize("accuracy", ["Infinity", "NaN", "-1", "1e200"])
def test_accuracies_that_are_none_are_refused_with_the_store(blockqnn, accuracy):
    run = a_run(blockqnn.directory / "run", [*first_round(), *second_round()])
    altered(run, "UPDATE finals SET accuracies = ? WHERE round = 2", [f"[{accuracy}]"])
    for words in (["report", run], ["serve", run, "--port=0"]):
        assert "The finals in" in refused(blockqnn, words)


@pytest.fixture
def opened(browser, tmp_path):
    """Opens the report of runs in the browser."""

    def open_it(*runs):
        page = tmp_path / "report.html"
        assert main(["report", *map(str, runs), f"--out={page}"]) == 0
        browser.open_file(page)
        assert browser.errors() == []

    return open_it


def test_the_page_of_finals(browser, opened, tmp_path):
    failed = dataclasses.replace(first_round()[0], accuracies=(), reason=POISON[0])
    run = a_run(tmp_path / "run", [failed, *first_round()[1:], *second_round()])
    opened(run)
    rows = browser.script(
        "[...document.querySelectorAll('#finals tbody tr')]"
        ".map((row) => [...row.children].map((cell) => cell.textContent))"
    )
    one = ["1", "1", "4", "↑\u00a03", "85.00 ± 1.41", "80.70 to 89.30", "18", "2 of 2", "61.00"]
    assert rows[0] == [*one, "1\u00a0k", "8"]
    assert rows[3][:6] == ["4", "5", "1", "↓\u00a03", "1 failed10.00", DASH]
    browser.click("#finals tbody a[data-trial='5']")
    assert shown(browser) == 5
    panel = browser.text("#panel dl")
    assert "rank 4 of 4, early rank 1; 10.00 % after 6 epochs, 1 failed" in panel
    assert POISON[0] in panel
    assert browser.script("window.poisoned") is None
    data = "document.getElementById('final-ranks-chart').data.slice(1)"
    points = browser.script(
        f"{data}.flatMap((t) => t.customdata.map((n, i) => [n, t.x[i], t.y[i]]))"
    )
    assert sorted(points) == [[1, 4, 1], [2, 2, 2], [3, 3, 3], [5, 1, 4]]
    winner = browser.script("document.getElementById('final-accuracy-chart').data[2]")
    assert winner["y"][:3] == [61, 81, 85]
    assert winner["error_y"]["array"][:2] == [None, None]
    assert winner["error_y"]["array"][2] == pytest.approx(4.3)
    assert "#finals" in browser.script(
        "[...document.querySelectorAll('#contents a')].map((a) => a.getAttribute('href'))"
    )
    assert "won the finals85.00 %trial 1" in browser.texts(".tile")
    assert "rank 4 in the finals" in browser.text("#best .card:first-child .block")
    found = {row["number"]: row for row in csv.DictReader(io.StringIO(csv_text(read_run(run))))}
    assert (found["1"]["final_rank"], float(found["1"]["final_accuracy"])) == ("1", 85.0)
    assert found["4"]["final_rank"] == ""
    assert browser.errors() == []


def test_a_run_without_finals_shows_nothing_of_them(browser, trials, directory):
    assert not browser.one("#finals").is_displayed()
    assert "Finals" not in browser.texts("#contents a")
    assert browser.all("#final-ranks-chart") == []
    assert not [text for text in browser.texts(".tile") if "finals" in text]
    assert summary(read_run(directory / "run"), 3)["finals"] is None


def test_a_dry_search_that_ends_in_finals(browser, blockqnn, opened):
    blockqnn.search(
        *("--preset=digits", "--max_layers=6", "--epsilon_schedule=1.0:3", "--run_dir=run"),
        "--finals=22:8,3:16:2",
    )
    opened("run")
    run = read_run(blockqnn.directory / "run")
    numbers = browser.script(
        "[...document.querySelectorAll('#finals tbody a')].map((a) => +a.textContent)"
    )
    assert numbers == run.finals.ranking
    assert len(numbers) == 22
    visible = "[...document.querySelectorAll('#finals tbody tr')].filter((r) => r.offsetHeight)"
    assert browser.script(f"{visible}.length") == 20
    browser.click("#finals .more")
    assert browser.script(f"{visible}.length") == 22
    assert pick_words(run.finals) in [
        words.replace("\u00a0", " ") for words in browser.texts("#finals-words p")
    ]


def test_a_server_tells_of_each_training_that_has_ended(tmp_path):
    run = a_run(tmp_path / "run")
    with serving(run) as server:
        first = news(server)
        assert first["summary"]["finals"]["under_way"] == 1
        assert {row["rank"] for row in first["summary"]["finals"]["rows"]} == {None}
        assert "finals were interrupted in round 1 of 2" in first["state"]["words"]
        known = {"of": first["token"], "after": first["count"], "version": first["version"]}
        assert "summary" not in news(server, **known)
        add(run, first_round()[:1])
        second = news(server, **known)
        assert second["trials"]["number"] == []
        rows = second["summary"]["finals"]["rows"]
        assert [row["so_far"] for row in rows[:2]] == [{"accuracy": 70.0, "trainings": 1}, None]
        add(run, [*first_round()[1:], *second_round()[:1]])
        rows = news(server, **known)["summary"]["finals"]["rows"]
        assert [(row["trial"], row["rank"]) for row in rows] == [(1, 1), (2, 2), (3, 3), (5, 4)]
        assert rows[1]["so_far"] == {"accuracy": 85.0, "trainings": 1}


def test_a_page_follows_finals(browser, tmp_path):
    run = a_run(tmp_path / "run", first_round()[:1])
    progress = FinalsProgress(1, 2, 6, 1, 4, "finished")
    write_status(run, state="finals", finals=progress, seconds_left=90.0)
    with serving(run) as server:
        browser.open(server.address)
        assert browser.text("#state .badge") == "finals"
        words = browser.text("#state .state-words")
        assert "round 1 of 2, in which 1 of 4 trainings for 6 epochs has ended" in words
        facts = browser.text("#state dl")
        assert "trial 7 for" in facts
        assert "0 trainings" in facts
        assert browser.all("#final-ranks-chart") == []
        cells = browser.texts("#finals tbody tr:first-child > *")
        assert cells[:4] == [DASH, "5", "1", "70.00"]
        add(run, [*first_round()[1:], *second_round()])
        browser.wait("document.getElementById('final-ranks-chart')?.data?.length === 4")
        assert browser.texts("#finals tbody tr:first-child > *")[:4] == ["1", "1", "4", "↑\u00a03"]
        assert browser.errors() == []
        browser.driver.get("about:blank")


def test_finals_go_on_after_a_search_that_was_stopped(tmp_path):
    run = a_run(tmp_path / "run")
    write_status(run, state="finals", finals=FinalsProgress(1, 2, 6, 0, 4, "stopped"))
    found = search_state(read_run(run))
    # Its schedule has come to its end, whatever the driver wrote.
    assert (found["name"], found["search"], found["left"]) == ("finals", "finished", None)
    write_status(run, state="finals", finals=FinalsProgress(1, 2, 6, 0, 4, "stopped"), written=1e3)
    found = search_state(read_run(run))
    assert found["name"] == "finished"
    assert f"finals {run} continues them" in found["words"]


def test_a_comparison_has_the_best_of_finals(browser, opened, tmp_path):
    other = dataclasses.replace(PLAN, rounds=(Round(4, 6),))
    opened(
        a_run(tmp_path / "a", [*first_round(), *second_round()]),
        a_run(tmp_path / "b", first_round(), other, FLAGS | {"seed": "2"}),
        write_store(tmp_path / "c", searched(), FLAGS | {"seed": "3"}),
    )
    assert "best of finals, %" in browser.texts("#groups th")
    # The mean of 85 and 81, of two of the three runs.
    assert "83.00 ± 2.83" in browser.texts("#groups td")
    assert "best of finals 85.00 %" in browser.texts("#best .run .caption")[0]
    assert "had different rounds or images" in browser.text(".words")
