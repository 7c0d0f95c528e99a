"""Executors, with real worker processes that are killed, hang and end."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from blockqnn import executors
from blockqnn.errors import UserError
from blockqnn.evaluators import DryEvaluator
from blockqnn.executors import InlineExecutor, LocalExecutor
from blockqnn.placement import Place, places
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.store import Store
from blockqnn.trial import Status
from blockqnn.worker import encode_settings
from tests.blockqnn.odd_worker import (
    CRASHING,
    EXITING,
    FINE,
    HANGING,
    KILLED,
    TALKING,
    WAITING,
)
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
    monkeypatch.setenv("ODD_WORKER_GO", str(tmp_path / "go"))
    return tmp_path / "begun"


@pytest.fixture
def make(tmp_path):
    """Makes local executors and closes them."""
    with contextlib.ExitStack() as stack:

        def make(workers=1, timeout=600.0, dataset="digits", slots=1, ahead=0, where=None):
            worker = WorkerSettings(slots, compile_threads=ahead + 1)
            settings = encode_settings(
                "dry", DataSettings(dataset), Recipe(epochs=2), LAYOUT, worker
            )
            where = where or [Place()] * workers
            executor = LocalExecutor(settings, where, tmp_path, timeout)
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
        assert outcome.accuracies == dry.evaluate(job(0, code), 0).accuracies
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
    wait_for(lambda: executor._events.qsize() == 2)
    # The answer has come between the end of waiting and the look at the clock.
    executor._workers[0].jobs[1].begun = time.monotonic() - 600
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
from blockqnn.placement import Place
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.worker import encode_settings
from tests.blockqnn.odd_worker import FINE, HANGING
from tests.blockqnn.searching import LAYOUT, job
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
        wait_for(begun.exists)
        busy = int(begun.read_text())
        assert is_alive(idle)
        assert is_alive(busy)
        driver.kill()
    wait_for(lambda: not is_alive(idle) and not is_alive(busy))


def reported(executor):
    """What all workers say of where they are: GPU, share of its memory, cores."""
    # Until all are ready; the constructor waits for one.
    while not all(worker.slots for worker in executor._workers):
        executor._wait()
    found = outcomes(executor, [FINE] * 40)
    return {outcome.worker: tuple(outcome.device.split()[2::2]) for outcome in found}


@pytest.mark.usefixtures("begun")
def test_every_gpu_gets_a_worker_that_sees_it_alone(make, monkeypatch):
    monkeypatch.delenv("XLA_PYTHON_CLIENT_MEM_FRACTION", raising=False)
    everything = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    environment = {"JAX_PLATFORMS": "cuda", "CUDA_VISIBLE_DEVICES": "4,7"}
    for workers, wanted in (
        (0, {0: ("4", "None"), 1: ("7", "None")}),
        # Of three workers two share a GPU, and with it the memory.
        (3, {0: ("4", "0.450"), 1: ("7", "None"), 2: ("4", "0.450")}),
    ):
        executor = make(where=places(workers, 1, 64, "train", environment))
        assert len(executor._workers) == len(wanted)
        assert reported(executor) == {k: (*v, everything) for k, v in wanted.items()}


@pytest.mark.usefixtures("begun")
def test_workers_on_a_cpu_are_bound_to_their_cores(make):
    last = str(max(os.sched_getaffinity(0)))
    executor = make(where=[Place({}, (int(last),))])
    assert reported(executor)[0][-1] == last
    # One that replaces it is bound too.
    executor._workers[0].process.kill()
    wait_for(executor._events.qsize)
    assert reported(executor)[0][-1] == last


def handed(executor):
    """The numbers of the jobs that each worker has."""
    return [list(worker.jobs) for worker in executor._workers]


def submit(executor, *codes):
    for number, code in enumerate(codes, start=1):
        executor.submit(job(number, code))


def take_note(executor, condition):
    """Lets the executor hear what workers say until something is so."""
    while not condition():
        executor._wait()


def begun_jobs(executor):
    return {n for w in executor._workers for n, job in w.jobs.items() if job.begun is not None}


def rest(executor, count):
    return dict(executor.next_outcome() for _ in range(count))


@pytest.mark.usefixtures("begun")
def test_a_worker_is_handed_its_next_jobs_early_but_none_that_another_could_begin(make, tmp_path):
    executor = make(workers=2, slots=2, ahead=1)
    take_note(executor, lambda: all(worker.slots for worker in executor._workers))
    assert executor.slots == 4
    for number, wanted in enumerate(
        [
            [[1], []],
            [[1], [2]],
            [[1, 3], [2]],
            [[1, 3], [2, 4]],
            [[1, 3, 5], [2, 4]],
            [[1, 3, 5], [2, 4, 6]],
            [[1, 3, 5], [2, 4, 6]],
        ],
        start=1,
    ):
        executor.submit(job(number, WAITING))
        assert handed(executor) == wanted
    # Only those that have a slot begin, and with them their time.
    take_note(executor, lambda: len(begun_jobs(executor)) == 4)
    assert begun_jobs(executor) == {1, 2, 3, 4}
    (tmp_path / "go").touch()
    assert {outcome.status for outcome in rest(executor, 7).values()} == {Status.COMPLETED}
    assert begun_jobs(executor) == set()


@pytest.mark.usefixtures("begun")
def test_jobs_are_kept_for_workers_that_are_about_to_be_ready(make, tmp_path):
    late = Place({"ODD_WORKER_START": str(tmp_path / "start")})
    executor = make(where=[Place(), late], ahead=3)
    submit(executor, WAITING, WAITING, WAITING)
    assert handed(executor) == [[1, 2], []]
    (tmp_path / "start").touch()
    take_note(executor, lambda: handed(executor) == [[1, 2], [3]])
    (tmp_path / "go").touch()
    assert len(rest(executor, 3)) == 3


def test_a_worker_that_dies_costs_the_children_that_it_had_begun_alone(make, begun, tmp_path):
    executor = make(slots=2, ahead=2)
    submit(executor, WAITING, WAITING, FINE, FINE, FINE)
    take_note(executor, lambda: begun_jobs(executor) == {1, 2})
    executor._workers[0].process.kill()
    found = [executor.next_outcome() for _ in range(5)]
    assert [number for number, _ in found[:2]] == [1, 2]
    for _, outcome in found[:2]:
        assert outcome.status is Status.FAILED
        assert "SIGKILL" in outcome.reason
    assert {outcome.status for _, outcome in found[2:]} == {Status.COMPLETED}


def test_what_a_dead_worker_had_not_begun_is_next_in_its_order(make, begun):
    executor = make(ahead=2)
    submit(executor, WAITING, FINE, FINE, FINE, FINE)
    take_note(executor, lambda: begun_jobs(executor) == {1})
    assert handed(executor) == [[1, 2, 3]]
    executor._workers[0].process.kill()
    assert [executor.next_outcome()[0] for _ in range(5)] == [1, 2, 3, 4, 5]


def test_children_beside_one_that_hangs_are_tried_again(make, begun, tmp_path):
    executor = make(slots=2, ahead=1)
    submit(executor, HANGING, WAITING, FINE)
    take_note(executor, lambda: begun_jobs(executor) == {1, 2})
    before = executor._workers[0]
    before.jobs[1].begun -= 600
    number, outcome = executor.next_outcome()
    assert number == 1
    assert outcome.status is Status.FAILED
    assert "600 seconds (--child_timeout_seconds)" in outcome.reason
    (tmp_path / "go").touch()
    found = rest(executor, 2)
    assert [found[number].status for number in (2, 3)] == [Status.COMPLETED] * 2
    assert executor._workers[0] is not before


@pytest.mark.usefixtures("begun")
def test_a_job_that_kills_workers_before_it_is_begun_is_given_up(make):
    crashing, after = outcomes(make(ahead=1), [CRASHING, FINE])
    assert crashing.status is Status.FAILED
    assert "SIGKILL" in crashing.reason
    assert after.status is Status.COMPLETED


@pytest.mark.usefixtures("begun")
def test_a_worker_that_is_never_ready_is_given_up(make, monkeypatch, tmp_path):
    monkeypatch.setattr(executors, "START_TIMEOUT_SECONDS", 0.5)
    never = Place({"ODD_WORKER_START": str(tmp_path / "start")})
    with pytest.raises(
        UserError, match=r"^Worker 0 was not ready after 0\.5 seconds; see .*log\.$"
    ):
        make(where=[never])


@pytest.mark.usefixtures("begun")
def test_so_is_one_that_replaces_another(make, monkeypatch, tmp_path):
    start = tmp_path / "start"
    start.touch()
    executor = make(where=[Place({"ODD_WORKER_START": str(start)})])
    start.unlink()
    monkeypatch.setattr(executors, "START_TIMEOUT_SECONDS", 0.5)
    submit(executor, KILLED, FINE)
    assert executor.next_outcome()[0] == 1
    with pytest.raises(UserError, match="Worker 0 was not ready"):
        executor.next_outcome()
