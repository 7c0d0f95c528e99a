"""The report in a real browser, from a file."""

import dataclasses
import json
import math

import pytest

from blockqnn.__main__ import main
from blockqnn.drawing.svg import svg
from blockqnn.networks.spaces.nasbench201.codes import parse_cell
from blockqnn.report.command import run_payload
from blockqnn.report.page import page
from blockqnn.runs.run_record import read_run
from tests.blockqnn import browser as browsers
from tests.blockqnn.browser import Keys
from tests.blockqnn.trials_by_hand import run_record, trial, write_store
from tests.drawn import arrange


def shown(browser):
    """The trial whose block the panel shows, or None where it is closed."""
    return browser.script(
        "((panel) => panel.hidden ? null : +panel.dataset.trial)(document.getElementById('panel'))"
    )


def test_it_loads_from_a_file_without_a_word_of_complaint(browser, trials):
    assert browser.errors() == []
    assert browser.text("h1") == "run"
    assert browser.text("#kicker") == "blockqnn report: q_learning on digits, seed 0"
    assert browser.text(".notice").startswith("DRY RUN")
    trained = sum(trial["status"] == "trained" for trial in trials.values())
    assert f"{trained} blocks were trained in 8 of 8 iterations." in browser.text(".words")
    charts = browser.script(
        "[...document.querySelectorAll('.chart')].map((chart) => chart.data.length)"
    )
    assert len(charts) == 9
    assert min(charts) >= 1
    assert browser.script("performance.getEntriesByType('resource').length") == 0
    assert browser.script("document.querySelectorAll('[src]').length") == 0
    assert browser.script("document.querySelectorAll('[href]:not([href^=\"#\"])').length") == 0


def test_the_charts_have_the_trials_figures(browser, trials):
    trained = [trial for trial in trials.values() if trial["status"] == "trained"]
    points = browser.script("document.getElementById('flops-chart').data[0].customdata")
    assert points == [trial["number"] for trial in trained]
    places = browser.script("document.getElementById('flops-chart').data[0].x")
    assert places == pytest.approx([trial["flops"] for trial in trained], rel=1e-5)
    means = browser.script("document.getElementById('curves-chart').data[1].y")
    first = [
        trial["reward"]
        for trial in trials.values()
        if trial["iteration"] == 1 and trial["status"] in ("trained", "known")
    ]
    assert means[0] == pytest.approx(math.fsum(first) / len(first))


def test_a_run_is_predicted_block_by_block(browser, trials):
    trained = [trial for trial in trials.values() if trial["status"] == "trained"]
    points = browser.script("document.getElementById('prediction-chart').data[1]")
    assert points["customdata"] == [trial["number"] for trial in trained[30:]]
    assert points["y"] == pytest.approx([trial["reward"] for trial in trained[30:]], rel=1e-5)
    assert browser.text("#prediction-words").startswith(
        f"{len(trained) - 30} blocks were predicted"
    )
    number = browser.point_at("prediction-chart", 1, 0)
    browser.wait("!document.getElementById('card').hidden")
    assert browser.text("#card h3") == f"Trial {number}"


def test_what_the_agent_has_learned_is_shown(browser, blockqnn, directory, trials):
    status, out, _ = blockqnn("explain", directory / "run", "--format=json")
    assert status == 0
    facts = json.loads(out)
    assert browser.text("#learned code") == facts["greedy"]["code"]
    titles = browser.texts("#learned tbody th")
    assert facts["next"][0]["title"] in titles
    assert browser.texts("#learned thead th")[:3] == ["first decision", "probability", "Q-value"]
    assert f"The agent is {facts['agent']['agent']}." in browser.texts("#learned .caption")[0]


