"""The workers of a pool and their jobs, as the pool keeps them."""

from __future__ import annotations

import dataclasses

from blockqnn.trial import Job
from blockqnn.workers.link import WorkerLink
from blockqnn.workers.state import ChildState, WorkerState


@dataclasses.dataclass
class Task:
    """A job and what has become of it so far.

    Attributes:
        job: what is to be evaluated.
        begun: when a worker began with it, on the monotonic clock.
        overdue: whether it has taken too long.
        attempts: how many have failed.
        returns: how often it was the next one when a worker died with none begun.
        avoided: numbers of the workers with whom it failed.
    """

    job: Job
    begun: float | None = None
    overdue: bool = False
    attempts: int = 0
    returns: int = 0
    avoided: set[int] = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class PoolWorker:
    """A worker and what it has to do; it is ready when it has slots.

    Attributes:
        number: from 0; one that replaces another has the same.
        since: when it started, became ready or ended its last child, on the
            monotonic clock.
        failed_starts: how often in a row it was killed before it was ready.
        process: how to reach it.
        slots: how many children it can train at once.
        ahead: how many jobs beyond those it can prepare meanwhile.
        jobs: that it has, by number.
        given: how many jobs it has ever been given.
        being_killed: whether it is about to end because the pool wants so.
        talked_nonsense: whether it said what no worker says.
        node: name of its machine.
        pid: of its process there.
        device: what it trains on.
        heard: when it last said anything, on the monotonic clock.
    """

    number: int
    since: float
    failed_starts: int = 0
    process: WorkerLink = dataclasses.field(init=False)
    slots: int = 0
    ahead: int = 0
    jobs: dict[int, Task] = dataclasses.field(default_factory=dict)
    given: int = 0
    being_killed: bool = False
    talked_nonsense: bool = False
    node: str = ""
    pid: int | None = None
    device: str = ""
    heard: float | None = None

    def state(self, clock: float) -> WorkerState:
        """How it is.

        Args:
            clock: what to add to the monotonic clock to get seconds since 1970.

        Returns:
            What those who look on may know.
        """
        return WorkerState(
            number=self.number,
            node=self.node,
            process=self.pid,
            device=self.device,
            state=self._doing,
            since=self.since + clock,
            heard=None if self.heard is None else self.heard + clock,
            children=tuple(
                ChildState(number, None if task.begun is None else task.begun + clock)
                for number, task in self.jobs.items()
            ),
        )

    @property
    def _doing(self) -> str:
        if self.being_killed:
            return "ending"
        if not self.slots:
            return "starting" if self.process.placed else "waiting for a place"
        return "training" if self.jobs else "idle"
