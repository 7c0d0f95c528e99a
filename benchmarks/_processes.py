"""Commands of this project that a benchmark runs, which end when it ends."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from blockqnn.errors import INTERRUPTED

UNFINISHED = 75
"""The exit status that asks to be called again (EX_TEMPFAIL of sysexits.h)."""
_ENDING_SECONDS = 60.0
"""Which a search may take to write down where it is."""
_STEP_SECONDS = 0.2


def piece(words: Sequence[str], ends: float) -> int:
    """Runs a module that goes on where it was, and interrupts it when the time is up.

    Args:
        words: its name, and its arguments.
        ends: by `time.monotonic`.

    Returns:
        Its exit status; `UNFINISHED` where it was interrupted.
    """
    with running([sys.executable, "-m", *words]) as process:
        while process.poll() is None and time.monotonic() < ends:
            time.sleep(_STEP_SECONDS)
        if process.poll() is None:
            interrupt(process)
            # At its very beginning an interruption ends it before it can say so.
            by_signal = (INTERRUPTED, -signal.SIGINT, -signal.SIGKILL)
            return UNFINISHED if process.returncode in by_signal else process.returncode
    return process.returncode


@contextlib.contextmanager
def running(words: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A command while it runs; one that an exception leaves behind is interrupted.

    Ctrl-C reaches a benchmark and its command alike. A signal that is sent to the benchmark alone
    would leave the command at work, and the benchmark waiting for it.

    Args:
        words: of the command.
        **options: of `subprocess.Popen`.

    Yields:
        The process.
    """
    with subprocess.Popen(words, **options) as process:
        try:
            yield process
        except BaseException:
            interrupt(process)
            raise


def interrupt(process: subprocess.Popen[Any]) -> None:
    """Interrupts a process as Ctrl-C does and waits until it has ended; kills it if it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
