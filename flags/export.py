"""The flags of `export`."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from blockqnn.errors import UserError
from blockqnn.flags import child_network, parsing
from blockqnn.flags.verb import Verb
from blockqnn.invocation import command

if TYPE_CHECKING:
    from blockqnn.export.command import ExportSettings


def define() -> parsing.FlagSet:
    """The flags of `export`, at their defaults."""
    flags = parsing.FlagSet(
        "export",
        "TRAINING",
        "Writes a block, and a network of it, as a folder that needs nothing of this project: "
        "source code, weights and a page that says how they are used. TRAINING is the directory of "
        "a training or of one of its checkpoints. What `show` takes for a block, RUN_DIR#best or "
        "RUN_DIR#best_early for instance, can be exported as well, with initial weights: a "
        "search keeps none.",
    )
    flags.group("Output")
    flags.path("to", "", "the folder to write, which must not exist or be empty; required")
    flags.choice(
        "framework",
        "flax",
        ("flax", "torch", "onnx"),
        "source code in Flax or PyTorch; flax adds StableHLO, and onnx is a graph without source, "
        "which needs torch, onnx and onnxscript",
    )
    flags.group("Weights")
    flags.switch("fresh_weights", False, "initial weights even of a training")
    flags.integer("seed", 0, "seed of initial weights")
    child_network.define_blocks(flags, "Network (for a block that is of no run and no checkpoint)")
    return flags


def parse(arguments: Sequence[str]) -> ExportSettings:
    """Turns the command line of `export` into settings.

    Args:
        arguments: what follows `export`.

    Returns:
        What to export.

    Raises:
        UserError: if the command line cannot be used.
        LayoutError: if the layout cannot be built.
    """
    from blockqnn.export.command import ExportSettings

    flags = define()
    words = flags.parse(arguments)
    value = flags.chosen()
    if len(words) != 1:
        given = " ".join(words) or "nothing"
        raise UserError(
            f"export takes one TRAINING, given {given!r}. See: {command('export', '--help')}"
        )
    if not value["to"]:
        raise UserError("export needs --to=DIR, the folder to write.")
    return ExportSettings(
        reference=words[0],
        to=pathlib.Path(value["to"]),
        framework=value["framework"],
        fresh_weights=value["fresh_weights"],
        seed=value["seed"],
        layout=child_network.chosen_layout(flags),
        max_layers=value["max_layers"],
    )


def _run(settings: ExportSettings) -> int:
    from blockqnn.export.command import export

    export(settings, sys.stdout)
    return 0


EXPORT = Verb("export", define, parse, _run)
