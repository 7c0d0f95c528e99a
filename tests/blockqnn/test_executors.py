"""Executors, with real worker processes that are killed, hang and end."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from blockqnn.errors import UserError
from blockqnn.evaluators import DryEvaluator
from blockqnn.executors import InlineExecutor, LocalExecutor
from blockqnn.settings import DataSettings, Recipe
from blockqnn.store import Store
from blockqnn.trial import Status
from tests.blockqnn.odd_worker import EXITING, FINE, HANGING, KILLED, TALKING
from tests.blockqnn.searching import (
    LAYOUT,
    ScriptedAgent,
    job,
    search_settings,
    start,
    without_times,
)

ROOT = pathlib.Path(__file__).parents[2]
PYTHON = sys.executable


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """Makes executors start odd workers; the file that a hanging child writes its process to."""
    interpreter = tmp_path / "interpreter"
    interpreter.write_text(f"#!/bin/sh\ncd {ROOT}\nexec {PYTHON} -m tests.blockqnn.odd_worker\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    monkeypatch.setenv("ODD_WORKER_BEGUN", str(tmp_path / "begun"))
    return tmp_path / "begun"


@pytest.fixture
def make(tmp_path):
    """Makes local executors and closes them."""
    with contextlib.ExitStack() as stack:

        def make(workers=1, timeout=600.0, dataset="digits", evaluator="dry"):
            executor = LocalExecutor(
                evaluator,
                DataSettings(dataset),
                Recipe(epochs=2),
                LAYOUT,
                tmp_path,
                workers,
                timeout,
            )
            return stack.enter_context(contextlib.closing(executor))

        yield make


def outcomes(executor, codes):
    """Evaluates blocks and returns their outcomes in the order of submission."""
    for number, code in enumerate(codes):
        executor.submit(job(number, code))
    found = dict(executor.next_outcome() for _ in codes)
    return [found[number] for number in range(len(codes))]


def wait_for(condition):
    """Waits until something is so; a test that waits in vain fails by the clock of its runner."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def is_alive(pid):
    """Whether a process runs; one that ended and was not waited for does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_outcomes_are_those_of_the_evaluator(make):
    codes = [FINE, KILLED, HANGING]
    dry = DryEvaluator(2, LAYOUT.classes)
    found = outcomes(make(workers=2), codes)
    for code, outcome in zip(codes, found, strict=True):
        assert outcome.status is Status.COMPLETED
        assert outcome.accuracies == dry.evaluate(job(0, code)).accuracies
        assert outcome.device == "dry"
        assert outcome.worker in (0, 1)


def test_an_inline_executor_answers_in_order(make):
    executor = InlineExecutor(DryEvaluator(2, 10))
    for number in (3, 1, 2):
        executor.submit(job(number, FINE))
    assert [executor.next_outcome()[0] for _ in range(3)] == [3, 1, 2]
    executor.close()


@pytest.mark.usefixtures("begun")
def test_a_worker_that_is_killed_costs_its_child_alone(make):
    before, killed, after = outcomes(make(), [FINE, KILLED, FINE])
    assert killed.status is Status.FAILED
    assert "SIGKILL" in killed.reason
    assert "memory" in killed.reason
    assert killed.worker == 0
    assert before.status is after.status is Status.COMPLETED
    assert before.device != after.device, "a new process has another number"


def test_a_worker_that_is_killed_from_outside_costs_its_child_alone(make, begun):
    executor = make()
    executor.submit(job(1, HANGING))
    executor.submit(job(2, FINE))
    wait_for(begun.exists)
    os.kill(int(begun.read_text()), signal.SIGKILL)
    number, outcome = executor.next_outcome()
    assert (number, outcome.status) == (1, Status.FAILED)
    assert "SIGKILL" in outcome.reason
    number, outcome = executor.next_outcome()
    assert (number, outcome.status) == (2, Status.COMPLETED)


def test_a_worker_that_is_killed_while_it_waits_costs_no_child(make):
    executor = make()
    executor._workers[0].process.kill()
    wait_for(executor._events.qsize)
    executor.submit(job(1, FINE))
    assert executor.next_outcome()[1].status is Status.COMPLETED


@pytest.mark.usefixtures("begun")
def test_a_worker_that_exits_says_its_status(make):
    exited, after = outcomes(make(), [EXITING, FINE])
    assert exited.status is Status.FAILED
    assert "exit status 3" in exited.reason
    assert after.status is Status.COMPLETED


@pytest.mark.usefixtures("begun")
def test_a_child_that_hangs_is_given_up(make):
    hanging, after = outcomes(make(timeout=1.5), [HANGING, FINE])
    assert hanging.status is Status.FAILED
    assert "1.5 seconds (--child_timeout_seconds)" in hanging.reason
    assert after.status is Status.COMPLETED


@pytest.mark.usefixtures("begun")
def test_a_child_that_hangs_does_not_hold_up_the_other_workers(make):
    found = outcomes(make(workers=2, timeout=3.0), [HANGING, FINE, KILLED, FINE, FINE])
    statuses = [outcome.status for outcome in found]
    assert statuses == ["failed", "completed", "failed", "completed", "completed"]
    assert "--child_timeout_seconds" in found[0].reason


def test_a_child_that_ends_as_its_time_is_up_does_not_cost_the_next_one(make):
    executor = make()
    executor.submit(job(1, FINE))
    wait_for(lambda: executor._events.qsize())
    # The answer has come between the end of waiting and the look at the clock.
    executor._workers[0].deadline = time.monotonic()
    executor._kill_overdue()
    executor.submit(job(2, FINE))
    assert [executor.next_outcome()[1].status for _ in range(2)] == [Status.COMPLETED] * 2


@pytest.mark.usefixtures("begun")
def test_what_a_child_prints_does_not_disturb(make, tmp_path):
    talking, after = outcomes(make(), [TALKING, FINE])
    assert talking.status is after.status is Status.COMPLETED
    log = (tmp_path / "worker-0.log").read_text()
    assert {"printed", "written", "said by a child"} <= set(log.splitlines())


@pytest.mark.usefixtures("begun")
def test_a_search_goes_on_after_killed_and_hanging_children(make):
    codes = [KILLED, FINE, KILLED, FINE]
    settings = search_settings(((1.0, 1),), blocks_per_iteration=4)
    with contextlib.closing(Store.create_or_open(":memory:")) as store:
        search, agent = start(settings, store, ScriptedAgent(codes))
        trials = without_times(search.run(make()))
    assert [trial.status for trial in trials] == ["failed", "completed", "failed", "known"]
    assert [trial.reward for trial in trials][::2] == [10.0, 10.0]
    assert len(agent.updates) == 1


@pytest.mark.usefixtures("begun")
def test_data_that_the_worker_refuses_are_the_users_error(make):
    with pytest.raises(UserError, match=r"^The images are refused\.$"):
        make(dataset="refused")


@pytest.mark.usefixtures("begun")
def test_a_worker_that_cannot_start_points_to_its_log(make, tmp_path):
    with pytest.raises(UserError, match="exit status 1 before it was ready") as refusal:
        make(workers=2, dataset="crash")
    logs = sorted(tmp_path.glob("worker-?.log"))
    assert any(str(log) in str(refusal.value) for log in logs)
    assert "worker trouble" in "".join(log.read_text() for log in logs)


@pytest.mark.usefixtures("begun")
def test_closing_ends_the_workers_and_what_they_do(make, begun):
    executor = make(workers=2)
    executor.submit(job(1, HANGING))
    executor.submit(job(2, FINE))
    wait_for(begun.exists)
    pids = [int(begun.read_text()), int(executor.next_outcome()[1].device.split()[0])]
    assert all(map(is_alive, pids))
    executor.close()
    assert not any(map(is_alive, pids))


def test_workers_end_when_the_driver_is_killed(begun, tmp_path):
    program = f"""
