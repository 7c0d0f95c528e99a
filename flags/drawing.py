"""The flags of the verb `draw`."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from blockqnn.flags import child_network, parsing
from blockqnn.flags.verb import Verb

if TYPE_CHECKING:
    from blockqnn.inspection.draw_command import DrawSettings


def define() -> parsing.FlagSet:
    """The flags of `draw`, at their defaults."""
    flags = parsing.FlagSet(
        "draw",
        "BLOCK ...",
        "Draws a block, or two side by side with what differs in red and green. BLOCK is a "
        "published name (inception, residual, block-qnn-a, block-qnn-b, block-qnn-s), a code, "
        "RUN_DIR#NUMBER, RUN_DIR#best_early for the highest reward, or RUN_DIR#best for the "
        "winner of finals or else the same, for which RUN_DIR alone is enough.",
    )
    flags.group("Output")
    flags.path("out", "", "file that ends in .svg, .png, .pdf or .dot; empty prints text")
    flags.switch("canonical", False, "draw what a code means instead of as it was written")
    flags.integer("dots_per_inch", 144, "resolution of a .png; an inch is 72 points", 1)
    child_network.define_blocks(
        flags,
        "Child network, for widths at its first stage (where a block is of a run, that of the run)",
    )
    return flags


def parse(arguments: Sequence[str]) -> DrawSettings:
    """Turns the command line of `draw` into settings.

    Args:
        arguments: what follows `draw`.

    Returns:
        What to draw.

    Raises:
        UserError: if the command line cannot be used.
        LayoutError: if the layout cannot be built.
    """
    from blockqnn.inspection.draw_command import DrawSettings

    flags = define()
    words = flags.words(arguments, "one BLOCK or two", most=2)
    value = flags.chosen()
    return DrawSettings(
        references=tuple(words),
        out=pathlib.Path(value["out"]) if value["out"] else None,
        canonical=value["canonical"],
        dots_per_inch=value["dots_per_inch"],
        max_layers=value["max_layers"],
        layout=child_network.chosen_layout(flags),
    )


def _run(settings: DrawSettings) -> int:
    from blockqnn.inspection.draw_command import draw

    draw(settings, sys.stdout)
    return 0


DRAW = Verb("draw", define, parse, _run, lists=True)
