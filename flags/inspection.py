"""The flags of the verbs that look at blocks and runs: `show` and `trials`."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from blockqnn.errors import UserError
from blockqnn.show_command import ShowSettings
from blockqnn.trials_command import FORMATS, TABLE, TrialsSettings
from flags import child_network, parsing
from networks.codes import MAX_LAYERS
from networks.layout import Layout


def define_show() -> parsing.FlagSet:
    """The flags of `show`, at their defaults."""
    flags = parsing.FlagSet(
        "show",
        "BLOCK",
        "Shows a block in words and figures. BLOCK is a published name (inception, residual, "
        "block-qnn-a, block-qnn-b, block-qnn-s), a code, RUN_DIR#NUMBER or RUN_DIR#best; a "
        "RUN_DIR alone lists its best blocks.",
    )
    flags.group("Output")
    flags.choice("format", "text", ("text", "json"), "for people, or one JSON object")
    flags.integer("top", 10, "blocks of a run to list", 1)
    flags.group("Child network (for a run's block, the run's layout is taken)")
    layout = Layout(repeats=2)
    child_network.define_layout(flags, layout)
    child_network.define_images(flags, layout)
    flags.group("Rules")
    flags.integer("max_layers", MAX_LAYERS, "most layers of a block, Terminal not counted", 1)
    return flags


def parse_show(arguments: Sequence[str]) -> ShowSettings:
    """Turns the command line of `show` into settings.

    Args:
        arguments: what follows `show`.

    Returns:
        What to show.

    Raises:
        UserError: if the command line cannot be used.
        LayoutError: if the layout cannot be built.
    """
    flags = define_show()
    reference = _one_word(flags, flags.parse(arguments), "one BLOCK or RUN_DIR")
    value = flags.chosen()
    return ShowSettings(
        reference=reference,
        max_layers=value["max_layers"],
        layout=child_network.layout(value),
        top=value["top"],
        as_json=value["format"] == "json",
    )


def define_trials() -> parsing.FlagSet:
    """The flags of `trials`, at their defaults."""
    flags = parsing.FlagSet("trials", "RUN_DIR", "Lists every trial of a run, in order.")
    flags.group("Output")
    flags.choice("format", TABLE, FORMATS, "for people, one object a line, or for a spreadsheet")
    return flags


def parse_trials(arguments: Sequence[str]) -> TrialsSettings:
    """Turns the command line of `trials` into settings.

    Args:
        arguments: what follows `trials`.

    Returns:
        What to list.

    Raises:
        UserError: if the command line cannot be used.
    """
    flags = define_trials()
    run_dir = _one_word(flags, flags.parse(arguments), "one RUN_DIR")
    return TrialsSettings(pathlib.Path(run_dir), flags.chosen()["format"])


def _one_word(flags: parsing.FlagSet, words: list[str], wanted: str) -> str:
    if len(words) != 1:
        given = " ".join(words) or "nothing"
        raise UserError(
            f"{flags.verb} takes {wanted}, given {given!r}. "
            f"See: python -m blockqnn {flags.verb} --help"
        )
    return words[0]