def test_a_point_shows_its_block_when_it_is_pointed_at_and_keeps_it_when_clicked(browser, trials):
    number = browser.point_at("flops-chart", 1, 0)
    browser.wait("!document.getElementById('card').hidden")
    assert browser.text("#card h3") == f"Trial {number}"
    browser.wait("document.querySelector('#card .drawing svg')")
    browser.click_here()
    browser.wait("!document.getElementById('panel').hidden")
    assert browser.text("#panel h2") == f"Trial {number}"
    assert browser.text("#panel code.code") == trials[number]["code"]
    browser.wait("document.querySelector('#panel .drawing svg')")
    figures = browser.texts("#panel dd")
    assert f"{trials[number]['accuracy']:.2f} %" in figures
    assert f"{trials[number]['reward']:.2f}" in figures
    browser.press(Keys.ESCAPE)
    assert shown(browser) is None
    assert browser.errors() == []


def test_the_circles_of_the_learning_curves_are_blocks_too(browser, trials):
    number = browser.point_at("curves-chart", 3, -1 % len(
        browser.script("document.getElementById('curves-chart').data[3].x")
    ))  # fmt: skip
    browser.wait("!document.getElementById('card').hidden")
    assert browser.text("#card h3") == f"Trial {number}"
    best = max(
        (trial for trial in trials.values() if trial["status"] == "trained"),
        key=lambda trial: trial["reward"],
    )
    assert number == best["number"]


def test_a_known_trial_has_the_epochs_of_the_one_that_it_repeats(browser, trials):
    number = next(n for n, trial in trials.items() if trial["status"] == "known")
    browser.script("blockqnn.panel.pin(arguments[0])", number)
    figures = browser.texts("#panel dd")
    assert f"known, as trial {trials[number]['source']}" in figures
    assert "  ".join(f"{a:.1f}" for a in trials[number]["accuracies"]) in figures


def test_the_scripts_drawing_is_pythons(browser, directory, trials):
    run = read_run(directory / "run")
    longest = sorted(run.trials, key=lambda block: -len(block.code))[:8]
    for block in longest:
        browser.script("blockqnn.panel.pin(arguments[0])", block.number)
        browser.wait("document.querySelector('#panel .drawing svg')")
        painted = """
            (svg) => [
              svg.viewBox.baseVal.width, svg.viewBox.baseVal.height,
              ...[...svg.querySelectorAll("path, text")].map((node) => {
                const box = node.getBBox();
                return [node.tagName, node.textContent, node.getAttribute("fill"),
                        node.getAttribute("stroke"), node.hasAttribute("stroke-dasharray"),
                        box.x, box.y, box.width, box.height];
              }),
            ]
        """
        here = browser.script(f"({painted})(document.querySelector('#panel .drawing svg'))")
        wanted = browser.driver.execute_script(
            f"""
            const node = document.querySelector("#panel .drawing");
            node.replaceChildren(blockqnn.drawing.parsed(arguments[0]));
            return ({painted})(node.firstChild);
            """,
            svg(arrange(block.code, run.layout)),
        )
        assert here[:2] == pytest.approx(wanted[:2], abs=0.51)
        assert len(here) == len(wanted)
        for mine, pythons in zip(here[2:], wanted[2:], strict=True):
            assert mine[:5] == pythons[:5]
            assert mine[5:] == pytest.approx(pythons[5:], abs=1.1)


def test_the_best_blocks_open_too(browser, trials):
    best = max(
        (trial for trial in trials.values() if trial["status"] == "trained"),
        key=lambda trial: trial["reward"],
    )
    assert len(browser.all("#best .block svg")) == 20
    browser.click("#best .block")
    assert shown(browser) == best["number"]


def test_light_and_dark(browser, trials):
    def ground():
        return browser.script("getComputedStyle(document.body).backgroundColor")

    def text():
        browser.wait("document.documentElement.dataset.drawn === 'true'")
        return browser.script(
            "getComputedStyle(document.querySelector('#flops-chart .xtick text')).fill"
        )

    light = ground(), text()
    browser.click("#theme")
    dark = ground(), text()
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    browser.click("#theme")
    assert (ground(), text()) == light
    try:
        scheme = [{"name": "prefers-color-scheme", "value": "dark"}]
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        browser.driver.refresh()
        assert (ground(), text()) == dark
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_it_prints(browser, trials):
    browser.click("#theme")
    content = browser.pdf()
    assert content.startswith(b"%PDF")
    assert len(content) > 100_000
    browser.wait("document.documentElement.dataset.drawn === 'true'")
    assert browser.script("document.documentElement.dataset.theme") == "dark"
    assert browser.errors() == []


