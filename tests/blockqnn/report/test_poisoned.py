"""Text of a store that looks like HTML or script shows as text, in a real browser."""

import contextlib
import http.client
import json
import threading

import pytest

from blockqnn.report.following import Follower
from blockqnn.report.server import Server
from blockqnn.trial import Status
from tests.blockqnn.test_wrong_input import refused
from tests.blockqnn.trials_by_hand import altered, chain, trial, write_store

POISON = (
    "<img src=x onerror=\"window.poisoned='img'\">",
    "</script><script>window.poisoned='script'</script>",
    "<svg onload=\"window.poisoned='svg'\"></svg>",
    "<a href=\"javascript:window.poisoned='link'\">link</a><b>bold</b>",
    "\"'><iframe srcdoc=\"<script>parent.poisoned='frame'</script>\"></iframe>",
    "<!--<script>",
    "&lt;b&gt;entity&amp;",
    "line\u2028separator\u2029 and {{data}} ${window.poisoned='template'}",
    "lone surrogate \ud800 and a null \x00",
)


@pytest.fixture
def poisoned(blockqnn):
    """A run all of whose texts are poisoned, its name among them."""
    trials = [
        trial(1, accuracy=60.0, device=POISON[0], worker=0, train_seconds=1.0),
        trial(2, accuracy=70.0, code=chain(5), device=POISON[1], worker=1, train_seconds=2.0),
        *[
            trial(i, status=Status.FAILED, reason=text, code=chain(1))
            for i, text in enumerate(POISON[:-1], start=3)
        ],
        trial(20, status=Status.INFEASIBLE, reason=f"1,000 {POISON[0]}, allowed are 1"),
    ]
    flags = {text: text for text in POISON}
    flags |= {"agent": POISON[0], "dataset": POISON[1], "seed": POISON[2]}
    run = write_store(blockqnn.directory / "<b onclick=x>run", trials, flags)
    (run / "search.flags").write_text(f"--workers={POISON[0]}\n--{POISON[1]}=1\n")
    return run


def nothing_ran(browser):
    """No script but the page's own ran, and no element but its own stands there."""
    assert browser.script("window.poisoned") is None
    for tag in ("img", "iframe", "b", "a[href^='java']"):
        assert browser.all(tag) == [], tag
    assert browser.script("document.querySelectorAll('script').length") == 3
    assert browser.errors() == []
    return True


def visible(text):
    """How a text of POISON stands in a page: UTF-8 has no lone surrogates."""
    return text.replace("\ud800", "?")


def test_poisoned_texts_stay_texts(browser, blockqnn, poisoned):
    status, _, err = blockqnn("report", poisoned)
    assert (status, err) == (0, "")
    browser.open_file(blockqnn.directory / "report.html")
    assert nothing_ran(browser)
    assert browser.text("h1") == "<b onclick=x>run"
    assert POISON[0] in browser.text("#kicker")
    assert POISON[1] in browser.text("#kicker")
    reasons = browser.texts("#reasons .reason-text")
    for text in POISON[:-1]:
        # A reason is its first line.
        assert any(reason and text.startswith(reason) for reason in reasons), text
    values = browser.texts("#flags code")
    names = browser.texts("#flags span")
    for text in POISON:
        assert visible(text) in values
        assert f"--{visible(text)}" in names
    assert values.count(POISON[0]) == 3


def test_poisoned_texts_stay_texts_in_all_that_can_be_opened(browser, blockqnn, poisoned):
    blockqnn("report", poisoned)
    browser.open_file(blockqnn.directory / "report.html")
    for number, text in enumerate(POISON[:-1], start=3):
        browser.script("blockqnn.panel.pin(arguments[0])", number)
        browser.wait("document.querySelector('#panel .drawing').dataset.ready")
        assert text in browser.texts("#panel dd")
    number = browser.point_at("flops-chart", 1, 0)
    browser.wait("!document.getElementById('card').hidden")
    assert browser.text("#card h3") == f"Trial {number}"
    browser.one("#find").send_keys("onerror")
    assert browser.text("#where") == "1\u20132 of 2"
    assert POISON[0] in browser.texts("#trials .reason")
    assert nothing_ran(browser)


@pytest.mark.long
def test_poisoned_texts_stay_texts_when_they_come_later(browser, poisoned):
    with serving(poisoned) as server:
        browser.open(server.address)
        # What was there and what comes by the polls go different ways.
        browser.wait("document.getElementById('live').textContent.startsWith('following')")
        late = trial(30, status=Status.FAILED, reason="late " + POISON[0], code=chain(3, 3))
        write_store(poisoned, [late], {"agent": POISON[3]})
        browser.wait("blockqnn.trials.get(30)")
        assert POISON[3] in browser.text("#kicker")
        assert "late " + POISON[0] in browser.texts("#reasons .reason-text")
        browser.script("blockqnn.panel.pin(30)")
        browser.wait("document.querySelector('#panel .drawing svg')")
        assert nothing_ran(browser)
        browser.driver.get("about:blank")


def test_poisoned_texts_stay_texts_in_a_comparison(browser, blockqnn, poisoned):
    other = write_store(blockqnn.directory / "other", [trial(1, accuracy=50.0)], {"agent": "x"})
    status, _, err = blockqnn("report", poisoned, other)
    assert (status, err) == (0, "")
    browser.open_file(blockqnn.directory / "report.html")
    assert nothing_ran(browser)
    text = browser.text("#differing")
    for poison in POISON:
        assert visible(poison) in text
    assert any(POISON[0] in name for name in browser.texts("#groups th"))
    browser.click("#best .block")
    assert browser.text("#panel h2").startswith(str(poisoned))
    assert nothing_ran(browser)


@pytest.mark.parametrize("column", ["code", "status", "accuracies", "parameters"])
def test_a_store_whose_fields_are_no_such_fields_is_refused(blockqnn, poisoned, column):
    altered(poisoned, f"UPDATE trials SET {column} = ? WHERE number = 2", (POISON[0],))
    assert "Trial 2 in the store cannot be read" in refused(blockqnn, ["report", poisoned])


@pytest.mark.parametrize("column", ["epsilon", "depth"])
def test_numbers_that_are_texts_do_not_reach_the_page(blockqnn, poisoned, column):
    altered(poisoned, f"UPDATE trials SET {column} = ?", (POISON[0],))
    assert "cannot be read" in refused(blockqnn, ["report", poisoned])


@contextlib.contextmanager
def serving(directory):
    """A server of a run in this process."""
    with Server(Follower(directory, 20), directory.name, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_what_the_server_sends_is_json_whatever_is_in_it(poisoned):
    with serving(poisoned) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
        connection.request("GET", "/trials?after=0")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        found = json.loads(answer.read())
        connection.close()
    assert POISON[0] in found["trials"]["reason"]
