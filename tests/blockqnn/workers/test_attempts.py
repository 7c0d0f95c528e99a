"""What becomes of the children of a worker that has ended, by the rule alone."""

import time
import types

import pytest

from blockqnn.workers.attempts import Attempts
from blockqnn.workers.pool_worker import PoolWorker, Task
from tests.blockqnn.small_searches import CONV1, job


def ended_worker(*tasks, blameless=False, **fields):
    """A worker that has ended with these tasks, numbered from 1."""
    worker = PoolWorker(3, time.monotonic())
    worker.process = types.SimpleNamespace(ending="fell over", blameless=blameless, placed=True)
    for name, value in fields.items():
        setattr(worker, name, value)
    worker.jobs = {task.job.number: task for task in tasks}
    return worker


def task(number, begun=True, **fields):
    return Task(job(number, CONV1), time.monotonic() - 2 if begun else None, **fields)


def numbers(tasks):
    return [found.job.number for found in tasks]


def test_those_that_had_begun_are_counted_and_the_others_are_not():
    tasks = [task(1), task(2, begun=False), task(3)]
    failed, back = Attempts(1, 9.0).after_the_end_of(ended_worker(*tasks))
    assert (failed, numbers(back)) == ([], [1, 2, 3])
    assert [found.attempts for found in tasks] == [1, 0, 1]
    assert [found.avoided for found in tasks] == [{3}, set(), {3}]
    assert all(found.begun is None for found in tasks)


def test_one_that_was_too_slow_is_to_blame_and_those_beside_it_are_not():
    tasks = [task(1, overdue=True), task(2), task(3, begun=False)]
    failed, back = Attempts(0, 9.0).after_the_end_of(ended_worker(*tasks, being_killed=True))
    ((number, outcome),) = failed
    assert (number, numbers(back)) == (1, [2, 3])
    assert outcome.reason == "not finished after 9 seconds (--child_timeout_seconds)"
    assert outcome.train_seconds == pytest.approx(2, abs=60)
    assert outcome.worker == 3


def test_nonsense_is_named_as_the_reason():
    worker = ended_worker(task(1), talked_nonsense=True)
    ((_, outcome),), _ = Attempts(0, 9.0).after_the_end_of(worker)
    assert outcome.reason == "the worker said what no worker says"


@pytest.mark.parametrize(("retries", "deaths"), [(0, 3), (1, 3), (2, 3), (5, 6)])
def test_one_that_ends_workers_before_it_is_begun_is_given_up(retries, deaths):
    rule, first, second = Attempts(retries, 9.0), task(1, begun=False), task(2, begun=False)
    for _ in range(deaths - 1):
        failed, back = rule.after_the_end_of(ended_worker(first, second))
        assert (failed, numbers(back)) == ([], [1, 2])
    failed, back = rule.after_the_end_of(ended_worker(first, second))
    assert ([number for number, _ in failed], numbers(back)) == ([1], [2])
    assert second.attempts == second.returns == 0


@pytest.mark.parametrize("how", [{"blameless": True}, {"being_killed": True}])
def test_nobody_is_blamed_where_no_child_can_be(how):
    tasks = [task(1, begun="being_killed" not in how), task(2, begun=False)]
    for _ in range(9):
        failed, back = Attempts(0, 9.0).after_the_end_of(ended_worker(*tasks, **how))
        assert (failed, numbers(back)) == ([], [1, 2])
    assert [found.attempts + found.returns for found in tasks] == [0, 0]