def test_nothing_is_wider_than_a_telephone(browser, trials):
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    try:
        browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.driver.refresh()
        browser.wait("document.documentElement.dataset.drawn === 'true'")
        assert browser.script("document.documentElement.scrollWidth") <= 390
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_comparison_is_not_wider_either(browser, tmp_path):
    flags = {"epsilon_schedule": ",".join(f"0.{i}:{i}" for i in range(1, 10)), "seed": "0"}
    runs = [
        write_store(tmp_path / name, [trial(1, accuracy=50.0)], flags | {"mu": name * 40})
        for name in "ab"
    ]
    page = tmp_path / "report.html"
    assert main(["report", *map(str, runs), f"--out={page}"]) == 0
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    try:
        browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.open_file(page)
        assert browser.script("document.documentElement.scrollWidth") <= 390
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_run_without_a_trained_block_says_so(browser, blockqnn):
    assert blockqnn("search", "--preset=smoke", "--run_dir=run", "--max_parameters=1")[0] == 1
    blockqnn("report", "run")
    browser.open_file(blockqnn.directory / "report.html")
    assert "No block has been trained yet." in browser.text(".words")
    assert "No block has been trained yet." in browser.text("#best")
    assert browser.errors() == []


def test_of_thousands_of_points_those_that_lie_on_others_appear_when_zoomed_into(browser, tmp_path):
    trials = [
        trial(
            i,
            accuracy=40 + i * 7 % 3000 / 150,
            flops=1_000_000 + 100 * (i * 13 % 700),
            reward=float(i),
        )
        for i in range(1, 3001)
    ]
    run = write_store(tmp_path / "run", trials)
    assert main(["report", str(run), f"--out={tmp_path / 'report.html'}"]) == 0
    browser.open_file(tmp_path / "report.html")
    points = "document.getElementById('flops-chart').data[0].customdata"
    drawn = browser.script(points)
    assert 200 < len(drawn) < 3000
    assert 3000 in drawn, "the best is not hidden"
    hidden = next(i for i in range(1, 3001) if i not in drawn)
    x = math.log10(trials[hidden - 1].flops)
    y = trials[hidden - 1].accuracy
    browser.driver.execute_script(
        "Plotly.relayout('flops-chart',"
        "  {'xaxis.range': arguments[0], 'yaxis.range': arguments[1]})",
        [x - 1e-4, x + 1e-4],
        [y - 0.05, y + 0.05],
    )
    browser.wait(f"{points}.includes(arguments[0])", hidden)
    assert browser.script(
        "document.getElementById('flops-chart')._fullLayout.xaxis.range[0]"
    ) == pytest.approx(x - 1e-4), "the zoom stays"
    assert browser.errors() == []


def test_cells_are_drawn_like_blocks(browser, tmp_path):
    text = "|none~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|none~1|avg_pool_3x3~2|"
    cell = parse_cell(text)
    trials = [dataclasses.replace(trial(i, accuracy=50.0 + i), code=cell) for i in (1, 2)]
    path = tmp_path / "report.html"
    path.write_text(page("cells", run_payload(run_record(tmp_path, trials), 20)), "utf-8")
    browser.open_file(path)
    assert [block.is_displayed() for block in browser.all("#motifs, #distributions")] == [True] * 2
    assert "avg 3x3" in browser.text("#best .card:first-child .drawing")
    browser.script("blockqnn.panel.pin(1)")
    browser.wait("document.querySelector('#panel .drawing').dataset.ready")
    assert "conv 3x3" in browser.text("#panel .drawing")
    assert text in browser.text("#panel")
    assert browser.errors() == []


def test_a_missing_browser_skips_tests_but_fails_them_on_ci(monkeypatch):
    monkeypatch.setattr(browsers, "programs", lambda: None)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no chromium"), browsers.opened():
        pass
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no chromium"), browsers.opened():
        pass
