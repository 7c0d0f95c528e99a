"""Pages of runs on texts in a real browser: whatever a reader sees is perplexity."""

import contextlib

import pytest

from blockqnn.__main__ import main
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.spaces.registry import published
from blockqnn.runs.store import FILE_NAME, Store
from tests.blockqnn.trials_by_hand import trial

PERPLEXITIES = ((400.0, 200.0), (300.0, 160.0), (500.0, 250.0), (320.0, 175.0), (9e5, 8e5))
FLAGS = {"agent": "random", "dataset": "text", "evaluator": "train", "epochs": "2"}


def write_run(directory, seed):
    """A run of five cells, the last of which has learned nothing."""
    directory.mkdir()
    code = published()["lstm"]
    with contextlib.closing(Store.create_or_open(directory / FILE_NAME)) as store:
        layout = Layout(LANGUAGE, (8,), 1, 1, 1, 1, 50).as_json()
        store.set_facts({"layout": layout, "dry": False, "flags": FLAGS | {"seed": str(seed)}})
        for number, (early, late) in enumerate(PERPLEXITIES, start=1):
            own = {"accuracies": (100 / early, 100 / late), "reward": 8000 / late / (1 + seed)}
            store.add_trial(trial(number, iteration=number, code=code, **own))
        store.end_iteration(len(PERPLEXITIES), {})
    return directory


@pytest.fixture
def page(tmp_path):
    def written(*runs):
        out = tmp_path / "report.html"
        assert main(["report", *map(str, runs), f"--out={out}"]) == 0
        return out

    return written


def axis(browser, chart, name="yaxis"):
    """Title and range of a chart's axis."""
    layout = f"document.getElementById('{chart}')._fullLayout.{name}"
    return browser.script(f"[{layout}.title.text, ...{layout}.range]")


def test_the_page_of_a_run_shows_perplexity(browser, page, tmp_path):
    browser.open_file(page(write_run(tmp_path / "words", 0)))
    assert browser.errors() == []
    assert browser.texts(".tile-name")[:2] == ["best reward", "best perplexity"]
    assert browser.texts(".tile-value")[1] == "160.00"
    assert "perplexity 160.00" in browser.texts("#best .block")[0]
    assert "perplexity" in browser.texts("#trials th")
    assert browser.texts("#trials tbody tr:nth-child(1) td:nth-child(5)") == ["160.00"]
    assert "accurac" not in browser.text("main").lower()
    assert "image" not in browser.text("main")


def test_the_better_perplexity_stands_above_and_the_worst_are_marked(browser, page, tmp_path):
    browser.open_file(page(write_run(tmp_path / "words", 0)))
    for chart, name in (("flops-chart", "yaxis"), ("curves-chart", "yaxis2")):
        title, low, high = axis(browser, chart, name)
        assert title == "perplexity"
        # The cell that learned nothing is below the axis, and does not take its height.
        assert 250 < low < 1000 and 140 < high < 160
    data = "document.getElementById('flops-chart').data"
    assert browser.script(f"{data}[0].y")[:2] == [pytest.approx(200), pytest.approx(160)]
    marks = browser.script(f"{data}.at(-1)")
    assert marks["customdata"] == [5] and 250 < marks["y"][0] < axis(browser, "flops-chart")[1]
    # What was the best so far falls.
    best = browser.script("document.getElementById('curves-chart').data[7].y")
    assert best == [pytest.approx(v) for v in (200, 160, 160, 160, 160)]


def test_several_runs_are_compared_by_perplexity(browser, page, tmp_path):
    runs = [write_run(tmp_path / f"words-{seed}", seed) for seed in (0, 1)]
    browser.open_file(page(*runs))
    assert browser.errors() == []
    assert "best perplexity" in browser.texts("#groups th")
    assert "160.00 ± 0.00" in browser.text("#groups tbody")
    assert "best perplexity 160.00" in browser.texts("#best .run .caption")[0]
    title, low, high = axis(browser, "best_accuracy-chart")
    assert title == "best perplexity so far" and low > high
