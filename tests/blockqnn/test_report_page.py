"""The report in a real browser, from a file."""

import pytest

from tests.blockqnn import browser as browsers


@pytest.fixture(scope="module")
def browser():
    """One window for all tests here; each loads its page anew."""
    with browsers.opened() as found:
        yield found


@pytest.fixture
def report(blockqnn):
    """Writes the report of a small dry run; its path."""
    blockqnn.search(
        "--preset=digits",
        "--run_dir=run",
        "--epsilon_schedule=1.0:4,0.5:4",
        "--max_layers=8",
    )
    status, _, err = blockqnn("report", "run")
    assert (status, err) == (0, "")
    return blockqnn.directory / "report.html"


def test_it_loads_from_a_file_without_a_word_of_complaint(browser, report):
    browser.open_file(report)
    assert browser.errors() == []
    assert browser.text("h1") == "run"
    assert len(browser.all(".chart .main-svg")) > 0
    assert browser.script("performance.getEntriesByType('resource').length") == 0


def test_a_point_shows_its_block_when_it_is_pointed_at_and_keeps_it_when_clicked(
    browser, blockqnn, report
):
    browser.open_file(report)
    trials = {trial["number"]: trial for trial in blockqnn.trials("run")}
    number = browser.point_at("flops-chart", 1, 0)
    browser.wait("!document.getElementById('card').hidden")
    assert browser.text("#card h3") == f"Trial {number}"
    browser.wait("document.querySelector('#card .drawing svg')")
    browser.click_here()
    browser.wait("!document.getElementById('panel').hidden")
    assert browser.text("#panel h2") == f"Trial {number}"
    assert browser.text("#panel code.code") == trials[number]["code"]
    browser.wait("document.querySelector('#panel .drawing svg')")
    assert browser.errors() == []
