"""What a pool may ask of a worker, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class WorkerLink(Protocol):
    """A worker as its pool sees it; `blockqnn.workers.worker` says which lines are spoken."""

    @property
    def alive(self) -> bool:
        """Whether it may still answer."""

    @property
    def placed(self) -> bool:
        """Whether it has got its place on a machine; until then its start takes no time."""

    @property
    def ending(self) -> str:
        """How it ended, in words."""

    @property
    def killed(self) -> bool:
        """Whether something else ended it."""

    @property
    def blameless(self) -> bool:
        """Whether it ended for a reason that no child can have, as when a cluster is lost."""

    @property
    def log(self) -> str:
        """Where to read what it wrote to standard error."""

    def send(self, line: str) -> None:
        """Sends it a line; nothing happens if it has ended."""

    def kill(self) -> None:
        """Ends it, whatever it is doing."""

    def wait(self) -> None:
        """Waits until it has ended, and lets go of it."""


Spawn = Callable[[int, Callable[[str], None]], WorkerLink]
"""Starts the worker of a number; each line that it says, and at last an empty one, is passed on."""
