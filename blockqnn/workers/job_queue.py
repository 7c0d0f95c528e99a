"""Jobs that wait for a worker, and which worker takes which."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence

from blockqnn.trial import Job
from blockqnn.workers.pool_worker import PoolWorker, Task
from blockqnn.workers.worker import encode_job


class JobQueue:
    """Hands jobs out, so that none waits at a worker while another has a free slot.

    What was handed over early stays where it is, even if another worker
    becomes free when no job is left: at the end of an iteration that costs
    at most the time of the children that a worker has ahead.
    """

    def __init__(self, workers: Sequence[PoolWorker], children_per_worker: int):
        """Begins without jobs.

        Args:
            workers: of the pool, which may change.
            children_per_worker: after which a worker gets no more; 0 for never.
        """
        self._workers, self._children_per_worker = workers, children_per_worker
        self._tasks: collections.deque[Task] = collections.deque()

    @property
    def waiting(self) -> int:
        """How many jobs no worker has."""
        return len(self._tasks)

    @property
    def free(self) -> int:
        """How many jobs more the workers could take, those that wait included."""
        free = 0
        for worker in self._workers:
            has = len(worker.jobs)
            if has < worker.slots + worker.ahead and self._may_take(worker):
                free += worker.slots + worker.ahead - has
        return free

    def put(self, job: Job) -> None:
        """Appends a job."""
        self._tasks.append(Task(job))

    def put_back(self, tasks: Sequence[Task]) -> None:
        """Puts what a worker had before all others, in that order."""
        self._tasks.extendleft(reversed(tasks))

    def is_worn(self, worker: PoolWorker) -> bool:
        """Whether a worker was given all that it may be given."""
        return bool(self._children_per_worker) and worker.given >= self._children_per_worker

    def hand_out(self) -> None:
        """Gives workers as many jobs as they take."""
        kept = []
        while self._tasks:
            takers = list(filter(self._takes_more, self._workers))
            if not takers:
                break
            task = self._tasks.popleft()
            worker = self._least_loaded(w for w in takers if self._may_go(task, w))
            if worker is None:
                kept.append(task)
                continue
            worker.jobs[task.job.number] = task
            worker.given += 1
            worker.process.send(encode_job(task.job))
        self.put_back(kept)

    @staticmethod
    def _least_loaded(workers: Iterable[PoolWorker]) -> PoolWorker | None:
        return min(workers, key=lambda worker: len(worker.jobs), default=None)

    def _may_go(self, task: Task, worker: PoolWorker) -> bool:
        """Whether a worker is another than those with whom the task failed, if there is one."""
        if worker.number not in task.avoided:
            return True
        # One that has no place yet may never get one.
        there = (other for other in self._workers if other.slots or other.process.placed)
        return all(other.number in task.avoided for other in there)

    def _takes_more(self, worker: PoolWorker) -> bool:
        if not worker.slots or len(worker.jobs) >= worker.slots + worker.ahead:
            return False
        if not self._may_take(worker) or not worker.process.alive:
            return False
        if len(worker.jobs) < worker.slots:
            return True
        # Those that are about to be ready will have free slots.
        starting = sum(not other.slots and other.process.placed for other in self._workers)
        return len(self._tasks) > starting * worker.slots

    def _may_take(self, worker: PoolWorker) -> bool:
        # One that is being killed may still have answered; it gets nothing more to do.
        return not (worker.being_killed or worker.talked_nonsense or self.is_worn(worker))
