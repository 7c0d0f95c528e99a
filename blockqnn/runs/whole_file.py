"""Files that are either there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import pathlib

from blockqnn.errors import UserError


def write_whole(path: pathlib.Path, content: bytes, name: str = "--out ") -> None:
    """Writes a file under another name first, and then puts it into its place.

    Args:
        path: of the file; what lies there is replaced.
        content: of the file.
        name: what comes before the path in a refusal.

    Raises:
        UserError: if it cannot be written; what was there is then as it was.
    """
    unfinished = path.parent / f".blockqnn-{os.getpid()}"
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a directory")
        try:
            unfinished.write_bytes(content)
            unfinished.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise
    except (OSError, ValueError) as error:  # A ValueError where the name holds a null byte.
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{name}{str(path)!r} cannot be written: {reason}.") from error
