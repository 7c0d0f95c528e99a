"""A file is written wholly or not at all."""

import os

import pytest

from blockqnn.errors import UserError
from blockqnn.runs.whole_file import write_whole


def test_what_was_there_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "figure.svg"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "figure.svg"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(UserError, match=r"^--out .*svg' cannot be written: No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["none/a.svg", ".", "\0.svg", "x" * 300])
def test_places_that_cannot_be_written_to_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="cannot be written") as refusal:
        write_whole(tmp_path / name, b"")
    assert "\0" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []
