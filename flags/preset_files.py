"""Presets: flag files that come with the project, which the flags that are given override.

A run keeps all its flags in a file of its own, which `--flagfile` takes. What
a preset or such a file says is no choice of the user's, and is never refused.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from blockqnn.errors import UserError
from blockqnn.flags.parsing import RECORD_MARK, FlagSet

PRESETS = pathlib.Path(__file__).parent / "presets"
TRAINING_PRESETS = PRESETS / "train"
DEFAULT_PRESET = "digits"
DEFAULT_TRAINING_PRESET = "train_digits"


@dataclasses.dataclass(frozen=True)
class Given:
    """A command line, read.

    Attributes:
        flags: with the preset's values and what overrides them.
        preset: its name.
        words: what is no flag.
        usual: the value of every flag without what the user chose himself: the
            preset's, or that of the run that is continued.
        named: flags that the user named himself.
        continues: whether flags are those of a run that exists.
    """

    flags: FlagSet
    preset: str
    words: list[str]
    usual: dict[str, Any]
    named: frozenset[str]
    continues: bool


def read(
    define: Callable[[], FlagSet],
    folder: pathlib.Path,
    arguments: Sequence[str],
    kept: tuple[str, str],
    recorded: Sequence[str] = (),
) -> Given:
    """Reads a command line whose flags override those of a preset.

    Args:
        define: makes the flags of the verb, which has a flag `preset`.
        folder: with the presets of the verb.
        arguments: what follows the verb.
        kept: names of two files that the verb keeps in a directory: its flags, and
            another one by which such a directory is known.
        recorded: flags of a run that exists, which the arguments override.

    Returns:
        The flags with their values, and what else there is.

    Raises:
        UserError: if a flag, a flag file or the preset cannot be used.
    """
    expanded = define().expanded([*recorded, *arguments])
    probe = define()
    words = probe.parse(expanded)
    preset: str = probe.chosen()["preset"]
    base = f"--flagfile={preset_path(preset, folder)}"
    flags, usual = define(), define()
    flags.parse([base, *expanded])
    usual.parse([base, *usual.expanded([*recorded, *_records(arguments, kept)])])
    continues = bool(recorded or _records(arguments, kept))
    return Given(flags, preset, words, usual.chosen(), named(define, arguments, kept), continues)


def named(
    define: Callable[[], FlagSet], arguments: Sequence[str], kept: tuple[str, str]
) -> frozenset[str]:
    """The flags that a user has named, on the command line or in a file of his own.

    Args:
        define: makes the flags of the verb.
        arguments: what follows the verb.
        kept: as `read` has it.

    Returns:
        Their names, without those that the files of runs name.

    Raises:
        UserError: if a flag or a flag file cannot be used.
    """
    own, words = define(), []
    following = iter(arguments)
    for word in following:
        names_file = word in ("--flagfile", "-flagfile")
        whole = [word, *([next(following, "")] if names_file else [])]
        if not _records(whole, kept):
            words += whole
    own.parse(own.expanded(words))
    return frozenset(name for name in own.values if own.values[name].present)


def help_of(define: Callable[[], FlagSet], folder: pathlib.Path, arguments: Sequence[str]) -> str:
    """What `VERB --help` prints: the flags with a preset's values as their defaults.

    Args:
        define: makes the flags of the verb, which has a flag `preset`.
        folder: with the presets of the verb.
        arguments: what follows the verb, of which only the preset's name counts,
            be it in a flag file. Nothing else in it is refused.

    Returns:
        The text.

    Raises:
        UserError: if there is no such preset or flag file.
    """
    flags = define()
    preset: str = flags.chosen()["preset"]
    preset = [preset, *_named("preset", flags.expanded(arguments))][-1]
    flags.parse([f"--flagfile={preset_path(preset, folder)}"])
    return flags.help(
        f"Defaults are those of the preset {preset}; --preset=NAME --help shows another's."
    )


def _records(arguments: Sequence[str], kept: tuple[str, str]) -> list[str]:
    """The flag files of the command line that runs have written."""
    paths = [pathlib.Path(name).expanduser() for name in _named("flagfile", arguments)]
    return [f"--flagfile={path}" for path in paths if _is_record(path, kept)]


def _named(flag: str, arguments: Sequence[str]) -> list[str]:
    """The values that arguments give a flag, without parsing the others."""
    found = []
    for place, word in enumerate(arguments):
        name, separator, value = word.partition("=")
        if name in (f"--{flag}", f"-{flag}"):
            found.append(value if separator else "".join(arguments[place + 1 : place + 2]))
    return found


def _is_record(path: pathlib.Path, kept: tuple[str, str]) -> bool:
    # Older versions wrote no mark.
    if path.name == kept[0] and (path.parent / kept[1]).exists():
        return True
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().rstrip("\n") == RECORD_MARK
    except (OSError, ValueError):
        return False


def preset_path(name: str, folder: pathlib.Path = PRESETS) -> pathlib.Path:
    """Where a preset's flags are.

    Args:
        name: of the preset.
        folder: with the presets of the verb.

    Returns:
        The path of its flag file.

    Raises:
        UserError: if there is no such preset.
    """
    names = preset_names(folder)
    if name not in names:
        raise UserError(f"--preset is {name!r}; allowed: {', '.join(names)}.")
    return folder / f"{name}.flags"


def preset_names(folder: pathlib.Path = PRESETS) -> list[str]:
    """All presets of a verb, which are in one folder."""
    return sorted(path.stem for path in folder.glob("*.flags"))
