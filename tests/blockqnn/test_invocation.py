"""Commands that are printed can be pasted."""

import pathlib
import shlex
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn import invocation


@pytest.fixture
def bin_folder(tmp_path, monkeypatch):
    """An environment with a Python and the script, which the search path does not name."""
    folder = tmp_path / "env" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "python3.12", "blockqnn"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_script_has_the_path_that_leads_to_it(bin_folder, monkeypatch):
    script, python = str(bin_folder / "blockqnn"), str(bin_folder / "python")
    assert invocation.program([script], python) == "env/bin/blockqnn"
    monkeypatch.chdir(pathlib.Path(__file__).parent)
    assert invocation.program([script], python) == script
    monkeypatch.chdir(bin_folder)
    assert invocation.program([script], python) == "./blockqnn"
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    assert invocation.program([script], python) == "blockqnn"


def test_a_module_is_run_by_the_python_that_ran(bin_folder, monkeypatch):
    main, python = "/somewhere/blockqnn/__main__.py", str(bin_folder / "python3.12")
    assert invocation.program([main], python) == "env/bin/python3.12 -m blockqnn"
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    assert invocation.program([main], python) == "python -m blockqnn"


def test_from_other_programs_the_script_beside_the_python_is_meant(bin_folder):
    assert invocation.program(["/a/notebook.py"], str(bin_folder / "python")) == "env/bin/blockqnn"
    (bin_folder / "blockqnn").unlink()
    started = invocation.program(["/a/notebook.py"], str(bin_folder / "python"))
    assert started == "env/bin/python -m blockqnn"


def test_an_environment_with_a_blank_in_its_path_is_quoted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    python = str(tmp_path / "my env" / "bin" / "python")
    assert invocation.program(["x"], python) == "'my env/bin/python' -m blockqnn"


def test_words_are_quoted_where_a_shell_needs_it():
    assert invocation.quoted("runs/digits#best") == "runs/digits#best"
    assert invocation.quoted("my run#17") == "'my run#17'"
    assert invocation.quoted("#17") == "'#17'"
    assert invocation.quoted("~/run") == "'~/run'"
    assert invocation.quoted("") == "''"
    assert invocation.command("show", pathlib.Path("a b")).endswith(" show 'a b'")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_word_comes_back_from_a_shell_as_it_was(word):
    assert shlex.split(invocation.quoted(word)) == [word]


def test_what_is_printed_can_be_run():
    words = [*shlex.split(invocation.program()), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, (done.stderr, sys.argv)
    assert done.stdout.startswith("Designs ")