import sys, time, pathlib
sys.executable = {sys.executable!r}
from blockqnn.executors import LocalExecutor
from blockqnn.settings import DataSettings, Recipe
from tests.blockqnn.odd_worker import FINE, HANGING
from tests.blockqnn.searching import LAYOUT, job
log_dir = pathlib.Path({str(tmp_path)!r})
executor = LocalExecutor("dry", DataSettings(), Recipe(), LAYOUT, log_dir, 2, 600.0)
executor.submit(job(1, HANGING))
executor.submit(job(2, FINE))
print(executor.next_outcome()[1].device.split()[0], flush=True)
time.sleep(3600)
"""
    with subprocess.Popen(
        [PYTHON, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as driver:
        idle = int(driver.stdout.readline())
        wait_for(begun.exists)
        busy = int(begun.read_text())
        assert is_alive(idle)
        assert is_alive(busy)
        driver.kill()
    wait_for(lambda: not is_alive(idle) and not is_alive(busy))


@pytest.mark.usefixtures("begun")
def test_every_gpu_gets_a_worker_that_sees_it_alone(make, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    for workers, wanted in ((0, {0: "4", 1: "7"}), (3, {0: "4", 1: "7", 2: "4"})):
        executor = make(workers)
        assert len(executor._workers) == len(wanted)
        # Until all are ready; the constructor waits for one.
        wait_for(lambda e=executor: e._events.qsize() == len(e._workers) - 1)
        found = outcomes(executor, [FINE] * 40)
        assert {outcome.worker: outcome.device.split()[-1] for outcome in found} == wanted
