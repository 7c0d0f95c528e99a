"""How searches end that do not end by themselves, and those that find nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.paths import ROOT

SLOW = ["--preset=smoke", "--evaluator=dry", "--dry_seconds=0.3", "--blocks_per_iteration=40"]
QUICK = ["--preset=smoke", "--evaluator=dry"]


@pytest.fixture
def search(blockqnn):
    """Starts a search in a process, waits for its first trials, and ends it at the end."""
    started = []

    def start(*flags):
        command = [sys.executable, "-m", "blockqnn", "search", *SLOW, *flags]
        process = subprocess.Popen(
            [*command, f"--run_dir={blockqnn.directory / 'run'}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        started.append(process)
        while "trial 2 " not in text(blockqnn.directory / "run" / "search.log"):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def text(path):
    return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_search_as_ctrl_c_does(search, blockqnn, number):
    process = search()
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == 128 + number
    assert "Stopped; what has finished is in" in out
    assert err == ""
    assert json.loads(text(blockqnn.directory / "run" / "status.json"))["state"] == "stopped"
    assert blockqnn("status", "run")[1].startswith("run: stopped 0:0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_verb_is_imported_ends_without_a_traceback(number):
    """A process of its own that sends itself the signal where `search` is looked up."""
    program = (
        "import os, sys\n"
        "from blockqnn import __main__\n"
        f"__main__.verbs.find = lambda name: os.kill(os.getpid(), {int(number)})\n"
        "sys.argv = ['blockqnn', 'search', '--preset=smoke']\n"
        "__main__.run()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")


def test_who_sees_the_process_sees_at_once_that_it_was_killed(search, blockqnn):
    process = search()
    assert blockqnn("status", "run")[1].startswith("run: searching")
    process.kill()
    process.wait()
    assert "was ended from outside" in blockqnn("status", "run")[1].splitlines()[0]
    assert json.loads(blockqnn("status", "run", "--format=json")[1])["alive"] is False
    # Another machine, or another container, cannot see it.
    path = blockqnn.directory / "run" / "status.json"
    facts = json.loads(text(path)) | {"seen_from": "elsewhere", "written": time.time()}
    path.write_text(json.dumps(facts), encoding="utf-8")
    assert blockqnn("status", "run")[1].startswith("run: searching")


def test_a_younger_process_of_the_same_number_is_another_one(search, blockqnn):
    process = search()
    process.kill()
    process.wait()
    path = blockqnn.directory / "run" / "status.json"
    facts = json.loads(text(path)) | {"process": os.getpid(), "begun": time.time() - 1e6}
    path.write_text(json.dumps(facts | {"written": time.time()}), encoding="utf-8")
    assert "was ended from outside" in blockqnn("status", "run")[1]


def test_a_clock_that_is_ahead_is_said_to_be(search, blockqnn):
    process = search()
    process.kill()
    process.wait()
    path = blockqnn.directory / "run" / "status.json"
    facts = json.loads(text(path)) | {"seen_from": "elsewhere", "written": time.time() + 7200}
    path.write_text(json.dumps(facts), encoding="utf-8")
    first = blockqnn("status", "run")[1].splitlines()[0]
    assert "whose clock is 2:00:00 ahead" in first or "whose clock is 1:59:59 ahead" in first
    assert "-" not in first.replace("run: ", "").split("ahead")[0].replace("machine", "")
    workers = [dict(worker, heard=facts["written"] - 30) for worker in facts["workers"]]
    path.write_text(json.dumps(facts | {"workers": workers}), encoding="utf-8")
    # By its own clock it had not heard of its workers for half a minute.
    assert "silent" in blockqnn("status", "run")[1]
    path.write_text(json.dumps(facts | {"state": "stopped"}), encoding="utf-8")
    assert blockqnn("status", "run")[1].startswith("run: stopped by process")
    assert " ago, by" not in blockqnn("status", "run")[1]


def test_a_clock_that_is_behind_may_be_why_nothing_was_heard(search, blockqnn):
    process = search()
    process.kill()
    process.wait()
    path = blockqnn.directory / "run" / "status.json"
    facts = json.loads(text(path)) | {"seen_from": "elsewhere", "written": time.time() - 7200}
    path.write_text(json.dumps(facts), encoding="utf-8")
    said = blockqnn("status", "run")[1].splitlines()[0]
    assert "it was ended or hangs, or its clock is behind." in said


@pytest.mark.parametrize("lost", ["store", "directory", "replaced"])
def test_a_search_whose_store_was_deleted_stops(search, blockqnn, lost):
    process = search("--dry_seconds=1", "--workers=1")
    store = blockqnn.directory / "run" / "store.sqlite"
    content = store.read_bytes()
    store.unlink()
    if lost == "directory":
        shutil.rmtree(store.parent, ignore_errors=True)
    if lost == "replaced":
        (blockqnn.directory / "other").write_bytes(content)
        (blockqnn.directory / "other").rename(store)
    _, err = process.communicate()
    assert process.returncode == 2
    assert "was deleted, moved or replaced while it was in use" in err
    assert "Traceback" not in err


def test_the_last_children_may_all_time_out(blockqnn):
    """At the end no worker is ready, and the figures do not need one."""
    flags = ["--dry_seconds=5", "--child_timeout_seconds=0.2", "--child_retries=0"]
    status, out, err = blockqnn("search", *QUICK, *flags, "--run_dir=run")
    assert status == 1, err
    assert (
        "No block was trained. Why, and how often:\n     4  not finished after 0.2 seconds" in out
    )


def test_a_run_without_a_trained_block_gives_its_reasons(blockqnn):
    status, out, _ = blockqnn("search", *QUICK, "--max_parameters=1", "--run_dir=run")
    assert status == 1
    assert "\n    67  more than 1 parameters\n    13  no convolution\n" in out
    status, out, _ = blockqnn("show", "run")
    assert status == 1
    assert "\n    67  more than 1 parameters\n    13  no convolution\n" in out
    assert blockqnn("show", "run", "--format=json")[0] == 1


def test_a_directory_may_be_renamed_and_copied(blockqnn):
    blockqnn("search", *QUICK, "--run_dir=first")
    (blockqnn.directory / "first").rename(blockqnn.directory / "second")
    more = ["--flagfile=second/search.flags", "--epsilon_schedule=1.0:1,0.5:1,0.1:1"]
    status, out, err = blockqnn("search", *more)
    assert status == 0, err
    assert "Continuing second after 4 trials." in out
    assert not (blockqnn.directory / "first").exists()
    # Written in another word; and an explicit directory wins.
    assert blockqnn("search", "--flagfile", *more[0].split("=")[1:], more[1])[0] == 0
    assert blockqnn("search", *more, "--run_dir=third")[0] == 0
    assert (blockqnn.directory / "third").exists()


def test_a_store_without_its_directory_says_what_is_missing(blockqnn):
    blockqnn("search", *QUICK, "--run_dir=run")
    (blockqnn.directory / "alone").mkdir()
    shutil.copy(blockqnn.directory / "run" / "store.sqlite", blockqnn.directory / "alone")
    status, out, _ = blockqnn("show", "alone")
    assert status == 0
    assert out.startswith("alone has a store without search.flags: it is a part of a run.")
    assert "search.flags" not in blockqnn("show", "run")[1]
