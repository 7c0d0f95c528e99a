"""A platform that is not there ends every verb that computes with a sentence."""

import os
import subprocess
import sys

import jax
import pytest

from blockqnn.children.devices import local_devices
from tests.paths import ROOT


def test_the_devices_are_those_of_jax():
    assert local_devices() == jax.local_devices()


@pytest.mark.parametrize("platform", ["tpu", "no_such_platform"])
@pytest.mark.parametrize(
    "verb",
    [
        "search --preset=smoke --run_dir={}",
        "search --preset=smoke --run_dir={} --executor=inline",
        "train residual --epochs=1 --milestones= --out_dir={}",
        "bench --blocks=residual --steps=1",
    ],
)
def test_a_platform_that_is_missing_is_a_sentence(tmp_path, platform, verb):
    if platform == "tpu" and not verb.startswith("search"):
        pytest.skip("one platform is enough for the others")
    done = subprocess.run(
        [sys.executable, "-m", "blockqnn", *verb.format(tmp_path / "run").split()],
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": platform},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"blockqnn: JAX_PLATFORMS is {platform}, but JAX cannot start there")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("flags", "begins", "count"),
    [
        ("", "", 3),
        # Whoever has said it already has the last word.
        ("--xla_force_host_platform_device_count=2", "", 2),
        ("", "jax.devices(); ", 1),
    ],
)
def test_a_processor_becomes_several_devices_before_jax_has_begun(flags, begins, count):
    program = (
        "import jax; from blockqnn.children.devices import divide_processor, local_devices; "
        f"{begins}divide_processor(3); print(len(local_devices()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{count}\n"
