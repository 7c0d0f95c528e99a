"""Searches on real Ray clusters, whose workers, nodes, heads and drivers are ended."""

import contextlib
import os
import signal
import subprocess

import pytest

from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DryEvaluator
from blockqnn.runs.run_record import read_run
from blockqnn.runs.status_file import read_status
from blockqnn.runs.store import Store
from blockqnn.runs.supernet_record import SPLITS
from blockqnn.settings import DataSettings, DrySettings, Recipe, WorkerSettings
from blockqnn.trial import Status
from blockqnn.workers import ray_cluster
from blockqnn.workers.ray_executor import RayExecutor
from blockqnn.workers.ray_resources import Order
from blockqnn.workers.worker import encode_settings
from tests.blockqnn.chaos import result_of, run_to_the_end, run_under_fire, search_command
from tests.blockqnn.executing import is_alive, outcomes, wait_for
from tests.blockqnn.ray_nodes import ENVIRONMENT, cluster, needs_ray
from tests.blockqnn.searching.test_supernet import BY_GRADIENTS, SMALL, facts_of, what_came_of
from tests.blockqnn.small_searches import CONV1, CONV3, CONV5, LAYOUT, job, search_settings, start
from tests.paths import ROOT

pytestmark = needs_ray


@pytest.fixture(scope="module")
def four_cpus():
    with cluster(cpus=4) as found:
        yield found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The result of the search in one process that nobody disturbs."""
    run_dir = tmp_path_factory.mktemp("run") / "undisturbed"
    run_to_the_end(run_dir, "--executor=inline")
    return result_of(run_dir)


def on_ray(address, *arguments):
    return ["--executor=ray", f"--ray_address={address}", *arguments]


@pytest.fixture
def ray_workers(four_cpus, tmp_path, monkeypatch):
    """Makes executors on the cluster and closes them."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with contextlib.ExitStack() as stack:

        def make(workers=2, seconds=0.0, timeout=600.0, dataset="digits", **limits):
            settings = encode_settings(
                "dry",
                DataSettings(dataset),
                Recipe(epochs=2),
                LAYOUT,
                WorkerSettings(dry=DrySettings(seconds)),
            )
            order = Order(four_cpus.address, settings, 1.0, None, None, 0, 0, {})
            executor = RayExecutor(order, workers, 0, tmp_path, timeout, **limits)
            return stack.enter_context(contextlib.closing(executor))

        yield make


def test_outcomes_are_those_of_the_evaluator_and_workers_say_where_they_are(ray_workers):
    executor = ray_workers()
    codes = [CONV1, CONV3, CONV5]
    dry = DryEvaluator(2, LAYOUT.classes)
    for code, outcome in zip(codes, outcomes(executor, codes), strict=True):
        assert outcome.accuracies == dry.evaluate(job(0, code), 0).accuracies
        assert (outcome.status, outcome.device) == (Status.COMPLETED, "dry")
        assert outcome.worker in (0, 1)
    ready = [state for state in executor.states() if state.state == "idle"]
    assert ready
    assert all(is_alive(state.process) and state.node for state in ready)


def test_a_child_that_hangs_is_tried_again_and_then_given_up(ray_workers):
    executor = ray_workers(workers=1, seconds=3600.0, timeout=1.0, child_retries=1)
    (hanging,) = outcomes(executor, [CONV3])
    assert hanging.status is Status.FAILED
    assert hanging.reason == (
        "not finished after 1 seconds (--child_timeout_seconds), "
        "the last of 2 attempts (--child_retries)"
    )


def test_a_worker_that_is_killed_costs_its_child_an_attempt(ray_workers):
    executor = ray_workers(workers=1, seconds=600.0)
    executor.submit(job(1, CONV3))
    while executor._workers[0].jobs[1].begun is None:
        executor._wait()
    os.kill(executor.states()[0].process, signal.SIGKILL)
    number, outcome = executor.next_outcome()
    assert (number, outcome.status) == (1, Status.FAILED)
    assert outcome.reason == "the worker was killed or crashed, perhaps for lack of memory"


def test_workers_are_renewed(ray_workers):
    executor = ray_workers(workers=1, children_per_worker=2)
    processes = []
    for number in range(4):
        executor.submit(job(number, CONV1))
        assert executor.next_outcome()[1].status is Status.COMPLETED
        processes.append(executor._workers[0].pid)
    assert processes[0] == processes[1]
    assert processes[2] == processes[3]
    assert processes[0] != processes[2]


def test_data_that_the_worker_refuses_are_the_users_error(ray_workers, tmp_path):
    archive = tmp_path / "none.npz"
    settings = encode_settings(
        "train", DataSettings(f"npz:{archive}"), Recipe(), LAYOUT, WorkerSettings()
    )
    executor = ray_workers()
    order = Order(
        executor._cluster._order.address, settings, 1.0, 0.0, 0.0, 0, 0, {"JAX_PLATFORMS": "cpu"}
    )
    with pytest.raises(UserError, match=r"none\.npz"):
        RayExecutor(order, 1, 0, tmp_path, 600.0)


def test_a_connection_that_is_lost_costs_no_child_an_attempt(ray_workers):
    executor = ray_workers(workers=2, seconds=1.0)
    for number in range(4):
        executor.submit(job(number, CONV3))
    executor._cluster._process.kill()
    found = dict(executor.next_outcome() for _ in range(4))
    assert sorted(found) == [0, 1, 2, 3]
    assert {outcome.status for outcome in found.values()} == {Status.COMPLETED}


