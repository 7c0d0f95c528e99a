"""The verb `report`: what it writes, and what it refuses."""

import json
import os
import pathlib
import re
import stat
import subprocess
import sys

import pytest

from blockqnn.report.columns import STATUSES
from blockqnn.report.page import embedded_json, page
from blockqnn.runs.store import FILE_NAME
from tests.blockqnn.test_wrong_input import refused
from tests.blockqnn.trials_by_hand import altered, trial, write_store
from tests.paths import ROOT


def payload_of(path):
    """What the scripts of a page are given."""
    text = path.read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    return json.loads(data)


def run_files(directory):
    """The content of every file of a run, but for what SQLite keeps for its readers."""
    return {
        path.name: path.read_bytes()
        for path in sorted(directory.iterdir())
        if not path.name.endswith("-shm")
    }


@pytest.fixture
def run(blockqnn):
    """The directory of a finished dry run."""
    blockqnn.search("--preset=smoke", "--run_dir=run", "--max_layers=5")
    return blockqnn.directory / "run"


def test_one_file_is_written_and_the_run_is_left_alone(blockqnn, run):
    before = run_files(run)
    status, out, err = blockqnn("report", "run", "--out=page.html")
    assert (status, err) == (0, "")
    size = (blockqnn.directory / "page.html").stat().st_size
    assert out == (f"page.html: {size / 1e6:.1f} MB, opens in a browser without a network.\n")
    assert run_files(run) == before
    assert {path.name for path in blockqnn.directory.iterdir()} == {"run", "page.html"}


def test_the_default_name_and_a_second_report(blockqnn, run):
    for _ in range(2):
        assert blockqnn("report", "run")[0] == 0
    assert (blockqnn.directory / "report.html").is_file()


def test_the_file_has_the_rights_of_any_other(blockqnn, run):
    before = os.umask(0o027)
    try:
        blockqnn("report", "run")
    finally:
        os.umask(before)
    assert stat.S_IMODE((blockqnn.directory / "report.html").stat().st_mode) == 0o640


def test_it_says_what_the_run_says(blockqnn, run):
    blockqnn("report", "run", "--top=2")
    found = payload_of(blockqnn.directory / "report.html")
    trials = blockqnn.trials("run")
    assert found["trials"]["number"] == [trial["number"] for trial in trials]
    assert found["trials"]["code"] == [trial["code"] for trial in trials]
    assert found["summary"]["dry"] is True
    assert len(found["summary"]["top"]) == 2
    assert found["summary"]["flags"]["max_layers"] == "5"
    assert len(found["drawings"]["of"]) == len(trials)
    assert found["summary"]["statuses"] == list(STATUSES)


def test_no_address_of_another_machine_is_in_what_the_page_loads(blockqnn, run):
    blockqnn("report", "run")
    text = (blockqnn.directory / "report.html").read_text(encoding="utf-8")
    outside = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert "http" not in outside.replace("http-equiv", "")
    assert not re.search(r"\b(src|href)=", outside)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src &#x27;none&#x27;; script-src &#x27;sha256-")
    assert "connect-src &#x27;none&#x27;" in policy
    assert "unsafe-eval" not in policy
    assert policy.count("sha256-") == 2


def test_several_runs_are_compared(blockqnn, run):
    blockqnn.search("--preset=smoke", "--run_dir=other", "--max_layers=5", "--seed=1")
    assert blockqnn("report", "run", "other")[0] == 0
    found = payload_of(blockqnn.directory / "report.html")
    assert found["kind"] == "comparison"
    assert [each["name"] for each in found["comparison"]["runs"]] == ["run", "other"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nowhere"],
        ["."],
        ["run", "nowhere"],
        ["run", "run"],
        ["run", "./run/"],
        ["run", "--out=page.pdf"],
        ["run", "--out=page"],
        ["run", "--out="],
        ["run", "--out=nowhere/page.html"],
        ["run", "--out=folder.html"],
        ["run", "--out=file/page.html"],
        ["run", "--top=-1"],
        ["run", "--top=x"],
        ["run", "--port=1"],
        ["\0"],
        ["x" * 300],
        ["run", "--out=" + "x" * 300 + ".html"],
        ["run", "--out=\0.html"],
    ],
)
def test_what_cannot_be_reported_is_refused(blockqnn, run, words):
    (blockqnn.directory / "folder.html").mkdir()
    (blockqnn.directory / "file").touch()
    refused(blockqnn, ["report", *words])


def test_a_suffix_that_is_not_known_is_refused_by_naming_the_one_that_is(blockqnn, run):
    assert ".html" in refused(blockqnn, ["report", "run", "--out=page.pdf"])


@pytest.mark.parametrize("verb", ["report", "serve"])
def test_other_programs_stores_and_newer_ones_are_refused(blockqnn, verb):
    run = blockqnn.directory / "run"
    write_store(run, [trial(1, accuracy=50.0)])
    altered(run, "PRAGMA user_version=99")
    assert "version 99" in refused(blockqnn, [verb, "run"])
    (run / FILE_NAME).write_text("<html></html>" * 100)
    assert "not a store" in refused(blockqnn, [verb, "run"])
    (run / FILE_NAME).unlink()
    assert "no run" in refused(blockqnn, [verb, "run"])


def test_a_run_that_has_not_begun_has_no_report_yet(blockqnn):
    altered(write_store(blockqnn.directory / "run", [], begun=False), "DELETE FROM facts")
    assert "not begun" in refused(blockqnn, ["report", "run"])


def test_a_folder_that_cannot_be_written_to_is_refused(blockqnn, run, monkeypatch):
    def fail(*_):
        raise PermissionError(13, "Permission denied")

    # Nothing is forbidden to root, who may run this test.
    monkeypatch.setattr(pathlib.Path, "write_bytes", fail)
    assert "cannot be written: Permission denied." in refused(blockqnn, ["report", "run"])


def test_a_write_that_fails_leaves_the_old_report(blockqnn, run, monkeypatch):
    blockqnn("report", "run")
    old = (blockqnn.directory / "report.html").read_bytes()

    def fail(path, content):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", fail)
    assert "No space left" in refused(blockqnn, ["report", "run"])
    assert (blockqnn.directory / "report.html").read_bytes() == old


def test_embedded_json_is_json_without_signs_of_html():
    value = {"<script>": ["</script>", "a&b", "\u2028\u2029", "é", None, 1.5]}
    text = embedded_json(value)
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == value
    with pytest.raises(ValueError, match="JSON"):
        embedded_json(float("nan"))


def test_what_is_put_into_the_page_may_look_like_a_place_of_it():
    text = page("{{data}} <b>", {"text": "{{style}}"})
    assert "<title>{{data}} &lt;b&gt;</title>" in text
    assert '{"text":"{{style}}"}' in text


def test_the_command_line_stays_quick_to_start():
    heavy = {"igraph", "plotly", "matplotlib", "pandas", "selenium", "http.server"}
    program = f"import sys, blockqnn.__main__; assert not {heavy!r} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
