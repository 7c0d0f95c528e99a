"""The flags of `status`."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from blockqnn.errors import UserError
from blockqnn.flags import parsing
from blockqnn.flags.verb import Verb
from blockqnn.invocation import command

if TYPE_CHECKING:
    from blockqnn.inspection.status_command import StatusSettings


def define() -> parsing.FlagSet:
    """The flags of `status`, at their defaults."""
    flags = parsing.FlagSet(
        "status", "RUN_DIR", "Tells what is running where, for how long, and who is silent."
    )
    flags.group("Output")
    flags.choice("format", "text", ("text", "json"), "output for people, or one JSON object")
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
    from blockqnn.inspection.status_command import StatusSettings

    flags = define()
    words = flags.parse(arguments)
    if len(words) != 1:
        given = " ".join(words) or "nothing"
        raise UserError(
            f"status takes one RUN_DIR, given {given!r}. See: {command('status', '--help')}"
        )
    return StatusSettings(pathlib.Path(words[0]), flags.chosen()["format"] == "json")


def _run(settings: StatusSettings) -> int:
    from blockqnn.inspection.status_command import status

    status(settings, sys.stdout)
    return 0


STATUS = Verb("status", define, parse, _run, lists=True)
