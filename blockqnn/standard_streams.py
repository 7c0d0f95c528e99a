"""Standard output and error that nothing can go wrong with, however the process was started.

A reader of output may go away, as `head` does; a stream may be closed from the
start, its disk full, its encoding without a character. A verb that works must
come to its end in each of these cases, and a listing end without a traceback.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from typing import Any, TextIO

_ERRORS = "blockqnn-any"
"""Name of the error handler by which every text can be encoded."""


class LastingOutput(io.RawIOBase):
    """Writes to a descriptor; when that fails, it goes on without output if it may."""

    def __init__(self, descriptor: int):
        """Takes a descriptor.

        Args:
            descriptor: where to write; it stays open.
        """
        self._descriptor = descriptor
        self.lasting = True
        self.failure: OSError | None = None

    def writable(self) -> bool:
        """See `io.RawIOBase.writable`."""
        return True

    def fileno(self) -> int:
        """See `io.RawIOBase.fileno`."""
        return self._descriptor

    def isatty(self) -> bool:
        """See `io.RawIOBase.isatty`."""
        return os.isatty(self._descriptor)

    def write(self, data: Any, /) -> int:
        """See `io.RawIOBase.write`."""
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            self.failure = error
            # Nothing of what is still buffered shall fail again, here or at the end of the process.
            silence(self._descriptor)
            if not self.lasting:
                raise
            return memoryview(data).nbytes


def silence(descriptor: int) -> None:
    """Lets a descriptor lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def make_safe() -> LastingOutput:
    """Gives this process streams that last; to be called before anything opens a file.

    Returns:
        What is below standard output.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The next file that is opened would take its place, and be written to.
            silence(descriptor)
    codecs.register_error(_ERRORS, _any_text)
    sys.stdout, output = _lasting(1, sys.stdout)
    sys.stderr, _ = _lasting(2, sys.stderr)
    return output


def speak_utf8() -> None:
    """Begins this process anew in Python's UTF-8 mode where the locale has another encoding.

    Names of files, flags and what workers inherit are then the same everywhere.
    """
    if sys.flags.utf8_mode or sys.getfilesystemencoding() == "utf-8" or not sys.executable:
        return
    os.environ["PYTHONUTF8"] = "1"
    with contextlib.suppress(OSError):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _lasting(descriptor: int, before: TextIO | None) -> tuple[TextIO, LastingOutput]:
    encoding = (before.encoding if before is not None else None) or "utf-8"
    raw = LastingOutput(descriptor)
    if before is not None:
        with contextlib.suppress(OSError, ValueError):
            before.flush()
    # Who follows a log through a pipe shall see a line when it is written.
    stream = io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors=_ERRORS, line_buffering=True
    )
    return stream, raw


def _any_text(error: UnicodeError) -> tuple[str | bytes, int]:
    """Bytes of file names that are no text go out as they are, and else what can be said."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)
