"""What a worker takes of a cluster; needs no Ray."""

import os
import subprocess
import sys

import pytest

from blockqnn.workers import choice as executor_choice
from blockqnn.workers.placement import places
from blockqnn.workers.ray_cluster import bridge_environment
from blockqnn.workers.ray_resources import Order, Share, capacity, passed_on, share_of_a_worker
from tests.blockqnn.ray_nodes import needs_ray
from tests.paths import ROOT

CPU = {"CPU": 8.0, "memory": 1e9}
GPUS = {"CPU": 16.0, "GPU": 4.0}
TPU = {"CPU": 200.0, "TPU": 4.0, "TPU-v5e-head": 1.0}


def order(cpus=1.0, gpus=None, tpus=None, cores=1, **environment):
    return Order("auto", "{}", cpus, gpus, tpus, cores, 0, environment)


@pytest.mark.parametrize(
    ("wanted", "nodes", "share", "room"),
    [
        # A CPU cluster: bound to cores, as many workers as CPUs.
        (order(), [CPU, CPU], (1.0, 0.0, 0.0, 1), 16),
        (order(cpus=3.0, cores=3), [CPU], (3.0, 0.0, 0.0, 3), 2),
        (order(cpus=0.25, cores=0), [CPU], (0.25, 0.0, 0.0, 0), 32),
        # GPUs, if there are any, one each; a machine without one has no room then.
        (order(), [CPU, GPUS], (1.0, 1.0, 0.0, 0), 4),
        (order(cpus=8.0), [GPUS], (8.0, 1.0, 0.0, 0), 2),
        (order(gpus=0.5), [GPUS], (1.0, 0.5, 0.0, 0), 8),
        (order(gpus=0.3), [{"CPU": 9.0, "GPU": 1.0}], (1.0, 0.3, 0.0, 0), 3),
        (order(gpus=2.0), [GPUS, GPUS], (1.0, 2.0, 0.0, 0), 4),
        (order(JAX_PLATFORMS="cpu"), [GPUS], (1.0, 0.0, 0.0, 1), 16),
        # All chips of a TPU machine for one worker.
        (order(), [TPU, TPU, CPU], (1.0, 0.0, 4.0, 0), 2),
        (order(tpus=1.0), [TPU], (1.0, 0.0, 1.0, 0), 4),
        (order(JAX_PLATFORMS="cpu"), [TPU], (1.0, 0.0, 0.0, 1), 200),
        # What is asked for and nobody has.
        (order(gpus=1.0), [CPU], (1.0, 1.0, 0.0, 0), 0),
        (order(), [], (1.0, 0.0, 0.0, 1), 0),
    ],
)
def test_a_share_is_decided_and_counted(wanted, nodes, share, room):
    found = share_of_a_worker(wanted, nodes)
    assert (found.cpus, found.gpus, found.tpus, found.cores) == share
    assert capacity(found, nodes) == room


