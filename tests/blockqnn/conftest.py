"""The command line as tests run it."""

import json
import pathlib

import pytest

from blockqnn.__main__ import main


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
    monkeypatch.setenv("PYTHONPATH", str(pathlib.Path(__file__).parents[2]))
    return CommandLine(capsys, directory)
