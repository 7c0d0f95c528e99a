"""What a verb of the command line is made of."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from blockqnn.flags.parsing import FlagSet

S = TypeVar("S")


@dataclasses.dataclass(frozen=True)
class Verb(Generic[S]):
    """A verb: its flags, its settings, and what carries it out.

    Attributes:
        name: the first word of the command line.
        define: makes its flags, at their defaults.
        parse: turns what follows the verb into settings.
        run: carries it out, and returns the exit status. It imports what it
            needs itself, so that a verb's help waits for nothing.
        presets: the folder of its presets; None if it has none.
        lists: whether what it prints is all that it does. Such a verb ends when
            its output can go nowhere; others do their work without.
    """

    name: str
    define: Callable[[], FlagSet]
    parse: Callable[[Sequence[str]], S]
    run: Callable[[S], int]
    presets: pathlib.Path | None = None
    lists: bool = False

    def carry_out(self, arguments: Sequence[str]) -> int:
        """Parses a command line and does what it says.

        Args:
            arguments: what follows the verb.

        Returns:
            The exit status.

        Raises:
            UserError: if the command line cannot be used, or what it names.
        """
        return self.run(self.parse(arguments))

    def help(self, arguments: Sequence[str]) -> str:
        """What `VERB --help` prints.

        Args:
            arguments: what follows the verb; the preset that they name is the
                one whose values are shown as defaults.

        Returns:
            The text.

        Raises:
            UserError: if there is no such preset.
        """
        if self.presets is None:
            return self.define().help()
        # Only verbs with presets know of runs, whose flag files name presets too.
        from blockqnn.flags.preset_files import help_of

        return help_of(self.define, self.presets, arguments)
