"""Output that goes nowhere: verbs that work come to their end, listings end quietly."""

import os
import subprocess
import sys

import pytest

from tests.paths import ROOT

SEARCH = "search --preset=smoke --evaluator=dry --blocks_per_iteration=8"


def shell(command, tmp_path, **environment):
    """What a shell says of a command in which PROGRAM is this one."""
    program = f"'{sys.executable}' -m blockqnn"
    return subprocess.run(
        ["bash", "-c", command.replace("PROGRAM", program)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        check=False,
    )


def trials_of(run):
    done = shell(f"PROGRAM trials '{run}' --format=csv", run.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout.count(b"\n")


@pytest.mark.parametrize(
    "ending",
    ["| (read line; exit); exit ${PIPESTATUS[0]}", ">&-", "> /dev/full", ">&- 2>&- <&-"],
)
def test_a_search_goes_on_without_output(tmp_path, ending):
    whole, run = tmp_path / "whole", tmp_path / "run"
    # What the search has of this process's files must not become a part of the store.
    done = shell(f"PROGRAM {SEARCH} --run_dir=run {ending}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert shell(f"PROGRAM {SEARCH} --run_dir=whole", tmp_path).returncode == 0
    assert trials_of(run) == trials_of(whole) > 16


def test_a_listing_ends_quietly_when_its_reader_does(tmp_path):
    done = shell("PROGRAM --help | (exit); exit ${PIPESTATUS[0]}", tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    done = shell("PROGRAM draw residual | (exit); exit ${PIPESTATUS[0]}", tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    done = shell("PROGRAM draw residual >&-", tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_listing_that_is_not_taken_whole_fails(tmp_path):
    done = shell("PROGRAM draw residual > /dev/full", tmp_path)
    assert done.returncode == 1
    assert b"blockqnn: The output cannot be written: No space left" in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_error_without_standard_error_keeps_its_status(tmp_path):
    assert shell("PROGRAM nonsense 2>&-", tmp_path).returncode == 2
    assert shell("PROGRAM nonsense 2> /dev/full", tmp_path).returncode == 2


def test_no_locale_stops_a_run(tmp_path):
    """Names that are no ASCII, and not even text, in a locale that has only that."""
    for name in ("größe", "猫"), ("caf\udce9",):
        for run in name:
            plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
            done = shell(f"PROGRAM {SEARCH} --run_dir='{run}'", tmp_path, **plain)
            assert done.returncode == 0, done.stderr
            flags = (tmp_path / run / "search.flags").read_text("utf-8", "surrogateescape")
            assert flags.startswith("# All flags of a run")
            shown = shell(f"PROGRAM show '{run}'", tmp_path, **plain)
            assert (shown.returncode, shown.stderr) == (0, b"")


def test_what_an_encoding_lacks_is_written_as_an_escape(tmp_path):
    (tmp_path / "größe").mkdir()
    done = shell("PROGRAM show größe", tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert b"gr\\xf6\\xdfe" in done.stderr
