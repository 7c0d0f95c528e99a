"""What to type next with a block of a run, for the page to show."""

from __future__ import annotations

import pathlib

from blockqnn.invocation import command

_PLACE = "4294967296"
"""Stands for the number of a trial, which only the page knows."""


def next_commands(path: pathlib.Path) -> dict[str, object]:
    """Commands about a trial of a run.

    Args:
        path: the run's directory, as it was given.

    Returns:
        `place`, a text that stands for the number of the trial, and `lines`,
        each with a `title` and a `command` that can be pasted into a shell.
    """
    place = _PLACE
    while place in str(path):
        place += "0"
    block = f"{path}#{place}"
    trained = f"{path}-{place}"
    lines = [
        ("its whole story", ["show", block]),
        ("a picture", ["draw", block, f"--out=block-{place}.svg"]),
        ("train it to the end", ["train", block, f"--out_dir={trained}"]),
        ("then, for your own code", ["export", trained, f"--to={trained}-exported"]),
    ]
    return {
        "place": place,
        "lines": [{"title": title, "command": command(*words)} for title, words in lines],
    }
