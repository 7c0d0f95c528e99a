"""What a heading says of the machine, and where workers go when JAX cannot use its GPUs."""

import sys

import pytest

from blockqnn.networks.processor import processor_name
from blockqnn.workers.machine import (
    can_use_gpus,
    described,
    placing_environment,
    unused_gpus,
)
from blockqnn.workers.placement import Place, available_cores, places

GPUS = {"CUDA_VISIBLE_DEVICES": "0,1"}


def test_a_gpu_that_jax_cannot_use_is_warned_of():
    warning = unused_gpus(GPUS, plugin=False)
    assert warning is not None and "2 GPUs" in warning and "jax[cuda13]" in warning
    assert unused_gpus(GPUS, plugin=True) is None
    assert unused_gpus({"CUDA_VISIBLE_DEVICES": ""}, plugin=False) is None
    # Who asks for the CPU knows that it is slow.
    assert unused_gpus({**GPUS, "JAX_PLATFORMS": "cpu"}, plugin=False) is None


def test_workers_go_to_cores_where_gpus_cannot_be_used():
    environment = placing_environment(GPUS, plugin=False)
    found = places(0, 1, 64, "train", environment)
    assert len(found) == len(available_cores())
    assert all(len(place.cores) == 1 for place in found)
    assert placing_environment(GPUS, plugin=True) is GPUS
    assert len(places(0, 1, 64, "train", GPUS)) == 2


def test_a_platform_that_was_asked_for_is_left_to_jax():
    asked = {**GPUS, "JAX_PLATFORMS": "cuda"}
    assert placing_environment(asked, plugin=False) is asked


def test_the_machine_in_words():
    cpu = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    count = len(available_cores())
    cores = f"{count} CPU core{'s' if count > 1 else ''} ({processor_name()})"
    assert described([Place()], cpu) == f"{cores}, 1 worker"
    assert described([Place(cores=(3, 5))], cpu) == f"{cores}, 1 worker of 2 cores"
    assert described([Place(cores=(3,)), Place(cores=(5,))], cpu) == f"{cores}, 2 workers"
    assert described(None, cpu) == cores
    assert described([Place()] * 2, GPUS, plugin=True) == "2 NVIDIA GPUs, 2 workers"
    assert described(None, GPUS, plugin=False) == cores
    assert described(None, {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "tpu"}) == "TPU"


@pytest.mark.parametrize(("name", "found"), [("xla_cuda99", True), ("xla_other", False)])
def test_a_plugin_is_found_by_its_name(tmp_path, monkeypatch, name, found):
    before = can_use_gpus()
    plugin = tmp_path / "jax_plugins" / name
    plugin.mkdir(parents=True)
    (plugin / "__init__.py").write_text("")
    monkeypatch.delitem(sys.modules, "jax_plugins", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert can_use_gpus() == (found or before)
