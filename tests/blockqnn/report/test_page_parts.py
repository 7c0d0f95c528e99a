"""Parts of the page in a real browser: contents, links, axes, epochs, two blocks, CSV, commands."""

import dataclasses
import shlex

import pytest

from blockqnn.__main__ import main
from blockqnn.inspection import heat_map
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.matching import match
from blockqnn.networks.spaces.registry import parse, side_of
from blockqnn.report.blocks import distinct_best
from blockqnn.report.command import run_payload
from blockqnn.report.commands import next_commands
from blockqnn.report.differences import every_pair, marks
from blockqnn.report.page import page
from blockqnn.report.reward_words import reward_in_words
from blockqnn.runs.run_record import read_run
from blockqnn.trial import Status
from tests.blockqnn.report.test_page import shown
from tests.blockqnn.trials_by_hand import chain, run_record, trial, write_store


def opened(browser, directory, trials, flags=None, more=""):
    """The report of these trials is open in the browser."""
    run = write_store(directory / "run", trials, flags)
    page = directory / "report.html"
    assert main(["report", str(run), f"--out={page}"]) == 0
    browser.open(page.resolve().as_uri() + more)
    assert browser.errors() == []
    return run


def test_the_contents_lead_to_every_section_that_is_shown(browser, trials):
    links = browser.script(
        "[...document.querySelectorAll('#contents a')].map((a) => a.getAttribute('href').slice(1))"
    )
    sections = browser.script(
        "[...document.querySelectorAll('main section[aria-labelledby]:not([hidden])')]"
        ".map((section) => section.id)"
    )
    assert links == sections
    assert {"curves", "best", "trials", "learned", "epochs"} <= set(links)
    assert (
        browser.script("document.querySelectorAll('h1, #contents, main > *')[1].id") == "contents"
    )


def test_a_link_opens_its_trial(browser, directory, trials):
    address = (directory / "report.html").resolve().as_uri()
    browser.driver.get("about:blank")
    browser.open(f"{address}#trial-17")
    assert shown(browser) == 17
    browser.driver.execute_script("location.hash = '#trial-3'")
    browser.wait("document.getElementById('panel').dataset.trial === '3'")
    browser.click("#panel .close")
    assert shown(browser) is None
    assert browser.script("location.hash") == ""
    browser.click("#findings .tiles a")
    assert browser.script("location.hash") == f"#trial-{shown(browser)}"
    browser.driver.execute_script("location.hash = '#trial-999999'")
    assert browser.errors() == []


def test_the_csv_is_that_of_the_verb(browser, blockqnn, directory, trials):
    status, out, _ = blockqnn("trials", directory / "run", "--format=csv")
    assert status == 0
    assert (
        browser.driver.execute_async_script(
            "blockqnn.csv.text().then(arguments[arguments.length - 1])"
        )
        == out
    )
    browser.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior",
        {"behavior": "allow", "downloadPath": str(blockqnn.directory)},
    )
    browser.click("#csv")
    saved = blockqnn.directory / "run.csv"
    for _ in range(500):
        if saved.is_file() and saved.stat().st_size:
            break
        browser.script("1")
    assert saved.read_bytes() == out.encode()
    assert browser.errors() == []


def test_two_cards_are_compared(browser, directory, trials):
    run = read_run(directory / "run")
    first, second = distinct_best(run, 20)[:2]
    browser.click("#best .card:nth-child(2) input")
    assert "choose another one" in browser.text("#choice")
    assert browser.all("#compared svg") == []
    browser.click("#best .card:nth-child(1) input")
    browser.wait("document.querySelectorAll('#compared svg').length === 2")
    # A is what was chosen first.
    found = match(side_of(second.code), side_of(first.code))
    signs = browser.texts("#compared figure:first-child svg text")
    assert signs.count("\u2212") == len(found.only_first)
    signs = browser.texts("#compared figure:nth-child(2) svg text")
    assert signs.count("+") == len(found.only_second)
    assert browser.texts("#compared td")[:2] == [f"{second.reward:.2f}", f"{first.reward:.2f}"]
    browser.click("#best .card:nth-child(3) input")
    assert browser.script("document.querySelectorAll('.choose input:checked').length") == 2
    browser.click("#compared .compared-head button")
    assert browser.all("#compared *") == []
    assert browser.script("document.querySelectorAll('.choose input:checked').length") == 0


