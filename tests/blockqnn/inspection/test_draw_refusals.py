"""The verb `draw` where it cannot draw: unknown suffixes, full disks, what is no block."""

import pytest

from tests.blockqnn.inspection.test_draw_command import SUFFIXES


def refused(blockqnn, *arguments):
    """Draws what must be refused; returns the sentence."""
    before = {path: path.is_file() and path.read_bytes() for path in blockqnn.files()}
    status, out, err = blockqnn("draw", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("blockqnn: ")
    assert err.count("\n") == 1
    assert {path: path.is_file() and path.read_bytes() for path in blockqnn.files()} == before
    return err


@pytest.mark.parametrize("name", ["a.gif", "a", "a.svg.gz", ".svg", "a.", "svg"])
def test_an_unknown_suffix_is_refused_by_saying_which_are_known(blockqnn, name):
    err = refused(blockqnn, "inception", f"--out={name}")
    assert repr(name) in err
    for suffix in SUFFIXES:
        assert f".{suffix}" in err


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("place", ["nowhere/a", "file/a", "directory", "x" * 300, "n\0l"])
def test_what_cannot_be_written_is_refused(blockqnn, suffix, place):
    (blockqnn.directory / "file").write_text("mine")
    (blockqnn.directory / f"directory.{suffix}").mkdir()
    assert "--out" in refused(blockqnn, "inception", f"--out={place}.{suffix}")


def test_a_disk_that_fills_leaves_what_was_there(blockqnn, monkeypatch):
    path = blockqnn.directory / "a.svg"
    path.write_text("what was there before")

    def full(path, content):
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    assert "No space left on device" in refused(blockqnn, "inception", "--out=a.svg")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["inception", "residual", "inception"],
        ["resnet"],
        ["inception", "resnet"],
        ["."],
        ["nowhere#1"],
        ["[(1,9,0,0,0)]"],
        ["[(1,1,3,0,0),(2,1,3,1,0)]", "--max_layers=1"],
        ["inception", "--filters=0"],
        ["inception", "--image_size=3"],
        ["inception", "--dots_per_inch=0"],
        ["inception", "--format=svg"],
    ],
)
def test_what_cannot_be_drawn_is_refused(blockqnn, words):
    refused(blockqnn, *words)
    refused(blockqnn, *words, "--out=a.svg")


def test_a_picture_of_too_many_dots_is_refused(blockqnn):
    err = refused(blockqnn, "inception", "--out=a.png", "--dots_per_inch=1000000")
    assert "--dots_per_inch" in err
