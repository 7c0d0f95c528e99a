"""Executors, with real worker processes that are killed, hang and end."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DryEvaluator
from blockqnn.runs.store import Store
from blockqnn.trial import Status
from blockqnn.workers.contract import InlineExecutor
from tests.blockqnn.executing import is_alive, outcomes, wait_for
from tests.blockqnn.odd_worker import EXITING, FINE, HANGING, KILLED, TALKING
from tests.blockqnn.small_searches import (
    LAYOUT,
    ScriptedAgent,
    job,
    search_settings,
    start,
    without_times,
)
from tests.paths import ROOT

PYTHON = sys.executable


def test_outcomes_are_those_of_the_evaluator(local_executor):
    codes = [FINE, KILLED, HANGING]
    dry = DryEvaluator(2, LAYOUT.classes)
    found = outcomes(local_executor(workers=2), codes)
    for code, outcome in zip(codes, found, strict=True):
        assert outcome.status is Status.COMPLETED
        assert outcome.accuracies == dry.evaluate(job(0, code), 0).accuracies
        assert outcome.device == "dry"
        assert outcome.worker in (0, 1)


def test_an_inline_executor_answers_in_order(local_executor):
    executor = InlineExecutor(DryEvaluator(2, 10))
    for number in (3, 1, 2):
        executor.submit(job(number, FINE))
    assert [executor.next_outcome()[0] for _ in range(3)] == [3, 1, 2]
    executor.close()


@pytest.mark.usefixtures("odd_workers")
def test_a_worker_that_is_killed_costs_its_child_alone(local_executor):
    before, killed, after = outcomes(local_executor(), [FINE, KILLED, FINE])
    assert killed.status is Status.FAILED
    assert "SIGKILL" in killed.reason
    assert "memory" in killed.reason
    assert killed.worker == 0
    assert before.status is after.status is Status.COMPLETED
    assert before.device != after.device, "a new process has another number"


def test_a_worker_that_is_killed_from_outside_costs_its_child_alone(local_executor, odd_workers):
    executor = local_executor()
    executor.submit(job(1, HANGING))
    executor.submit(job(2, FINE))
    wait_for(odd_workers.exists)
    os.kill(int(odd_workers.read_text()), signal.SIGKILL)
    number, outcome = executor.next_outcome()
    assert (number, outcome.status) == (1, Status.FAILED)
    assert "SIGKILL" in outcome.reason
    number, outcome = executor.next_outcome()
    assert (number, outcome.status) == (2, Status.COMPLETED)


def test_a_worker_that_is_killed_while_it_waits_costs_no_child(local_executor):
    executor = local_executor()
    executor._workers[0].process.kill()
    wait_for(lambda: not executor._workers[0].process.alive)
    executor.submit(job(1, FINE))
    assert executor.next_outcome()[1].status is Status.COMPLETED


@pytest.mark.usefixtures("odd_workers")
def test_a_worker_that_exits_says_its_status(local_executor):
    exited, after = outcomes(local_executor(), [EXITING, FINE])
    assert exited.status is Status.FAILED
    assert "exit status 3" in exited.reason
    assert after.status is Status.COMPLETED


@pytest.mark.usefixtures("odd_workers")
def test_a_child_that_hangs_is_given_up(local_executor):
    hanging, after = outcomes(local_executor(timeout=1.5), [HANGING, FINE])
    assert hanging.status is Status.FAILED
    assert "1.5 seconds (--child_timeout_seconds)" in hanging.reason
    assert after.status is Status.COMPLETED


@pytest.mark.usefixtures("odd_workers")
def test_a_child_that_hangs_does_not_hold_up_the_other_workers(local_executor):
    found = outcomes(local_executor(workers=2, timeout=3.0), [HANGING, FINE, KILLED, FINE, FINE])
    statuses = [outcome.status for outcome in found]
    assert statuses == ["failed", "trained", "failed", "trained", "trained"]
    assert "--child_timeout_seconds" in found[0].reason


def test_a_child_that_ends_as_its_time_is_up_does_not_cost_the_next_one(local_executor):
    executor = local_executor()
    executor.submit(job(1, FINE))
    wait_for(lambda: executor._events.qsize() == 2)
    # The answer has come between the end of waiting and the look at the clock.
    executor._workers[0].jobs[1].begun = time.monotonic() - 600
    executor._kill_overdue()
    executor.submit(job(2, FINE))
    assert [executor.next_outcome()[1].status for _ in range(2)] == [Status.COMPLETED] * 2


@pytest.mark.usefixtures("odd_workers")
def test_what_a_child_prints_does_not_disturb(local_executor, tmp_path):
    talking, after = outcomes(local_executor(), [TALKING, FINE])
    assert talking.status is after.status is Status.COMPLETED
    log = (tmp_path / "worker-0.log").read_text()
    assert {"printed", "written", "said by a child"} <= set(log.splitlines())


@pytest.mark.usefixtures("odd_workers")
def test_a_search_goes_on_after_killed_and_hanging_children(local_executor):
    codes = [KILLED, FINE, KILLED, FINE]
    settings = search_settings(((1.0, 1),), blocks_per_iteration=4)
    with contextlib.closing(Store.create_or_open(":memory:")) as store:
        search, agent = start(settings, store, ScriptedAgent(codes))
        trials = without_times(search.run(local_executor()))
    assert [trial.status for trial in trials] == ["failed", "trained", "failed", "known"]
    assert [trial.reward for trial in trials][::2] == [10.0, 10.0]
    assert len(agent.updates) == 1


@pytest.mark.usefixtures("odd_workers")
def test_data_that_the_worker_refuses_are_the_users_error(local_executor):
    with pytest.raises(UserError, match=r"^The images are refused\.$"):
        local_executor(dataset="refused")


@pytest.mark.usefixtures("odd_workers")
def test_a_worker_that_cannot_start_points_to_its_log(local_executor, tmp_path):
    with pytest.raises(UserError, match="exit status 1 before it was ready") as refusal:
        local_executor(workers=2, dataset="crash")
    logs = sorted(tmp_path.glob("worker-?.log"))
    assert any(str(log) in str(refusal.value) for log in logs)
    assert "worker trouble" in "".join(log.read_text() for log in logs)


@pytest.mark.usefixtures("odd_workers")
def test_closing_ends_the_workers_and_what_they_do(local_executor, odd_workers):
    executor = local_executor(workers=2)
    executor.submit(job(1, HANGING))
    executor.submit(job(2, FINE))
    wait_for(odd_workers.exists)
    pids = [int(odd_workers.read_text()), int(executor.next_outcome()[1].device.split()[0])]
    assert all(map(is_alive, pids))
    executor.close()
    assert not any(map(is_alive, pids))


def test_workers_end_when_the_driver_is_killed(odd_workers, tmp_path):
    program = f"""
import sys, time, pathlib
sys.executable = {sys.executable!r}
from blockqnn.workers.contract import LocalExecutor
from blockqnn.workers.placement import Place
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.workers.worker import encode_settings
from tests.blockqnn.odd_worker import FINE, HANGING
from tests.blockqnn.small_searches import LAYOUT, job
log_dir = pathlib.Path({str(tmp_path)!r})
settings = encode_settings("dry", DataSettings(), Recipe(), LAYOUT, WorkerSettings())
executor = LocalExecutor(settings, [Place()] * 2, log_dir, 600.0)
executor.submit(job(1, HANGING))
executor.submit(job(2, FINE))
print(executor.next_outcome()[1].device.split()[0], flush=True)
time.sleep(3600)
"""
    with subprocess.Popen(
        [PYTHON, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as driver:
        idle = int(driver.stdout.readline())
        wait_for(odd_workers.exists)
        busy = int(odd_workers.read_text())
        assert is_alive(idle)
        assert is_alive(busy)
        driver.kill()
    wait_for(lambda: not is_alive(idle) and not is_alive(busy))
