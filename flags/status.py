"""The flags of `status`."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from blockqnn.errors import UserError
from blockqnn.flags import parsing
from blockqnn.inspection.status_command import StatusSettings


def define() -> parsing.FlagSet:
    """The flags of `status`, at their defaults."""
    flags = parsing.FlagSet(
        "status", "RUN_DIR", "Tells what is running where, for how long, and who is silent."
    )
    flags.group("Output")
    flags.choice("format", "text", ("text", "json"), "for people, or one JSON object")
    return flags


def parse(arguments: Sequence[str]) -> StatusSettings:
    """Turns the command line of `status` into settings.

    Args:
        arguments: what follows `status`.

    Returns:
        What to tell.

    Raises:
        UserError: if the command line cannot be used.
    """
    flags = define()
    words = flags.parse(arguments)
    if len(words) != 1:
        given = " ".join(words) or "nothing"
        raise UserError(
            f"status takes one RUN_DIR, given {given!r}. See: python -m blockqnn status --help"
        )
    return StatusSettings(pathlib.Path(words[0]), flags.chosen()["format"] == "json")
