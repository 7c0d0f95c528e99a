"""How a machine is divided among workers."""

import importlib.util
import os

import pytest

from blockqnn.workers import placement
from blockqnn.workers.placement import Place, compile_threads, places

CPU = {"JAX_PLATFORMS": "cpu"}


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine of six cores, some of which the process may not use, without devices."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 2, 3, 5, 8, 9})
    monkeypatch.setattr(placement.shutil, "which", lambda name: None)
    return tmp_path


def cores(workers, cores_per_worker, most=64, evaluator="train"):
    return [place.cores for place in places(workers, cores_per_worker, most, evaluator, CPU)]


@pytest.mark.parametrize(
    ("workers", "cores_per_worker", "most", "wanted"),
    [
        (0, 1, 64, [(1,), (2,), (3,), (5,), (8,), (9,)]),
        (0, 1, 2, [(1,), (2,)]),
        (0, 2, 64, [(1, 2), (3, 5), (8, 9)]),
        (0, 4, 64, [(1, 2, 3, 5)]),
        (0, 9, 64, [(1, 2, 3, 5, 8, 9)]),
        (1, 1, 64, [(1,)]),
        (3, 1, 1, [(1,), (2,), (3,)]),
        (8, 1, 64, [(1,), (2,), (3,), (5,), (8,), (9,), (1,), (2,)]),
        (2, 4, 64, [(1, 2, 3, 5), (1, 2, 8, 9)]),
        (0, 0, 64, [()]),
        (3, 0, 64, [(), (), ()]),
    ],
)
def test_cores_are_divided_among_workers(workers, cores_per_worker, most, wanted):
    assert cores(workers, cores_per_worker, most) == wanted


def test_one_worker_is_enough_for_making_accuracies_up():
    assert len(cores(0, 1, evaluator="dry")) == 1
    assert len(cores(3, 1, evaluator="dry")) == 3
    gpus = {"CUDA_VISIBLE_DEVICES": "0,1"}
    assert len(places(0, 1, 64, "dry", gpus)) == 1


def test_a_system_without_affinity_has_the_cores_that_it_says(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert cores(0, 1) == [(0,), (1,), (2,)]


def test_workers_on_a_cpu_keep_the_memory_that_they_free_unless_told_otherwise():
    (place,) = places(1, 1, 64, "train", CPU | {"MALLOC_ARENA_MAX": "4"})
    assert set(place.environment) == {
        "MALLOC_MMAP_MAX_",
        "MALLOC_TRIM_THRESHOLD_",
        "MALLOC_TOP_PAD_",
    }
    (unbound,) = places(1, 0, 64, "train", CPU)
    assert unbound.environment["MALLOC_ARENA_MAX"] == "1"


def test_a_tpu_has_one_worker_for_all_its_cores(machine, monkeypatch):
    assert places(0, 1, 64, "train", {"JAX_PLATFORMS": "tpu,cpu"}) == [Place()]
    has_tpu = placement.has_tpu
    assert not has_tpu({}, machine)
    for name in ("accel0", "vfio"):
        (machine / name).touch()
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        assert not has_tpu({}, machine), "a host of something else"
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
        assert has_tpu({}, machine)
        assert has_tpu({"JAX_PLATFORMS": "tpu"}, machine)
        assert not has_tpu(CPU, machine)
        (machine / name).unlink()


GPUS = {"CUDA_VISIBLE_DEVICES": "3,5"}
FRACTION = "XLA_PYTHON_CLIENT_MEM_FRACTION"


def test_workers_that_share_a_gpu_share_its_memory():
    shares = [place.environment.get(FRACTION) for place in places(5, 1, 64, "train", GPUS)]
    assert shares == ["0.300", "0.450", "0.300", "0.450", "0.300"]
    assert [place.environment for place in places(0, 1, 64, "train", GPUS)] == [
        {"CUDA_VISIBLE_DEVICES": "3"},
        {"CUDA_VISIBLE_DEVICES": "5"},
    ]
    for name in (FRACTION, "XLA_CLIENT_MEM_FRACTION"):
        for place in places(5, 1, 64, "train", GPUS | {name: "0.1"}):
            assert set(place.environment) == {"CUDA_VISIBLE_DEVICES"}
    assert {place.cores for place in places(5, 1, 64, "train", GPUS)} == {()}


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([Place()], 6),
        ([Place()] * 2, 3),
        ([Place()] * 9, 1),
        ([Place({}, (1,))] * 2, 1),
        ([Place({}, (1, 2))], 2),
        ([Place({}, tuple(range(40)))], 8),
    ],
)
def test_a_worker_compiles_with_the_cores_that_it_has(found, wanted):
    assert compile_threads(found) == wanted


def test_a_worker_of_several_devices_has_as_many_gpus():
    four = {"CUDA_VISIBLE_DEVICES": "0,1,2,3"}
    for devices, wanted in [(2, ["0,1", "2,3"]), (4, ["0,1,2,3"]), (3, ["0,1,2"]), (1, None)]:
        found = places(0, 1, 64, "shared", four, devices=devices)
        visible = [place.environment["CUDA_VISIBLE_DEVICES"] for place in found]
        assert visible == (wanted or ["0", "1", "2", "3"])
