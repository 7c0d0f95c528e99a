"""Which GPUs workers may use, found without JAX."""

import pytest

from blockqnn.workers.placement import visible_gpus


@pytest.mark.parametrize(
    ("environment", "gpus"),
    [
        ({"CUDA_VISIBLE_DEVICES": "0"}, ["0"]),
        ({"CUDA_VISIBLE_DEVICES": "2, 5"}, ["2", "5"]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-8f3,MIG-1"}, ["GPU-8f3", "MIG-1"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, []),
        ({"CUDA_VISIBLE_DEVICES": "0,1", "JAX_PLATFORMS": "cpu"}, []),
        ({"CUDA_VISIBLE_DEVICES": "0,1", "JAX_PLATFORMS": "tpu,cpu"}, []),
        ({"CUDA_VISIBLE_DEVICES": "0,1", "JAX_PLATFORMS": "cuda,cpu"}, ["0", "1"]),
        ({"CUDA_VISIBLE_DEVICES": "0,1", "JAX_PLATFORMS": "gpu"}, ["0", "1"]),
        ({"CUDA_VISIBLE_DEVICES": "0,1", "JAX_PLATFORMS": ""}, ["0", "1"]),
    ],
)
def test_gpus_are_those_that_the_environment_leaves_visible(environment, gpus):
    assert visible_gpus(environment) == gpus


@pytest.mark.parametrize(("script", "gpus"), [("echo 0; echo 1", ["0", "1"]), ("exit 9", [])])
def test_without_a_word_from_the_environment_the_driver_lists_the_gpus(
    tmp_path, monkeypatch, script, gpus
):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus({}) == []
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert visible_gpus({}) == gpus
