"""Flags of one verb: definition in groups, help, presets and parsing.

Each verb has an `absl.flags.FlagValues` of its own, so that its help lists
only what it takes and tests share no state.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags

from blockqnn.errors import UserError
from blockqnn.flags.flag_text import Parser, Serializer, as_text, expanded_path
from blockqnn.invocation import SCRIPT, command

RECORD_MARK = "# All flags of a run, which --flagfile takes to continue it."
"""First line of what `FlagSet.flag_file` writes."""
_LINE = 72
"""Characters that the help has for a word; longer ones are broken anywhere."""


@dataclasses.dataclass(frozen=True)
class Owner:
    """Whom flags belong to: without it they have no effect.

    Attributes:
        flag: that chooses.
        values: of that flag, with which the flags have an effect.
    """

    flag: str
    values: tuple[str, ...]


class FlagSet:
    """The flags of one verb."""

    def __init__(self, verb: str, arguments: str, summary: str):
        """Creates an empty set.

        Args:
            verb: the first word of the command line.
            arguments: what may follow besides flags, for the help.
            summary: one sentence for the help.
        """
        self.verb, self.arguments, self.summary = verb, arguments, summary
        self.values = flags.FlagValues()
        self.values.set_gnu_getopt(True)
        self._groups: dict[str, list[str]] = {}
        self._titles: list[str] = []
        self._owners: dict[str, Owner] = {}
        self._common: tuple[str, Sequence[str]] = ("", ())

    def group(self, title: str, owner: Owner | None = None) -> None:
        """Begins a group of the help.

        Args:
            title: of the group.
            owner: whom its flags belong to; None where they always have an effect.
        """
        self._titles.append(title)
        self._groups[title] = []
        if owner is not None:
            self._owners[title] = owner

    def common(self, title: str, names: Sequence[str]) -> None:
        """Lists some flags first in the help, and not in the groups where they were defined."""
        self._common = title, names

    def text(self, name: str, default: str, meaning: str) -> None:
        """Defines a flag that takes any text."""
        self._define(name, default, meaning, Parser(str, "text"))

    def path(self, name: str, default: str, meaning: str) -> None:
        """Defines a flag that takes a path, in which `~` and `~user` are home directories."""
        self._define(
            name, default, meaning, Parser(expanded_path, "a path; ~USER is a user's home")
        )

    def choice(self, name: str, default: str, choices: Sequence[str], meaning: str) -> None:
        """Defines a flag that takes one of some words."""

        def parse(text: str) -> str:
            if text not in choices:
                raise ValueError
            return text

        parser = Parser(parse, " or ".join(choices))
        listed = "|".join(choices)
        if len(listed) > _LINE:
            listed = " | ".join(choices)
        self._define(name, default, f"{listed}: {meaning}", parser)

    def integer(self, name: str, default: int, meaning: str, least: int = 0) -> None:
        """Defines a flag that takes an integer of at least `least`."""

        def parse(text: str) -> int:
            value = int(text.replace("_", ""))
            if not least <= value < 2**63:
                raise ValueError
            return value

        self._define(name, default, meaning, Parser(parse, f"an integer of at least {least}"))

    def number(
        self,
        name: str,
        default: float,
        meaning: str,
        least: float = -math.inf,
        most: float = math.inf,
        above: float = -math.inf,
    ) -> None:
        """Defines a flag that takes a finite number between `least` and `most`, over `above`."""

        def parse(text: str) -> float:
            value = float(text)
            if not (math.isfinite(value) and least <= value <= most and value > above):
                raise ValueError
            return value

        bounds = [
            words
            for bound, words in (
                (least, f"of at least {least:g}"),
                (above, f"above {above:g}"),
                (most, f"of at most {most:g}"),
            )
            if math.isfinite(bound)
        ]
        allowed = " ".join(["a number", " and ".join(bounds)]).strip()
        self._define(name, default, meaning, Parser(parse, allowed))

    def special(
        self, name: str, default: Any, meaning: str, parse: Callable[[str], Any], allowed: str
    ) -> None:
        """Defines a flag with a form of its own, which `parse` reads or refuses by ValueError."""
        self._define(name, default, meaning, Parser(parse, allowed))

    def switch(self, name: str, default: bool, meaning: str) -> None:
        """Defines a flag that is on or off."""
        flags.DEFINE_bool(name, default, meaning, flag_values=self.values)
        self._groups[self._titles[-1]].append(name)

    def parse(self, arguments: Sequence[str]) -> list[str]:
        """Parses a command line.

        Args:
            arguments: what follows the verb.

        Returns:
            What is no flag.

        Raises:
            UserError: if a flag is unknown or its value is refused.
        """
        try:
            # absl prints warnings of its own about some flag files; ours are enough.
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                words = list(self.values([self.verb, *arguments]))[1:]
        # absl raises a ValueError where --noNAME is given a value.
        except (flags.Error, ValueError) as error:
            raise UserError(self._refusal(error)) from error
        return [self._expanded_word(word) for word in words]

    def words(self, arguments: Sequence[str], wanted: str, most: int = 1) -> list[str]:
        """Parses the command line of a verb that takes words besides flags.

        Args:
            arguments: what follows the verb.
            wanted: which words it takes, for the message.
            most: how many at most; at least one.

        Returns:
            The words.

        Raises:
            UserError: if there are none or too many, or a flag is refused.
        """
        words = self.parse(arguments)
        # What looks like a flag and is none, such as --=3, must not become a second word.
        if not 1 <= len(words) <= most or any(word.startswith("-") for word in words):
            given = " ".join(words) or "nothing"
            raise UserError(
                f"{self.verb} takes {wanted}, given {given!r}. See: {command(self.verb, '--help')}"
            )
        return words

    def _expanded_word(self, word: str) -> str:
        """A word in which a shell has left a `~`, as it does within quotes."""
        try:
            return expanded_path(word)
        except ValueError:
            raise UserError(f"{self.verb}: there is no home directory {word!r}.") from None

    def expanded(self, arguments: Sequence[str]) -> list[str]:
        """The command line with its flag files put in their place."""
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                return list(self.values.read_flags_from_files(list(arguments), force_gnu=True))
        except flags.Error as error:
            raise UserError(self._refusal(error)) from error
        except UnicodeDecodeError as error:
            raise UserError(f"A flag file is not text: {error}.") from error
        except (ValueError, OSError) as error:
            # A name with a null byte, or one that is too long.
            raise UserError(f"A flag file cannot be read: {error}.") from error

    def refuse_without_effect(self, noun: str, usual: Mapping[str, Any] | None = None) -> None:
        """Refuses a flag that belongs to something else than what was chosen.

        Args:
            noun: what the verb is about, for the message.
            usual: values by name that nobody asked for on the command line, such
                as a preset's; these and the flags' own defaults pass.

        Raises:
            UserError: if there is such a flag.
        """
        usual = usual or {}
        for title, owner in self._owners.items():
            chosen = self.values[owner.flag].value
            if chosen in owner.values:
                continue
            for name in self._groups[title]:
                flag = self.values[name]
                if flag.value not in (flag.default, usual.get(name, flag.default)):
                    raise UserError(
                        f"--{name} belongs to {' or '.join(owner.values)}; this {noun}'s "
                        f"{owner.flag} is {chosen}."
                    )

    def flag_file(self) -> str:
        """All flags with their values, as a file that `--flagfile` reads."""
        names = [name for names in self._groups.values() for name in names]
        lines = [
            f"--{name}={as_text(self.values[name].value)}"
            for name in names
            if name not in ("flagfile", "preset")
        ]
        return "\n".join([RECORD_MARK, *lines]) + "\n"

    def chosen(self) -> dict[str, Any]:
        """The value of every flag, by name."""
        return {name: self.values[name].value for name in self.values}

    def help(self, note: str = "") -> str:
        """What `VERB --help` prints, with the values that the flags have now as their defaults.

        Args:
            note: a sentence on these defaults.

        Returns:
            The text.
        """
        usage = " ".join([SCRIPT, self.verb, self.arguments, "[flags]"])
        parts = [textwrap.fill(self.summary, 88), "", f"usage: {' '.join(usage.split())}"]
        if note:
            parts += ["", textwrap.fill(note, 88)]
        first, common = self._common
        listed = {
            title: [n for n in names if n not in common] for title, names in self._groups.items()
        }
        for title, names in {first: common, **listed}.items():
            if names:
                parts += [
                    "",
                    f"{title}:",
                    *(line for name in names for line in self._described(name)),
                ]
        return "\n".join(parts) + "\n"

    def _described(self, name: str) -> tuple[str, str]:
        flag = self.values[name]
        shown = f"--[no]{name}" if flag.boolean else f"--{name}"
        meaning = f"{flag.help} (default: {as_text(flag.value) or 'empty'})"
        indent = " " * 8
        return f"  {shown}", textwrap.fill(
            meaning, 88, initial_indent=indent, subsequent_indent=indent
        )

    def _define(self, name: str, default: Any, meaning: str, parser: Parser) -> None:
        flags.DEFINE(parser, name, default, meaning, self.values, Serializer())
        self._groups[self._titles[-1]].append(name)

    def _refusal(self, error: Exception) -> str:
        message = str(error).strip().replace("\n", " ").rstrip(".")
        message = message[:1].upper() + message[1:]
        return f"{message}. See: {command(self.verb, '--help')}"
