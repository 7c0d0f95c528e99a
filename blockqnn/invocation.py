"""Commands that a person can paste: by the program that is running, quoted where it must be."""

from __future__ import annotations

import pathlib
import re
import shlex
import shutil
import sys
from collections.abc import Sequence

SCRIPT = "blockqnn"
_PLAIN = re.compile(r"[\w@%+=:,./-][\w@%+=:,./#~-]*", re.ASCII)
"""Words that a shell takes as they are; a # begins a comment only at the start of a word."""


def command(*words: object) -> str:
    """A command line of this program.

    Args:
        words: the verb and what follows it.

    Returns:
        The command as one would type it here, in the current directory.
    """
    return " ".join([program(), *(quoted(str(word)) for word in words)])


def program(arguments: Sequence[str] | None = None, interpreter: str | None = None) -> str:
    """How this program is started here.

    Args:
        arguments: the process's own, program first; None for those of this one.
        interpreter: path of its Python; None for that of this one.

    Returns:
        `blockqnn` where that is found, the path of the script as it was typed
        where it is not, or a Python with `-m blockqnn`.
    """
    started = pathlib.Path((sys.argv if arguments is None else arguments)[0])
    python = pathlib.Path(sys.executable if interpreter is None else interpreter)
    beside = python.with_name(SCRIPT)
    if started.name == SCRIPT or (started.name != "__main__.py" and beside.exists()):
        script = started if started.name == SCRIPT else beside
        return _typed(script, SCRIPT)
    return f"{_typed(python, 'python')} -m blockqnn"


def quoted(word: str) -> str:
    """A word as a shell must be given it.

    Args:
        word: without any quotes.

    Returns:
        The same, in quotes where it needs them.
    """
    return word if _PLAIN.fullmatch(word) else shlex.quote(word)


def _typed(file: pathlib.Path, name: str) -> str:
    """A program by its name if the search path leads to it, else by its path from here."""
    found = shutil.which(name)
    # Links are not followed: the Python of an environment is a link to another's.
    if found and _directory(pathlib.Path(found)) == _directory(file):
        return name
    path = file.absolute()
    try:
        path = path.relative_to(pathlib.Path.cwd())
    except (OSError, ValueError):
        return quoted(str(path))
    # A name without a slash is looked for in the search path alone.
    return quoted(str(path) if len(path.parts) > 1 else f"./{path}")


def _directory(file: pathlib.Path) -> pathlib.Path:
    return file.absolute().parent