def test_the_differences_of_every_pair():
    codes = [chain(3), chain(5), chain(3, 5), chain(1)]
    found = every_pair(codes)
    assert found["count"] == 4
    assert found["pairs"][3] == marks(chain(5), chain(3, 5))
    assert marks(chain(3), chain(5)) == [[1], [1], [], []]
    assert marks(chain(3), chain(3)) == [[], [], [], []]
    assert len(every_pair(codes * 30)["pairs"]) == 190, "a page of any run is bounded"


def test_the_worst_trial_does_not_take_the_height(browser, tmp_path):
    accuracies = [5.0, *[90.0 + i / 4 for i in range(24)]]
    trials = [
        trial(i, i, accuracy=accuracy, code=chain(*[1 + 2 * (i % 3)] * (1 + i % 5)))
        for i, accuracy in enumerate(accuracies, start=1)
    ]
    opened(browser, tmp_path, trials)
    low = "document.getElementById('{}')._fullLayout.{}.range[0]"
    for chart, axis in (
        ("flops-chart", "yaxis"),
        ("parameters-chart", "yaxis"),
        ("curves-chart", "yaxis"),
        ("curves-chart", "yaxis2"),
    ):
        assert 85 < browser.script(low.format(chart, axis)) <= 90, chart
    marks_of = "document.getElementById('flops-chart').data.at(-1)"
    assert browser.script(f"{marks_of}.customdata") == [1]
    browser.click("#scatter .whole-range")
    browser.wait(f"{low.format('flops-chart', 'yaxis')} < 5")
    assert browser.script("document.querySelectorAll('.whole-range:checked').length") == len(
        browser.all(".whole-range")
    )
    assert browser.script(f"{marks_of}.x.length") == 0


def test_children_by_epoch(browser, trials):
    trained = sorted(
        (t for t in trials.values() if t["status"] == Status.COMPLETED.value),
        key=lambda t: (-t["reward"], t["number"]),
    )
    best = browser.script("document.getElementById('epochs-chart').data[2]")
    assert best["y"][:-1] == pytest.approx(trained[0]["accuracies"], rel=1e-5)
    assert best["x"][:-1] == list(range(1, len(trained[0]["accuracies"]) + 1))
    assert set(best["customdata"][:-1]) == {trained[0]["number"]}


def test_children_of_one_epoch_have_no_such_curves(browser, tmp_path):
    opened(browser, tmp_path, [trial(1, accuracy=50.0, accuracies=(50.0,))])
    assert not browser.one("#epochs").is_displayed()


def test_each_block_is_ranked_once_and_its_repeats_behind(browser, tmp_path):
    trials = [
        trial(1, accuracy=90.0),
        trial(2, accuracy=89.0),
        trial(3, accuracy=80.0, code=chain(5)),
        trial(4, status=Status.KNOWN, accuracy=90.0, source=1),
    ]
    run = run_record(tmp_path, trials)
    assert [t.number for t in distinct_best(run, 3)] == [1, 3, 2]
    opened(browser, tmp_path, trials)
    names = browser.texts("#best .block-name")
    assert names == ["1. trial 1", "2. trial 3", "3. trial 2"]
    numbers = "[...document.querySelectorAll('#trials tbody tr')].map((row) => +row.dataset.trial)"
    assert browser.script(numbers) == [1, 3, 4, 2]
    for choice, wanted in (("hidden", [1, 3]), ("in place", [1, 4, 2, 3])):
        browser.driver.execute_script(
            "const box = document.getElementById('repeats'); box.value = arguments[0];"
            "box.dispatchEvent(new Event('change'));",
            choice,
        )
        assert browser.script(numbers) == wanted


