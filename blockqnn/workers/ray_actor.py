"""A worker on a Ray cluster: an actor that owns its device and speaks the lines of `worker`.

Only Ray's own processes import this module.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import queue
import tempfile
import threading
import traceback

import ray

from blockqnn.workers.placement import available_cores
from blockqnn.workers.worker import serve

_LISTEN_SECONDS = 30.0
"""A worker that has nothing to say for so long lets its listener ask again."""


@ray.remote(concurrency_groups={"take": 1, "listen": 1})
class RayWorker:
    """A worker that keeps its data set and its executables from child to child."""

    def __init__(self, cores: int):
        """Begins to answer, in a thread.

        Args:
            cores: to which it is bound; 0 for no binding.
        """
        # XLA makes as many threads as there are cores when it is imported, which comes later.
        self._held = bind_to_free_cores(cores)
        self._lines: queue.Queue[str] = queue.Queue()
        self._said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._serve, daemon=True).start()

    @ray.method(concurrency_group="take")
    def take(self, line: str) -> None:
        """Passes a line on to the worker."""
        self._lines.put(line)

    @ray.method(concurrency_group="listen")
    def listen(self) -> list[str]:
        """Waits for the worker to say something; returns all that it has said."""
        said = []
        try:
            said.append(self._said.get(timeout=_LISTEN_SECONDS))
            while True:
                said.append(self._said.get_nowait())
        except queue.Empty:
            return said

    def _serve(self) -> None:
        try:
            serve(self._lines, self._said.put)
        except BaseException:
            # Ray learns that a process has ended, not that a thread has.
            traceback.print_exc()
            os._exit(1)


def bind_to_free_cores(
    count: int, directory: pathlib.Path | None = None
) -> list[tuple[int, object]]:
    """Binds this process to cores that no other worker on this machine is bound to.

    A child computes with as many threads as there are cores, and its numbers
    depend on that in their last digits; so a worker has as many on Ray as it
    has elsewhere. A lock on a file for each core tells which are taken.

    Args:
        count: of the cores; 0 binds nothing.
        directory: of the locks; None for the user's own in the system's temporary one.

    Returns:
        The cores with their locks, which hold as long as these are kept. Where
        too few are free it binds to none of its own, but to the first ones.
    """
    if not count or not hasattr(os, "sched_setaffinity"):
        return []
    if directory is None:
        directory = pathlib.Path(tempfile.gettempdir()) / f"blockqnn-cores-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    cores = available_cores()
    held: list[tuple[int, object]] = []
    for core in cores:
        if len(held) == count:
            break
        stream = (directory / str(core)).open("w", encoding="utf-8")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.close()
            continue
        held.append((core, stream))
    chosen = [core for core, _ in held] if len(held) == count else cores[:count]
    os.sched_setaffinity(0, chosen)
    return held
