"""Events for TensorBoard that cannot be written: by two at once, over something else."""

import contextlib
import pathlib

import pytest

from blockqnn.tensorboard.listener import TensorBoard
from blockqnn.tensorboard.scalars import hyperparameter
from tests.blockqnn.small_searches import LAYOUT
from tests.blockqnn.tensorboard.test_tensorboard import SEARCH


def test_two_writers_do_not_share_a_directory(blockqnn):
    blockqnn.search(*SEARCH)
    with contextlib.closing(TensorBoard(pathlib.Path("events"), {}, LAYOUT, (), lambda: 0, 0)):
        status, out, err = blockqnn("tensorboard", "run", "--out=events")
    assert (status, out) == (2, "")
    assert err == (
        "blockqnn: Another process writes the events in events; name another directory.\n"
    )
    assert blockqnn("tensorboard", "run", "--out=events")[0] == 0


def refused(blockqnn, *arguments):
    files = {path: path.is_file() and path.read_bytes() for path in blockqnn.files()}
    status, out, err = blockqnn(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("blockqnn: ")
    assert err.count("\n") == 1
    assert {path: path.is_file() and path.read_bytes() for path in blockqnn.files()} == files
    return err


def test_events_of_something_else_are_left_alone(blockqnn):
    blockqnn.search(*SEARCH)
    blockqnn.search(*SEARCH, "--run_dir=other", "--seed=1")
    blockqnn("tensorboard", "other", "--out=events")
    err = refused(blockqnn, "tensorboard", "run", "--out=events")
    assert "events holds the events of something else" in err
    assert "name another directory, or delete it" in err


def test_wrong_input(blockqnn):
    assert "There is no run in nowhere" in refused(blockqnn, "tensorboard", "nowhere")
    assert "takes one RUN_DIR, given 'nothing'" in refused(blockqnn, "tensorboard")
    blockqnn.search(*SEARCH)
    pathlib.Path("file").write_text("text")
    err = refused(blockqnn, "tensorboard", "run", "--out=file")
    assert "Events cannot be written to file: File exists." in err


def test_the_default_directory_is_never_inside_the_run(blockqnn, monkeypatch):
    blockqnn.search(*SEARCH)
    monkeypatch.chdir("run")
    assert "would lie in the run itself" in refused(blockqnn, "tensorboard", ".")
    assert blockqnn("tensorboard", ".", "--out=tensorboard")[0] == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("false", False), ("3", 3.0), ("1e-8", 1e-8), ("nan", "nan"), ("", "")],
)
def test_values_of_flags(text, value):
    assert hyperparameter(text) == value
    assert type(hyperparameter(text)) is type(value)