def test_the_next_commands_can_be_pasted(browser, tmp_path):
    (tmp_path / "a b'c").mkdir()
    run = opened(browser, tmp_path / "a b'c", [trial(12, accuracy=50.0)], more="#trial-12")
    commands = browser.texts("#panel .next code")
    words = [shlex.split(command) for command in commands]
    assert [each[-2:] for each in words if "show" in each] == [["show", f"{run}#12"]]
    (train,) = [each for each in words if "train" in each]
    assert f"{run}#12" in train
    (export,) = [each for each in words if "export" in each]
    out = next(word for word in train if word.startswith("--out_dir="))
    assert out.removeprefix("--out_dir=") in export
    place = next_commands(tmp_path / "4294967296")["place"]
    assert place not in str(tmp_path / "4294967296")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            {"mu": "1", "rho": "8", "epochs": "4"},
            ["after 4 epochs", "rho\u00a0=\u00a08", "ln(FLOPs)"],
        ),
        (
            {"mu": "0", "rho": "0", "epochs": "50", "reward_epochs": "5"},
            ["is the best validation accuracy in percent of the last 5 of 50 epochs, without"],
        ),
        (
            {"mu": "0", "rho": "0", "epochs": "4", "reward_epochs": "5"},
            ["the best validation accuracy in percent of all 4 epochs,"],
        ),
        (
            {"mu": "0", "rho": "0", "epochs": "4", "reward_epochs": "5", "weights": "shared"},
            ["is the validation accuracy in percent, without"],
        ),
        ({"mu": "0", "rho": "0"}, ["without a correction"]),
        ({"mu": "0", "rho": "0", "evaluator": "table", "search_column": "x"}, ["the table", "x"]),
        ({"mu": "-3", "rho": "0"}, ["plus 3 times"]),
        ({}, ["does not say"]),
    ],
)
def test_the_reward_is_explained(tmp_path, flags, words):
    text = " ".join(reward_in_words(run_record(tmp_path, [], flags=flags)))
    for word in words:
        assert word in text
    dry = reward_in_words(run_record(tmp_path, [], flags=flags, dry=True))[0]
    assert "made-up" in dry


def test_the_reward_of_texts_names_its_epochs(tmp_path):
    flags = {"mu": "0", "rho": "0", "epochs": "9", "reward_epochs": "2"}
    run = run_record(tmp_path, [], flags=flags, layout=Layout(LANGUAGE, (8,), 1, 1, 1, 1, 50))
    (text,) = reward_in_words(run)
    assert "80 / perplexity on the validation text, times 100, the best of the last 2 of 9" in text


def test_the_heat_map_has_the_colours_of_explain(browser, trials):
    cells = browser.script(
        "[...document.querySelectorAll('#learned td.heat')].filter((cell) => cell.style.background)"
        ".map((cell) => [+cell.textContent, cell.style.background])"
    )
    low, high = min(cells)[0], max(cells)[0]
    red, green, blue = heat_map.colour(1, 0, 1)
    assert dict(cells)[high] == f"rgb({red}, {green}, {blue})"
    red, green, blue = heat_map.colour(0, 0, 1)
    assert dict(cells)[low] == f"rgb({red}, {green}, {blue})"


def test_every_window_has_a_colour_of_its_own(browser, tmp_path):
    code = parse("1 (1,7,24;0) 2 (7,1,24;1) 3 (7,7,24;2) 4 (1,3,24;3)")
    trials = [dataclasses.replace(trial(1, accuracy=50.0), code=code)]
    path = tmp_path / "report.html"
    path.write_text(page("network", run_payload(run_record(tmp_path, trials), 20)), "utf-8")
    browser.open_file(path)
    keys = "[...document.querySelectorAll('#kernels-chart ~ .keys .key')]"
    found = browser.script(f"{keys}.map((k) => [k.nextSibling.data, k.style.background])")
    # The smallest is at the bottom of the chart.
    assert [name for name, _ in found] == ["7x7", "5x5", "3x3", "7x1", "1x7", "1x3", "1x1"]
    assert len({colour for _, colour in found}) == 7
    assert browser.errors() == []


def test_one_trial_and_none(browser, tmp_path):
    opened(browser, tmp_path, [trial(1, accuracy=50.0)])
    assert len(browser.all("#trials tbody tr")) == 1
    other = write_store(tmp_path / "none", [], {"epsilon_schedule": "1:2"}, iterations=0)
    assert main(["report", str(other), f"--out={tmp_path / 'none.html'}"]) == 0
    browser.open_file(tmp_path / "none.html")
    assert "No trial has finished yet." in browser.text(".words")
    assert browser.errors() == []
    assert parse("[(1,1,3,0,0),(2,7,0,0,0)]") == trial(1).code
