"""Commands of this project that a benchmark runs, which end when it ends."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

_ENDING_SECONDS = 60.0
"""Which a search may take to write down where it is."""


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
