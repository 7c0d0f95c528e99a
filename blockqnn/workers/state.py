"""How the workers of a search are, as those who look on see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence


@dataclasses.dataclass(frozen=True)
class ChildState:
    """A child that a worker has.

    Attributes:
        number: of its trial.
        begun: when its training began, in seconds since 1970; None if it waits.
    """

    number: int
    begun: float | None


@dataclasses.dataclass(frozen=True)
class WorkerState:
    """A worker.

    Attributes:
        number: from 0.
        node: name of the machine that it runs on; empty until it has said so.
        process: its number there.
        device: what it trains on; empty until it is ready.
        state: `waiting for a place`, `starting`, `idle`, `training` or `ending`.
        since: when it started, became ready or ended its last child, in seconds since 1970.
        heard: when it last said anything, in seconds since 1970.
        children: that it has.
    """

    number: int
    node: str
    process: int | None
    device: str
    state: str
    since: float
    heard: float | None
    children: tuple[ChildState, ...]


Watcher = Callable[[Sequence[WorkerState]], None]
"""Is told how the workers are."""
