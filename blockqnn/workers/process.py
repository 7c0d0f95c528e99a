"""A worker process as its driver sees it: where it runs, what goes in, how it ended."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

from blockqnn.workers.placement import Place


class WorkerProcess:
    """A process that reads lines and writes lines; see `blockqnn.workers.link.WorkerLink`."""

    placed = True
    blameless = False

    def __init__(self, place: Place, settings: str, log: pathlib.Path, said: Callable[[str], None]):
        """Starts the process.

        Args:
            place: what it gets of the machine.
            settings: the first line that it reads.
            log: where its standard error goes.
            said: called with each line that it writes, and at last, when it has
                ended, with an empty one; in another thread.
        """
        self._log = log
        with log.open("a", encoding="utf-8") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "blockqnn.workers.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env=os.environ | place.environment,
                # Ctrl-C goes to the driver, which decides what becomes of the workers.
                process_group=0,
                encoding="utf-8",
            )
        if place.cores and hasattr(os, "sched_setaffinity"):
            # Before it reads its settings, and so before it imports JAX: XLA makes as many
            # threads as there are cores then. It may have ended already, and its cores may
            # have been taken from the driver.
            with contextlib.suppress(OSError):
                os.sched_setaffinity(self._process.pid, place.cores)
        threading.Thread(target=self._listen, args=(said,), daemon=True).start()
        self.send(settings)

    def send(self, line: str) -> None:
        """Writes a line to it; if it has died, its last word tells."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def kill(self) -> None:
        """Ends it, whatever it is doing."""
        self._process.kill()

    def wait(self) -> None:
        """Waits until it has ended, and lets go of it."""
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    @property
    def log(self) -> str:
        """Where its standard error goes."""
        return str(self._log)

    @property
    def killed(self) -> bool:
        """Whether a signal ended it."""
        return self._process.wait() < 0

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        status = self._process.wait()
        if status >= 0:
            return f"ended with exit status {status}"
        name = signal.Signals(-status).name
        hint = ", perhaps for lack of memory" if name == "SIGKILL" else ""
        return f"was killed by {name}{hint}"

    def _listen(self, said: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                said(line)
        self._process.wait()
        said("")