def test_an_asynchronous_search_ends_every_suggestion_once(ray_workers):
    settings = search_settings(((1.0, 2), (0.3, 3)), asynchronous=True)
    with contextlib.closing(Store.create_or_open(":memory:")) as store:
        search, _ = start(settings, store)
        trials = list(search.run(ray_workers(workers=3, seconds=0.01)))
        assert store.running() == []
    assert sorted(trial.number for trial in trials) == list(range(1, len(trials) + 1))
    assert sum(trial.status is not Status.INFEASIBLE for trial in trials) == 25


def test_a_cluster_that_is_not_there_is_told_in_a_sentence(blockqnn, monkeypatch):
    monkeypatch.setattr(ray_cluster, "CONNECT_SECONDS", 5.0)
    status, out, err = blockqnn(
        "search", "--evaluator=dry", "--preset=smoke", "--executor=ray", "--ray_address=127.0.0.1:1"
    )
    assert status == 2
    assert out.endswith("Run:     runs/smoke\n"), "nothing follows the heading"
    assert err.startswith(
        "blockqnn: The Ray cluster at --ray_address=127.0.0.1:1 cannot be reached"
    )
    assert err.count("\n") == 1


@pytest.mark.long
def test_chaos_on_a_cluster_ends_like_peace_in_one_process(four_cpus, undisturbed, tmp_path):
    run_dir = tmp_path / "run"
    killed = run_under_fire(
        run_dir,
        *on_ray(four_cpus.address, "--workers=3", "--dry_seconds=0.1"),
        worker_kills=6,
        driver_kills=3,
        environment=ENVIRONMENT,
    )
    assert killed == {"worker": 6, "driver": 3}
    trials, state, iterations = result_of(run_dir)
    assert len(trials) >= 200
    assert trials == undisturbed[0]
    assert state == undisturbed[1]
    assert iterations == undisturbed[2]
    assert {trial.status for trial in trials} <= {"trained", "known", "infeasible"}


def finished(run_dir):
    with contextlib.suppress(UserError):
        return len(read_run(run_dir).trials)
    return 0


def nodes_at_work(run_dir):
    """How many workers have a child."""
    status = read_status(run_dir / "status.json")
    return sum(bool(worker.children) for worker in status.workers) if status else 0


@pytest.mark.long
def test_nodes_come_and_go_and_the_head_is_restarted_while_a_search_runs(undisturbed, tmp_path):
    run_dir = tmp_path / "run"
    with cluster(cpus=0) as found:
        leaving = found.add(cpus=2)
        with subprocess.Popen(
            search_command(run_dir, *on_ray(found.address, "--dry_seconds=0.4")),
            cwd=ROOT,
            env=os.environ | ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as driver:
            wait_for(lambda: nodes_at_work(run_dir) == 2 or driver.poll() is not None)
            # As many workers as there is room for, and more when there is more.
            found.add(cpus=1)
            wait_for(lambda: nodes_at_work(run_dir) == 3 or driver.poll() is not None)
            leaving.kill()
            before = finished(run_dir)
            wait_for(lambda: finished(run_dir) > before + 3 or driver.poll() is not None)
            assert driver.poll() is None, driver.stdout.read()
            found.head.kill()
            for node in found.nodes[1:]:
                node.kill()
            before, found.nodes = finished(run_dir), []
            found.start_head()
            found.add(cpus=2)
            wait_for(lambda: finished(run_dir) > before or driver.poll() is not None)
            out, _ = driver.communicate()
            assert driver.returncode == 0, out
    assert result_of(run_dir) == undisturbed


def test_a_real_child_is_the_same_on_ray_and_here(four_cpus, tmp_path):
    arguments = [
        "--preset=smoke",
        "--evaluator=train",
        "--epsilon_schedule=1.0:1",
        "--blocks_per_iteration=1",
        "--max_layers=3",
    ]
    for name, how in (
        ("local", ["--executor=local", "--workers=1"]),
        ("ray", on_ray(four_cpus.address, "--workers=1")),
    ):
        run_to_the_end(tmp_path / name, *arguments, *how, environment=ENVIRONMENT)
    assert result_of(tmp_path / "ray") == result_of(tmp_path / "local")


@pytest.mark.long
def test_the_parts_of_a_supernet_are_the_same_on_ray_and_here(four_cpus, tmp_path):
    """Two workers train the parts side by side, and compare gradients for the next split."""
    arguments = (*SMALL, *BY_GRADIENTS)
    here = [each for each in arguments if not each.startswith("--executor")]
    for name, how in (
        ("local", ["--executor=local", "--workers=2"]),
        ("ray", on_ray(four_cpus.address, "--workers=2")),
    ):
        run_to_the_end(tmp_path / name, *here, *how, environment=ENVIRONMENT)
    found, wanted = what_came_of(tmp_path / "ray"), what_came_of(tmp_path / "local")
    # Parts end in any order.
    assert (found[0], sorted(found[1])) == (wanted[0], sorted(wanted[1]))
    splits = facts_of(tmp_path / "ray")[SPLITS]
    assert len(splits) == 3 and splits == facts_of(tmp_path / "local")[SPLITS]
