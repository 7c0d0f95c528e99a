"""The verb `serve`: by HTTP, and in a real browser beside a real search."""

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys

import pytest

from blockqnn.report.following import Follower
from blockqnn.runs.run_record import read_run
from blockqnn.trial import Status
from tests.blockqnn.executing import wait_for
from tests.blockqnn.report.test_poisoned import serving
from tests.blockqnn.test_wrong_input import refused
from tests.blockqnn.trials_by_hand import chain, trial, write_store
from tests.paths import ROOT


@pytest.fixture
def run(tmp_path):
    """A run that goes on: the second of two iterations has not ended."""
    trials = [
        trial(1, accuracy=50.0),
        trial(2, status=Status.INFEASIBLE, reason="no convolution"),
        trial(3, 2, accuracy=60.0, code=chain(5)),
    ]
    return write_store(tmp_path / "run", trials, {"epsilon_schedule": "1:2"}, iterations=1)


def asked(server, path, method="GET", **headers):
    """The answer to a request: status, headers and text."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def news(server, **known):
    """What the server has for a page."""
    query = "&".join(f"{name}={value}" for name, value in known.items())
    status, _, text = asked(server, f"/trials?{query}")
    assert status == 200
    return json.loads(text)


def test_trials_come_once_in_whatever_order_they_finish(run):
    with serving(run) as server:
        first = news(server)
        assert first["trials"]["number"] == [1, 2, 3]
        assert first["summary"]["findings"]["trained"] == 2
        known = {"of": first["token"], "after": first["count"], "version": first["version"]}
        assert "trials" not in news(server, **known)
        assert "summary" not in news(server, **known)
        # The fifth of an iteration finishes before the fourth.
        write_store(run, [trial(5, 2, accuracy=70.0, code=chain(1))], iterations=0, begun=False)
        second = news(server, **known)
        assert (second["after"], second["trials"]["number"]) == (3, [5])
        known |= {"after": second["count"], "version": second["version"]}
        write_store(run, [trial(4, 2, accuracy=80.0, code=chain(3, 3))], iterations=2, begun=False)
        third = news(server, **known)
        assert third["trials"]["number"] == [4]
        assert third["summary"]["findings"]["best"] == 4
        assert third["summary"]["findings"]["iterations"] == 2


def test_two_pages_are_both_told(run):
    with serving(run) as server:
        first = news(server)
        known = {"of": first["token"], "after": first["count"], "version": first["version"]}
        write_store(run, [trial(4, 2, accuracy=80.0)], iterations=0, begun=False)
        assert news(server, **known)["trials"]["number"] == [4]
        assert news(server, **known)["trials"]["number"] == [4]
        # The end of an iteration is news without a trial.
        known |= {"after": 4, "version": news(server)["version"]}
        write_store(run, [], iterations=2, begun=False)
        for _ in range(2):
            assert news(server, **known)["summary"]["findings"]["iterations"] == 2


@pytest.mark.parametrize("known", [{"of": "other"}, {"after": 99}, {"after": "x"}, {"after": -1}])
def test_a_page_that_another_server_served_begins_anew(run, known):
    with serving(run) as server:
        first = news(server)
        right = {"of": first["token"], "after": 3, "version": first["version"]}
        assert news(server, **(right | known))["trials"]["number"] == [1, 2, 3]


def test_only_what_may_change_is_read_again(run, monkeypatch):
    follower = Follower(run, 20)
    from blockqnn.runs.store import Store

    asked_after = []
    original = Store.trials

    def spy(self, after=0):
        asked_after.append(after)
        return original(self, after)

    monkeypatch.setattr(Store, "trials", spy)
    follower.news()
    assert asked_after == [2], "the first iteration has ended with trial 2"


def test_drawings(run):
    with serving(run) as server:
        status, _, text = asked(server, "/drawing?trial=3")
        assert status == 200
        found = json.loads(text)
        assert [shape[1] for shape in found["shapes"]][1] == "conv 5x5"
        assert found["flat"][2] == 3, "nodes: input, convolution, output"
        for wrong in ("4", "x", "", "9" * 20):
            assert asked(server, f"/drawing?trial={wrong}")[0] == 404


def test_the_page_may_connect_to_its_server_alone(run):
    with serving(run) as server:
        status, headers, text = asked(server, "/")
        assert status == 200
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "connect-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["Cache-Control"] == "no-store"
        assert "connect-src &#x27;self&#x27;" in text


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil:80"]
)
@pytest.mark.parametrize("path", ["/", "/trials", "/drawing?trial=1"])
def test_a_name_that_was_bound_to_this_machine_is_refused(run, host, path):
    with serving(run) as server:
        status, headers, text = asked(server, path, Host=host.format(port=server.server_port))
        assert status == 421
        assert "trial" not in text
        assert "Access-Control-Allow-Origin" not in headers


def test_its_own_names_are_answered(run):
    with serving(run) as server:
        for name in ("127.0.0.1", "localhost"):
            assert asked(server, "/trials", Host=f"{name}:{server.server_port}")[0] == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_get_is_answered(run, method):
    with serving(run) as server:
        status, headers, _ = asked(server, "/trials", method)
        assert (status, headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize("path", ["/nothing", "/trials/", "/../store.sqlite", "/store.sqlite"])
def test_there_is_nothing_else(run, path):
    with serving(run) as server:
        assert asked(server, path)[0] == 404


def test_it_listens_on_this_machine_alone(run):
    with serving(run) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"
        assert server.address == f"http://127.0.0.1:{server.server_port}/"


def test_a_store_that_goes_away_is_said(run):
    with serving(run) as server:
        (run / "store.sqlite").unlink()
        status, _, text = asked(server, "/trials")
        assert status == 503
        assert "There is no run" in text


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nowhere"],
        ["."],
        ["run", "run"],
        ["run", "--port=65536"],
        ["run", "--port=-1"],
        ["run", "--port=x"],
        ["run", "--out=x.html"],
    ],
)
def test_what_cannot_be_served_is_refused(blockqnn, words):
    blockqnn.search("--preset=smoke", "--run_dir=run")
    refused(blockqnn, ["serve", *words])


def test_a_port_in_use_is_refused(blockqnn):
    blockqnn.search("--preset=smoke", "--run_dir=run")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        err = refused(blockqnn, ["serve", "run", f"--port={port}"])
    assert f"Port {port} of 127.0.0.1 is in use" in err


@contextlib.contextmanager
def process(*words):
    """A process of the command line, ended at the end if it has not ended itself."""
    command = [sys.executable, "-m", "blockqnn", *map(str, words)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            if started.poll() is None:
                started.kill()


def address(server):
    """Where a process that serves says that it does."""
    return re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())[0]


@pytest.mark.long
def test_a_new_trial_shows_without_reloading_while_a_search_writes(browser, tmp_path):
    run = tmp_path / "run"
    search = [
        "search",
        "--preset=digits",
        "--evaluator=dry",
        # One that is as quick as it can be would leave the browser no core.
        "--dry_seconds=0.05",
        "--workers=1",
        "--max_layers=10",
        "--blocks_per_iteration=8",
        "--epsilon_schedule=1.0:3000",
        f"--run_dir={run}",
    ]
    with process(*search) as searching:
        wait_for(lambda: (run / "search.flags").is_file())
        with process("serve", run, "--port=0") as server:
            browser.open(address(server))
            browser.driver.execute_script("window.stillHere = true")
            before = browser.script("blockqnn.trials.size")
            browser.wait("blockqnn.trials.size > arguments[0] + 20", before)
            words = browser.text(".words")
            browser.wait("document.querySelector('.words').textContent !== arguments[0]", words)
            assert browser.script("window.stillHere"), "the page was not loaded again"
            assert searching.poll() is None
            searching.send_signal(signal.SIGINT)
            searching.communicate()
            wait_for(lambda: len(read_run(run).trials) == browser.script("blockqnn.trials.size"))
            rows = browser.script("blockqnn.trials.column('code').length")
            number = browser.script("Math.max(...blockqnn.trials.column('number'))")
            assert rows == len(read_run(run).trials)
            browser.script("blockqnn.panel.pin(arguments[0])", number)
            browser.wait("document.querySelector('#panel .drawing svg')")
            assert browser.errors() == []
            server.send_signal(signal.SIGINT)
            out, err = server.communicate(timeout=60)
            assert (server.returncode, out, err) == (0, "", "")
            browser.wait("document.getElementById('live').textContent === 'the server has ended'")
        browser.driver.get("about:blank")


def test_a_run_that_has_not_begun_fills_itself(browser, tmp_path):
    run = write_store(tmp_path / "run", [], begun=False, iterations=0)
    with serving(run) as server:
        browser.open(server.address)
        assert browser.text(".words") == "The run has not begun yet."
        write_store(run, [], {"epsilon_schedule": "1:2"}, iterations=0)
        browser.wait("document.querySelector('.words').textContent.startsWith('No trial')")
        write_store(run, [trial(1, accuracy=50.0)], begun=False, iterations=0)
        browser.wait("document.querySelectorAll('#best .block').length === 1")
        assert browser.text("h1") == "run"
        assert len(browser.all("#trials tbody tr")) == 1
        assert browser.errors() == []
        browser.driver.get("about:blank")


@pytest.mark.long
def test_the_focus_stays_where_it_was(browser, run):
    with serving(run) as server:
        browser.open(server.address)
        browser.driver.execute_script(
            "document.querySelector('#trials tr[data-trial=\"1\"]').focus()"
        )
        write_store(run, [trial(4, 2, accuracy=90.0, code=chain(3, 3))], iterations=0, begun=False)
        browser.wait("blockqnn.trials.size === 4")
        assert browser.script("document.activeElement.dataset.trial") == "1"
        assert browser.script("document.activeElement.tagName") == "TR"
        browser.driver.get("about:blank")
