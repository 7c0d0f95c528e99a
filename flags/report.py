"""The flags of the verbs that show runs in a browser: `report` and `serve`."""

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
    from blockqnn.report.command import ReportSettings, ServeSettings


def define_report() -> parsing.FlagSet:
    """The flags of `report`, at their defaults."""
    flags = parsing.FlagSet(
        "report",
        "RUN_DIR...",
        "Writes what a run found as one HTML file that needs no network; several runs are "
        "compared, with mean and deviation over seeds.",
    )
    flags.group("Output")
    flags.path("out", "report.html", "the file to write; it is replaced if it exists")
    _define_top(flags)
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
    from blockqnn.report.command import ReportSettings

    flags = define_report()
    words = flags.parse(arguments)
    odd = [word for word in words if word.startswith("-")]
    if odd or not words:
        raise UserError(
            f"report takes at least one RUN_DIR, given {(odd or ['nothing'])[0]!r}. "
            f"See: {command('report', '--help')}"
        )
    value = flags.chosen()
    return ReportSettings(
        tuple(pathlib.Path(word) for word in words), pathlib.Path(value["out"]), value["top"]
    )


def define_serve() -> parsing.FlagSet:
    """The flags of `serve`, at their defaults."""
    flags = parsing.FlagSet(
        "serve",
        "RUN_DIR",
        "Shows the report of a run to browsers of this machine, and what is new as trials finish.",
    )
    flags.group("Output")
    flags.special(
        "port",
        8642,
        "port of 127.0.0.1; 0 for any that is free",
        _port,
        "an integer from 0 to 65535",
    )
    _define_top(flags)
    return flags


def parse_serve(arguments: Sequence[str]) -> ServeSettings:
    """Turns the command line of `serve` into settings.

    Args:
        arguments: what follows `serve`.

    Returns:
        What to serve.

    Raises:
        UserError: if the command line cannot be used.
    """
    from blockqnn.report.command import ServeSettings

    flags = define_serve()
    words = flags.parse(arguments)
    if len(words) != 1:
        given = " ".join(words) or "nothing"
        raise UserError(
            f"serve takes one RUN_DIR, given {given!r}. See: {command('serve', '--help')}"
        )
    value = flags.chosen()
    return ServeSettings(pathlib.Path(words[0]), value["port"], value["top"])


def _define_top(flags: parsing.FlagSet) -> None:
    flags.integer(
        "top",
        0,
        "best blocks that are drawn and compared with all; 0 for 20, or for 4 of each of several "
        "runs",
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def _run_report(settings: ReportSettings) -> int:
    from blockqnn.report.command import report

    report(settings, sys.stdout)
    return 0


REPORT = Verb("report", define_report, parse_report, _run_report)


def _run_serve(settings: ServeSettings) -> int:
    from blockqnn.report.command import serve

    serve(settings, sys.stdout)
    return 0


SERVE = Verb("serve", define_serve, parse_serve, _run_serve)
