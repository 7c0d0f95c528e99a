"""Where banks lie, for whoever must not compute with them: nothing here imports JAX."""

from __future__ import annotations

import pathlib
import shutil


def bank_name(part: str, epoch: int) -> str:
    """The name of a bank as it was at the end of an epoch.

    Args:
        part: which bank.
        epoch: from 1; 0 for before any.

    Returns:
        The name of its directory.
    """
    return f"{part}-{epoch:04d}"


def remove_bank(path: pathlib.Path) -> None:
    """Deletes a bank, of which nothing is left under its name at any moment but all of it."""
    gone = path.with_name(path.name + ".unfinished")
    shutil.rmtree(gone, ignore_errors=True)
    if path.exists():
        path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
