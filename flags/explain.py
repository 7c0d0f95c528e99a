"""The flags of the verb that tells what an agent has learned: `explain`."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from blockqnn.errors import UserError
from blockqnn.flags import parsing
from blockqnn.flags.verb import Verb
from blockqnn.inspection import heat_map

if TYPE_CHECKING:
    from blockqnn.inspection.explain_command import ExplainSettings


def define() -> parsing.FlagSet:
    """The flags of `explain`, at their defaults."""
    flags = parsing.FlagSet(
        "explain",
        "RUN_DIR [PREFIX]",
        "Tells what a run's agent has learned, whichever agent it is. Shown are what it would do "
        "after PREFIX and why, with probabilities and its values, the code that it would write "
        "now, and the value of each kind of action by position. PREFIX is the beginning of a code, "
        'such as "[(1,4,0,0,0),(2,1,3,1,0)]" or "nor_conv_3x3,none"; without it, the start.',
    )
    flags.group("Output")
    flags.choice("format", "text", ("text", "json"), "output for people, or one JSON object")
    flags.integer("top", 10, "number of next actions to list", 1)
    flags.choice(
        "value",
        heat_map.MEAN,
        heat_map.WHICH,
        "number in the heat map: mean of a kind's values, weighted by visits, or the highest",
    )
    flags.path(
        "out",
        "",
        f"file for the heat map, {', '.join(heat_map.SUFFIXES)} by its name; empty for none",
    )
    return flags


def parse(arguments: Sequence[str]) -> ExplainSettings:
    """Turns the command line of `explain` into settings.

    Args:
        arguments: what follows `explain`.

    Returns:
        What to explain.

    Raises:
        UserError: if the command line cannot be used.
    """
    from blockqnn.inspection.explain_command import ExplainSettings

    flags = define()
    words = flags.words(arguments, "one RUN_DIR and perhaps one PREFIX", most=2)
    value = flags.chosen()
    out = pathlib.Path(value["out"]) if value["out"] else None
    if out is not None and out.suffix.lower() not in heat_map.SUFFIXES:
        raise UserError(
            f"--out is {value['out']!r}; allowed: a name that ends in "
            f"{' or '.join(heat_map.SUFFIXES)}."
        )
    return ExplainSettings(
        run_dir=pathlib.Path(words[0]),
        prefix=words[1] if len(words) > 1 else "",
        top=value["top"],
        value=value["value"],
        out=out,
        as_json=value["format"] == "json",
    )


def _run(settings: ExplainSettings) -> int:
    from blockqnn.inspection.explain_command import explain

    explain(settings, sys.stdout)
    return 0


EXPLAIN = Verb("explain", define, parse, _run, lists=True)