@pytest.mark.parametrize(
    ("gpus", "environment", "fraction"),
    [
        (0.5, {}, "0.450"),
        (0.25, {}, "0.225"),
        (1.0, {}, None),
        (None, {}, None),
        (0.5, {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.7"}, "0.7"),
        (0.5, {"XLA_CLIENT_MEM_FRACTION": "0.7"}, None),
    ],
)
def test_workers_that_share_a_gpu_share_its_memory(gpus, environment, fraction):
    found = share_of_a_worker(order(gpus=gpus, **environment), [GPUS])
    assert found.environment.get("XLA_PYTHON_CLIENT_MEM_FRACTION") == fraction


def test_ten_thousandths_do_not_cost_a_worker():
    assert capacity(Share(0.1, 0.0, 0.0, 0, {}), [{"CPU": 0.3}]) == 3


def test_only_variables_of_jax_are_passed_on():
    given = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--x", "HOME": "/root", "AWS_SECRET": "s"}
    assert passed_on(given) == {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--x"}


@pytest.mark.parametrize(
    ("variables", "file", "mode"),
    [
        ({}, False, None),
        ({}, True, "token"),
        ({"RAY_AUTH_TOKEN": "t"}, False, "token"),
        ({"RAY_AUTH_TOKEN_PATH": "t"}, False, "token"),
        ({"RAY_AUTH_MODE": "disabled"}, True, "disabled"),
    ],
)
def test_a_token_that_the_user_has_is_shown_to_the_cluster(tmp_path, variables, file, mode):
    if file:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text("token")
    found = bridge_environment(variables, tmp_path)
    assert found.get("RAY_AUTH_MODE") == mode
    assert found["RAY_USAGE_STATS_ENABLED"] == "0"
    assert bridge_environment({"RAY_USAGE_STATS_ENABLED": "1"})["RAY_USAGE_STATS_ENABLED"] == "1"


def test_parts_of_a_gpu_are_shared_on_this_machine_too():
    environment = {"JAX_PLATFORMS": "cuda", "CUDA_VISIBLE_DEVICES": "4,7"}
    found = places(0, 1, 64, "train", environment, gpus_per_worker=0.5)
    assert [place.environment["CUDA_VISIBLE_DEVICES"] for place in found] == ["4", "7", "4", "7"]
    fractions = {place.environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] for place in found}
    assert fractions == {"0.450"}


RAY = ("search", "--preset=smoke", "--evaluator=dry", "--executor=ray")


def test_without_ray_it_is_said_how_to_get_it(blockqnn, monkeypatch):
    monkeypatch.setattr(executor_choice.importlib.util, "find_spec", lambda name: None)
    status, out, err = blockqnn(*RAY)
    assert (status, out) == (2, "")
    assert err == (
        "blockqnn: --executor=ray needs Ray, which is not installed: pip install 'blockqnn[ray]'.\n"
    )
    assert blockqnn.files() == []


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--ray_address=ray://head:10001", "HOST:PORT of the cluster's head"),
        ("--gpus_per_child=1.5", "a part of one, or a whole number"),
        ("--tpus_per_child=2.5", "a part of one, or a whole number"),
    ],
)
def test_what_cannot_be_had_of_a_cluster_is_refused(blockqnn, monkeypatch, flag, words):
    monkeypatch.setattr(executor_choice.importlib.util, "find_spec", lambda name: object())
    status, out, err = blockqnn(*RAY, flag)
    assert (status, out) == (2, "")
    assert flag.split("=")[0] in err
    assert words in err
    assert blockqnn.files() == []


def test_the_driver_imports_no_ray():
    program = (
        "import sys, blockqnn.__main__, blockqnn.workers.ray_executor;"
        "found = {'ray', 'jax', 'blockqnn.workers.ray_bridge', 'blockqnn.workers.ray_actor'};"
        "assert not found & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


BINDING = """
import os, pathlib, sys
from blockqnn.workers.ray_actor import bind_to_free_cores
held = bind_to_free_cores(int(sys.argv[2]), pathlib.Path(sys.argv[1]))
print(*sorted(os.sched_getaffinity(0)), flush=True)
sys.stdin.read()
"""


def binding(directory, count):
    return subprocess.Popen(
        [sys.executable, "-c", BINDING, str(directory), str(count)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@needs_ray
def test_workers_on_a_machine_are_bound_to_different_cores(tmp_path):
    cores = sorted(os.sched_getaffinity(0))
    found = []
    with binding(tmp_path, 1) as first:
        found.append(first.stdout.readline().split())
        with binding(tmp_path, 1) as second:
            found.append(second.stdout.readline().split())
            second.communicate("")
        # What the second had is free again.
        with binding(tmp_path, 1) as third:
            assert third.stdout.readline().split() == found[1]
            third.communicate("")
        first.communicate("")
    assert found[0] == [str(cores[0])]
    if len(cores) > 1:
        assert found[1] == [str(cores[1])]
    with binding(tmp_path, 0) as unbound:
        assert unbound.stdout.readline().split() == [str(core) for core in cores]
        unbound.communicate("")
    with binding(tmp_path, len(cores) + 1) as too_many:
        assert len(too_many.stdout.readline().split()) == len(cores)
        too_many.communicate("")


@needs_ray
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The actor died.\nTask was killed due to the node running low on memory.", "ran out of"),
        ("The actor is dead because its node has died. Node Id: x", "was lost with its machine"),
        (
            "died\nThe actor is dead because its worker process has died. Worker exit type",
            "was killed or crashed, perhaps for lack of memory",
        ),
        ("The actor 5991 is unavailable: RpcError", "could not be reached any more"),
        ("It was killed by `ray.kill(actor)`", "was ended"),
        ("something new\nand more", "ended (something new)"),
    ],
)
def test_how_an_actor_ended_is_said_in_words(text, words):
    # Importing Ray opens files that it does not close.
    program = (
        "import sys; from blockqnn.workers.ray_bridge import how_it_ended;"
        "print(how_it_ended(RuntimeError(sys.argv[1])))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, text], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert words in ended.stdout
