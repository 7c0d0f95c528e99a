"""The flags of `tensorboard`."""

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
    from blockqnn.tensorboard.command import TensorBoardSettings


def define() -> parsing.FlagSet:
    """The flags of `tensorboard`, at their defaults."""
    flags = parsing.FlagSet(
        "tensorboard",
        "RUN_DIR",
        "Writes a run's trials as events for TensorBoard: of a run that was made without "
        "--tensorboard, that died, or that goes on elsewhere. Called again, it adds what is new.",
    )
    flags.group("Output")
    flags.path(
        "out",
        "",
        "directory of the events; empty for tensorboard/NAME here, NAME being the run "
        "directory's, since reading leaves a run as it is",
    )
    return flags


def parse(arguments: Sequence[str]) -> TensorBoardSettings:
    """Turns the command line of `tensorboard` into settings.

    Args:
        arguments: what follows `tensorboard`.

    Returns:
        Which run, and where to.

    Raises:
        UserError: if the command line cannot be used.
    """
    from blockqnn.tensorboard.command import TensorBoardSettings

    flags = define()
    words = flags.parse(arguments)
    if len(words) != 1:
        raise UserError(
            f"tensorboard takes one RUN_DIR, given {' '.join(words) or 'nothing'!r}. "
            f"See: {command('tensorboard', '--help')}"
        )
    out = flags.chosen()["out"]
    return TensorBoardSettings(pathlib.Path(words[0]), pathlib.Path(out) if out else None)


def _run(settings: TensorBoardSettings) -> int:
    from blockqnn.tensorboard.command import write_tensorboard

    write_tensorboard(settings, sys.stdout)
    return 0


TENSORBOARD = Verb("tensorboard", define, parse, _run)
