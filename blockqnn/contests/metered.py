"""What a search has cost: seconds of a device for each job, and of the driver between them."""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
import time
from collections.abc import Callable, Iterable, Mapping

from blockqnn.contests.passing_executor import PassingExecutor
from blockqnn.errors import UserError
from blockqnn.trial import Job, Outcome
from blockqnn.workers.contract import Executor

FILE_NAME = "spent.jsonl"
CHILD, SCORE, SUPERNET, GRADIENTS, MIXTURE = KINDS = (
    "children",
    "scores",
    "supernets",
    "gradients",
    "mixtures",
)
"""What a device was asked for."""
LOOKED_UP = "looked up"
"""What evaluations count as that a table answers."""
DRIVER = "driver"
"""What agents and controllers, and the search around them, took of a processor."""


@dataclasses.dataclass(frozen=True)
class Spent:
    """What one job has cost.

    Attributes:
        kind: of the job, one of `KINDS`.
        name: hash of its design, or which epoch of which bank; empty for scores that a
            controller learns from.
        number: of the job.
        device: seconds that it had a device, of a processor those that it took; without compiling.
        driver: seconds of a processor that the driver took since the job before.
        compiling: seconds of compilers. Programs are kept on disk, and who comes first would pay
            for all, so that they are no part of the cost.
    """

    kind: str
    name: str
    number: int
    device: float
    driver: float
    compiling: float

    @property
    def seconds(self) -> float:
        """Of one device and the driver."""
        return self.device + self.driver


def kind_of(job: Job) -> str:
    """What a job asks for."""
    if job.training is not None:
        return SUPERNET
    if job.matching is not None:
        return GRADIENTS
    if job.mixture is not None:
        return MIXTURE
    return SCORE if job.bank else CHILD


class MeteredExecutor(PassingExecutor):
    """An executor that writes down what each job has cost, in a line of a file."""

    def __init__(
        self,
        executor: Executor,
        path: pathlib.Path,
        now: Callable[[], float] = time.process_time,
    ):
        """Begins to count.

        Args:
            executor: that evaluates.
            path: of the file, to which lines are added.
            now: seconds of a processor that this process has taken.
        """
        super().__init__(executor)
        self._path, self._now = path, now
        self._jobs: dict[int, collections.deque[Job]] = {}
        self._driver, self._since = 0.0, now()

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        self._jobs.setdefault(job.number, collections.deque()).append(job)
        self._executor.submit(job)

    def next_outcome(self) -> tuple[int, Outcome]:
        """See `Executor.next_outcome`."""
        self._pause()
        found = self._executor.next_outcome()
        self._since = self._now()
        return self._kept(*found)

    def next_outcome_or_room(self) -> tuple[int, Outcome] | None:
        """See `Executor.next_outcome_or_room`."""
        self._pause()
        found = self._executor.next_outcome_or_room()
        self._since = self._now()
        return None if found is None else self._kept(*found)

    def _pause(self) -> None:
        # What is evaluated in this process is the device's, not the driver's.
        self._driver += self._now() - self._since

    def _kept(self, number: int, outcome: Outcome) -> tuple[int, Outcome]:
        job = self._jobs[number].popleft()
        # Other work on a processor makes its clock say more than it took.
        device = outcome.processor_seconds or outcome.train_seconds
        seconds = (device, self._driver, outcome.compile_seconds)
        spent = Spent(kind_of(job), job.hash, number, *(round(each, 4) for each in seconds))
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.astuple(spent)) + "\n")
        self._driver = 0.0
        return number, outcome


def read_spent(path: pathlib.Path) -> list[Spent]:
    """What a search has cost by now, in the order of time.

    Args:
        path: of the file; without one nothing has been spent.

    Returns:
        A record for each job. What was done again after a kill, since it was not yet in the
        store, counts once.

    Raises:
        UserError: if the file is none.
    """
    if not path.exists():
        return []
    found: dict[object, Spent] = {}
    for place, line in enumerate(path.read_text(encoding="utf-8").split("\n")):
        try:
            spent = Spent(*json.loads(line)) if line else None
        except (ValueError, TypeError) as error:
            # A process that was killed as it wrote leaves half a line, to which the next one adds.
            if "[" in line:
                continue
            raise UserError(f"{path} cannot be read: line {place + 1} is {line[:40]!r}.") from error
        if spent is not None:
            key = (spent.kind, spent.name, spent.number) if spent.name else place
            found.pop(key, None)
            found[key] = spent
    return list(found.values())


def by_kind(spent: Iterable[Spent]) -> Mapping[str, float]:
    """Seconds of all jobs, by kind, and those of the driver."""
    found: dict[str, float] = dict.fromkeys((*KINDS, DRIVER), 0.0)
    for one in spent:
        found[one.kind] += one.device
        found[DRIVER] += one.driver
    return found
