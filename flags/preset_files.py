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
_FLAG_FILE_FLAGS = ("--flagfile", "-flagfile")
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
    """

    flags: FlagSet
    preset: str
    words: list[str]
    usual: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Kept:
    """What a verb keeps in a directory of its own.

    Attributes:
        flag_file: name of the file with its flags.
        known_by: name of another file by which such a directory is known.
        place: the flag that names the directory.
    """

    flag_file: str
    known_by: str
    place: str


def read(
    define: Callable[[], FlagSet],
    folder: pathlib.Path,
    arguments: Sequence[str],
    kept: Kept,
    recorded: Sequence[str] = (),
) -> Given:
    """Reads a command line whose flags override those of a preset.

    Args:
        define: makes the flags of the verb, which has a flag `preset`.
        folder: with the presets of the verb.
        arguments: what follows the verb.
        kept: what the verb keeps in a directory. A file of its flags that lies in one
            means that directory, whatever it was called when the file was written.
        recorded: flags of a run that exists, which the arguments override.

    Returns:
        The flags with their values, and what else there is.

    Raises:
        UserError: if a flag, a flag file or the preset cannot be used.
    """
    recorded, arguments = _placed(recorded, kept), _placed(arguments, kept)
    expanded = define().expanded([*recorded, *arguments])
    probe = define()
    words = probe.parse(expanded)
    preset: str = probe.chosen()["preset"]
    base = f"--flagfile={preset_path(preset, folder)}"
    flags, usual = define(), define()
    flags.parse([base, *expanded])
    usual.parse([base, *usual.expanded([*recorded, *_records(arguments, kept)])])
    return Given(flags, preset, words, usual.chosen())


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
    preset = [preset, *named("preset", flags.expanded(arguments))][-1]
    flags.parse([f"--flagfile={preset_path(preset, folder)}"])
    return flags.help(
        f"Defaults are those of the preset {preset}; --preset=NAME --help shows another's."
    )


def _placed(arguments: Sequence[str], kept: Kept) -> list[str]:
    """Names the directory behind each flag file that lies in the one it is about."""
    placed: list[str] = []
    owed: pathlib.Path | None = None
    for place, word in enumerate(arguments):
        placed.append(word)
        if owed is not None:
            placed.append(f"--{kept.place}={owed}")
        name, separator, value = word.partition("=")
        file = pathlib.Path(value).expanduser() if separator else None
        owed = None
        if name not in _FLAG_FILE_FLAGS:
            continue
        if file is None:
            following = "".join(arguments[place + 1 : place + 2])
            owed = _home(pathlib.Path(following).expanduser(), kept)
        elif (home := _home(file, kept)) is not None:
            placed.append(f"--{kept.place}={home}")
    return placed


def _home(file: pathlib.Path, kept: Kept) -> pathlib.Path | None:
    """The directory that a file of flags is about because it lies in it."""
    return file.parent if file.name == kept.flag_file and _is_record(file, kept) else None


def _records(arguments: Sequence[str], kept: Kept) -> list[str]:
    """The flag files of the command line that runs have written."""
    paths = [pathlib.Path(name).expanduser() for name in named("flagfile", arguments)]
    return [f"--flagfile={path}" for path in paths if _is_record(path, kept)]


def named(flag: str, arguments: Sequence[str]) -> list[str]:
    """The values that arguments give a flag, without parsing the others."""
    found = []
    for place, word in enumerate(arguments):
        name, separator, value = word.partition("=")
        if name in (f"--{flag}", f"-{flag}"):
            found.append(value if separator else "".join(arguments[place + 1 : place + 2]))
    return found


def _is_record(path: pathlib.Path, kept: Kept) -> bool:
    # Older versions wrote no mark.
    if path.name == kept.flag_file and (path.parent / kept.known_by).exists():
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
