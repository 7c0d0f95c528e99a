"""Worker processes of this machine that die, hang, or are renewed."""

import os
import signal

import pytest

from blockqnn.trial import Status
from tests.blockqnn.executing import outcomes, wait_for
from tests.blockqnn.odd_worker import EXITING, FINE, HANGING, KILLED, WAITING
from tests.blockqnn.small_searches import CONV1, CONV3, job


@pytest.mark.usefixtures("odd_workers")
def test_a_child_that_kills_its_worker_is_tried_again_and_fails(local_executor):
    executor = local_executor(workers=2, child_retries=2)
    killed, fine, exiting = outcomes(executor, [KILLED, FINE, EXITING])
    assert killed.reason.endswith("memory, the last of 3 attempts (--child_retries)")
    assert exiting.reason.endswith("exit status 3, the last of 3 attempts (--child_retries)")
    assert fine.status is Status.COMPLETED


def test_a_child_whose_worker_is_killed_from_outside_is_none_the_worse(
    local_executor, odd_workers, tmp_path
):
    executor = local_executor(child_retries=1)
    executor.submit(job(1, WAITING))
    while executor._workers[0].jobs[1].begun is None:
        executor._wait()
    os.kill(executor._workers[0].pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    number, outcome = executor.next_outcome()
    assert (number, outcome.status) == (1, Status.COMPLETED)


@pytest.mark.usefixtures("odd_workers")
def test_a_child_that_hangs_is_tried_again_and_given_up(local_executor):
    (hanging,) = outcomes(local_executor(timeout=0.5, child_retries=1), [HANGING])
    assert hanging.reason.startswith("not finished after 0.5 seconds")
    assert hanging.reason.endswith("the last of 2 attempts (--child_retries)")


def test_a_worker_that_is_killed_while_it_starts_is_started_again(local_executor):
    executor = local_executor(workers=2)
    starting = [worker for worker in executor._workers if not worker.slots]
    executor._workers[0].process.kill()
    wait_for(lambda: not executor._workers[0].process.alive)
    for worker in starting:
        worker.process.kill()
    found = outcomes(executor, [CONV1, CONV3])
    assert [outcome.status for outcome in found] == [Status.COMPLETED] * 2


def test_local_workers_are_renewed_too(local_executor):
    executor = local_executor(children_per_worker=1)
    processes = set()
    for number in range(3):
        executor.submit(job(number, CONV1))
        assert executor.next_outcome()[1].status is Status.COMPLETED
        processes.add(executor._workers[0].pid)
    assert len(processes - {None}) >= 2
