"""Which worker gets which job when, where workers stand, and what becomes of jobs not begun."""

import os

import pytest

from blockqnn.errors import UserError
from blockqnn.trial import Status
from blockqnn.workers import pool as worker_pool
from blockqnn.workers.placement import Place, places
from tests.blockqnn.executing import outcomes, wait_for
from tests.blockqnn.odd_worker import CRASHING, FINE, HANGING, KILLED, WAITING
from tests.blockqnn.small_searches import job


def reported(executor):
    """What all workers say of where they are: GPU, share of its memory, cores."""
    # Until all are ready; the constructor waits for one.
    while not all(worker.slots for worker in executor._workers):
        executor._wait()
    found = outcomes(executor, [FINE] * 40)
    return {outcome.worker: tuple(outcome.device.split()[2::2]) for outcome in found}


@pytest.mark.usefixtures("odd_workers")
def test_every_gpu_gets_a_worker_that_sees_it_alone(local_executor, monkeypatch):
    monkeypatch.delenv("XLA_PYTHON_CLIENT_MEM_FRACTION", raising=False)
    everything = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    environment = {"JAX_PLATFORMS": "cuda", "CUDA_VISIBLE_DEVICES": "4,7"}
    for workers, wanted in (
        (0, {0: ("4", "None"), 1: ("7", "None")}),
        # Of three workers two share a GPU, and with it the memory.
        (3, {0: ("4", "0.450"), 1: ("7", "None"), 2: ("4", "0.450")}),
    ):
        executor = local_executor(where=places(workers, 1, 64, "train", environment))
        assert len(executor._workers) == len(wanted)
        assert reported(executor) == {k: (*v, everything) for k, v in wanted.items()}


@pytest.mark.usefixtures("odd_workers")
def test_workers_on_a_cpu_are_bound_to_their_cores(local_executor):
    last = str(max(os.sched_getaffinity(0)))
    executor = local_executor(where=[Place({}, (int(last),))])
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


@pytest.mark.usefixtures("odd_workers")
def test_a_worker_is_handed_its_next_jobs_early_but_none_that_another_could_begin(
    local_executor, tmp_path
):
    executor = local_executor(workers=2, slots=2, ahead=1)
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


@pytest.mark.usefixtures("odd_workers")
def test_jobs_are_kept_for_workers_that_are_about_to_be_ready(local_executor, tmp_path):
    late = Place({"ODD_WORKER_START": str(tmp_path / "start")})
    executor = local_executor(where=[Place(), late], ahead=3)
    submit(executor, WAITING, WAITING, WAITING)
    assert handed(executor) == [[1, 2], []]
    (tmp_path / "start").touch()
    take_note(executor, lambda: handed(executor) == [[1, 2], [3]])
    (tmp_path / "go").touch()
    assert len(rest(executor, 3)) == 3


def test_a_worker_that_dies_costs_the_children_that_it_had_begun_alone(
    local_executor, odd_workers, tmp_path
):
    executor = local_executor(slots=2, ahead=2)
    submit(executor, WAITING, WAITING, FINE, FINE, FINE)
    take_note(executor, lambda: begun_jobs(executor) == {1, 2})
    executor._workers[0].process.kill()
    found = [executor.next_outcome() for _ in range(5)]
    assert [number for number, _ in found[:2]] == [1, 2]
    for _, outcome in found[:2]:
        assert outcome.status is Status.FAILED
        assert "SIGKILL" in outcome.reason
    assert {outcome.status for _, outcome in found[2:]} == {Status.COMPLETED}


@pytest.mark.usefixtures("odd_workers")
def test_what_a_dead_worker_had_not_begun_is_next_in_its_order(local_executor):
    executor = local_executor(ahead=2)
    submit(executor, WAITING, FINE, FINE, FINE, FINE)
    take_note(executor, lambda: begun_jobs(executor) == {1})
    assert handed(executor) == [[1, 2, 3]]
    executor._workers[0].process.kill()
    assert [executor.next_outcome()[0] for _ in range(5)] == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("odd_workers")
def test_children_beside_one_that_hangs_are_tried_again(local_executor, tmp_path):
    executor = local_executor(slots=2, ahead=1)
    submit(executor, HANGING, WAITING, FINE)
    take_note(executor, lambda: begun_jobs(executor) == {1, 2})
    before = executor._workers[0]
    before.jobs[1].begun -= 600
    executor._kill_overdue()
    number, outcome = executor.next_outcome()
    assert number == 1
    assert outcome.status is Status.FAILED
    assert "600 seconds (--child_timeout_seconds)" in outcome.reason
    (tmp_path / "go").touch()
    found = rest(executor, 2)
    assert [found[number].status for number in (2, 3)] == [Status.COMPLETED] * 2
    assert executor._workers[0] is not before


@pytest.mark.usefixtures("odd_workers")
def test_a_job_that_kills_workers_before_it_is_begun_is_given_up(local_executor):
    crashing, after = outcomes(local_executor(ahead=1), [CRASHING, FINE])
    assert crashing.status is Status.FAILED
    assert "SIGKILL" in crashing.reason
    assert after.status is Status.COMPLETED


@pytest.mark.usefixtures("odd_workers")
def test_a_worker_that_is_never_ready_is_given_up(local_executor, monkeypatch, tmp_path):
    monkeypatch.setattr(worker_pool, "START_TIMEOUT_SECONDS", 0.5)
    never = Place({"ODD_WORKER_START": str(tmp_path / "start")})
    with pytest.raises(
        UserError, match=r"^Worker 0 was not ready after 0\.5 seconds; see .*log\.$"
    ):
        local_executor(where=[never])


@pytest.mark.usefixtures("odd_workers")
def test_so_is_one_that_replaces_another(local_executor, monkeypatch, tmp_path):
    start = tmp_path / "start"
    start.touch()
    executor = local_executor(where=[Place({"ODD_WORKER_START": str(start)})])
    start.unlink()
    monkeypatch.setattr(worker_pool, "START_TIMEOUT_SECONDS", 0.5)
    submit(executor, KILLED, FINE)
    assert executor.next_outcome()[0] == 1
    with pytest.raises(UserError, match="Worker 0 was not ready"):
        executor.next_outcome()
