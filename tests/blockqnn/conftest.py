"""The command line as tests run it."""

import contextlib
import json
import sys

import pytest

from blockqnn.__main__ import main
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.workers.contract import LocalExecutor
from blockqnn.workers.placement import Place
from blockqnn.workers.worker import encode_settings
from tests.blockqnn.small_searches import LAYOUT
from tests.paths import ROOT


class CommandLine:
    """Runs verbs in this process, in a directory of its own."""

    def __init__(self, capsys, directory):
        self._capsys = capsys
        self.directory = directory

    def __call__(self, *arguments):
        """Runs a command; returns its exit status, standard output and standard error."""
        self._capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return status, *self._capsys.readouterr()

    def search(self, *arguments):
        """A dry search without processes that must end well; returns its output."""
        status, out, err = self("search", "--evaluator=dry", "--executor=inline", *arguments)
        assert (status, err) == (0, "")
        return out

    def trials(self, run_dir):
        """The trials of a run as JSON objects."""
        status, out, err = self("trials", run_dir, "--format=json")
        assert (status, err) == (0, "")
        return [json.loads(line) for line in out.splitlines()]

    def files(self):
        """All that lies in the directory."""
        return sorted(self.directory.rglob("*"))


@pytest.fixture
def blockqnn(capsys, tmp_path, monkeypatch):
    """The command line, in an empty directory."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    # Processes that are started there find the project as an installed one would be found.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return CommandLine(capsys, directory)


@pytest.fixture(scope="session")
def browser():
    """One window for all tests that look at pages; each loads its page anew."""
    from tests.blockqnn import browser as browsers

    with browsers.opened() as found:
        yield found


@pytest.fixture
def odd_workers(tmp_path, monkeypatch):
    """Makes executors start odd workers; the file that a hanging child writes its process to."""
    interpreter = tmp_path / "interpreter"
    interpreter.write_text(
        f"#!/bin/sh\ncd {ROOT}\nexec {sys.executable} -m tests.blockqnn.odd_worker\n"
    )
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    monkeypatch.setenv("ODD_WORKER_BEGUN", str(tmp_path / "begun"))
    monkeypatch.setenv("ODD_WORKER_GO", str(tmp_path / "go"))
    return tmp_path / "begun"


@pytest.fixture
def local_executor(tmp_path):
    """Makes local executors and closes them."""
    with contextlib.ExitStack() as stack:

        def make(
            workers=1, timeout=600.0, dataset="digits", slots=1, ahead=0, where=None, **limits
        ):
            worker = WorkerSettings(slots, compile_threads=ahead + 1)
            settings = encode_settings(
                "dry", DataSettings(dataset), Recipe(epochs=2), LAYOUT, worker
            )
            where = where or [Place()] * workers
            executor = LocalExecutor(settings, where, tmp_path, timeout, **limits)
            return stack.enter_context(contextlib.closing(executor))

        yield make
