"""The flags of the verbs that show runs in a browser: `report` and `serve`."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from blockqnn.errors import UserError
from blockqnn.report.command import ReportSettings
from flags import parsing

_TOP = 20


def define_report() -> parsing.FlagSet:
    """The flags of `report`, at their defaults."""
    flags = parsing.FlagSet(
        "report",
        "RUN_DIR...",
        "Writes what a run found as one HTML file that needs no network; several runs are "
        "compared, with mean and deviation over seeds.",
    )
    flags.group("Output")
    flags.text("out", "report.html", "the file to write; it is replaced if it exists")
    flags.integer("top", _TOP, "best blocks that are drawn and compared with all", 1)
    return flags


def parse_report(arguments: Sequence[str]) -> ReportSettings:
    """Turns the command line of `report` into settings.

    Args:
        arguments: what follows `report`.

    Returns:
        What to write.

    Raises:
        UserError: if the command line cannot be used.
    """
    flags = define_report()
    words = flags.parse(arguments)
    if not words:
        raise UserError(
            "report takes at least one RUN_DIR, given nothing. "
            "See: python -m blockqnn report --help"
        )
    value = flags.chosen()
    return ReportSettings(
        tuple(pathlib.Path(word) for word in words), pathlib.Path(value["out"]), value["top"]
    )
