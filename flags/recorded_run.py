"""The settings of a run that exists, from what it was run with."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

from blockqnn.flags import search
from blockqnn.runs.run_directory import FLAG_FILE
from blockqnn.settings import RunSettings, SearchSettings

_NEVER = ("preset", "flagfile")
"""Flags that bring others with them: a store has no say in those."""


def parse_recorded(
    run_dir: pathlib.Path, recorded: Mapping[str, str], more: Sequence[str]
) -> tuple[SearchSettings, RunSettings]:
    """Turns the flags of a run into settings again.

    Args:
        run_dir: of the run; its flag file says what does not change what the search is.
        recorded: flags of its store, by name; they win over the flag file.
        more: flags that win over both.

    Returns:
        What was searched, and how it was carried out.

    Raises:
        UserError: if the flags or the data set cannot be used.
        LayoutError: if the layout does not fit the images.
    """
    known = set(search.define().values) - set(_NEVER)
    arguments = [f"--{name}={value}" for name, value in recorded.items() if name in known]
    flag_file = run_dir / FLAG_FILE
    if flag_file.is_file():
        arguments.insert(0, f"--flagfile={flag_file}")
    return search.parse(more, arguments)
