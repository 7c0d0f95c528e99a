"""A transaction of a store, and what is said where the disk does not take it."""

from __future__ import annotations

import pathlib
import sqlite3

from blockqnn.errors import UserError


class Transaction:
    """All of it or nothing; within another one it is a part of that."""

    def __init__(self, connection: sqlite3.Connection, path: pathlib.Path):
        """Begins nothing yet.

        Args:
            connection: to the store.
            path: of its file.
        """
        self._connection, self._path = connection, path

    def __enter__(self) -> None:
        self._inner = self._connection.in_transaction
        if not self._inner:
            self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, error_type: object, error: object, traceback: object) -> None:
        if self._inner:
            return
        if error is None:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.OperationalError as failure:
                error = failure
        if error is None:
            return
        # SQLite has rolled back by itself where a disk is full.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error):
            raise (unwritable(self._path, error) or error) from error


def unwritable(path: pathlib.Path, error: Exception) -> UserError | None:
    """What to say where a disk is full or broken.

    Args:
        path: of the file.
        error: that SQLite raised.

    Returns:
        The refusal, or None for other errors.
    """
    # The low byte is the kind of error.
    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
    ):
        return None
    return UserError(
        f"{path} cannot be written to: {error}. What has finished is kept; make space if the disk "
        "is full, and the same command continues."
    )
